"""While a server's libraries are read, what people do is followed as at any other time."""

import asyncio

import pytest

from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.hub import hub_of
from custom_components.plex_watchsync.ports import Hint
from simulators.base import Act

from .conftest import FILM, House, until


async def test_a_hint_does_not_wait_for_a_listing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for one that was asked for nor for one that catches up; the status stays what it is."""
    await house.add_all()
    hub = hub_of(house.hass)
    (viewer_id,) = hub.viewers
    accounts = {coordinator.config_entry.title: account for coordinator in hub.coordinators.values() for account in coordinator.accounts}
    jellyfin = house.places["jellyfin"]
    gate = asyncio.Event()
    monkeypatch.setattr(jellyfin.simulator, "before_page", lambda _start: gate.wait())
    listing = asyncio.create_task(hub.sync(Run(full=True)))
    hub.following.catch_up(viewer_id, accounts["Attic"])
    await until(lambda: house.state("sensor.attic_status") == "importing")

    await jellyfin.act(Act.MARK_WATCHED)
    hub.following.hint(viewer_id, [Hint(accounts["Attic"], jellyfin.shown().item_id, house.clock())])
    await until(lambda: all(place.shown().played for place in house.places.values()))
    await until(lambda: house.state("sensor.anna_last_watched").startswith(FILM.name))
    assert house.state("sensor.attic_status") == "importing"
    assert not listing.done()
    gate.set()
    await listing
    await house.settle()
    assert house.state("sensor.attic_status") == "idle"
    assert all(place.shown().played for place in house.places.values())
