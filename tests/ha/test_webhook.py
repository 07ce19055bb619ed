"""Webhooks as they come in: who is believed, what is refused, and that the answer never waits."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientResponse, FormData
from aiohttp.test_utils import TestClient
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.util.aiohttp import MockRequest

from custom_components.plex_watchsync.engine.journal import NoteKind
from custom_components.plex_watchsync.engine.report import Report
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.helpers import account_subentries, utcnow
from custom_components.plex_watchsync.hub import HUB
from custom_components.plex_watchsync.webhook import TokenBucket
from simulators.base import Act, serving
from simulators.emby import EmbySimulator
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator

from .conftest import FILM, OTHER, PEOPLE, TITLES, House, Place, until

MIB = 1 << 20
POSTER = bytes(range(256)) * 8 * 512  # a megabyte that is no text


class Clock:
    """A clock that a test moves."""

    now = utcnow()


class Hooks:
    """The webhook of each server, and who sends to it."""

    def __init__(self, house: House, client: TestClient[Any, Any], entries: dict[str, ConfigEntry]) -> None:
        self.house, self.client, self.entries = house, client, entries

    def path(self, kind: str) -> str:
        """Return where a server sends to."""
        return webhook.async_generate_path(self.entries[kind].data["webhook_id"])

    def url(self, kind: str) -> str:
        """Return the whole address."""
        return str(self.client.make_url(self.path(kind)))

    async def post(self, kind: str, body: Any, **headers: str) -> ClientResponse:
        """Send a body."""
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        return await self.client.post(self.path(kind), data=body, headers=headers)

    @property
    def notes(self) -> list[tuple[str, str, str]]:
        """Return outcome, event and reason of what came in."""
        return [(note.outcome, note.event, note.reason) for note in self.house.hass.data[HUB].journal if note.kind is NoteKind.WEBHOOK]


@pytest.fixture
async def hooks(house: House, hass_client_no_auth: ClientSessionGenerator) -> Hooks:
    """Add the three servers and forget what adding them asked of them."""
    client = await hass_client_no_auth()
    found = Hooks(house, client, await house.add_all())
    for place in house.places.values():
        place.simulator.requests.clear()
    return found


def plex_event(place: Place, event: str = "media.scrobble", **changes: Any) -> dict[str, Any]:
    """Write what Plex says of the film."""
    assert isinstance(place.simulator, PlexSimulator)
    return {
        "event": event,
        "user": True,
        "owner": True,
        "Account": {"id": 1, "title": "anna"},
        "Server": {"title": place.name, "uuid": place.simulator.machine_identifier},
        "Player": {"local": True, "uuid": "player"},
        "Metadata": {"type": "movie", "ratingKey": place.shown().item_id, "librarySectionID": 1},
        **changes,
    }


def jellyfin_event(place: Place, event: str = "UserDataSaved", **changes: Any) -> dict[str, Any]:
    """Write what Jellyfin's plugin says of the film."""
    assert isinstance(place.simulator, JellyfinSimulator)
    user = place.simulator.auth.named("anna")
    assert user is not None
    about = {"NotificationType": event, "ServerId": place.simulator.server_id, "ItemId": place.shown().item_id, "ItemType": "Movie"}
    return {**about, "UserId": user.user_id, "NotificationUsername": "anna", "SaveReason": "TogglePlayed", "Played": True, **changes}


def emby_event(place: Place, event: str = "item.markplayed", **changes: Any) -> dict[str, Any]:
    """Write what Emby says of the film."""
    assert isinstance(place.simulator, EmbySimulator)
    user = place.simulator.accounts.by_name["anna"]
    return {
        "Event": event,
        "User": {"Name": "anna", "Id": user.account_id},
        "Item": {"Id": place.shown().item_id, "Type": "Movie", "Name": "Film"},
        "Server": {"Name": place.name, "Id": place.simulator.server_id, "Version": "4.9.5.0"},
        **changes,
    }


EVENTS: dict[str, Callable[..., dict[str, Any]]] = {"plex": plex_event, "jellyfin": jellyfin_event, "emby": emby_event}


@pytest.mark.parametrize("kind", EVENTS)
async def test_what_a_server_sends_travels(hooks: Hooks, kind: str) -> None:
    """A film finished at a player becomes watched on the others by nothing but the server's own webhook."""
    house, place = hooks.house, hooks.house.places[kind]
    place.simulator.webhooks = [hooks.url(kind)]
    await place.act(Act.FINISH)
    await until(lambda: all(other.shown().played for other in house.places.values()))
    await house.settle()
    assert {note[0] for note in hooks.notes} <= {"processed", "ignored"}
    assert house.state("sensor.anna_last_watched") == FILM.key


@pytest.mark.parametrize("kind", EVENTS)
async def test_json_is_understood(hooks: Hooks, kind: str) -> None:
    """A body of each kind of server makes the item be looked at, whatever its content type."""
    place = hooks.house.places[kind]
    place.simulator.stock("anna", FILM.key, played=True, count=1)
    answer = await hooks.post(kind, EVENTS[kind](place), **{"Content-Type": "text/plain"})
    assert answer.status == 200
    await hooks.house.settle()
    assert all(other.shown().played for other in hooks.house.places.values())
    assert hooks.notes[-1][0] == "processed"


async def test_a_form_with_a_poster_is_understood(hooks: Hooks) -> None:
    """Plex sends a picture beside the text; it counts for the whole, not for the text's limit (pitfall 32)."""
    place = hooks.house.places["plex"]
    place.simulator.stock("anna", FILM.key, played=True, count=1)
    form = FormData(default_to_multipart=True)
    form.add_field("payload", json.dumps(plex_event(place, "media.rate")), content_type="application/json")
    form.add_field("thumb", POSTER, filename="thumb.jpg", content_type="image/jpeg")
    answer = await hooks.client.post(hooks.path("plex"), data=form)
    assert answer.status == 200
    await hooks.house.settle()
    assert all(other.shown().played for other in hooks.house.places.values())


@pytest.mark.parametrize("user", [{"user": "Anna"}, {"user": "Anna", "user_id": "31646104"}, {"user": "x", "user_id": "1"}])
async def test_tautulli_is_understood(hooks: Hooks, user: dict[str, str]) -> None:
    """Tautulli speaks for Plex at Plex's webhook; the owner has the id of plex.tv there, and is known by name."""
    place = hooks.house.places["plex"]
    assert isinstance(place.simulator, PlexSimulator)
    place.simulator.stock("anna", FILM.key, played=True, count=1)
    body = {"action": "watched", "server_id": place.simulator.machine_identifier, **user, "rating_key": int(place.shown().item_id)}
    assert (await hooks.post("plex", body)).status == 200
    await hooks.house.settle()
    assert all(other.shown().played for other in hooks.house.places.values())


@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"nonsense", "application/json"),
        (b"\xff\xfe\x00", "text/plain"),
        (b"[1, 2]", "application/json"),
        (b"{}", "application/json"),
        (b"[" * 100000, "application/json"),
        (b"no boundary", "multipart/form-data"),
        (b"--x\r\nhalf a form", "multipart/form-data; boundary=x"),
    ],
)
async def test_a_broken_body_is_refused(hooks: Hooks, kind: str, body: bytes, content_type: str, caplog: pytest.LogCaptureFixture) -> None:
    """The sender sees a 400 (pitfall 30), the journal why, the log no traceback, and no server is asked."""
    answer = await hooks.post(kind, body, **{"Content-Type": content_type})
    assert answer.status == 400
    await hooks.house.settle()
    assert hooks.notes[-1][0] == "failed"
    assert hooks.notes[-1][2]
    (line,) = (await hooks.house.call("get_journal", kind="webhook", outcome="failed"))["entries"]
    assert (line["processed"], line["error"], line["type"]) == (False, hooks.notes[-1][2], content_type.partition(";")[0])
    assert (line["payload"] == "") == (body == b"")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING and record.name != "asyncio"]  # which tells of a busy machine
    assert not any(place.simulator.requests for place in hooks.house.places.values())


@pytest.mark.parametrize("kind", EVENTS)
async def test_an_unknown_event_changes_nothing(hooks: Hooks, kind: str) -> None:
    """What nobody knows is taken, journalled as ignored, and nothing is asked for it."""
    answer = await hooks.post(kind, EVENTS[kind](hooks.house.places[kind], "brand.new"))
    await hooks.house.settle()
    assert answer.status == 200
    assert hooks.notes[-1] == ("ignored", "brand.new", "")
    assert not any(place.simulator.requests for place in hooks.house.places.values())


@pytest.mark.parametrize("kind", EVENTS)
async def test_an_unknown_user_changes_nothing(hooks: Hooks, kind: str) -> None:
    """Somebody without an account here is nobody."""
    place = hooks.house.places[kind]
    place.simulator.stock("anna", FILM.key, played=True, count=1)
    stranger: dict[str, dict[str, Any]] = {
        "plex": {"user": False, "Account": {"id": 777, "title": "carl"}},
        "jellyfin": {"UserId": "0" * 32, "NotificationUsername": "carl"},
        "emby": {"User": {"Name": "carl", "Id": "0" * 32}},
    }
    assert (await hooks.post(kind, EVENTS[kind](place, **stranger[kind]))).status == 200
    await hooks.house.settle()
    assert hooks.notes[-1][0] == "ignored"
    assert "no account" in hooks.notes[-1][2]
    assert not any(other.simulator.requests for other in hooks.house.places.values())


@pytest.mark.parametrize("kind", EVENTS)
async def test_a_foreign_server_changes_nothing(hooks: Hooks, kind: str) -> None:
    """Another server's item may have the same number as one of ours."""
    place = hooks.house.places[kind]
    place.simulator.stock("anna", FILM.key, played=True, count=1)
    foreign: dict[str, dict[str, Any]] = {"plex": {"Server": {"uuid": "f" * 40}}, "jellyfin": {"ServerId": "f" * 32}, "emby": {"Server": {"Id": "f" * 32}}}
    assert (await hooks.post(kind, EVENTS[kind](place, **foreign[kind]))).status == 200
    await hooks.house.settle()
    assert hooks.notes[-1][0] == "ignored"
    assert "another server" in hooks.notes[-1][2]
    assert not any(other.simulator.requests for other in hooks.house.places.values())


async def test_one_plex_account_has_one_webhook_for_all_its_servers(hooks: Hooks) -> None:
    """What comes in at one Plex server's webhook is routed by server id to the server that it is about."""
    house = hooks.house
    second = PlexSimulator("Garage", TITLES, PEOPLE)
    async with serving(second) as url:
        house.places["garage"] = place = Place(second, url)
        first = house.places.pop("plex")
        house.places["plex"] = place
        await house.add("plex")
        second.stock("anna", OTHER.key, played=True, count=1)
        item_id = place.shown(OTHER).item_id
        body = plex_event(place, Metadata={"type": "movie", "ratingKey": item_id})
        assert (await hooks.post("plex", body)).status == 200
        await house.settle()
        assert all(other.shown(OTHER).played for other in (first, *house.places.values()))
        assert hooks.notes[-1][0] == "processed"


async def test_a_library_that_does_not_take_part_stays_out(house: House, hass_client_no_auth: ClientSessionGenerator) -> None:
    """Ignored libraries do not leak through webhooks, whose section ids are numbers (pitfall 15, I8)."""
    shows = [one.library_id for one in await house.libraries("plex") if one.name.casefold().startswith(("tv", "show"))]
    client = await hass_client_no_auth()
    hooks = Hooks(house, client, {"plex": await house.add("plex", libraries=shows), "emby": await house.add("emby")})
    place = house.places["plex"]
    place.simulator.stock("anna", FILM.key, played=True, count=1)
    assert (await hooks.post("plex", plex_event(place))).status == 200
    await house.settle()
    assert not house.places["emby"].shown().played


@pytest.mark.parametrize("chunked", [False, True])
async def test_twenty_megabytes_are_refused(hooks: Hooks, *, chunked: bool) -> None:
    """A body beyond the limit is a 413 whatever it says of its length (pitfall 32)."""

    async def pieces() -> Any:
        for _ in range(20):
            yield b" " * MIB

    answer = await hooks.post("plex", pieces() if chunked else b" " * (20 * MIB))
    assert answer.status == 413
    assert hooks.notes[-1][0] == "failed"


async def test_too_much_text_is_refused(hooks: Hooks) -> None:
    """Beside a poster, a megabyte of text is a 413 (pitfall 32)."""
    for kind in EVENTS:
        assert (await hooks.post(kind, b'{"a": "' + b"x" * MIB + b'"}')).status == 413
    form = FormData(default_to_multipart=True)
    form.add_field("payload", "x" * (MIB + 1))
    assert (await hooks.client.post(hooks.path("plex"), data=form)).status == 413


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Measure floods by a clock that stands still."""
    found = Clock()
    monkeypatch.setattr(f"{TokenBucket.__module__}.utcnow", lambda: found.now)
    return found


async def test_a_flood_is_refused(clock: Clock, hooks: Hooks) -> None:
    """Beyond the burst each hook answers 429, alone, until its bucket fills again."""
    body = jellyfin_event(hooks.house.places["jellyfin"], "Generic")
    statuses = [(await hooks.post("jellyfin", body)).status for _ in range(150)]
    assert set(statuses[:100]) == {200}
    assert set(statuses[100:]) == {429}
    assert (await hooks.post("emby", emby_event(hooks.house.places["emby"], "plugins.updated"))).status == 200
    clock.now += timedelta(seconds=1)
    assert (await hooks.post("jellyfin", body)).status == 200


def test_a_clock_that_is_set_back_closes_no_hook(clock: Clock) -> None:
    """What is left of the burst stays, and fills up again from then on."""
    bucket = TokenBucket()
    assert all(bucket.take() for _ in range(99))
    clock.now -= timedelta(hours=1)
    assert [bucket.take(), bucket.take()] == [True, False]
    clock.now += timedelta(seconds=1)
    assert [bucket.take() for _ in range(21)] == [True] * 20 + [False]


async def test_reports_of_players_do_not_eat_the_stop(clock: Clock, hooks: Hooks) -> None:
    """Ten players report once a second for a minute; the stop behind that is still heard (pitfall 48)."""
    place = hooks.house.places["jellyfin"]
    report = jellyfin_event(place, "PlaybackProgress")
    for _ in range(60):
        clock.now += timedelta(seconds=1)
        for _player in range(10):
            assert (await hooks.post("jellyfin", report)).status == 200
    assert not place.simulator.requests  # a report alone makes nobody look
    place.simulator.stock("anna", FILM.key, played=True, count=1)
    assert (await hooks.post("jellyfin", jellyfin_event(place, "PlaybackStop"))).status == 200
    await hooks.house.settle()
    assert hooks.house.places["plex"].shown().played


@pytest.mark.parametrize("kind", EVENTS)
async def test_the_answer_waits_for_nothing(hooks: Hooks, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jellyfin's players wait for the answer: it is out while the work has not begun (pitfall 47)."""
    following = hooks.house.hass.data[HUB].following
    gate, began, original = asyncio.Event(), asyncio.Event(), following.sync

    async def held(viewer: ViewerSync, run: Run) -> Report:
        began.set()
        await gate.wait()
        return await original(viewer, run)

    monkeypatch.setattr(following, "sync", held)
    place = hooks.house.places[kind]
    place.simulator.stock("anna", FILM.key, played=True, count=1)
    async with asyncio.timeout(30):
        assert (await hooks.post(kind, EVENTS[kind](place))).status == 200
        await began.wait()
    assert not place.simulator.requests
    gate.set()
    await hooks.house.settle()
    assert hooks.house.places["plex"].shown().played


async def test_a_view_that_plex_has_not_counted_yet_is_looked_at_again(hooks: Hooks) -> None:
    """The webhook may be faster than Plex's own record: a second look finds the view."""
    house, place = hooks.house, hooks.house.places["plex"]
    await hooks.post("plex", plex_event(place))
    await house.settle()
    place.simulator.stock("anna", FILM.key, played=True, count=1)
    await house.later(3)
    assert all(other.shown().played for other in house.places.values())


async def test_a_server_that_fails_at_a_hint_shows_it(hooks: Hooks) -> None:
    """The webhook was answered; that its server does not let itself be read stands in its status."""
    place = hooks.house.places["emby"]
    place.simulator.faults.status = 500
    assert (await hooks.post("emby", emby_event(place))).status == 200
    await hooks.house.settle()
    assert hooks.house.state("sensor.cellar_status") == "unavailable"


@pytest.mark.parametrize("kind", EVENTS)
async def test_a_cloudhook_is_understood(hooks: Hooks, kind: str) -> None:
    """A request that came through the cloud is none: it has a text and no more (pitfall 31)."""
    place = hooks.house.places[kind]
    await hooks.house.options(hooks.entries[kind], webhook_local_only=False)
    place.simulator.stock("anna", FILM.key, played=True, count=1)
    body = json.dumps(EVENTS[kind](place)).encode()
    status = await through_the_cloud(hooks, kind, body, "application/json")
    await hooks.house.settle()
    assert status == 200
    assert all(other.shown().played for other in hooks.house.places.values())


async def test_a_cloudhook_of_plex_is_understood_though_its_poster_is_broken(hooks: Hooks) -> None:
    """The cloud makes text of the whole form, which breaks the picture but not what counts (pitfall 31)."""
    place = hooks.house.places["plex"]
    await hooks.house.options(hooks.entries["plex"], webhook_local_only=False)
    place.simulator.stock("anna", FILM.key, played=True, count=1)
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="payload"\r\nContent-Type: application/json\r\n\r\n' + json.dumps(plex_event(place)).encode(),
        b'\r\n--b\r\nContent-Disposition: form-data; name="thumb"; filename="thumb.jpg"\r\n\r\n' + POSTER.decode(errors="replace").encode(),
        b"\r\n--b--\r\n",
    ]
    assert await through_the_cloud(hooks, "plex", b"".join(parts), "multipart/form-data; boundary=b") == 200
    await hooks.house.settle()
    assert all(other.shown().played for other in hooks.house.places.values())


async def test_a_large_cloudhook_is_refused(hooks: Hooks) -> None:
    """The limit holds on this way in too (pitfalls 31, 32)."""
    await hooks.house.options(hooks.entries["plex"], webhook_local_only=False)
    assert await through_the_cloud(hooks, "plex", b" " * (20 * MIB), "application/json") == 413


async def through_the_cloud(hooks: Hooks, kind: str, body: bytes, content_type: str) -> int:
    """Deliver a body as the cloud does."""
    request = MockRequest(content=body, mock_source="cloud", method="POST", headers={"Content-Type": content_type})
    answer = await webhook.async_handle_webhook(hooks.house.hass, hooks.entries[kind].data["webhook_id"], request)
    return answer.status


async def test_the_internet_is_refused_unless_it_is_let_in(hooks: Hooks) -> None:
    """As it is set up, a webhook listens to the local network only; Home Assistant answers 200 and tells us nothing."""
    entry, place = hooks.entries["jellyfin"], hooks.house.places["jellyfin"]
    body = json.dumps(jellyfin_event(place)).encode()
    request = MockRequest(content=body, mock_source="test", method="POST", remote="203.0.113.7")
    for local_only in (True, False):
        await hooks.house.options(entry, webhook_local_only=local_only)
        before = len(hooks.notes)
        answer = await webhook.async_handle_webhook(hooks.house.hass, entry.data["webhook_id"], request)
        await hooks.house.settle()
        assert answer.status == 200
        assert len(hooks.notes) - before == (not local_only)


async def test_a_webhook_can_be_switched_off(hooks: Hooks) -> None:
    """Switched off, nobody listens; switched on again, the address is the same."""
    entry, place = hooks.entries["emby"], hooks.house.places["emby"]
    for enabled in (False, True):
        await hooks.house.options(entry, webhook_enabled=enabled)
        place.simulator.stock("anna", FILM.key, played=True, count=1)
        assert (await hooks.post("emby", emby_event(place))).status == 200
        await hooks.house.settle()
        assert len(hooks.notes) == enabled


async def test_a_play_is_told_once(hooks: Hooks) -> None:
    """Start and stop come by several ways and several times; the viewer's event entity tells them once (pitfall 25)."""
    house, place = hooks.house, hooks.house.places["plex"]
    told: list[Any] = []
    house.hass.bus.async_listen("state_changed", lambda event: told.append(event.data["new_state"]) if event.data["entity_id"] == "event.anna_watch" else None)
    for event in ("media.play", "media.play", "media.pause", "media.stop", "media.stop"):
        assert (await hooks.post("plex", plex_event(place, event))).status == 200
        await house.settle()
    assert [state.attributes["event_type"] for state in told] == ["started", "stopped"]
    assert told[0].attributes["server"] == "Study"
    assert told[0].attributes["item_id"] == place.shown().item_id


async def test_an_episode_and_a_film_have_their_own_events(hooks: Hooks) -> None:
    """What is watched is told once, with what automations ask for."""
    house, place = hooks.house, hooks.house.places["jellyfin"]
    place.simulator.stock("anna", TITLES[-1].key, played=True, count=1)
    body = jellyfin_event(place, ItemId=place.shown(TITLES[-1]).item_id, ItemType="Episode")
    for _ in range(2):
        await hooks.post("jellyfin", body)
        await house.settle()
    state = house.hass.states.get("event.anna_watch")
    assert state is not None
    assert TITLES[-1].show is not None
    assert state.attributes["event_type"] == "watched"
    assert (state.attributes["media_type"], state.attributes["season"], state.attributes["episode"]) == ("episode", TITLES[-1].season, TITLES[-1].episode)
    assert (state.attributes["server"], state.attributes["show"]) == ("Attic", TITLES[-1].show.name)


async def test_the_event_entity_tells_what_became_of_it(hooks: Hooks) -> None:
    """Processed, ignored or failed, by the sender's name of the event and with the reason."""
    place = hooks.house.places["emby"]
    for body, expected in (
        (emby_event(place), ("processed", "item.markplayed", "")),
        (emby_event(place, "plugins.updated"), ("ignored", "plugins.updated", "")),
        (b"nonsense", ("failed", "", "the body is not JSON")),
    ):
        await hooks.post("emby", body)
        await hooks.house.settle()
        state = hooks.house.hass.states.get("event.cellar_webhook_received")
        assert state is not None
        assert (state.attributes["event_type"], state.attributes["event"], state.attributes["reason"]) == expected
    assert hooks.house.state("event.study_webhook_received") == "unknown"


async def test_a_webhook_id_is_never_logged_in_full(hooks: Hooks, caplog: pytest.LogCaptureFixture) -> None:
    """Logs of the integration show its ends only."""
    with caplog.at_level(logging.DEBUG, logger="custom_components.plex_watchsync"):
        await hooks.post("plex", b"nonsense")
        await hooks.post("plex", plex_event(hooks.house.places["plex"]))
        await hooks.house.settle()
    webhook_id = hooks.entries["plex"].data["webhook_id"]
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("custom_components")]
    assert any(f"{webhook_id[:8]}…{webhook_id[-4:]}" in message for message in ours)
    assert not [message for message in ours if webhook_id in message]


async def test_an_account_that_left_is_not_looked_at(hooks: Hooks) -> None:
    """A hint that waits while its account is taken out ends there."""
    house, entry = hooks.house, hooks.entries["emby"]
    (account,) = account_subentries(entry)
    await hooks.post("emby", emby_event(house.places["emby"]))
    house.hass.config_entries.async_remove_subentry(entry, account.subentry_id)
    await house.settle()
    assert await hooks.post("emby", emby_event(house.places["emby"]))
    await house.settle()
    assert hooks.notes[-1][0] == "ignored"
