"""Entities: what they show, when they are there, and what a press does."""

from dataclasses import replace

import pytest

from homeassistant.components.button.const import DOMAIN as BUTTON
from homeassistant.components.button.const import SERVICE_PRESS
from homeassistant.const import ATTR_ENTITY_ID, EntityCategory
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.helpers import household_entry, viewer_subentries
from custom_components.plex_watchsync.sensor import REPORT_SENSORS
from simulators.base import Act

from .conftest import FILM, OTHER, TITLES, House


async def press(house: House, entity_id: str) -> None:
    """Press a button and wait."""
    await house.hass.services.async_call(BUTTON, SERVICE_PRESS, {ATTR_ENTITY_ID: entity_id}, blocking=True)
    await house.settle()


async def test_which_entities_a_server_has(house: House) -> None:
    """Their names are the contract; ids of the registry come from the server's own id."""
    entry = await house.add("jellyfin")
    registry = er.async_get(house.hass)
    found = {one.entity_id: one for one in er.async_entries_for_config_entry(registry, entry.entry_id)}
    assert {f"sensor.attic_{name}" for name in ("status", "last_sync", "items", "watched_items", "pending_writes")} <= found.keys()
    assert {f"button.attic_{name}" for name in ("sync", "full_import", "full_export", "regenerate_webhook")} <= found.keys()
    assert {"event.attic_webhook_received", "switch.attic_webhook", "binary_sensor.attic_connected"} <= found.keys()
    assert all(one.unique_id.startswith(str(entry.unique_id)) for one in found.values() if one.config_subentry_id is None)
    assert found["sensor.attic_last_sync"].entity_category is EntityCategory.DIAGNOSTIC
    device = dr.async_get(house.hass).async_get(str(found["sensor.attic_status"].device_id))
    assert isinstance(device, dr.DeviceEntry)
    assert (device.name, device.manufacturer, device.entry_type) == ("Attic", "Jellyfin", dr.DeviceEntryType.SERVICE)
    assert device.configuration_url == house.places["jellyfin"].url


async def test_which_entities_a_viewer_has(house: House) -> None:
    """They hang on the viewer's own device, below the household."""
    await house.add("jellyfin")
    household = household_entry(house.hass)
    assert household is not None
    (viewer,) = viewer_subentries(household)
    found = {one.entity_id: one for one in er.async_entries_for_config_entry(er.async_get(house.hass), household.entry_id)}
    assert {"event.anna_watch", "sensor.anna_last_watched"} <= found.keys()
    assert found["event.anna_watch"].config_subentry_id == viewer.subentry_id
    assert found["event.anna_watch"].entity_category is None  # areas and devices are targets of triggers only then


async def test_what_was_watched_last(house: House) -> None:
    """The title, and its facts as attributes; nothing watched: unknown."""
    entries = await house.add_all()
    assert house.state("sensor.anna_last_watched") == "unknown"
    await house.places["jellyfin"].act(Act.MARK_WATCHED, TITLES[-1])
    await house.call("sync", config_entry_id=entries["jellyfin"].entry_id)
    await house.settle()
    state = house.hass.states.get("sensor.anna_last_watched")
    assert state is not None
    assert TITLES[-1].show is not None
    facts = state.attributes
    assert state.state == f"{TITLES[-1].key} {TITLES[-1].name}"
    assert (facts["media_type"], facts["show"], facts["season"], facts["episode"]) == (
        "episode",
        TITLES[-1].show.name,
        TITLES[-1].season,
        TITLES[-1].episode,
    )
    assert facts["server"] == "Attic"
    assert set(facts["show_ids"]) & {"tvdb", "tmdb", "imdb"}
    assert "T" in facts["time"]


async def test_the_event_tells_what_happened(house: House) -> None:
    """Watched, unwatched and a moved resume point, each with its facts; what a first sync finds is no news."""
    house.places["plex"].simulator.stock("anna", OTHER.key, played=True, count=1)
    entries = await house.add_all()
    assert house.state("event.anna_watch") == "unknown"
    told = []
    house.hass.bus.async_listen(
        "state_changed",
        lambda event: told.append(event.data["new_state"].attributes) if event.data["entity_id"] == "event.anna_watch" else None,
    )
    for act, position in ((Act.MARK_WATCHED, None), (Act.MARK_UNWATCHED, None), (Act.STOP, 900)):
        await house.places["jellyfin"].act(act, FILM, position)
        await house.call("sync", config_entry_id=entries["jellyfin"].entry_id)
        await house.settle()
    assert [facts["event_type"] for facts in told] == ["watched", "unwatched", "progress"]
    assert told[0]["title"] == FILM.name
    assert told[0]["ids"].items() >= FILM.ids.items()
    assert told[2]["position"] == 900


@pytest.mark.parametrize("name", ["sync", "full_import", "full_export"])
async def test_a_button_starts_a_run(house: House, name: str) -> None:
    """Each does its half, or both."""
    await house.add_all()
    await house.places["plex"].act(Act.MARK_WATCHED)
    await press(house, f"button.study_{name}")
    assert house.places["emby"].shown().played == (name == "sync")
    if name == "full_import":
        await press(house, "button.cellar_full_export")
        assert house.places["emby"].shown().played


async def test_a_button_says_that_its_server_is_away(house: House) -> None:
    """It can be pressed all the same."""
    await house.add("plex")
    house.places["plex"].simulator.faults.status = 500
    await press_fails(house, "button.study_sync")
    assert house.state("button.study_full_import") != "unavailable"
    assert house.state("sensor.study_status") == "unavailable"


async def press_fails(house: House, entity_id: str) -> None:
    """Press a button that says why it cannot."""
    with pytest.raises(HomeAssistantError) as caught:
        await press(house, entity_id)
    assert (caught.value.translation_domain, caught.value.translation_key) == (DOMAIN, "server_failed")


async def test_the_status_while_a_run_goes_on(house: House) -> None:
    """Importing, exporting, idle: in this order."""
    await house.add("plex")
    seen: list[str] = []
    house.hass.bus.async_listen(
        "state_changed", lambda event: seen.append(event.data["new_state"].state) if event.data["entity_id"] == "sensor.study_status" else None
    )
    await press(house, "button.study_sync")
    await press(house, "button.study_full_export")
    assert seen == ["importing", "idle", "exporting", "idle"]


async def test_in_sync(house: House) -> None:
    """On at rest, off while a server is owed something, and where it was never read."""
    entries = await house.add_all()
    assert house.state("binary_sensor.cellar_in_sync") == "on"
    assert house.state("sensor.cellar_unmatched_items") == "0"
    house.places["emby"].simulator.faults.offline = True
    await house.places["plex"].act(Act.MARK_WATCHED, FILM)
    await house.call("import_state", config_entry_id=entries["plex"].entry_id)
    assert house.state("sensor.cellar_pending_writes") == "0"
    assert house.state("binary_sensor.cellar_in_sync") == "off"
    assert house.state("binary_sensor.attic_in_sync") == "off"
    await house.call("sync", config_entry_id=entries["plex"].entry_id)
    await house.call("export_state", config_entry_id=entries["jellyfin"].entry_id)
    assert house.state("binary_sensor.attic_in_sync") == "on"
    house.places["emby"].simulator.faults.offline = False
    await house.call("sync", config_entry_id=entries["emby"].entry_id)
    assert house.state("binary_sensor.cellar_in_sync") == "on"


async def test_counts_of_reports(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each server, after a whole sync: what the reports list; switched off until somebody wants it."""
    registry = er.async_get(house.hass)
    await house.add("emby")
    disabled = {entity_id for entity_id, one in registry.entities.items() if one.disabled}
    assert disabled == {f"sensor.cellar_{name}_items" for name in ("partial", "ambiguous", "weak", "duplicate", "disagreeing")}
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)
    await house.add("plex")
    await house.places["jellyfin"].simulator.add(replace(TITLES[-1], episode=99, name="Extra", ids={"tvdb": "999111"}, path="/shows/extra.mkv"))
    entry = await house.add("jellyfin")
    await house.call("sync", config_entry_id=entry.entry_id)
    counts = {
        one.entity_id: house.state(one.entity_id)
        for one in registry.entities.values()
        if one.unique_id.endswith(tuple(one.key for one in REPORT_SENSORS)) and not one.disabled
    }
    names = ("partial", "ambiguous", "weak", "duplicate", "disagreeing")
    assert counts == {
        f"sensor.{server}_{name}_items": "1" if (server, name) == ("study", "partial") else "0" for server in ("study", "attic") for name in names
    }
