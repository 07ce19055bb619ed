"""Servers that tell of themselves, and servers that moved."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from homeassistant.config_entries import SOURCE_USER, SOURCE_ZEROCONF, ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.util import dt as dt_util

from custom_components.plex_watchsync import config_flow
from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.servers import Announced
from custom_components.plex_watchsync.servers.mediabrowser import discovery
from simulators.announce import announcing
from simulators.base import serving
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator
from simulators.plex_tv import PlexTvSimulator

from .conftest import PEOPLE, TITLES, House, Place
from .flows import PATHS, Walk, added, kind, typed


@pytest.fixture
async def nearby(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Any]]:
    """Let the Jellyfin and the Emby answer for themselves, and whatever else is put there."""
    servers = {house.places[one].url: house.places[one].simulator for one in ("jellyfin", "emby")}

    async def broadcasts(_hass: HomeAssistant) -> set[IPv4Address]:
        return {IPv4Address("127.0.0.1")}

    async with announcing(servers, 0) as port:
        monkeypatch.setattr(discovery, "PORT", port)
        monkeypatch.setattr(discovery, "PATIENCE", 0.05)
        monkeypatch.setattr(config_flow, "discover", discovery.discover)
        monkeypatch.setattr("homeassistant.components.network.async_get_ipv4_broadcast_addresses", broadcasts)
        yield servers


def told(place: Place, name: str = "Study") -> ZeroconfServiceInfo:
    """Return what a Plex server says in the local network; what its properties hold is documented nowhere, and not needed."""
    host, _, port = place.url.removeprefix("http://").partition(":")
    address = ip_address(host)
    return ZeroconfServiceInfo(
        ip_address=address,
        ip_addresses=[address],
        port=int(port),
        hostname="study.local.",
        type="_plexmediasvr._tcp.local.",
        name=f"{name}._plexmediasvr._tcp.local.",
        properties={},
    )


async def found(house: House, place: Place) -> Walk:
    """Let a Plex server be found."""
    manager = house.hass.config_entries.flow
    return Walk(house.hass, manager, await manager.async_init(DOMAIN, context={"source": SOURCE_ZEROCONF}, data=told(place)))


async def menu(house: House, server: str) -> Walk:
    """Open a kind's menu."""
    manager = house.hass.config_entries.flow
    walk = Walk(house.hass, manager, await manager.async_init(DOMAIN, context={"source": SOURCE_USER}))
    await walk.choose(server)
    return walk


@pytest.mark.parametrize("path", [*(path for path in PATHS if path != "plex_token"), "jellyfin_quick_connect"])
async def test_addresses_are_suggested(house: House, nearby: dict[str, Any], path: str) -> None:
    """What answered stands in the form; any other address can be typed."""
    server = PATHS.get(path, "jellyfin")
    place = house.places[server]
    walk = await menu(house, server)
    shown = await walk.choose(path)
    url = next(iter(shown["data_schema"].schema.values()))
    assert walk.suggested()["url"] == place.url
    assert url.config["options"] == [{"value": place.url, "label": f"{place.name} ({place.url})"}]
    shown = await walk.fill(**typed(place, path, url="http://127.0.0.1:1") if path in PATHS else {"url": "http://127.0.0.1:1", "verify_ssl": True})
    assert (shown["errors"], walk.suggested()["url"]) == ({"base": "cannot_connect"}, "http://127.0.0.1:1")


async def test_what_is_set_up_is_not_suggested(house: House, nearby: dict[str, Any]) -> None:
    """Nor is its address changed, for it answers where it is known to be."""
    entry = await added(house.hass, house.places["emby"], "emby_api_key")
    async with serving(house.places["emby"].simulator) as url:
        nearby.clear()
        nearby[url] = house.places["emby"].simulator
        walk = await menu(house, "emby")
        shown = await walk.choose("emby_password")
        assert not hasattr(next(iter(shown["data_schema"].schema.values())), "options")
        assert walk.suggested() == {}
    assert (entry.data["url"], entry.state) == (house.places["emby"].url, ConfigEntryState.LOADED)


async def test_a_jellyfin_that_moved(house: House, nearby: dict[str, Any]) -> None:
    """One that does not answer where it did is followed to where it told of itself, if it is the same one."""
    place = house.places["jellyfin"]
    entry = await added(house.hass, place, "jellyfin_password")
    await _lose(house, entry)
    nearby.clear()
    nearby[place.url] = place.simulator
    await _look(house)
    assert (entry.data["url"], _state(entry)) == (place.url, ConfigEntryState.LOADED)


async def test_nobody_is_followed_from_a_certificate_to_none(house: House, nearby: dict[str, Any]) -> None:
    """Anybody can claim an id in the local network, and would get the token."""
    entry = await added(house.hass, house.places["jellyfin"], "jellyfin_password")
    house.hass.config_entries.async_update_entry(entry, data={**entry.data, "url": "https://127.0.0.1:1"})
    await house.settle()
    await _look(house)
    assert entry.data["url"] == "https://127.0.0.1:1"


@pytest.mark.parametrize("answers", [True, False])
async def test_a_server_that_only_says_that_it_is_the_one(house: House, nearby: dict[str, Any], monkeypatch: pytest.MonkeyPatch, *, answers: bool) -> None:
    """What is said in the network is checked; the token of the entry goes nowhere else."""
    entry = await added(house.hass, house.places["jellyfin"], "jellyfin_password")
    await _lose(house, entry)
    other = JellyfinSimulator("Other", TITLES, PEOPLE)
    other.faults.status = None if answers else 500

    async def lie(*_asked: object) -> tuple[object, ...]:
        return (Announced(str(entry.unique_id), "Attic", url),)

    async with serving(other) as url:
        monkeypatch.setattr(config_flow, "discover", lie)
        await _look(house)
    assert entry.data["url"] == "http://127.0.0.1:1"
    assert set(other.requests) == {"GET /System/Info/Public"}


async def test_a_plex_server_is_found(house: House, plex_tv: PlexTvSimulator) -> None:
    """It is offered under its name, and both ways in lead to it alone."""
    place = house.places["plex"]
    assert isinstance(place.simulator, PlexSimulator)
    plex_tv.join(PlexSimulator("Another", TITLES, PEOPLE), "http://127.0.0.1:1")
    plex_tv.join(place.simulator, place.url)
    walk = await found(house, place)
    assert (kind(walk.shown), walk.shown["step_id"]) == ("menu", "plex")
    (flow,) = house.hass.config_entries.flow.async_progress()
    assert flow["context"]["title_placeholders"] == {"name": "Study"}
    await walk.choose("plex_token")
    assert walk.suggested() == {"url": place.url}
    assert (await walk.fill(**typed(place, "plex_token")))["step_id"] == "account"


async def test_a_plex_server_that_is_found_is_signed_in_to_at_plex_tv(house: House, plex_tv: PlexTvSimulator) -> None:
    """Of the account's servers it is the one that was found."""
    place = house.places["plex"]
    assert isinstance(place.simulator, PlexSimulator)
    plex_tv.join(PlexSimulator("Another", TITLES, PEOPLE), "http://127.0.0.1:1")
    plex_tv.join(place.simulator, place.url)
    walk = await found(house, place)
    await walk.choose("plex_sign_in")
    plex_tv.agree(next(iter(plex_tv.links.values())).code, "anna")
    await walk.manager._progress[walk.shown["flow_id"]]._waiting  # type: ignore[attr-defined]
    await house.hass.async_block_till_done()
    assert (await walk.look())["step_id"] == "account"


async def test_the_same_plex_server_is_found_twice(house: House) -> None:
    """One card is enough; it goes when the server was added another way."""
    place = house.places["plex"]
    await found(house, place)
    assert (await found(house, place)).shown["reason"] == "already_in_progress"
    await added(house.hass, place, "plex_token")
    assert not house.hass.config_entries.flow.async_progress()
    assert (await found(house, place)).shown["reason"] == "already_configured"


@pytest.mark.parametrize(("faults", "reason"), [({"offline": True}, "cannot_connect"), ({"status": 404}, "not_a_media_server")])
async def test_what_is_found_does_not_answer(house: House, faults: dict[str, Any], reason: str) -> None:
    """Nobody is bothered with it."""
    place = house.places["plex"]
    place.simulator.faults = type(place.simulator.faults)(**faults)
    assert (await found(house, place)).shown["reason"] == reason


async def test_a_plex_server_that_moved_is_found(house: House) -> None:
    """One that does not answer where it did is followed; one that does keeps its address."""
    place = house.places["plex"]
    entry = await added(house.hass, place, "plex_token")
    async with serving(place.simulator) as url:
        assert (await found(house, Place(place.simulator, url))).shown["reason"] == "already_configured"
        assert entry.data["url"] == place.url
    await _lose(house, entry)
    assert (await found(house, place)).shown["reason"] == "already_configured"
    await house.settle()
    assert (entry.data["url"], _state(entry)) == (place.url, ConfigEntryState.LOADED)


@pytest.mark.parametrize("running", [True, False])
async def test_plex_tv_knows_where_a_server_moved(house: House, plex_tv: PlexTvSimulator, *, running: bool) -> None:
    """A Plex server that does not answer is looked for by its id, at set-up and while Home Assistant runs; it keeps its accounts and token."""
    simulator = PlexSimulator("Moving", TITLES, PEOPLE)
    async with AsyncExitStack() as stack:
        old = AsyncExitStack()
        old_url = await old.enter_async_context(serving(simulator))
        plex_tv.join(simulator, old_url)
        entry = await added(house.hass, Place(simulator, old_url), "plex_token")
        before = dict(entry.data)
        await old.aclose()
        url = await stack.enter_async_context(serving(simulator))
        if running:
            await entry.runtime_data.async_refresh()  # it is away: plex.tv still has the old address
            assert (entry.data["url"], entry.runtime_data.last_update_success) == (old_url, False)
            plex_tv.move(simulator, url)
            await entry.runtime_data.async_refresh()
        else:
            plex_tv.move(simulator, url)
            await house.hass.config_entries.async_reload(entry.entry_id)
        await house.settle()
        assert (dict(entry.data), _state(entry)) == ({**before, "url": url}, ConfigEntryState.LOADED)


async def test_a_server_that_is_just_away(house: House, plex_tv: PlexTvSimulator) -> None:
    """It is tried again where it was, without end and without a reload."""
    place = house.places["plex"]
    assert isinstance(place.simulator, PlexSimulator)
    plex_tv.join(place.simulator, place.url)
    entry = await added(house.hass, place, "plex_token")
    place.simulator.faults.offline = True
    await house.hass.config_entries.async_reload(entry.entry_id)
    assert _state(entry) is ConfigEntryState.SETUP_RETRY
    place.simulator.faults.offline = False
    async_fire_time_changed(house.hass, dt_util.utcnow() + timedelta(minutes=5))
    await house.settle()
    assert (entry.data["url"], _state(entry)) == (place.url, ConfigEntryState.LOADED)


async def _lose(house: House, entry: ConfigEntry) -> None:
    """Make an entry's server unreachable where it is known to be."""
    house.hass.config_entries.async_update_entry(entry, data={**entry.data, "url": "http://127.0.0.1:1"})
    await house.settle()
    assert _state(entry) is ConfigEntryState.SETUP_RETRY


async def _look(house: House) -> None:
    """Let a flow look around."""
    walk = await menu(house, "jellyfin")
    await walk.choose("jellyfin_password")
    walk.manager.async_abort(walk.shown["flow_id"])
    await house.settle()


def _state(entry: ConfigEntry) -> ConfigEntryState:
    """Return the state of this moment."""
    return entry.state
