"""Signing in anew, moving a server, and the options."""

from dataclasses import replace
from typing import Any

import pytest

from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_RECONFIGURE, ConfigEntry, ConfigEntryState
from homeassistant.data_entry_flow import InvalidData

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.helpers import account_subentries, household_entry
from simulators.base import serving
from simulators.emby import EmbySimulator
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator

from .conftest import PEOPLE, TITLES, House, Place, defaults
from .flows import PATHS, Walk, added, again, below, kind


def revoke(place: Place) -> dict[str, str]:
    """Make a server refuse what lets us in; return what is to be typed instead."""
    simulator = place.simulator
    if isinstance(simulator, PlexSimulator):
        simulator.accounts["anna"] = replace(simulator.accounts["anna"], token="another-token")
        return {"token": "another-token"}
    if isinstance(simulator, JellyfinSimulator):
        simulator.auth.tokens.clear()
        simulator.auth.keys.clear()
        simulator.auth.keys["another-key"] = "anew"
        return {"token": "another-key"}
    assert isinstance(simulator, EmbySimulator)
    simulator.accounts._tokens.clear()
    simulator.accounts.api_key = "another-key"
    return {"token": "another-key"}


@pytest.mark.parametrize("path", PATHS)
async def test_signing_in_anew(house: House, path: str) -> None:
    """An entry that is not let in any more asks for what lets it in, and is set up with that; so are the accounts that have a copy."""
    place = house.places[PATHS[path]]
    entry = await added(house.hass, place, path)
    before = dict(entry.data)
    given = revoke(place)
    if "password" in path:
        given = {"username": "anna", "password": "anna-secret"}
    await house.hass.config_entries.async_reload(entry.entry_id)
    assert _state(entry) is ConfigEntryState.SETUP_ERROR
    (flow,) = house.hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["source"] == SOURCE_REAUTH
    house.hass.config_entries.flow.async_abort(flow["flow_id"])

    walk = await again(house.hass, entry, SOURCE_REAUTH)
    assert (walk.shown["step_id"], set(map(str, walk.shown["data_schema"].schema))) == ("reauth_confirm", set(given))
    secret = "password" if "password" in given else "token"
    shown = await walk.fill(**{**given, secret: "hunter2"})
    assert (shown["step_id"], shown["errors"]) == ("reauth_confirm", {"base": "invalid_auth"})
    assert secret not in walk.suggested()
    shown = await walk.fill(**given)
    assert (kind(shown), shown["reason"]) == ("abort", "reauth_successful")
    await house.settle()
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["token"] != before["token"]
    assert {name: value for name, value in entry.data.items() if name != "token"} == {name: value for name, value in before.items() if name != "token"}
    assert [account.data["token"] for account in account_subentries(entry)] == [entry.data["token"] if "password" in path else None]


async def test_the_wrong_user_signs_in_anew(house: House) -> None:
    """Credentials that do not act for an account that relied on the old ones are refused by the account's name."""
    entry = await added(house.hass, house.places["emby"], "emby_password")
    token = entry.data["token"]
    walk = await again(house.hass, entry, SOURCE_REAUTH)
    assert walk.suggested() == {"username": "anna"}
    shown = await walk.fill(username="ben", password="ben-secret")
    assert (shown["errors"], shown["description_placeholders"]["users"], walk.suggested()) == ({"base": "wrong_user"}, "anna", {"username": "ben"})
    assert entry.data["token"] == token


async def test_whose_token_it_is_gets_the_new_one(house: House) -> None:
    """An account beside the entry's own signs in anew for itself, on its own device (pitfalls 39, 43)."""
    place = house.places["jellyfin"]
    entry = await added(house.hass, place, "jellyfin_password", {"username": "ben", "password": "ben-secret"})
    walk = await below(house.hass, entry, "account")
    await walk.fill(username="anna", password="anna-secret")
    await walk.keep()
    await walk.keep()
    await walk.fill()
    await house.settle()
    before, tokens = dict(entry.data), _tokens(entry)
    walk = await again(house.hass, entry, SOURCE_REAUTH)
    shown = await walk.fill(username="Anna", password="anna-secret")
    assert shown["reason"] == "reauth_successful"
    await house.settle()
    assert dict(entry.data) == before
    assert _tokens(entry)["ben"] == tokens["ben"]
    assert _tokens(entry)["anna"] != tokens["anna"]
    assert isinstance(place.simulator, JellyfinSimulator)
    assert len(place.simulator.auth.tokens) == 2  # nobody else was thrown out, and no token was left behind


@pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
async def test_another_server_answers(house: House, source: str) -> None:
    """Neither credentials nor an address make one server out of another; the secret does not go there."""
    entry = await added(house.hass, house.places["jellyfin"], "jellyfin_api_key")
    other = JellyfinSimulator("Other", TITLES, PEOPLE)
    async with serving(other) as url:
        if source == SOURCE_REAUTH:
            house.hass.config_entries.async_update_entry(entry, data={**entry.data, "url": url})
            await house.settle()
            other.requests.clear()
            fields: dict[str, Any] = {"token": "a-key"}
        else:
            fields = {"url": url, "verify_ssl": True}
        shown = await (await again(house.hass, entry, source)).fill(**fields)
    assert (kind(shown), shown["reason"]) == ("abort", "unique_id_mismatch")
    assert set(other.requests) == {"GET /System/Info/Public"}


@pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
async def test_a_server_that_is_down_is_tried_again(house: House, source: str) -> None:
    """The form stays open."""
    place = house.places["emby"]
    entry = await added(house.hass, place, "emby_api_key")
    walk = await again(house.hass, entry, source)
    fields = {"token": entry.data["token"]} if source == SOURCE_REAUTH else {"url": place.url, "verify_ssl": True}
    place.simulator.faults.offline = True
    shown = await walk.fill(**fields)
    assert (kind(shown), shown["errors"]) == ("form", {"base": "cannot_connect"})
    place.simulator.faults.offline = False
    assert kind(await walk.fill(**fields)) == "abort"


async def test_moving_a_server(house: House) -> None:
    """A server that answers elsewhere keeps its accounts and token; the form shows where it was."""
    place = house.places["plex"]
    entry = await added(house.hass, place, "plex_token")
    before = dict(entry.data)
    walk = await again(house.hass, entry, SOURCE_RECONFIGURE)
    assert walk.suggested() == {"url": place.url, "verify_ssl": True}
    assert (await walk.fill(url="nowhere at all", verify_ssl=False))["errors"] == {"url": "invalid_url"}
    assert walk.suggested() == {"url": "nowhere at all", "verify_ssl": False}
    async with serving(place.simulator) as url:
        shown = await walk.fill(url=f"{url}/", verify_ssl=False)
        assert (kind(shown), shown["reason"]) == ("abort", "reconfigure_successful")
        await house.settle()
        assert dict(entry.data) == {**before, "url": url, "verify_ssl": False}
        assert entry.state is ConfigEntryState.LOADED


async def test_a_server_that_could_not_be_set_up_is_once_it_moved(house: House) -> None:
    """An entry without a listener is loaded again too."""
    place = house.places["plex"]
    entry = await added(house.hass, place, "plex_token")
    house.hass.config_entries.async_update_entry(entry, data={**entry.data, "url": "http://127.0.0.1:1"})
    await house.settle()
    assert _state(entry) is ConfigEntryState.SETUP_RETRY
    await (await again(house.hass, entry, SOURCE_RECONFIGURE)).fill(url=place.url, verify_ssl=True)
    await house.settle()
    assert entry.state is ConfigEntryState.LOADED


async def test_the_household_has_no_address(house: House) -> None:
    """There is nothing to move."""
    await added(house.hass, house.places["plex"], "plex_token")
    household = household_entry(house.hass)
    assert household is not None
    shown = (await again(house.hass, household, SOURCE_RECONFIGURE)).shown
    assert (kind(shown), shown["reason"]) == ("abort", "nothing_to_reconfigure")


async def test_the_options_of_a_server(house: House) -> None:
    """Defaults stand in the form, what is chosen is kept in whole numbers and shown the next time; the server is read as often as said."""
    entry = await added(house.hass, house.places["plex"], "plex_token")
    walk = await _options(house, entry)
    assert walk.shown["step_id"] == "server"
    shown = await walk.keep(import_interval=15.0, sync_position=False)
    assert kind(shown) == "create_entry"
    await house.settle()
    assert (entry.options["import_interval"], entry.options["full_interval"], entry.options["sync_position"]) == (15, 24, False)
    assert {type(value) for value in entry.options.values()} <= {int, bool, str, list}
    assert entry.runtime_data.update_interval.total_seconds() == 15 * 60
    walk = await _options(house, entry)
    assert defaults(walk.shown)["import_interval"] == 15


async def test_the_options_of_the_household(house: House) -> None:
    """The thresholds are kept in whole numbers; what is out of range is refused."""
    await added(house.hass, house.places["plex"], "plex_token")
    household = household_entry(house.hass)
    assert household is not None
    walk = await _options(house, household)
    assert walk.shown["step_id"] == "household"
    with pytest.raises(InvalidData):
        await walk.keep(position_max_percent=101)
    await walk.keep(position_min_seconds=120.0)
    await house.settle()
    assert (household.options["position_min_seconds"], household.options["position_max_percent"]) == (120, 95)
    assert isinstance(household.options["position_min_seconds"], int)


async def _options(house: House, entry: ConfigEntry) -> Walk:
    manager = house.hass.config_entries.options
    return Walk(house.hass, manager, await manager.async_init(entry.entry_id))


def _state(entry: ConfigEntry) -> ConfigEntryState:
    """Return the state of this moment: it changes between two looks, which a type checker does not know."""
    return entry.state


def _tokens(entry: ConfigEntry) -> dict[str, str]:
    return {account.title: account.data["token"] for account in account_subentries(entry)}
