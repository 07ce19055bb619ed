"""Further accounts of a server, and viewers of the household."""

from typing import Any

import pytest

from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigSubentry

from custom_components.plex_watchsync.helpers import account_subentries, household_entry, viewer_subentries
from custom_components.plex_watchsync.servers.mediabrowser import EmbyServer
from simulators.base import serving
from simulators.jellyfin import JellyfinSimulator

from .conftest import PEOPLE, TITLES, House
from .flows import PATHS, added, below, kind


@pytest.mark.parametrize("path", ["jellyfin_password", "jellyfin_api_key", "emby_password", "emby_api_key"])
async def test_an_administrator_adds_an_account(house: House, path: str) -> None:
    """Whom the entry's credentials act for is offered, but for those who have an account; the new one has a device of its own (pitfall 39)."""
    entry = await added(house.hass, house.places[PATHS[path]], path)
    walk = await below(house.hass, entry, "account")
    assert (walk.shown["step_id"], _labels(walk.shown)) == ("account", ["ben"])
    assert (await walk.keep(viewer="Ben"))["step_id"] == "sync"
    assert (await walk.keep(direction="import_only"))["step_id"] == "preview"
    assert kind(await walk.fill()) == "create_entry"
    await house.settle()
    accounts = {account.title: account for account in account_subentries(entry)}
    assert [viewer.title for viewer in _viewers(house)] == ["anna", "Ben"]
    assert (accounts["ben"].data["token"], accounts["ben"].data["direction"]) == (None, "import_only")
    assert accounts["ben"].data["viewer"] == _viewers(house)[1].subentry_id
    assert len({account.data["device_id"] for account in accounts.values()}) == 2
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("path", ["jellyfin_api_key", "emby_api_key"])
async def test_nobody_is_left(house: House, path: str) -> None:
    """Where credentials act for nobody else, and others cannot sign in with a password of their own, that is said."""
    entry = await added(house.hass, house.places[PATHS[path]], path)
    walk = await below(house.hass, entry, "account")
    for _ in range(2):
        await walk.keep()
    await walk.fill()
    await house.settle()
    shown = (await below(house.hass, entry, "account")).shown
    assert (kind(shown), shown["reason"]) == ("abort", "no_more_users")


@pytest.mark.parametrize("path", ["jellyfin_password", "emby_password"])
async def test_somebody_else_signs_in(house: House, path: str) -> None:
    """Whoever is no administrator acts for himself only; another user signs in and gets a token and a device of his own."""
    entry = await added(house.hass, house.places[PATHS[path]], path, {"username": "ben", "password": "ben-secret"})
    walk = await below(house.hass, entry, "account")
    assert walk.shown["step_id"] == "sign_in"
    for typed, error in (
        ({"username": "anna", "password": "wrong"}, "invalid_auth"),
        ({"username": "BEN", "password": "ben-secret"}, "already_configured"),
    ):
        shown = await walk.fill(**typed)
        assert (shown["step_id"], shown["errors"], walk.suggested()) == ("sign_in", {"base": error}, {"username": typed["username"]})
    shown = await walk.fill(username="anna", password="anna-secret")
    assert (shown["step_id"], _labels(shown)) == ("account", ["anna"])
    await walk.keep()
    await walk.keep()
    await walk.fill()
    await house.settle()
    accounts = {account.title: account for account in account_subentries(entry)}
    assert accounts["anna"].data["token"] not in {None, entry.data["token"]}
    assert accounts["anna"].data["device_id"] != entry.data["device_id"]
    assert entry.state is ConfigEntryState.LOADED


async def test_signing_in_at_a_server_that_is_down_or_another(house: House) -> None:
    """The form stays while the server does not answer; no password goes to another one."""
    place = house.places["jellyfin"]
    entry = await added(house.hass, place, "jellyfin_password", {"username": "ben", "password": "ben-secret"})
    walk = await below(house.hass, entry, "account")
    place.simulator.faults.offline = True
    assert (await walk.fill(username="anna", password="anna-secret"))["errors"] == {"base": "cannot_connect"}
    place.simulator.faults.offline = False
    other = JellyfinSimulator("Other", TITLES, PEOPLE)
    async with serving(other) as url:
        house.hass.config_entries.async_update_entry(entry, data={**entry.data, "url": url})
        shown = await walk.fill(username="anna", password="anna-secret")
    assert (kind(shown), shown["reason"]) == ("abort", "unique_id_mismatch")
    assert not any("Authenticate" in request for request in other.requests)


async def test_a_server_that_cannot_be_asked(house: House) -> None:
    """Without a list of users or libraries a flow ends, with what went wrong."""
    place = house.places["emby"]
    entry = await added(house.hass, place, "emby_api_key")
    (account,) = account_subentries(entry)
    for faults, reason in (
        ({"offline": True}, "cannot_connect"),
        ({"status": 401}, "invalid_auth"),
        ({"status": 403}, "no_rights"),
        ({"status": 302}, "unknown"),
    ):
        place.simulator.faults = type(place.simulator.faults)(**faults)
        for changed in (None, account):
            shown = (await below(house.hass, entry, "account", changed)).shown
            assert (kind(shown), shown["reason"]) == ("abort", reason)


async def test_changing_an_account(house: House) -> None:
    """Libraries and direction can be changed, those that are gone are not offered; the first sync is over."""
    entry = await added(house.hass, house.places["emby"], "emby_api_key")
    (account,) = account_subentries(entry)
    walk = await below(house.hass, entry, "account", account)
    assert (walk.shown["step_id"], list(map(str, walk.shown["data_schema"].schema))) == ("reconfigure", ["libraries", "direction"])
    shown = await walk.keep(libraries=[], direction="export_only")
    assert (shown["errors"], walk.suggested()["direction"]) == ({"libraries": "no_libraries"}, "export_only")
    shown = await walk.keep(libraries=account.data["libraries"][:1], direction="export_only")
    assert (kind(shown), shown["reason"]) == ("abort", "reconfigure_successful")
    await house.settle()
    (changed,) = account_subentries(entry)
    assert dict(changed.data) == {**account.data, "libraries": account.data["libraries"][:1], "direction": "export_only"}
    assert entry.state is ConfigEntryState.LOADED
    house.hass.config_entries.async_update_subentry(entry, changed, data={**changed.data, "libraries": ["gone"]})
    await house.settle()
    (changed,) = account_subentries(entry)
    walk = await below(house.hass, entry, "account", changed)
    assert {str(key): key.default() for key in walk.shown["data_schema"].schema}["libraries"] == []


async def test_libraries_that_cannot_be_listed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours ends the flow with words too."""
    entry = await added(house.hass, house.places["emby"], "emby_api_key")

    async def fail(_self: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(EmbyServer, "libraries", fail)
    shown = (await below(house.hass, entry, "account", account_subentries(entry)[0])).shown
    assert (kind(shown), shown["reason"]) == ("abort", "unknown")


async def test_viewers(house: House) -> None:
    """A viewer is added and renamed; a name is needed, and given once, in whatever case."""
    await added(house.hass, house.places["plex"], "plex_token")
    household = _household(house)
    walk = await below(house.hass, household, "viewer")
    for name, error in ((" ", "name_missing"), ("ANNA", "name_taken")):
        shown = await walk.fill(name=name)
        assert (shown["step_id"], shown["errors"], walk.suggested()) == ("user", {"name": error}, {"name": name})
    assert kind(await walk.fill(name=" Ben ")) == "create_entry"
    await house.settle()
    anna, ben = _viewers(house)
    assert (ben.title, ben.unique_id) == ("Ben", "ben")
    walk = await below(house.hass, household, "viewer", ben)
    assert (walk.shown["step_id"], walk.suggested()) == ("reconfigure", {"name": "Ben"})
    assert (await walk.fill(name="anna"))["errors"] == {"name": "name_taken"}
    shown = await walk.fill(name="BEN")
    assert (kind(shown), shown["reason"]) == ("abort", "reconfigure_successful")
    await house.settle()
    assert [(viewer.subentry_id, viewer.title) for viewer in _viewers(house)] == [(anna.subentry_id, "anna"), (ben.subentry_id, "BEN")]


def _household(house: House) -> ConfigEntry:
    household = household_entry(house.hass)
    assert household is not None
    return household


def _viewers(house: House) -> list[ConfigSubentry]:
    return viewer_subentries(_household(house))


def _labels(shown: Any) -> list[str]:
    users = next(iter(shown["data_schema"].schema.values()))
    return [one["label"] for one in users.config["options"]]
