"""Signing in to Plex at plex.tv, and the users of a Plex server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER, ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import UnknownFlow

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.helpers import account_subentries, server_of
from simulators.base import Act, serving
from simulators.plex import PlexSimulator
from simulators.plex_tv import PlexTvSimulator

from .conftest import FILM, TITLES, House, Place
from .flows import Walk, added, again, below, kind

FAMILY = {name: f"{name}-secret" for name in ("anna", "ben", "kid", "cora")}


@pytest.fixture
async def place(house: House, plex_tv: PlexTvSimulator) -> AsyncIterator[Place]:
    """Serve anna's Plex server, that is signed in: ben has a PIN, kid is managed, cora was invited from outside."""
    simulator = PlexSimulator("Study", TITLES, FAMILY)
    async with serving(simulator) as url:
        plex_tv.join(simulator, "http://127.0.0.1:1", url, pins={"ben": "1234"}, managed=["kid"], invited=["cora"])
        yield Place(simulator, url)


async def at_plex_tv(hass: HomeAssistant) -> Walk:
    """Open plex.tv's page."""
    walk = Walk(hass, hass.config_entries.flow, await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER}))
    await walk.choose("plex")
    await walk.choose("plex_sign_in")
    return walk


async def agree(walk: Walk, plex_tv: PlexTvSimulator, name: str = "anna") -> None:
    """Sign in there, and come back."""
    plex_tv.agree(_code(walk), name)
    await _settled(walk)
    await walk.look()


async def added_at_plex_tv(house: House, plex_tv: PlexTvSimulator, name: str = "anna") -> ConfigEntry:
    walk = await at_plex_tv(house.hass)
    await agree(walk, plex_tv, name)
    await walk.keep()
    await walk.keep()
    shown = await walk.fill()
    await house.settle()
    entry: ConfigEntry = shown["result"]
    return entry


async def test_signing_in_at_plex_tv(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """The page opens, the flow goes on by itself once somebody signed in, and finds the address that answers; the entry keeps what it needs."""
    walk = await at_plex_tv(house.hass)
    assert (kind(walk.shown), walk.shown["step_id"]) == ("external", "plex_sign_in")
    assert kind(await walk.look()) == "external"  # nobody did yet
    await agree(walk, plex_tv)
    assert (walk.shown["step_id"], _people(walk)) == ("account", ["anna", "ben", "kid", "cora"])
    await walk.keep()
    await walk.keep()
    entry = (await walk.fill())["result"]
    await house.settle()
    (account,) = account_subentries(entry)
    assert (entry.title, entry.unique_id, entry.state) == ("Study", _simulator(place).machine_identifier, ConfigEntryState.LOADED)
    assert (entry.data["url"], entry.data["token"], entry.data["plex_tv"], entry.data["sign_in"]) == (place.url, "anna-secret", "anna-secret", "plex_sign_in")
    assert (account.unique_id, account.title, account.data["token"], account.data["device_id"]) == ("1", "anna", "anna-secret", entry.data["device_id"])
    await house.places["jellyfin"].act(Act.MARK_WATCHED)
    await house.add("jellyfin")
    assert place.shown(FILM).played


async def test_choosing_a_server(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """Of several servers one is chosen; one that does not answer can be tried again."""
    other = PlexSimulator("Attic Plex", TITLES, FAMILY)
    async with serving(other) as url:
        plex_tv.join(other, "http://127.0.0.1:1")
        walk = await at_plex_tv(house.hass)
        await agree(walk, plex_tv)
        assert (walk.shown["step_id"], [one["label"] for one in _options(walk)]) == ("plex_server", ["Study", "Attic Plex"])
        shown = await walk.fill(server=other.machine_identifier)
        assert (shown["step_id"], shown["errors"]) == ("plex_server", {"base": "cannot_connect"})
        other.version = "1.18.0.1"
        plex_tv.move(other, url)
        shown = await walk.fill(server=other.machine_identifier)
        assert shown["errors"] == {"base": "cannot_connect"}  # plex.tv was asked once; signing in anew asks again
        shown = await walk.fill(server=_simulator(place).machine_identifier)
        assert shown["step_id"] == "account"


async def test_the_only_server_does_not_answer(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """It is shown, to be tried again."""
    place.simulator.faults.offline = True
    walk = await at_plex_tv(house.hass)
    await agree(walk, plex_tv)
    assert (walk.shown["step_id"], walk.shown["errors"]) == ("plex_server", {"base": "cannot_connect"})
    place.simulator.faults.offline = False
    assert (await walk.keep())["step_id"] == "account"


async def test_plex_tv_does_not_answer(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """Before the page opens, and while one waits, the flow stays open."""
    plex_tv.faults.status = 500
    walk = await at_plex_tv(house.hass)
    assert (kind(walk.shown), walk.shown["step_id"], walk.shown["errors"]) == ("form", "plex_failed", {"base": "cannot_connect"})
    plex_tv.faults.status = None
    assert kind(await walk.fill()) == "external"
    plex_tv.faults.status = 500
    await _settled(walk)
    assert ((await walk.look())["step_id"], walk.shown["errors"]) == ("plex_failed", {"base": "cannot_connect"})
    plex_tv.faults.status = None
    assert kind(await walk.fill()) == "external"
    await agree(walk, plex_tv)
    assert walk.shown["step_id"] == "account"


async def test_nobody_signs_in(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """A PIN dies, and another can be asked for."""
    walk = await at_plex_tv(house.hass)
    plex_tv.clock = lambda: datetime.now(UTC) + timedelta(hours=1)
    await _settled(walk)
    assert ((await walk.look())["step_id"], walk.shown["errors"]) == ("plex_failed", {"base": "link_expired"})
    assert kind(await walk.fill()) == "external"


async def test_somebody_without_a_server(house: House, plex_tv: PlexTvSimulator) -> None:
    """It is said, and somebody else can sign in."""
    plex_tv.join(PlexSimulator("Elsewhere", TITLES, {"zoe": "zoe-secret"}))
    plex_tv.listed.clear()
    walk = await at_plex_tv(house.hass)
    await agree(walk, plex_tv, "zoe")
    assert (walk.shown["step_id"], walk.shown["errors"]) == ("plex_failed", {"base": "no_servers"})


async def test_closing_the_flow_ends_the_waiting(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """Nobody is asked any more, and a flow that is gone is not moved on."""
    walk = await at_plex_tv(house.hass)
    walk.manager.async_abort(walk.shown["flow_id"])
    await house.settle()
    asked = len(plex_tv.requests)
    await house.settle()
    assert len(plex_tv.requests) == asked
    with pytest.raises(UnknownFlow):
        await walk.look()


async def test_the_same_server_twice(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """Whichever way one signs in."""
    await added(house.hass, place, "plex_token")
    walk = await at_plex_tv(house.hass)
    await agree(walk, plex_tv)
    assert (kind(walk.shown), walk.shown["reason"]) == ("abort", "already_configured")


@pytest.mark.parametrize(("name", "pin"), [("ben", "1234"), ("kid", None), ("cora", None)])
async def test_adding_somebody_else(house: House, place: Place, plex_tv: PlexTvSimulator, name: str, pin: str | None) -> None:
    """Each user has a token and a device of his own; 429 is waited out (pitfalls 28, 29, 39)."""
    walk = await at_plex_tv(house.hass)
    await agree(walk, plex_tv)
    assert "pin" in map(str, walk.shown["data_schema"].schema)
    plex_tv.refused_switches = 2
    await walk.fill(account=_id(place, name), viewer=name, **({"pin": pin} if pin else {}))
    await walk.keep()
    entry = (await walk.fill())["result"]
    await house.settle()
    (account,) = account_subentries(entry)
    assert (account.title, account.unique_id, account.data["token"]) == (name, _id(place, name), f"{name}-secret")
    assert account.data["device_id"] != entry.data["device_id"]
    assert "pin" not in account.data
    assert entry.state is ConfigEntryState.LOADED


async def test_a_pin_that_is_missing_or_wrong(house: House, place: Place, plex_tv: PlexTvSimulator, caplog: pytest.LogCaptureFixture) -> None:
    """It is asked for at its field, and never shown or logged (pitfall 28)."""
    caplog.set_level("DEBUG", "custom_components.plex_watchsync")
    walk = await at_plex_tv(house.hass)
    await agree(walk, plex_tv)
    for given in ({}, {"pin": "98765"}):
        shown = await walk.fill(account=_id(place, "ben"), viewer="Ben", **given)
        assert (shown["step_id"], shown["errors"], walk.suggested()) == ("account", {"pin": "pin_refused"}, {"account": _id(place, "ben"), "viewer": "Ben"})
    assert "98765" not in _logged(caplog)
    plex_tv.refused_switches = 99
    assert (await walk.fill(account=_id(place, "kid"), viewer="Kid"))["errors"] == {"base": "cannot_connect"}
    plex_tv.refused_switches = 0
    assert (await walk.fill(account=_id(place, "ben"), viewer="Ben", pin="1234"))["step_id"] == "sync"


async def test_an_invited_user_signs_in_himself(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """On a server that is somebody else's one acts for oneself; the entry can be set up."""
    entry = await added_at_plex_tv(house, plex_tv, "cora")
    (account,) = account_subentries(entry)
    assert (account.title, account.unique_id, account.data["token"]) == ("cora", _id(place, "cora"), "cora-secret")
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("path", ["plex_sign_in", "plex_token"])
async def test_further_accounts(house: House, place: Place, plex_tv: PlexTvSimulator, path: str) -> None:
    """plex.tv knows whom the owner acts for, whichever way he signed in."""
    entry = await (added_at_plex_tv(house, plex_tv) if path == "plex_sign_in" else added(house.hass, place, path))
    walk = await below(house.hass, entry, "account")
    assert (walk.shown["step_id"], _people(walk)) == ("account", ["ben", "kid", "cora"])
    await walk.keep(account=_id(place, "kid"))
    await walk.keep()
    await walk.fill()
    await house.settle()
    kid = next(one for one in account_subentries(entry) if one.title == "kid")
    assert kid.data["token"] == "kid-secret"
    assert entry.state is ConfigEntryState.LOADED
    await place.simulator.act("kid", FILM.key, Act.PLAY)
    assert await server_of(house.hass, entry, kid).playing() == {place.shown().item_id}  # W2: the owner's credentials know


async def test_plex_tv_does_not_know_the_token(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """A token that was typed may be a server's only: then somebody who has an account at plex.tv signs in there."""
    entry = await added(house.hass, place, "plex_token")
    plex_tv.people["anna"].token = "another"
    walk = await below(house.hass, entry, "account")
    assert kind(walk.shown) == "external"
    await agree(walk, plex_tv)
    assert (walk.shown["step_id"], _people(walk)) == ("account", ["ben", "kid", "cora"])


async def test_a_further_account_signs_in_himself(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """Where the entry's credentials act for nobody else, another user signs in at plex.tv; whoever may not use the server is told so."""
    entry = await added_at_plex_tv(house, plex_tv, "cora")
    stranger = PlexSimulator("Elsewhere", TITLES, {"owner": "o", "a": "a", "b": "b", "c": "c", "zoe": "zoe-secret"})
    plex_tv.join(stranger, "http://127.0.0.1:1")
    walk = await below(house.hass, entry, "account")
    assert (kind(walk.shown), walk.shown["step_id"]) == ("external", "plex_sign_in")
    await agree(walk, plex_tv, "zoe")
    assert (walk.shown["step_id"], walk.shown["errors"]) == ("plex_failed", {"base": "server_not_shared"})
    await walk.fill()
    await agree(walk, plex_tv, "ben")
    assert (walk.shown["step_id"], _people(walk)) == ("account", ["ben"])
    await walk.keep()
    await walk.keep()
    await walk.fill()
    await house.settle()
    assert {one.title: one.data["token"] for one in account_subentries(entry)} == {"cora": "cora-secret", "ben": "ben-secret"}
    walk = await below(house.hass, entry, "account")
    await agree(walk, plex_tv, "ben")
    assert (kind(walk.shown), walk.shown["reason"]) == ("abort", "no_more_users")


async def test_signing_in_anew(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """All whose tokens are dead get new ones, who has a PIN with it; the address is looked up anew too."""
    entry = await added_at_plex_tv(house, plex_tv)
    for name, pin in (("ben", {"pin": "1234"}), ("kid", {})):
        walk = await below(house.hass, entry, "account")
        await walk.keep(account=_id(place, name), **pin)
        await walk.keep()
        await walk.fill()
        await house.settle()
    simulator = _simulator(place)
    for name, account in simulator.accounts.items():
        simulator.accounts[name] = type(account)(account.account_id, name, f"{name}-anew")
    plex_tv.people["anna"].token = "anna-anew"
    async with serving(simulator) as url:
        plex_tv.move(simulator, url)
        walk = await again(house.hass, entry, SOURCE_REAUTH)
        assert (walk.shown["step_id"], list(walk.shown["data_schema"].schema)) == ("reauth_confirm", [])
        assert kind(await walk.fill()) == "external"
        await agree(walk, plex_tv, "cora")
        assert (walk.shown["step_id"], walk.shown["errors"], walk.shown["description_placeholders"]["users"]) == (
            "reauth_confirm",
            {"base": "wrong_user"},
            "anna",
        )
        await walk.fill()
        await agree(walk, plex_tv)
        assert (walk.shown["step_id"], walk.shown["errors"], walk.shown["description_placeholders"]["user"]) == ("pin", {}, "ben")
        assert (await walk.fill(pin="0000"))["errors"] == {"pin": "pin_refused"}
        plex_tv.faults.status = 500
        shown = await walk.fill(pin="1234")
        assert (shown["step_id"], shown["errors"]) == ("reauth_confirm", {"base": "cannot_connect"})
        plex_tv.faults.status = None
        await walk.fill()
        await agree(walk, plex_tv)
        assert (kind(walk.shown), walk.shown["reason"]) == ("abort", "reauth_successful")  # the flow still knew the PIN
        await house.settle()
        assert (entry.data["url"], entry.data["token"], entry.data["plex_tv"]) == (url, "anna-anew", "anna-anew")
        tokens = {one.title: one.data["token"] for one in account_subentries(entry)}
        assert tokens == {"anna": "anna-anew", "ben": "ben-anew", "kid": "kid-anew"}


async def test_a_typed_token_renews_those_of_others(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """The owner's new token gets the others of the entry new ones too, as far as plex.tv knows it; it is asked for nothing else, and nothing of it is kept."""
    entry = await added(house.hass, place, "plex_token")
    before = entry.data
    for name, pin in (("ben", {"pin": "1234"}), ("kid", {})):
        walk = await below(house.hass, entry, "account")
        await walk.keep(account=_id(place, name), **pin)
        await walk.keep()
        await walk.fill()
        await house.settle()
    simulator = _simulator(place)
    for name, account in simulator.accounts.items():
        simulator.accounts[name] = type(account)(account.account_id, name, f"{name}-anew")
    walk = await again(house.hass, entry, SOURCE_REAUTH)
    assert (await walk.fill(token="anna-anew"))["reason"] == "reauth_successful"  # plex.tv does not know it, which keeps nobody out of the server
    assert {one.title: one.data["token"] for one in account_subentries(entry)} == {"anna": None, "ben": "ben-secret", "kid": "kid-secret"}
    plex_tv.people["anna"].token = "anna-anew"
    walk = await again(house.hass, entry, SOURCE_REAUTH)
    shown = await walk.fill(token="anna-anew")
    assert (shown["step_id"], shown["errors"], shown["description_placeholders"]["user"]) == ("pin", {}, "ben")
    assert (await walk.fill(pin="0000"))["errors"] == {"pin": "pin_refused"}
    assert (await walk.fill(pin="1234"))["reason"] == "reauth_successful"
    await house.settle()
    assert {one.title: one.data["token"] for one in account_subentries(entry)} == {"anna": None, "ben": "ben-anew", "kid": "kid-anew"}
    assert entry.data == {**before, "token": "anna-anew"}


async def test_plex_tv_fails_while_tokens_are_renewed(house: House, place: Place, plex_tv: PlexTvSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The form that the flow began with comes back, with what went wrong; the new token is given again."""
    entry = await added(house.hass, place, "plex_token")
    walk = await below(house.hass, entry, "account")
    await walk.keep(account=_id(place, "kid"))
    await walk.keep()
    await walk.fill()
    await house.settle()
    _simulator(place).accounts["kid"] = type(_simulator(place).accounts["kid"])(_simulator(place).accounts["kid"].account_id, "kid", "kid-anew")
    monkeypatch.setattr(plex_tv, "refused_switches", 99)
    walk = await again(house.hass, entry, SOURCE_REAUTH)
    shown = await walk.fill(token="anna-secret")
    assert (shown["step_id"], shown["errors"], list(map(str, shown["data_schema"].schema))) == ("reauth_confirm", {"base": "cannot_connect"}, ["token"])
    monkeypatch.setattr(plex_tv, "refused_switches", 0)
    assert (await walk.fill(token="anna-secret"))["reason"] == "reauth_successful"
    assert {one.title: one.data["token"] for one in account_subentries(entry)} == {"anna": None, "kid": "kid-anew"}


async def test_tokens_that_still_work_stay(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """Nobody is switched to, and no PIN asked for, without need (pitfall 28)."""
    entry = await added_at_plex_tv(house, plex_tv)
    walk = await below(house.hass, entry, "account")
    await walk.keep(account=_id(place, "ben"), pin="1234")
    await walk.keep()
    await walk.fill()
    await house.settle()
    plex_tv.requests.clear()
    walk = await again(house.hass, entry, SOURCE_REAUTH)
    await walk.fill()
    await agree(walk, plex_tv)
    assert walk.shown["reason"] == "reauth_successful"
    assert not [one for one in plex_tv.requests if "switch" in one]


async def test_whose_token_it_is_gets_the_new_one(house: House, place: Place, plex_tv: PlexTvSimulator) -> None:
    """An account beside the entry's own signs in anew for itself."""
    entry = await added_at_plex_tv(house, plex_tv, "cora")
    walk = await below(house.hass, entry, "account")
    await agree(walk, plex_tv, "ben")
    await walk.keep()
    await walk.keep()
    await walk.fill()
    await house.settle()
    before = dict(entry.data)
    simulator = _simulator(place)
    simulator.accounts["ben"] = type(simulator.accounts["ben"])(simulator.accounts["ben"].account_id, "ben", "ben-anew")
    walk = await again(house.hass, entry, SOURCE_REAUTH)
    await walk.fill()
    await agree(walk, plex_tv, "ben")
    assert walk.shown["reason"] == "reauth_successful"
    await house.settle()
    assert dict(entry.data) == before
    assert {one.title: one.data["token"] for one in account_subentries(entry)} == {"cora": "cora-secret", "ben": "ben-anew"}


async def test_secrets_are_never_logged(house: House, place: Place, plex_tv: PlexTvSimulator, caplog: pytest.LogCaptureFixture) -> None:
    """Neither tokens nor codes."""
    caplog.set_level("DEBUG", "custom_components.plex_watchsync")
    walk = await at_plex_tv(house.hass)
    code = _code(walk)
    plex_tv.faults.status = 403
    await _settled(walk)
    plex_tv.faults.status = None
    await walk.look()
    assert code not in _logged(caplog)
    await walk.fill()
    await agree(walk, plex_tv)
    assert "anna-secret" not in _logged(caplog)


def _logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return what we logged; a simulated server logs what it is asked."""
    return "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("custom_components"))


def _simulator(place: Place) -> PlexSimulator:
    assert isinstance(place.simulator, PlexSimulator)
    return place.simulator


def _id(place: Place, name: str) -> str:
    return str(_simulator(place).accounts[name].account_id)


def _code(walk: Walk) -> str:
    code: str = parse_qs(walk.shown["url"].partition("#?")[2])["code"][0]
    return code


def _options(walk: Walk) -> list[dict[str, str]]:
    options: list[dict[str, str]] = next(iter(walk.shown["data_schema"].schema.values())).config["options"]
    return options


def _people(walk: Walk) -> list[str]:
    return [one["label"] for one in _options(walk)]


async def _settled(walk: Walk) -> None:
    """Wait until the flow noticed by itself what happened at plex.tv."""
    flow = walk.manager._progress[walk.shown["flow_id"]]
    await flow._waiting  # type: ignore[attr-defined]
    await walk.hass.async_block_till_done()
