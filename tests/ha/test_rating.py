"""Ratings, from a server through Home Assistant to the others (M4)."""

from itertools import pairwise
from typing import Any

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event

from custom_components.plex_watchsync.sync.rating import DISLIKE, LIKE

from .conftest import FILM, House, until
from .flows import Walk


@pytest.fixture
def told(hass: HomeAssistant, house: House) -> list[dict[str, Any]]:
    """Collect what anna's event tells."""
    found: list[dict[str, Any]] = []

    @callback
    def hear(event: Event[EventStateChangedData]) -> None:
        if (state := event.data["new_state"]) and state.attributes.get("event_type"):
            found.append(dict(state.attributes))

    async_track_state_change_event(hass, ["event.anna_watch"], hear)
    return found


async def synced(house: House, entry: ConfigEntry) -> dict[str, float | None]:
    """Sync a server, and return how each shows the film to be rated."""
    await house.call("sync", config_entry_id=entry.entry_id)
    await house.settle()
    return {kind: place.shown().rating for kind, place in house.places.items()}


@pytest.mark.parametrize("kind", ["plex", "jellyfin", "emby"])
async def test_a_rating_travels_and_is_told_once(house: House, told: list[dict[str, Any]], kind: str) -> None:
    """Numbers where there are numbers, thumbs on Emby; who watched nothing has watched nothing.

    What is taken back goes everywhere, unless it is a thumb, which a partial write can sweep away: it comes back.
    """
    entries = await house.add_all()
    await house.places[kind].simulator.rate_title("anna", FILM.key, 3)
    number = DISLIKE if kind == "emby" else 3
    shown = await synced(house, entries[kind])
    assert shown == {"plex": number, "jellyfin": number, "emby": DISLIKE}
    await house.places[kind].simulator.rate_title("anna", FILM.key, None)
    assert await synced(house, entries[kind]) == (shown if kind == "emby" else dict.fromkeys(house.places))
    ratings = [number] if kind == "emby" else [number, None]
    assert [facts["rating"] for facts in told] == ratings
    assert {(facts["event_type"], facts["title"], facts["server"]) for facts in told} == {("rated", FILM.name, house.places[kind].name)}
    assert not any(place.shown().played for place in house.places.values())
    lines = (await house.call("get_journal", kind="change", event="rated"))["entries"]
    assert [(line["before"]["rating"], line["after"]["rating"]) for line in reversed(lines)] == list(pairwise([None, *ratings]))


async def test_a_rating_by_webhook(house: House, told: list[dict[str, Any]], hass_client_no_auth: ClientSessionGenerator) -> None:
    """Plex tells of it itself; its socket may not (server-apis §5.1)."""
    client = await hass_client_no_auth()
    entries = await house.add_all()
    plex = house.places["plex"].simulator
    plex.webhooks = [str(client.make_url(webhook.async_generate_path(entries["plex"].data["webhook_id"])))]
    await plex.rate_title("anna", FILM.key, 8)
    await until(lambda: house.places["jellyfin"].shown().rating == 8 and house.places["emby"].shown().rating == LIKE)
    await house.settle()
    assert [facts["event_type"] for facts in told] == ["rated"]


@pytest.mark.parametrize("kind", ["plex", "jellyfin", "emby"])
async def test_a_server_whose_ratings_stay_its_own(house: House, told: list[dict[str, Any]], kind: str) -> None:
    """Switched off in its options: neither do its ratings count, nor is one written; the others go on."""
    entries = await house.add_all()
    manager = house.hass.config_entries.options
    walk = Walk(house.hass, manager, await manager.async_init(entries[kind].entry_id))
    await walk.keep(sync_ratings=False)
    await house.settle()
    place = house.places[kind]
    other = next(one for one in house.places if one not in {kind, "emby"})
    await place.simulator.rate_title("anna", FILM.key, 10)
    before = place.shown().rating
    assert await synced(house, entries[kind]) == dict.fromkeys(house.places) | {kind: before}
    assert not told
    await house.places[other].simulator.rate_title("anna", FILM.key, 2)
    shown = await synced(house, entries[other])
    assert shown == {"plex": 2, "jellyfin": 2, "emby": DISLIKE} | {kind: before}
    assert [facts["rating"] for facts in told] == [2]
