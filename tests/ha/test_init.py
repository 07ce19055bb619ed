"""Set-up, unload and removal: what stops a server's entry, what goes on by itself, and that nothing is left behind."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from homeassistant.components import webhook
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.helpers import account_subentries, household_entry, viewer_subentries
from custom_components.plex_watchsync.hub import HUB, Hub
from custom_components.plex_watchsync.ports import StoreError
from simulators.base import Act
from simulators.plex import PlexSimulator

from .conftest import FILM, OTHER, TITLES, House
from .flows import added, joined

HOUR = timedelta(hours=1).total_seconds()


def entries(hass: HomeAssistant) -> list[ConfigEntry]:
    """Return the entries of all servers and of the household."""
    return hass.config_entries.async_entries(DOMAIN)


def state_of(entry: ConfigEntry) -> ConfigEntryState:
    """Return how an entry is at this moment."""
    return entry.state


def webhooks(hass: HomeAssistant) -> list[str]:
    """Return the ids that somebody listens to."""
    return [known for known, one in hass.data.get(webhook.DOMAIN, {}).items() if one.domain == DOMAIN]


def forgetful(hass: HomeAssistant) -> None:
    """Let the hub forget what it has in memory, as a restart does."""
    hass.data[HUB] = Hub(hass)


async def reloaded(house: House, entry: ConfigEntry) -> ConfigEntry:
    """Load an entry anew."""
    await house.hass.config_entries.async_reload(entry.entry_id)
    await house.settle()
    return entry


@pytest.mark.parametrize("kind", ["plex", "jellyfin", "emby"])
async def test_a_server_that_is_away_is_tried_again(house: House, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """An outage at start is waited out, with the reason in words; back again, the server takes part."""
    entry, faults = await house.add(kind), house.places[kind].simulator.faults
    faults.offline = True
    await reloaded(house, entry)
    assert state_of(entry) is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "server_failed"
    assert not [record for record in caplog.records if record.exc_info and record.levelno >= logging.WARNING]
    faults.offline = False
    await house.later(60)
    assert state_of(entry) is ConfigEntryState.LOADED


@pytest.mark.parametrize("kind", ["plex", "jellyfin", "emby"])
async def test_credentials_that_were_withdrawn_start_a_new_sign_in(house: House, kind: str) -> None:
    """At start, a server that does not let us in asks for new credentials."""
    entry = await house.add(kind)
    house.hass.config_entries.async_update_entry(entry, data={**entry.data, "token": "withdrawn"})
    await house.settle()
    assert (entry.state, entry.error_reason_translation_key) == (ConfigEntryState.SETUP_ERROR, "auth_failed")
    assert [flow["context"]["source"] for flow in house.hass.config_entries.flow.async_progress()] == [SOURCE_REAUTH]


async def test_another_server_at_the_address_is_never_synced(house: House) -> None:
    """G3: neither one of another kind nor another one of the same kind; whether it is the right one again is looked at until it is."""
    entry = await house.add("emby")
    for changes in ({"data": {**entry.data, "url": house.places["jellyfin"].url}}, {"data": dict(entry.data), "unique_id": "f" * 32}):
        house.hass.config_entries.async_update_entry(entry, **changes)
        await house.settle()
        assert (state_of(entry), entry.error_reason_translation_key) == (ConfigEntryState.SETUP_RETRY, "other_server")


async def test_a_server_that_is_replaced_while_it_runs(house: House) -> None:
    """G3: an issue says so, at once and after a reload; nothing is read or written until the old one is back, and removing the entry takes the issue along."""
    loaded = await house.add_all()
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.call("sync", config_entry_id=loaded["plex"].entry_id)
    plex = house.places["plex"].simulator
    assert isinstance(plex, PlexSimulator)
    known, plex.machine_identifier = plex.machine_identifier, "f" * 40
    await house.places["plex"].act(Act.MARK_UNWATCHED)
    await house.places["emby"].act(Act.MARK_WATCHED, OTHER)
    await house.later(HOUR + 60)
    issue_id = f"server_replaced_{loaded['plex'].entry_id}"
    issue = ir.async_get(house.hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert (issue.translation_key, issue.is_fixable) == ("server_replaced", False)
    assert issue.translation_placeholders == {"server": "Study", "address": house.places["plex"].url}
    assert house.state("sensor.study_status") == "error"
    assert (house.places["emby"].shown().played, house.places["plex"].shown(OTHER).played) == (True, False)
    await reloaded(house, loaded["plex"])
    assert (state_of(loaded["plex"]), loaded["plex"].error_reason_translation_key) == (ConfigEntryState.SETUP_RETRY, "other_server")
    assert ir.async_get(house.hass).async_get_issue(DOMAIN, issue_id)
    plex.machine_identifier = known
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.later(60)
    assert not ir.async_get(house.hass).async_get_issue(DOMAIN, issue_id)
    assert house.places["plex"].shown(OTHER).played
    plex.machine_identifier = "f" * 40
    await house.later(HOUR + 60)
    await house.later(HOUR + 60)
    assert ir.async_get(house.hass).async_get_issue(DOMAIN, issue_id)
    await house.hass.config_entries.async_remove(loaded["plex"].entry_id)
    assert not ir.async_get(house.hass).async_get_issue(DOMAIN, issue_id)


async def test_what_was_agreed_on_and_lost_stops_everything(house: House, hass_storage: dict[str, Any]) -> None:
    """A vanished baseline is no first run: household and server stop and say so, nothing is written (G3)."""
    entry, household = await house.add("plex"), household_entry(house.hass)
    assert household is not None
    for one in (household, entry):
        await house.hass.config_entries.async_unload(one.entry_id)
    shard = next(key for key in hass_storage if "/items_" in key)
    del hass_storage[shard]
    forgetful(house.hass)
    for one in (household, entry):
        await house.hass.config_entries.async_setup(one.entry_id)
        assert (one.state, one.error_reason_translation_key) == (ConfigEntryState.SETUP_ERROR, "baseline_lost")
    with pytest.raises(StoreError):
        await house.hass.data[HUB].viewer(viewer_subentries(household)[0].subentry_id)
    assert shard not in hass_storage


async def test_all_is_there_again_after_a_restart(house: House) -> None:
    """What was agreed, counted and watched last is there before the first reading; the first sync after it writes nothing."""
    await house.places["plex"].act(Act.MARK_WATCHED)
    loaded = await house.add_all()
    before = {one: house.state(one) for one in ("sensor.study_watched_items", "sensor.anna_last_watched", "sensor.cellar_items")}
    for entry in entries(house.hass):
        await house.hass.config_entries.async_unload(entry.entry_id)
    forgetful(house.hass)
    for entry in entries(house.hass):
        await house.hass.config_entries.async_setup(entry.entry_id)
    await house.settle()
    assert {one: house.state(one) for one in before} == before
    answer = await house.call("sync", config_entry_id=loaded["plex"].entry_id)
    assert (answer["changes"], answer["servers"]["Study"]["written"]) == ([], 0)


async def test_unloading_leaves_nothing_running(house: House) -> None:
    """No webhook, no timer, no poll, no listener; loaded again, all is as before."""
    loaded = await house.add_all()
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.call("sync", config_entry_id=loaded["plex"].entry_id)
    assert len(webhooks(house.hass)) == 3
    for entry in entries(house.hass):
        assert await house.hass.config_entries.async_unload(entry.entry_id)
    await house.settle()
    for place in house.places.values():
        place.simulator.requests.clear()
    await house.later(49 * HOUR)
    assert not any(place.simulator.requests for place in house.places.values())
    assert not webhooks(house.hass)
    assert not house.hass.data[HUB].coordinators
    assert not [signal for signal, listeners in house.hass.data.get("dispatcher", {}).items() if DOMAIN in str(signal) and listeners]
    for entry in entries(house.hass):
        assert await house.hass.config_entries.async_setup(entry.entry_id)
    await house.settle()
    assert len(webhooks(house.hass)) == 3
    assert house.state("sensor.study_status") == "idle"


async def test_removing_leaves_nothing_behind(house: House, hass_storage: dict[str, Any]) -> None:
    """No document, no webhook, no timer, no entity, no device, no flow."""
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.add_all()
    for entry in entries(house.hass):
        await house.hass.config_entries.async_remove(entry.entry_id)
    await house.settle()
    for place in house.places.values():
        place.simulator.requests.clear()
    await house.later(49 * HOUR)
    assert not any(place.simulator.requests for place in house.places.values())
    assert not [key for key in hass_storage if key.startswith(DOMAIN)]
    assert not webhooks(house.hass)
    assert not [one for one in er.async_get(house.hass).entities.values() if one.platform == DOMAIN]
    assert not [device for device in dr.async_get(house.hass).devices if any(known[0] == DOMAIN for known in device.identifiers)]
    assert not house.hass.config_entries.flow.async_progress()
    assert not house.hass.data[HUB].viewers


async def test_removing_the_household_first_leaves_nothing_behind(house: House, hass_storage: dict[str, Any]) -> None:
    """Whatever the order: of a viewer who is gone, nothing is left to forget."""
    entry, household = await house.add("plex"), household_entry(house.hass)
    assert household is not None
    await house.hass.config_entries.async_remove(household.entry_id)
    await house.hass.config_entries.async_remove(entry.entry_id)
    await house.settle()
    await house.later(HOUR)
    assert not webhooks(house.hass)
    assert not [key for key in hass_storage if key.startswith(DOMAIN)]


async def test_a_removed_server_is_forgotten_and_what_was_agreed_stays(house: House) -> None:
    """The others keep their state; added again, the server is filled by it (R4)."""
    loaded = await house.add_all()
    await house.places["jellyfin"].act(Act.MARK_WATCHED)
    await house.call("sync", config_entry_id=loaded["jellyfin"].entry_id)
    await house.hass.config_entries.async_remove(loaded["jellyfin"].entry_id)
    await house.settle()
    house.places["jellyfin"].simulator.stock("anna", FILM.key, played=False)
    await house.add("jellyfin")
    assert house.places["jellyfin"].shown().played
    assert house.places["plex"].shown().played


async def test_a_removed_viewer_is_deleted(house: House, hass_storage: dict[str, Any]) -> None:
    """His documents go with him."""
    await house.add("plex")
    household = household_entry(house.hass)
    assert household is not None
    (viewer,) = viewer_subentries(household)
    house.hass.config_entries.async_remove_subentry(household, viewer.subentry_id)
    await house.settle()
    assert not [key for key in hass_storage if key.startswith(DOMAIN)]
    assert viewer.subentry_id not in house.hass.data[HUB].viewers


async def test_a_removed_account_is_forgotten(house: House) -> None:
    """Its items are counted no more, and it is written no more."""
    loaded = await house.add_all()
    (account,) = account_subentries(loaded["emby"])
    house.hass.config_entries.async_remove_subentry(loaded["emby"], account.subentry_id)
    await house.settle()
    assert house.state("sensor.cellar_items") == "0"
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.call("sync", config_entry_id=loaded["plex"].entry_id)
    assert house.places["jellyfin"].shown().played
    assert not house.places["emby"].shown().played


async def test_polling_needs_no_entity(house: House) -> None:
    """With every entity disabled the server is still read once an hour (pitfall 33)."""
    await house.add_all()
    registry = er.async_get(house.hass)
    for one in [one for one in registry.entities.values() if one.platform == DOMAIN]:
        registry.async_update_entity(one.entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    for entry in entries(house.hass):
        await reloaded(house, entry)
    assert not house.hass.states.async_all("sensor")
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.later(HOUR + 60)
    assert all(place.shown().played for place in house.places.values())


async def test_polling_by_the_options(house: House) -> None:
    """An interval that was changed counts at once; not due yet, nothing is asked."""
    entry, simulator = await house.add("plex"), house.places["plex"].simulator
    await house.options(entry, import_interval=600)
    simulator.requests.clear()
    await house.later(2 * HOUR)
    assert "GET /library/sections" not in simulator.requests
    await house.later(11 * HOUR)
    assert "GET /library/sections" in simulator.requests


async def test_a_full_sync_by_the_options(house: House) -> None:
    """However seldom changes are asked for, every item is compared once a day, or as the options say."""
    entry, simulator = await house.add("plex"), house.places["plex"].simulator
    await house.options(entry, import_interval=1440, full_interval=5)
    simulator.requests.clear()
    await house.later(4 * HOUR)
    assert "GET /library/sections" not in simulator.requests
    await house.later(5 * HOUR + 1)
    assert "GET /library/sections" in simulator.requests


async def test_an_outage_shows_and_ends(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Down is said once, a server that is away is looked for every minute, and back is said once."""
    await house.add_all()
    faults = house.places["emby"].simulator.faults
    faults.offline = True
    await house.places["plex"].act(Act.MARK_WATCHED, OTHER)
    await house.later(HOUR + 60)
    assert house.state("sensor.cellar_status") == "unavailable"
    assert house.state("sensor.cellar_items") == "unavailable"
    assert house.state("sensor.cellar_pending_writes") == "1"
    assert house.state("sensor.study_status") == "idle"
    faults.offline = False
    await house.later(61)
    assert house.state("sensor.cellar_status") == "idle"
    assert house.state("sensor.cellar_items") == str(len(TITLES))
    assert house.places["emby"].shown(OTHER).played
    await house.later(HOUR + 120)
    assert house.state("sensor.cellar_pending_writes") == "0"
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(f"custom_components.{DOMAIN}") and record.levelname != "DEBUG"]
    assert len([message for message in ours if "Error fetching Cellar" in message]) == 1
    assert len([message for message in ours if "Fetching Cellar data recovered" in message]) == 1


async def test_credentials_withdrawn_while_running_start_a_new_sign_in(house: House) -> None:
    """A poll that is not let in asks for new credentials, once."""
    await house.add("jellyfin")
    house.places["jellyfin"].simulator.faults.status = 401
    await house.later(HOUR + 60)
    await house.later(2 * HOUR)
    assert house.state("sensor.attic_status") == "error"
    assert [flow["context"]["source"] for flow in house.hass.config_entries.flow.async_progress()] == [SOURCE_REAUTH]


async def test_writes_that_a_server_is_owed_are_tried_again(house: House) -> None:
    """A server that came back gets what it is owed without any poll (W5)."""
    loaded = await house.add_all()
    for entry in loaded.values():
        await house.options(entry, import_interval=1440)
    faults = house.places["emby"].simulator.faults
    faults.status = 503
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.call("sync", config_entry_id=loaded["plex"].entry_id)
    assert house.state("sensor.cellar_pending_writes") == "1"
    faults.status = None
    for seconds in (60, 600, 3600):
        await house.later(seconds)
    assert house.state("sensor.cellar_pending_writes") == "0"
    assert house.places["emby"].shown().played


async def test_accounts_of_a_viewer_who_was_removed_take_no_part(house: House) -> None:
    """G3: after the server was set up anew nobody is made of an id that the household does not have; an issue says what to do, until the account is gone."""
    entry = await added(house.hass, house.places["jellyfin"], "jellyfin_api_key")
    await joined(house.hass, entry)
    household = household_entry(house.hass)
    assert household is not None
    ben = next(one for one in viewer_subentries(household) if one.title == "Ben")
    house.hass.config_entries.async_remove_subentry(household, ben.subentry_id)
    await house.settle()
    await reloaded(house, entry)
    assert ben.subentry_id not in house.hass.data[HUB].viewers
    await house.call("mark_watched", media={"imdb": FILM.ids["imdb"]})
    issue_id = f"no_viewer_{entry.entry_id}"
    issue = ir.async_get(house.hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert (issue.translation_key, issue.translation_placeholders) == ("no_viewer", {"server": "Attic", "accounts": "ben"})
    account = next(one for one in account_subentries(entry) if one.data["viewer"] == ben.subentry_id)
    house.hass.config_entries.async_remove_subentry(entry, account.subentry_id)
    await house.settle()
    assert ir.async_get(house.hass).async_get_issue(DOMAIN, issue_id) is None


async def test_nothing_is_synced_without_a_household(house: House) -> None:
    """Once it was removed, actions say so, before its servers are set up anew and after that."""
    entry = await house.add("plex")
    household = household_entry(house.hass)
    assert household is not None
    await house.hass.config_entries.async_remove(household.entry_id)
    await house.settle()
    for _time in range(2):
        for action, data in {"sync": {"config_entry_id": entry.entry_id}, "backup": {}, "restore": {}}.items():
            with pytest.raises(ServiceValidationError, match="The household was removed"):
                await house.call(action, **data)
        await reloaded(house, entry)
