"""Setting a server up."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from homeassistant.config_entries import SOURCE_SYSTEM, SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import InvalidData, UnknownFlow

from custom_components.plex_watchsync.const import DOMAIN, HOUSEHOLD, SUBENTRY_ACCOUNT, SUBENTRY_VIEWER
from custom_components.plex_watchsync.helpers import account_subentries, household_entry, viewer_subentries
from custom_components.plex_watchsync.hub import Hub
from custom_components.plex_watchsync.ports import Forbidden, ServerUnavailable, StoreError
from custom_components.plex_watchsync.servers.mediabrowser import EmbyServer
from custom_components.plex_watchsync.servers.plex import PlexServer
from simulators.base import Act
from simulators.catalogue import Title

from .conftest import FILM, OTHER, TITLES, House
from .flows import PATHS, SECRETS, Walk, added, begin, kind, typed
from .translations import ENGLISH


async def test_menus(hass: HomeAssistant) -> None:
    """The menus list the ways in that there are, and no other step can be chosen."""
    manager = hass.config_entries.flow
    for server in ("plex", "jellyfin", "emby"):
        walk = Walk(hass, manager, await manager.async_init(DOMAIN, context={"source": SOURCE_USER}))
        assert list(walk.shown["menu_options"]) == ["plex", "jellyfin", "emby"]
        with pytest.raises(InvalidData):
            await walk.choose("system")
        shown = await walk.choose(server)
        elsewhere = {"plex": ["plex_sign_in"], "jellyfin": ["jellyfin_quick_connect"], "emby": []}
        assert (shown["step_id"], list(shown["menu_options"])) == (server, [*elsewhere[server], *(path for path, of in PATHS.items() if of == server)])


@pytest.mark.parametrize("path", PATHS)
async def test_adding_the_first_server(house: House, path: str) -> None:
    """Every way in ends in an entry with an account, a household with a viewer, and a webhook address to paste."""
    place = house.places[PATHS[path]]
    walk = await begin(house.hass, path)
    shown = await walk.fill(**typed(place, path))
    assert (kind(shown), shown["step_id"], list(map(str, shown["data_schema"].schema))) == ("form", "account", ["account", "viewer"])
    shown = await walk.keep()
    assert (shown["step_id"], list(map(str, shown["data_schema"].schema))) == ("sync", ["libraries", "direction", "initial_sync"])
    shown = await walk.keep()
    assert (shown["step_id"], shown["description_placeholders"]["found"]) == ("preview", str(len(TITLES)))
    assert household_entry(house.hass) is None  # nothing is made before the preview is submitted
    shown = await walk.fill()
    await house.settle()

    entry, household = shown["result"], household_entry(house.hass)
    assert (entry.title, entry.state) == (place.name, ConfigEntryState.LOADED)
    assert household is not None
    assert (household.unique_id, household.title, household.source) == (HOUSEHOLD, "Household", SOURCE_SYSTEM)
    (viewer,), (account,) = viewer_subentries(household), account_subentries(entry)
    assert (viewer.subentry_type, viewer.title) == (SUBENTRY_VIEWER, "anna")
    assert (account.subentry_type, account.title, account.unique_id) == (SUBENTRY_ACCOUNT, "anna", account.data["user_id"])
    assert (account.data["viewer"], account.data["direction"], account.data["initial_sync"]) == (viewer.subentry_id, "two_way", "merge")
    assert len(account.data["libraries"]) == 2
    assert {"kind", "url", "verify_ssl", "token", "device_id", "webhook_id"} <= entry.data.keys()
    assert len(entry.data["webhook_id"]) == 64
    assert "anna-secret" not in json.dumps(dict(entry.data)) or path == "plex_token"  # a password is never kept; this Plex token is called the same

    assert (shown["description"], shown["description_placeholders"]["server"]) == (PATHS[path], place.name)
    assert shown["description_placeholders"]["webhook_url"] == f"http://127.0.0.1:8123/api/webhook/{entry.data['webhook_id']}"


@pytest.mark.parametrize("path", ["jellyfin_password", "emby_password"])
async def test_who_signed_in_has_the_token(house: House, path: str) -> None:
    """The account of whoever signed in has the token and device that he signed in with."""
    entry = await added(house.hass, house.places[PATHS[path]], path)
    (account,) = account_subentries(entry)
    assert (account.data["token"], account.data["device_id"]) == (entry.data["token"], entry.data["device_id"])
    assert (entry.data["username"], entry.data["user_id"]) == ("anna", account.data["user_id"])


@pytest.mark.parametrize("path", ["jellyfin_password", "emby_password", "jellyfin_api_key", "emby_api_key"])
async def test_an_administrator_adds_somebody_else(house: House, path: str) -> None:
    """Another user's account has a device of its own, and no token of its own (pitfall 39)."""
    place = house.places[PATHS[path]]
    walk = await begin(house.hass, path)
    shown = await walk.fill(**typed(place, path))
    people = {one["label"]: one["value"] for one in next(iter(shown["data_schema"].schema.values())).config["options"]}
    await walk.keep(account=people["ben"], viewer="Benjamin")
    await walk.keep()
    entry = (await walk.fill())["result"]
    await house.settle()
    (account,) = account_subentries(entry)
    assert (account.title, account.unique_id, account.data["token"]) == ("ben", people["ben"], None)
    assert account.data["device_id"] != entry.data["device_id"]
    assert [viewer.title for viewer in _viewers(house)] == ["Benjamin"]
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("path", ["jellyfin_password", "emby_password"])
async def test_a_user_without_rights_over_others(house: House, path: str) -> None:
    """Whoever is no administrator adds himself, and the entry can be set up."""
    entry = await added(house.hass, house.places[PATHS[path]], path, {"username": "ben", "password": "ben-secret"})
    assert [account.title for account in account_subentries(entry)] == ["ben"]
    assert entry.state is ConfigEntryState.LOADED


async def test_the_second_server_joins_the_viewer(house: House) -> None:
    """The only viewer is offered first, whoever signs in; his name may be typed in any case; the household is made once."""
    await added(house.hass, house.places["plex"], "plex_token", viewer="Anna")
    walk = await begin(house.hass, "emby_api_key")
    shown = await walk.fill(**typed(house.places["emby"], "emby_api_key"))
    viewer = next(key for key in shown["data_schema"].schema if str(key) == "viewer")
    assert viewer.default() == "Anna"
    await walk.keep(viewer=" ANNA ")
    await walk.keep()
    await walk.fill()
    await house.settle()
    assert [viewer.title for viewer in _viewers(house)] == ["Anna"]
    accounts = [account for entry in house.hass.config_entries.async_entries(DOMAIN) for account in account_subentries(entry)]
    assert [account.data["viewer"] for account in accounts] == [_viewers(house)[0].subentry_id] * 2


async def test_among_several_viewers_the_account_decides(house: House) -> None:
    """With more than one viewer the account's name is offered; a blank name is the account's too."""
    await added(house.hass, house.places["plex"], "plex_token", viewer="One")
    await added(house.hass, house.places["jellyfin"], "jellyfin_password", viewer="Two")
    walk = await begin(house.hass, "emby_password")
    shown = await walk.fill(**typed(house.places["emby"], "emby_password"))
    viewer = next(key for key in shown["data_schema"].schema if str(key) == "viewer")
    assert viewer.default() == "anna"
    await walk.keep(viewer=" ")
    await walk.keep()
    await walk.fill()
    await house.settle()
    assert [viewer.title for viewer in _viewers(house)] == ["One", "Two", "anna"]


async def test_the_preview_counts(house: House) -> None:
    """The first server says what it found; the next one what would be written, in all and by server; nothing is written yet (G6)."""
    plex, emby = house.places["plex"], house.places["emby"]
    plex.simulator.stock("anna", OTHER.key, played=True, count=1)
    emby.simulator.stock("anna", FILM.key, played=True, count=1)
    await plex.simulator.rate_title("anna", FILM.key, 8)
    first = await house.to_preview("plex")
    counts = {"found": str(len(TITLES)), "watched": "0", "unwatched": "0", "moved": "0", "rated": "0"}
    assert _numbers(first) == {**counts, "news": "2", "servers": "-"}
    await house.fill(first)
    await house.settle()
    second = await house.to_preview("emby")
    lines = (
        f"- **Cellar**: 1 / 0 / 0 / 1\n  - Movies: 1 / 0 / 0 / 1\n  - ✓ {_named(OTHER)}; ★ {_named(FILM)}\n"
        f"- **Study**: 1 / 0 / 0 / 0\n  - Movies: 1 / 0 / 0 / 0\n  - ✓ {_named(FILM)}"
    )
    assert _numbers(second) == {**counts, "news": "1", "watched": "2", "rated": "1", "servers": lines}
    assert (plex.shown(FILM).played, emby.shown(OTHER).played) == (False, False)


async def test_the_preview_names_some_of_the_titles(house: House) -> None:
    """What would be taken away is named first, and of many titles ten; a server that does not answer has no names of libraries (G1)."""
    for title in TITLES:
        house.places["emby"].simulator.stock("anna", title.key, played=True, count=1)
    await house.add("plex")
    walk = await _at_sync(house)
    house.places["plex"].simulator.faults.offline = True
    shown = await walk.keep()
    study = shown["description_placeholders"]["servers"].splitlines()
    assert study[0] == f"- **Study**: {len(TITLES)} / 0 / 0 / 0"
    assert sorted(line.split(": ")[1] for line in study[1:3]) == ["4 / 0 / 0 / 0", "6 / 0 / 0 / 0"]
    assert (study[3].count("✓"), "…" in study[3]) == (10, False)
    house.places["plex"].simulator.faults.offline = False


@pytest.mark.parametrize("patience", [10, 0])
async def test_what_was_not_shown_is_not_synced(house: House, monkeypatch: pytest.MonkeyPatch, patience: int) -> None:
    """G1: a plan that changed since the preview is shown anew, and says so; submitted again it is carried out."""
    monkeypatch.setattr("custom_components.plex_watchsync.flow_account.PATIENCE", patience)
    await house.add("plex")
    walk = await _at_sync(house)
    shown = await walk.keep()
    assert (shown["step_id"], shown["errors"], shown["description_placeholders"]["watched"]) == ("preview", {}, "0")
    await house.places["emby"].act(Act.MARK_WATCHED)
    shown = await walk.fill()
    assert (shown["step_id"], shown["errors"], shown["description_placeholders"]["watched"]) == ("preview", {"base": "plan_changed"}, "1")
    assert (await walk.look())["errors"] == {"base": "plan_changed"}
    assert not house.places["plex"].shown().played
    assert kind(await walk.fill()) == "create_entry"
    await house.settle()
    assert house.places["plex"].shown().played


async def test_what_was_agreed_on_meanwhile_counts_too(house: House) -> None:
    """G1: the plan changes as well by what people watch elsewhere."""
    entry = await house.add("plex")
    walk = await _at_sync(house)
    assert (await walk.keep())["step_id"] == "preview"
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.call("sync", config_entry_id=entry.entry_id)
    shown = await walk.fill()
    assert (shown["step_id"], shown["errors"]) == ("preview", {"base": "plan_changed"})
    assert "Cellar" in shown["description_placeholders"]["servers"]


async def test_a_server_that_goes_away_before_the_preview_is_submitted(house: House) -> None:
    """R2: what cannot be checked is not synced; chosen again, all begins anew."""
    walk, simulator = await _at_sync(house), house.places["emby"].simulator
    assert (await walk.keep())["step_id"] == "preview"
    simulator.faults.status = 403
    shown = await walk.fill()
    assert (shown["step_id"], shown["errors"]) == ("sync", {"base": "no_rights"})
    simulator.faults.status = None
    await house.places["emby"].act(Act.MARK_WATCHED)
    shown = await walk.keep()
    assert (shown["step_id"], shown["errors"]) == ("preview", {})
    assert kind(await walk.fill()) == "create_entry"


async def test_the_same_server_twice(house: House) -> None:
    """A server is set up once, however it is called, and whichever way one signs in."""
    await added(house.hass, house.places["emby"], "emby_password")
    walk = await begin(house.hass, "emby_api_key")
    shown = await walk.fill(**typed(house.places["emby"], "emby_api_key", url=f"{house.places['emby'].url.removeprefix('http://')}/"))
    assert (kind(shown), shown["reason"]) == ("abort", "already_configured")


async def test_the_same_server_twice_at_once(house: House) -> None:
    """A form left open keeps nobody from signing in; of two flows that add the same server the first that ends makes it, and ends the other."""
    walks = [await begin(house.hass, "plex_token") for _ in range(2)]
    for walk in walks:
        assert (await walk.fill(**typed(house.places["plex"], "plex_token")))["step_id"] == "account"
    for _ in range(2):
        await walks[0].keep()
    assert kind(await walks[0].fill()) == "create_entry"
    await house.settle()
    with pytest.raises(UnknownFlow):
        await walks[1].keep()


async def test_the_household_is_made_once(house: House) -> None:
    """A second household is refused."""
    manager = house.hass.config_entries.flow
    for expected in ("create_entry", "abort"):
        shown = await manager.async_init(DOMAIN, context={"source": SOURCE_SYSTEM})
        assert kind(shown) == expected
    assert len(house.hass.config_entries.async_entries(DOMAIN)) == 1


async def test_nobody_knows_where_home_assistant_is(house: House) -> None:
    """Without an address the last page says so, and shows the webhook's path; with nothing configured Home Assistant takes the one that it listens at."""
    await house.hass.config.async_update(internal_url=None, external_url=None)
    assert house.hass.config.api is not None
    house.hass.config.api.local_ip = "127.0.0.1"
    shown = await house.fill(await house.to_preview("plex"))
    places = shown["description_placeholders"] or {}
    assert (shown["description"], places.get("webhook_url")) == ("no_url", f"/api/webhook/{shown['result'].data['webhook_id']}")


@pytest.mark.parametrize(
    ("failing", "error"), [(ServerUnavailable("it is down"), "cannot_connect"), (Forbidden("hidden"), "no_rights"), (RuntimeError("a fault"), "unknown")]
)
async def test_libraries_that_cannot_be_listed(house: House, monkeypatch: pytest.MonkeyPatch, failing: Exception, error: str) -> None:
    """The account stays to be chosen until its libraries could be listed; what was typed stays."""
    walk = await begin(house.hass, "emby_password")
    await walk.fill(**typed(house.places["emby"], "emby_password"))
    with monkeypatch.context() as broken:
        broken.setattr(EmbyServer, "libraries", _raising(failing))
        shown = await walk.keep(viewer="Nana")
    assert (shown["step_id"], shown["errors"], walk.suggested()["viewer"]) == ("account", {"base": error}, "Nana")
    assert (await walk.keep())["step_id"] == "sync"


async def test_an_account_that_sees_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without any library of films or shows cannot take part."""

    async def none(_self: object) -> tuple[object, ...]:
        return ()

    walk = await begin(house.hass, "plex_token")
    await walk.fill(**typed(house.places["plex"], "plex_token"))
    with monkeypatch.context() as empty:
        empty.setattr(PlexServer, "libraries", none)
        shown = await walk.keep()
    assert (shown["step_id"], shown["errors"]) == ("account", {"base": "nothing_to_see"})
    assert (await walk.keep())["step_id"] == "sync"


async def test_no_library_chosen(house: House) -> None:
    """At least one library takes part; what else was chosen stays."""
    walk = await _at_sync(house)
    shown = await walk.keep(libraries=[], direction="import_only")
    assert (shown["step_id"], shown["errors"]) == ("sync", {"libraries": "no_libraries"})
    assert (walk.suggested()["direction"], walk.suggested()["libraries"]) == ("import_only", [])
    assert (await walk.keep())["step_id"] == "preview"


@pytest.mark.parametrize(("failing", "error"), [(StoreError("viewer"), "baseline_lost"), (RuntimeError("a fault"), "unknown")])
async def test_a_preview_that_fails(house: House, monkeypatch: pytest.MonkeyPatch, failing: Exception, error: str) -> None:
    """What keeps the preview from being made is shown where it can be tried again."""
    walk = await _at_sync(house)
    with monkeypatch.context() as broken:
        broken.setattr(Hub, "preview", _raising(failing))
        shown = await walk.keep(initial_sync="fill_server")
    assert (shown["step_id"], shown["errors"], walk.suggested()["initial_sync"]) == ("sync", {"base": error}, "fill_server")
    assert (await walk.keep())["step_id"] == "preview"


async def test_a_server_that_goes_away_while_it_is_read(house: House) -> None:
    """A library that could not be read whole is an error, never an empty one (R2)."""
    walk, simulator = await _at_sync(house), house.places["emby"].simulator
    simulator.faults.truncate = True
    assert (await walk.keep())["errors"] == {"base": "unknown"}
    simulator.faults.truncate, simulator.faults.status = False, 403
    assert (await walk.keep())["errors"] == {"base": "no_rights"}
    simulator.faults.status = None
    assert (await walk.keep())["step_id"] == "preview"


async def test_leaving_while_it_is_read(house: House) -> None:
    """A flow that is closed stops reading, and nothing was made."""
    walk = await _at_sync(house)
    house.places["emby"].simulator.faults.slow = 0.05
    shown = await walk.manager.async_configure(walk.shown["flow_id"], {"libraries": ["1"], "direction": "two_way", "initial_sync": "merge"} | _defaults(walk))
    assert (kind(shown), shown["step_id"], shown["progress_action"]) == ("progress", "reading", "reading")
    walk.manager.async_abort(shown["flow_id"])
    await house.settle()
    assert not house.hass.config_entries.async_entries(DOMAIN)


async def test_secrets_are_never_shown(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """A form that comes back keeps what was typed, but no secret; the log has none either."""
    caplog.set_level("DEBUG", "custom_components.plex_watchsync")
    for path, of in PATHS.items():
        walk, given = await begin(house.hass, path), typed(house.places[of], path)
        secret = next(name for name in SECRETS if name in given)
        shown = await walk.fill(**{**given, secret: "hunter2"})
        kept = {name: value for name, value in given.items() if name != secret}
        assert (shown["step_id"], shown["errors"], walk.suggested()) == (path, {"base": "invalid_auth"}, kept)
    assert "hunter2" not in caplog.text


def test_every_selector_has_words() -> None:
    """What is chosen from has words too."""
    assert ENGLISH["selector"].keys() >= {"direction", "initial_sync"}
    assert ENGLISH["selector"]["direction"]["options"].keys() == {"two_way", "import_only", "export_only"}
    assert ENGLISH["selector"]["initial_sync"]["options"].keys() == {"merge", "fill_server", "learn_from_server"}


async def _at_sync(house: House) -> Walk:
    walk = await begin(house.hass, "emby_password")
    await walk.fill(**typed(house.places["emby"], "emby_password"))
    await walk.keep()
    return walk


def _defaults(walk: Walk) -> dict[str, Any]:
    return {str(key): key.default() for key in walk.shown["data_schema"].schema}


def _viewers(house: House) -> list[Any]:
    household = household_entry(house.hass)
    assert household is not None
    return viewer_subentries(household)


def _named(title: Title) -> str:
    return f"{title.name} ({title.year})"


def _numbers(shown: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in shown["description_placeholders"].items() if name != "server"}


def _raising(error: Exception) -> Any:
    async def fail(*_arguments: object) -> None:
        raise error

    return fail
