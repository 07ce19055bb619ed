"""What the simulated Plex tells through its socket and its event stream (server-apis §5.2)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from simulators.base import Act, Faults, serving
from simulators.catalogue import generate
from simulators.plex import PlexSimulator
from tests.recordings import PAYLOADS, needs_recordings

type Json = Any

TITLES = generate(7, films=2, shows=1)
FILM, OTHER = TITLES[0], TITLES[1]
SOCKET, STREAM = "/:/websockets/notifications", "/:/eventsource/notifications"
RECORDED = PAYLOADS / "Taxel__PlexTraktSync" / "tests" / "mock_data" / "events-played.json"
pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture
async def place() -> AsyncIterator[tuple[PlexSimulator, str, ClientSession]]:
    simulator = PlexSimulator("study", TITLES, {"anna": "token-anna", "bob": "token-bob"})
    async with serving(simulator) as url, ClientSession() as session:
        yield simulator, url, session


@asynccontextmanager
async def socket_of(session: ClientSession, url: str, token: str = "token-anna") -> AsyncIterator[ClientWebSocketResponse]:
    async with session.ws_connect(f"{url}{SOCKET}", headers={"X-Plex-Token": token}) as socket:
        yield socket


async def told(socket: ClientWebSocketResponse, kind: str) -> Json:
    """Return the next entry of a kind."""
    async with asyncio.timeout(10):
        while (found := (await socket.receive_json())["NotificationContainer"])["type"] != kind:
            pass
    (entry,) = next(value for value in found.values() if isinstance(value, list))
    return entry


async def activity(socket: ClientWebSocketResponse) -> list[Json]:
    """Return the messages of the next activity."""
    found = [await told(socket, "activity")]
    while found[-1]["event"] != "ended":
        found.append(await told(socket, "activity"))
    return found


def key_of(simulator: PlexSimulator, title: str) -> str:
    return next(row.item_id for row in simulator.shown("anna") if row.key == title)


@pytest.mark.parametrize("act", [Act.MARK_WATCHED, Act.MARK_UNWATCHED])
async def test_a_mark_by_hand_refreshes_the_item(place: tuple[PlexSimulator, str, ClientSession], act: Act) -> None:
    """Pitfall 12: no webhook, but an activity from started to ended that names the item."""
    simulator, url, session = place
    async with socket_of(session, url) as socket:
        await simulator.act("anna", FILM.key, act)
        messages = await activity(socket)
    assert [one["event"] for one in messages] == ["started", "updated", "updated", "updated", "ended"]
    assert messages[-1]["Activity"]["Context"]["key"] == f"/library/metadata/{key_of(simulator, FILM.key)}"
    assert {one["uuid"] for one in messages} == {messages[0]["Activity"]["uuid"]}


@needs_recordings
async def test_an_activity_is_of_the_recorded_shape(place: tuple[PlexSimulator, str, ClientSession]) -> None:
    simulator, url, session = place
    real = [one["ActivityNotification"][0] for one in json.loads(RECORDED.read_text())]
    async with socket_of(session, url) as socket:
        await simulator.act("anna", FILM.key, Act.MARK_WATCHED)
        messages = await activity(socket)
    assert [(list(one), one["event"]) for one in messages] == [(list(one), one["event"]) for one in real]
    for mine, theirs in zip(messages, real, strict=True):
        assert list(mine["Activity"]) == list(theirs["Activity"])
        assert mine["Activity"]["progress"] == theirs["Activity"]["progress"]
        assert mine["Activity"].get("Context", {}).keys() <= theirs["Activity"].get("Context", {}).keys()


async def test_opening_a_page_looks_the_same(place: tuple[PlexSimulator, str, ClientSession]) -> None:
    """Plex Web asks for the files to be checked; a plain read does not, unless it is switched on."""
    simulator, url, session = place
    page = f"{url}/library/metadata/{key_of(simulator, FILM.key)}"
    async with socket_of(session, url) as socket:
        await session.get(page, headers={"X-Plex-Token": "token-anna"})
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.3)
        await session.get(f"{page}?asyncCheckFiles=1", headers={"X-Plex-Token": "token-anna"})
        assert len(await activity(socket)) == 5
        simulator.notifications.refreshes_on_read = True
        await session.get(page, headers={"X-Plex-Token": "token-anna"})
        assert len(await activity(socket)) == 5


async def test_playing_does_not_say_who(place: tuple[PlexSimulator, str, ClientSession]) -> None:
    """The owner hears everybody, by session; who it is stands in the list of sessions, as long as it plays. Bob hears only himself."""
    simulator, url, session = place
    async with socket_of(session, url) as owner, socket_of(session, url, "token-bob") as bob:
        await simulator.act("anna", FILM.key, Act.PLAY)
        await simulator.act("bob", OTHER.key, Act.PLAY)
        first, second = await told(owner, "playing"), await told(owner, "playing")
        own = await told(bob, "playing")
        async with session.get(f"{url}/status/sessions", headers={"X-Plex-Token": "token-anna", "Accept": "application/json"}) as answer:
            sessions = {one["sessionKey"]: one["User"]["title"] for one in (await answer.json())["MediaContainer"]["Metadata"]}
        await simulator.act("bob", OTHER.key, Act.STOP, 600)
        stopped = await told(bob, "playing")
    assert "User" not in first
    assert (first["state"], first["ratingKey"]) == ("playing", key_of(simulator, FILM.key))
    assert sessions == {first["sessionKey"]: "anna", second["sessionKey"]: "bob"}
    assert own == second
    assert (stopped["state"], stopped["viewOffset"], stopped["sessionKey"]) == ("stopped", 600_000, second["sessionKey"])


@pytest.mark.parametrize("for_all", [False, True])
async def test_whether_others_hear_of_activities_is_switchable(place: tuple[PlexSimulator, str, ClientSession], *, for_all: bool) -> None:
    """Nobody showed what a token of somebody else hears."""
    simulator, url, session = place
    simulator.notifications.activities_for_all = for_all
    async with socket_of(session, url, "token-bob") as bob:
        await simulator.act("bob", FILM.key, Act.MARK_WATCHED)
        await simulator.act("bob", FILM.key, Act.PLAY)
        kinds = {(await bob.receive_json(timeout=5))["NotificationContainer"]["type"] for _ in range(6 if for_all else 1)}
    assert kinds == ({"activity", "playing"} if for_all else {"playing"})


async def test_the_library_s_changes(place: tuple[PlexSimulator, str, ClientSession]) -> None:
    """An item that is done is told of twice, the first time while it is still looked at; one that is gone once."""
    simulator, url, session = place
    item = simulator.library.by_title[FILM.key][0]
    async with socket_of(session, url) as socket:
        simulator.notifications.changed(item, 5)
        simulator.notifications.changed(item, 9)
        entries = [await told(socket, "timeline") for _ in range(3)]
    assert [(one["state"], one.get("mediaState")) for one in entries] == [(5, "analyzing"), (5, None), (9, None)]
    assert (entries[0]["itemID"], entries[0]["type"]) == (str(item.key), 1)


async def test_an_event_stream_tells_one_entry_without_a_container(place: tuple[PlexSimulator, str, ClientSession], monkeypatch: pytest.MonkeyPatch) -> None:
    """And pings when it is quiet."""
    monkeypatch.setattr("simulators.plex.notifications.PING", 0.25)
    simulator, url, session = place
    async with session.get(f"{url}{STREAM}", headers={"X-Plex-Token": "token-anna"}) as answer:
        await simulator.act("anna", FILM.key, Act.PLAY)
        text = (await answer.content.readuntil(b"\n\n")).decode()
        ping = (await answer.content.readuntil(b"\n\n")).decode()
    event, data = text.strip().split("\n")
    assert (event, list(json.loads(data.removeprefix("data: ")))) == ("event: playing", ["PlaySessionStateNotification"])
    assert ping == "event: ping\ndata: {}\n\n"


@pytest.mark.parametrize("path", [SOCKET, "/:/websocket/notifications", STREAM])
async def test_a_bad_token_is_refused(place: tuple[PlexSimulator, str, ClientSession], path: str) -> None:
    _, url, session = place
    if path == STREAM:
        async with session.get(f"{url}{path}?X-Plex-Token=bad") as answer:
            assert answer.status == 401
        return
    with pytest.raises(WSServerHandshakeError) as raised:
        await session.ws_connect(f"{url}{path}?X-Plex-Token=bad")
    assert raised.value.status == 401


async def test_a_proxy_that_knows_no_sockets(place: tuple[PlexSimulator, str, ClientSession]) -> None:
    simulator, url, session = place
    simulator.notifications.sockets_allowed = False
    with pytest.raises(WSServerHandshakeError):
        await session.ws_connect(f"{url}{SOCKET}?X-Plex-Token=token-anna")


@pytest.mark.parametrize("end", ["unplugged", "cut"])
async def test_a_connection_ends(place: tuple[PlexSimulator, str, ClientSession], end: str) -> None:
    simulator, url, session = place
    async with socket_of(session, url) as socket, session.get(f"{url}{STREAM}?X-Plex-Token=token-anna") as answer:
        simulator.notifications.say("what is this")
        assert (await socket.receive(timeout=5)).data == "what is this"
        assert b"what is this" in await asyncio.wait_for(answer.content.readany(), 5)
        if end == "cut":
            await simulator.notifications.close()
        else:
            simulator.faults = Faults(offline=True)
        assert (await socket.receive(timeout=5)).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
        if end == "cut":
            assert await asyncio.wait_for(answer.content.read(), 5) == b""
        else:
            with pytest.raises(ClientError):
                await asyncio.wait_for(answer.content.read(), 5)
