"""Signing in to Jellyfin by Quick Connect (server-apis §1.2)."""

from typing import Any

import pytest
from aiohttp import ClientSession

from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER, ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.helpers import account_subentries
from simulators.base import serving
from simulators.jellyfin import JellyfinSimulator
from simulators.jellyfin.server import API_KEY

from .conftest import PEOPLE, TITLES, House, Place
from .flows import Walk, added, again, below, kind


@pytest.fixture
def place(house: House, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return the Jellyfin; its codes are asked after often."""
    monkeypatch.setattr("custom_components.plex_watchsync.servers.mediabrowser.quick_connect.POLL_SECONDS", 0.001)
    return house.places["jellyfin"]


async def begin(hass: HomeAssistant) -> Walk:
    """Open the form."""
    walk = Walk(hass, hass.config_entries.flow, await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER}))
    await walk.choose("jellyfin")
    await walk.choose("jellyfin_quick_connect")
    return walk


async def submit(walk: Walk, **fields: Any) -> str:
    """Submit a form, and return the code that is shown."""
    walk.shown = await walk.manager.async_configure(walk.shown["flow_id"], fields)
    assert (kind(walk.shown), walk.shown["step_id"], walk.shown["progress_action"]) == ("progress", "quick_connect", "quick_connect")
    return str(walk.shown["description_placeholders"]["code"])


async def type_code(place: Place, code: str, name: str = "anna") -> None:
    """Type a code into the server as somebody."""
    user = _simulator(place).auth.named(name)
    assert user is not None
    headers = {"Authorization": f'MediaBrowser Client="Web", Device="Web", DeviceId="web", Version="1", Token="{API_KEY}"'}
    async with ClientSession() as session, session.post(f"{place.url}/QuickConnect/Authorize?code={code}&userId={user.user_id}", headers=headers) as answer:
        assert answer.status == 200, await answer.text()


async def waited(walk: Walk) -> None:
    """Wait until the flow knows."""
    await walk.manager._progress[walk.shown["flow_id"]]._waiting  # type: ignore[attr-defined]
    await walk.hass.async_block_till_done()
    await walk.look()


async def added_by_code(house: House, place: Place, name: str = "anna") -> ConfigEntry:
    walk = await begin(house.hass)
    await type_code(place, await submit(walk, url=place.url, verify_ssl=True), name)
    await waited(walk)
    await walk.keep()
    await walk.keep()
    shown = await walk.fill()
    await house.settle()
    entry: ConfigEntry = shown["result"]
    return entry


async def test_signing_in_by_a_code(house: House, place: Place) -> None:
    """The code is shown until somebody typed it; the account has the token and device that it was typed for."""
    walk = await begin(house.hass)
    assert (walk.shown["step_id"], list(map(str, walk.shown["data_schema"].schema))) == ("jellyfin_quick_connect", ["url", "verify_ssl"])
    code = await submit(walk, url=place.url, verify_ssl=True)
    assert len(code) == 6
    assert kind(await walk.look()) == "progress"
    await type_code(place, code)
    await waited(walk)
    assert walk.shown["step_id"] == "account"
    await walk.keep()
    await walk.keep()
    entry = (await walk.fill())["result"]
    await house.settle()
    (account,) = account_subentries(entry)
    assert (entry.title, entry.state, entry.data["username"], entry.data["sign_in"]) == ("Attic", ConfigEntryState.LOADED, "anna", "quick_connect")
    assert (account.title, account.data["token"], account.data["device_id"]) == ("anna", entry.data["token"], entry.data["device_id"])


async def test_what_is_sent_while_one_waits_is_for_nobody(house: House, place: Place) -> None:
    """Input that comes with a look at the progress is not taken for the next form's."""
    walk = await begin(house.hass)
    await type_code(place, await submit(walk, url=place.url, verify_ssl=True))
    await walk.manager._progress[walk.shown["flow_id"]]._waiting  # type: ignore[attr-defined]
    shown = await walk.manager.async_configure(walk.shown["flow_id"], {})
    assert (kind(shown), shown["step_id"], shown["errors"]) == ("form", "account", {})


async def test_where_it_is_switched_off(house: House, place: Place) -> None:
    """It is said; what was typed stays, and works once it is on."""
    auth = _simulator(place).auth
    auth.quick_connect = False
    walk = await begin(house.hass)
    shown = await walk.fill(url=place.url, verify_ssl=False)
    assert (shown["step_id"], shown["errors"], walk.suggested()) == (
        "jellyfin_quick_connect",
        {"base": "link_refused"},
        {"url": place.url, "verify_ssl": False},
    )
    auth.quick_connect = True
    await submit(walk, url=place.url, verify_ssl=False)


@pytest.mark.parametrize(("gone", "error"), [(True, "link_expired"), (False, "cannot_connect")])
async def test_waiting_in_vain(house: House, place: Place, *, gone: bool, error: str) -> None:
    """A code that died, or a server that went away, brings back the form with its address."""
    walk = await begin(house.hass)
    await submit(walk, url=place.url, verify_ssl=True)
    if gone:
        _simulator(place).auth.codes.clear()
    else:
        place.simulator.faults.status = 500
    await waited(walk)
    assert (walk.shown["step_id"], walk.shown["errors"], walk.suggested()["url"]) == ("jellyfin_quick_connect", {"base": error}, place.url)
    place.simulator.faults.status = None
    await type_code(place, await submit(walk, url=place.url, verify_ssl=True))
    await waited(walk)
    assert walk.shown["step_id"] == "account"


@pytest.mark.parametrize(
    ("url", "errors"),
    [("nowhere at all", {"url": "invalid_url"}), ("http://127.0.0.1:1", {"base": "cannot_connect"}), ("emby", {"base": "wrong_server_kind"})],
)
async def test_a_wrong_address(house: House, place: Place, url: str, errors: dict[str, str]) -> None:
    """The form stays, as with every other way in."""
    walk = await begin(house.hass)
    shown = await walk.fill(url=house.places[url].url if url in house.places else url, verify_ssl=True)
    assert (shown["step_id"], shown["errors"]) == ("jellyfin_quick_connect", errors)


async def test_the_same_server_twice(house: House, place: Place) -> None:
    """Whichever way one signs in; no code is made."""
    await added(house.hass, place, "jellyfin_api_key")
    walk = await begin(house.hass)
    shown = await walk.fill(url=place.url, verify_ssl=True)
    assert (kind(shown), shown["reason"]) == ("abort", "already_configured")
    assert not _simulator(place).auth.codes


async def test_closing_the_flow_ends_the_waiting(house: House, place: Place) -> None:
    """The server is asked no more."""
    walk = await begin(house.hass)
    await submit(walk, url=place.url, verify_ssl=True)
    walk.manager.async_abort(walk.shown["flow_id"])
    await house.settle()
    asked = len(place.simulator.requests)
    await house.settle()
    assert len(place.simulator.requests) == asked


async def test_signing_in_anew(house: House, place: Place) -> None:
    """As one signed in, by a code; whoever types it must act for those who relied on the old token."""
    entry = await added_by_code(house, place)
    token = entry.data["token"]
    walk = await again(house.hass, entry, SOURCE_REAUTH)
    assert (walk.shown["step_id"], list(walk.shown["data_schema"].schema)) == ("reauth_confirm", [])
    place.simulator.faults.offline = True
    assert (await walk.fill())["errors"] == {"base": "cannot_connect"}
    place.simulator.faults.offline = False
    _simulator(place).auth.quick_connect = False
    assert (await walk.fill())["errors"] == {"base": "link_refused"}
    _simulator(place).auth.quick_connect = True
    await submit(walk)
    _simulator(place).auth.codes.clear()
    await waited(walk)
    assert (walk.shown["step_id"], walk.shown["errors"]) == ("reauth_confirm", {"base": "link_expired"})
    await type_code(place, await submit(walk), "ben")
    await waited(walk)
    assert (walk.shown["step_id"], walk.shown["errors"]) == ("reauth_confirm", {"base": "wrong_user"})
    await type_code(place, await submit(walk))
    await waited(walk)
    assert (kind(walk.shown), walk.shown["reason"]) == ("abort", "reauth_successful")
    await house.settle()
    (account,) = account_subentries(entry)
    assert entry.data["token"] != token
    assert (account.data["token"], account.data["device_id"]) == (entry.data["token"], entry.data["device_id"])
    assert entry.state is ConfigEntryState.LOADED


async def test_another_server_answers(house: House, place: Place) -> None:
    """No code is shown for another server."""
    entry = await added_by_code(house, place)
    other = JellyfinSimulator("Other", TITLES, PEOPLE)
    async with serving(other) as url:
        house.hass.config_entries.async_update_entry(entry, data={**entry.data, "url": url})
        shown = await (await again(house.hass, entry, SOURCE_REAUTH)).fill()
    assert (kind(shown), shown["reason"]) == ("abort", "unique_id_mismatch")
    assert not other.auth.codes


async def test_somebody_else(house: House, place: Place) -> None:
    """Further accounts may sign in with a password too, where the first one's token acts for nobody else."""
    entry = await added_by_code(house, place, "ben")
    walk = await below(house.hass, entry, "account")
    assert (await walk.choose("sign_in"))["step_id"] == "sign_in"
    assert (await walk.fill(username="anna", password="anna-secret"))["step_id"] == "account"


def _simulator(place: Place) -> JellyfinSimulator:
    assert isinstance(place.simulator, JellyfinSimulator)
    return place.simulator


async def test_a_further_account_by_a_code(house: House, place: Place) -> None:
    """Somebody else types it, and has a token and a device of his own; who has an account already gets no second one."""
    entry = await added_by_code(house, place, "ben")
    for name, step in (("ben", None), ("anna", "account")):
        walk = await below(house.hass, entry, "account")
        assert (kind(walk.shown), walk.shown["menu_options"]) == ("menu", ["code", "sign_in"])
        await type_code(place, await submit(walk, next_step_id="code"), name)
        await waited(walk)
        assert (walk.shown.get("step_id"), walk.shown.get("reason")) == (step, None if step else "no_more_users")
    await walk.keep()
    await walk.keep()
    await walk.fill()
    await house.settle()
    accounts = {account.title: account for account in account_subentries(entry)}
    assert accounts["anna"].data["token"] not in {None, entry.data["token"]}
    assert accounts["anna"].data["device_id"] != entry.data["device_id"]
    assert entry.state is ConfigEntryState.LOADED


async def test_a_code_for_a_further_account_that_nobody_types(house: House, place: Place) -> None:
    """The form says so, and gives another; where it is switched off meanwhile, that is said."""
    entry = await added_by_code(house, place, "ben")
    walk = await below(house.hass, entry, "account")
    await submit(walk, next_step_id="code")
    _simulator(place).auth.codes.clear()
    await waited(walk)
    assert (walk.shown["step_id"], walk.shown["errors"]) == ("code", {"base": "link_expired"})
    _simulator(place).auth.quick_connect = False
    assert (await walk.fill())["errors"] == {"base": "link_refused"}
    _simulator(place).auth.quick_connect = True
    await type_code(place, await submit(walk))
    await waited(walk)
    assert walk.shown["step_id"] == "account"
