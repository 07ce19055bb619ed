"""G3 as people meet it: what was agreed on is gone, broken or from a newer version. It is no first run; a repair begins anew, and shows first what that does."""

from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.exceptions import ServiceValidationError, UnsupportedStorageVersionError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.setup import async_setup_component

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.helpers import account_subentries, household_entry, viewer_subentries
from custom_components.plex_watchsync.hub import HUB, Hub
from custom_components.plex_watchsync.repairs import LostBaselineFlow, async_create_fix_flow
from simulators.base import Act

from .conftest import FILM, OTHER, House
from .flows import added, joined
from .test_held import step


def entries(house: House) -> list[ConfigEntry]:
    """Return the entries, the household's first."""
    household = household_entry(house.hass)
    assert household is not None
    return [household, *(entry for entry in house.hass.config_entries.async_entries(DOMAIN) if entry is not household)]


def issue(house: House) -> ir.IssueEntry | None:
    """Return the issue of the lost viewer, if there is any."""
    found = [one for one in ir.async_get(house.hass).issues.values() if one.domain == DOMAIN and one.issue_id.startswith("baseline_lost_")]
    return found[0] if found else None


async def down(house: House) -> None:
    """Stop everything, and forget what is in memory, as a restart does."""
    for entry in entries(house):
        await house.hass.config_entries.async_unload(entry.entry_id)
    house.hass.data[HUB] = Hub(house.hass)


async def up(house: House) -> None:
    """Start everything."""
    for entry in entries(house):
        await house.hass.config_entries.async_setup(entry.entry_id)
    await house.settle()


async def waited(house: House, client: Any, address: str, shown: dict[str, Any]) -> dict[str, Any]:
    """Wait while a flow reads; whatever progress is asked with is no answer to what follows."""
    while shown["type"].startswith("progress"):
        await house.hass.async_block_till_done()
        shown = await step(client, address, {})
    return shown


@pytest.fixture
async def lost(house: House, hass_storage: dict[str, Any], tmp_path: Path) -> House:
    """Return a house in which two films were watched and one was unwatched since, and then all that was stored of it disappeared."""
    house.hass.config.config_dir = str(tmp_path)
    assert await async_setup_component(house.hass, "repairs", {})
    await house.add_all()
    for title in (FILM, OTHER):
        await house.call("mark_watched", media={"imdb": title.ids["imdb"]})
    await house.call("backup")
    await down(house)
    for key in [key for key in hass_storage if key.startswith(f"{DOMAIN}/")]:
        del hass_storage[key]
    await house.places["emby"].act(Act.MARK_UNWATCHED)
    await house.places["emby"].act(Act.MARK_UNWATCHED, OTHER)
    await house.places["jellyfin"].act(Act.MARK_UNWATCHED, OTHER)
    await house.places["plex"].act(Act.MARK_UNWATCHED, OTHER)
    await up(house)
    return house


def watched(house: House) -> dict[str, tuple[bool, bool]]:
    """Return what each server shows of the two films."""
    return {kind: (place.shown(FILM).played, place.shown(OTHER).played) for kind, place in house.places.items()}


async def test_all_that_was_stored_is_gone(lost: House) -> None:
    """G3, pitfall 2: the entries say that there was something, so it is no first run: all stops, an issue says so, nothing is written."""
    assert {entry.state for entry in entries(lost)} == {ConfigEntryState.SETUP_ERROR}
    assert {entry.error_reason_translation_key for entry in entries(lost)} == {"baseline_lost"}
    found = issue(lost)
    assert found is not None
    assert (found.translation_key, found.is_fixable) == ("baseline_lost", True)
    assert watched(lost) == {"plex": (True, False), "jellyfin": (True, False), "emby": (False, False)}


@pytest.mark.parametrize(
    ("choice", "counts", "after"),
    [("merge_anew", ("1", "0"), (True, False)), ("restore_backup", ("4", "0"), (True, True))],
)
async def test_beginning_anew(
    lost: House, hass_client: ClientSessionGenerator, hass_storage: dict[str, Any], *, choice: str, counts: tuple[str, str], after: tuple[bool, bool]
) -> None:
    """G1, G3: first it is shown, then all accounts are merged, with the backup or without; nothing is unwatched, whatever was chosen for an account once."""
    emby = entries(lost)[3]
    (account,) = account_subentries(emby)
    lost.hass.config_entries.async_update_subentry(emby, account, data={**account.data, "initial_sync": "fill_server"})
    client, found = await hass_client(), issue(lost)
    assert found is not None
    shown = await step(client, "/api/repairs/issues/fix", {"handler": DOMAIN, "issue_id": found.issue_id})
    assert (shown["type"], shown["menu_options"]) == ("menu", ["restore_backup", "merge_anew"])
    address = f"/api/repairs/issues/fix/{shown['flow_id']}"
    shown = await step(client, address, {"next_step_id": choice})
    if choice == "restore_backup":
        (field,) = shown["data_schema"]
        assert (field["name"], field["default"][:5], field["selector"]["select"]["options"]) == ("file", "anna-", [field["default"]])
        shown = await step(client, address, {"file": field["default"]})
    shown = await waited(lost, client, address, shown)
    assert (shown["type"], shown["step_id"]) == ("form", "preview")
    placeholders = shown["description_placeholders"]
    assert (placeholders["watched"], placeholders["unwatched"]) == counts
    assert watched(lost) == {"plex": (True, False), "jellyfin": (True, False), "emby": (False, False)}
    assert not [key for key in hass_storage if key.endswith("/viewer")]
    assert (await waited(lost, client, address, await step(client, address, {})))["type"] == "create_entry"
    await lost.settle()
    assert set(watched(lost).values()) == {after}
    assert {entry.state for entry in entries(lost)} == {ConfigEntryState.LOADED}
    assert issue(lost) is None
    assert {one.data["initial_sync"] for entry in entries(lost)[1:] for one in account_subentries(entry)} == {"merge"}


async def test_a_server_that_is_away_cannot_be_shown(lost: House, hass_client: ClientSessionGenerator) -> None:
    """R2: what would be done is not known, so nothing is; without a backup there is but one way."""
    for path in (Path(lost.hass.config.config_dir) / DOMAIN / "backups").iterdir():
        path.unlink()
    client, found = await hass_client(), issue(lost)
    assert found is not None
    lost.places["emby"].simulator.faults.offline = True
    shown = await step(client, "/api/repairs/issues/fix", {"handler": DOMAIN, "issue_id": found.issue_id})
    assert shown["menu_options"] == ["merge_anew"]
    address = f"/api/repairs/issues/fix/{shown['flow_id']}"
    shown = await step(client, address, {"next_step_id": "merge_anew"})
    shown = await waited(lost, client, address, shown)
    assert (shown["type"], shown["reason"], shown["description_placeholders"]) == ("abort", "cannot_connect", {"servers": "Cellar"})
    assert issue(lost)


async def test_a_broken_backup_is_not_the_last_word(lost: House, hass_client: ClientSessionGenerator) -> None:
    """G3: what broke what was agreed on may have broken the newest backup as well; an older one can be chosen."""
    (good,) = (Path(lost.hass.config.config_dir) / DOMAIN / "backups").iterdir()
    broken = good.with_name(f"{good.name[: good.name.rindex('-')]}-99991231T235959Z.json")
    broken.write_text(good.read_text()[:-10])
    client, found = await hass_client(), issue(lost)
    assert found is not None
    shown = await step(client, "/api/repairs/issues/fix", {"handler": DOMAIN, "issue_id": found.issue_id})
    address = f"/api/repairs/issues/fix/{shown['flow_id']}"
    shown = await step(client, address, {"next_step_id": "restore_backup"})
    assert shown["data_schema"][0]["selector"]["select"]["options"] == [broken.name, good.name]
    shown = await step(client, address, {"file": broken.name})
    assert (shown["step_id"], shown["errors"]) == ("restore_backup", {"file": "broken_backup"})
    shown = await waited(lost, client, address, await step(client, address, {"file": good.name}))
    assert (shown["step_id"], shown["description_placeholders"]["watched"]) == ("preview", "4")


async def test_what_is_there_again_needs_no_repair(lost: House, hass_client: ClientSessionGenerator) -> None:
    """It may have been put back, and the issue be open in a browser still."""
    found = issue(lost)
    assert found is not None
    lost.hass.data[HUB].lost.clear()
    late = await step(await hass_client(), "/api/repairs/issues/fix", {"handler": DOMAIN, "issue_id": found.issue_id})
    assert (late["type"], late["reason"]) == ("abort", "not_lost")


async def test_what_is_ignored_stays_ignored(house: House, hass_client: ClientSessionGenerator, hass_storage: dict[str, Any]) -> None:
    """I8: where only the agreed state is broken, what the viewer wants left alone is still known."""
    assert await async_setup_component(house.hass, "repairs", {})
    await house.add_all()
    await house.call("ignore", media={"imdb": FILM.ids["imdb"]})
    await down(house)
    for key in [key for key in hass_storage if "/items_" in key]:
        del hass_storage[key]
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.places["plex"].act(Act.MARK_WATCHED, OTHER)
    await up(house)
    client, found = await hass_client(), issue(house)
    assert found is not None
    shown = await step(client, "/api/repairs/issues/fix", {"handler": DOMAIN, "issue_id": found.issue_id})
    address = f"/api/repairs/issues/fix/{shown['flow_id']}"
    shown = await step(client, address, {"next_step_id": "merge_anew"})
    shown = await waited(house, client, address, shown)
    assert shown["description_placeholders"]["watched"] == "2"
    assert (await waited(house, client, address, await step(client, address, {})))["type"] == "create_entry"
    await house.settle()
    assert watched(house) == {"plex": (True, True), "jellyfin": (False, True), "emby": (False, True)}


async def test_only_the_viewer_whose_state_is_lost_stops(house: House, hass_storage: dict[str, Any]) -> None:
    """G3: on a server that two people use the other one goes on; actions for the lost one say why not; he can be removed, and so can the server."""
    emby = await added(house.hass, house.places["emby"], "emby_api_key", viewer="Anna")
    await joined(house.hass, emby)
    plex = await added(house.hass, house.places["plex"], "plex_token", viewer="Anna")
    lost_id, ben_id = (one.subentry_id for one in viewer_subentries(entries(house)[0]))
    await down(house)
    for key in [key for key in hass_storage if key.startswith(f"{DOMAIN}/{lost_id}/")]:
        del hass_storage[key]
    await up(house)
    assert [entry.state for entry in entries(house)] == [ConfigEntryState.LOADED, ConfigEntryState.LOADED, ConfigEntryState.SETUP_ERROR]
    assert house.hass.data[HUB].viewers.keys() == {ben_id}
    await house.call("mark_watched", media={"imdb": FILM.ids["imdb"]}, viewer="ben")
    assert [next(row.played for row in house.places["emby"].simulator.shown(who) if row.key == FILM.key) for who in ("anna", "ben")] == [False, True]
    with pytest.raises(ServiceValidationError, match="Nothing is synced for Anna"):
        await house.call("mark_watched", media={"imdb": FILM.ids["imdb"]}, viewer="anna")
    await house.hass.config_entries.async_remove(plex.entry_id)
    assert issue(house) is not None
    house.hass.config_entries.async_remove_subentry(entries(house)[0], lost_id)
    await house.settle()
    assert issue(house) is None


async def test_a_newer_version_wrote_it(house: House, hass_storage: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """G3: after a downgrade all stops, the issue says what to do, and no document is touched; back at the newer version all goes on."""
    await house.add("plex")
    await down(house)
    before = {key: str(value) for key, value in hass_storage.items() if key.startswith(f"{DOMAIN}/")}

    async def newer(self: Store[Any]) -> Any:
        raise UnsupportedStorageVersionError(self.key, 99, 1)

    with monkeypatch.context() as downgraded:
        downgraded.setattr(Store, "async_load", newer)
        await up(house)
    assert {entry.error_reason_translation_key for entry in entries(house)} == {"baseline_newer"}
    found = issue(house)
    assert found is not None
    assert (found.translation_key, found.is_fixable) == ("baseline_newer", False)
    assert {key: str(value) for key, value in hass_storage.items() if key in before} == before
    for entry in entries(house):
        await house.hass.config_entries.async_reload(entry.entry_id)
    await house.settle()
    assert issue(house) is None
    assert {entry.state for entry in entries(house)} == {ConfigEntryState.LOADED}


async def test_remembering_reloads_nothing(house: House) -> None:
    """That a viewer was synced is no change to follow; once is enough."""
    entry = await house.add("plex")
    household = entries(house)[0]
    (viewer,) = viewer_subentries(household)
    assert viewer.data == {"synced": True}
    before, sensor = er.async_get(house.hass).entities.keys(), house.hass.states.get("sensor.anna_last_watched")
    house.hass.config_entries.async_update_subentry(household, viewer, data={})
    await house.places["plex"].act(Act.MARK_WATCHED)
    told = async_capture_events(house.hass, EVENT_STATE_CHANGED)
    await house.call("sync", config_entry_id=entry.entry_id)
    await house.settle()
    assert household.subentries[viewer.subentry_id].data == {"synced": True}
    assert "unavailable" not in {event.data["new_state"].state for event in told}
    assert sensor is not None
    assert er.async_get(house.hass).entities.keys() == before


async def test_the_only_viewer_is_removed(lost: House) -> None:
    """G3: the household could not be set up, but follows that: the issue goes with the viewer, and who has it open still is told."""
    household, found = entries(lost)[0], issue(lost)
    assert found is not None
    (viewer,) = viewer_subentries(household)
    lost.hass.config_entries.async_remove_subentry(household, viewer.subentry_id)
    await lost.settle()
    assert issue(lost) is None
    assert household.state is ConfigEntryState.LOADED
    late = await async_create_fix_flow(lost.hass, found.issue_id, {"viewer": viewer.subentry_id})
    assert isinstance(late, LostBaselineFlow)
    late.hass = lost.hass
    assert (await late.async_step_init())["reason"] == "viewer_removed"


async def test_what_changed_since_it_was_shown(lost: House, hass_client: ClientSessionGenerator) -> None:
    """G1: what would be written by now is shown before anything is, and it takes another word."""
    client, found = await hass_client(), issue(lost)
    assert found is not None
    shown = await step(client, "/api/repairs/issues/fix", {"handler": DOMAIN, "issue_id": found.issue_id})
    address = f"/api/repairs/issues/fix/{shown['flow_id']}"
    shown = await waited(lost, client, address, await step(client, address, {"next_step_id": "merge_anew"}))
    assert (shown["errors"], shown["description_placeholders"]["watched"]) == ({}, "1")
    await lost.places["plex"].act(Act.MARK_WATCHED, OTHER)
    shown = await waited(lost, client, address, await step(client, address, {}))
    assert (shown["step_id"], shown["errors"], shown["description_placeholders"]["watched"]) == ("preview", {"base": "plan_changed"}, "3")
    assert watched(lost)["emby"] == (False, False)
    assert (await waited(lost, client, address, await step(client, address, {})))["type"] == "create_entry"
    await lost.settle()
    assert set(watched(lost).values()) == {(True, True)}
