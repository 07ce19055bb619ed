"""From one server to the others, through Home Assistant."""

from datetime import timedelta

import pytest

from homeassistant.core import Event, EventStateChangedData

from custom_components.plex_watchsync.const import DOMAIN
from simulators.base import Act

from .conftest import FILM, OTHER, TITLES, House


async def test_three_servers_stay_in_step(house: House) -> None:
    """Added one after the other, they agree; a film marked on each becomes watched on the others."""
    house.places["plex"].simulator.stock("anna", OTHER.key, played=True, count=1)
    entries = await house.add_all()
    assert all(place.shown(OTHER).played for place in house.places.values())
    for kind, title in zip(house.places, TITLES[2:], strict=False):
        await house.places[kind].act(Act.MARK_WATCHED, title)
        await house.call("sync", config_entry_id=entries[kind].entry_id)
        assert all(place.shown(title).played for place in house.places.values()), kind
    assert house.state("sensor.study_status") == "idle"
    assert house.state("sensor.study_items") == str(len(TITLES))
    assert house.state("sensor.attic_watched_items") == "4"
    assert house.state("sensor.cellar_pending_writes") == "0"
    assert house.state("sensor.anna_last_watched") == str(TITLES[4].key)
    assert len(house.hass.config_entries.async_entries(DOMAIN)) == 4


async def test_removing_everything_leaves_nothing(house: House, hass_storage: dict[str, object]) -> None:
    """Unload and removal leave no state, no entity, no document."""
    await house.places["plex"].act(Act.MARK_WATCHED, FILM)
    await house.add_all()
    for entry in house.hass.config_entries.async_entries(DOMAIN):
        await house.hass.config_entries.async_remove(entry.entry_id)
    await house.settle()
    assert not [key for key in hass_storage if key.startswith(DOMAIN)]
    assert not [state.entity_id for state in house.hass.states.async_all()]


async def test_what_is_left_to_write_is_shown_while_it_is_written(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pending writes are true at all times, not only when a run has ended."""
    monkeypatch.setattr("custom_components.plex_watchsync.engine.viewer.BATCH", 1)
    monkeypatch.setattr("custom_components.plex_watchsync.hub.SHOWN_EVERY", timedelta())
    entries = await house.add_all()
    seen: list[str] = []

    def hear(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == "sensor.attic_pending_writes" and event.data["new_state"]:
            seen.append(event.data["new_state"].state)

    house.hass.bus.async_listen("state_changed", hear)
    for title in TITLES[:3]:
        await house.places["plex"].act(Act.MARK_WATCHED, title)
    await house.call("sync", config_entry_id=entries["plex"].entry_id)
    await house.settle()
    assert seen == ["2", "1", "0"]
