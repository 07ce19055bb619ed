"""What the simulated Emby tells by itself: webhooks (server-apis §5.5) and its socket (§5.6)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

from simulators.base import Act, Faults, serving
from simulators.catalogue import generate
from simulators.emby import EmbySimulator

type Json = Any

NOW = datetime(2026, 11, 3, 19, 4, 5, 123456, tzinfo=UTC)
TITLES = generate(7, films=2, shows=1)
FILM = TITLES[0]
pytestmark = pytest.mark.usefixtures("socket_enabled")

CLIENT = {"X-Emby-Authorization": 'MediaBrowser Client="Test", Device="Shelf", DeviceId="d-1", Version="1"'}


class Ear:
    """Something that webhooks are sent to."""

    def __init__(self) -> None:
        """Start without having heard anything."""
        self.heard: list[tuple[str, Json]] = []
        self._more = asyncio.Condition()

    async def hear(self, request: web.Request) -> web.Response:
        is_form = request.content_type == "multipart/form-data"
        text = str((await request.post())["data"]) if is_form else await request.text()
        async with self._more:
            self.heard.append((request.content_type, json.loads(text)))
            self._more.notify_all()
        return web.Response()

    async def wait(self, count: int) -> list[Json]:
        async with asyncio.timeout(10), self._more:
            await self._more.wait_for(lambda: len(self.heard) >= count)
        return [body for _, body in self.heard]


@pytest.fixture
async def ear() -> AsyncIterator[tuple[Ear, str]]:
    ear, app = Ear(), web.Application()
    app.router.add_post("/hook", ear.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield ear, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await runner.cleanup()


def emby(version: str = "4.9.5.0") -> EmbySimulator:
    simulator = EmbySimulator("attic", TITLES, {"anna": "secret-anna", "bob": "secret-bob"}, version=version, clock=lambda: NOW)
    simulator.sockets.delay = 0.02
    return simulator


async def test_a_play_is_told_from_start_to_stop(ear: tuple[Ear, str]) -> None:
    listener, url = ear
    simulator = emby()
    simulator.webhooks = [url]
    async with serving(simulator):
        for act, position in ((Act.PLAY, 0), (Act.PAUSE, 600), (Act.PLAY, None), (Act.SEEK, 900), (Act.STOP, None)):
            await simulator.act("anna", FILM.key, act, position)
        told = await listener.wait(4)
    assert [body["Event"] for body in told] == ["playback.start", "playback.pause", "playback.unpause", "playback.stop"]
    assert [body["PlaybackInfo"]["PositionTicks"] for body in told] == [0, 6000000000, 6000000000, 9000000000]
    assert told[-1]["PlaybackInfo"]["PlayedToCompletion"] is False
    assert told[-1]["User"] == {"Name": "anna", "Id": simulator.accounts.by_name["anna"].account_id}
    assert told[-1]["Date"] == "2026-11-03T19:04:05.1234560Z"
    assert "UserData" not in told[-1]["Item"]


async def test_a_play_to_the_end_is_no_mark(ear: tuple[Ear, str]) -> None:
    """Pitfall 12: none is sent when an item becomes watched by itself."""
    listener, url = ear
    simulator = emby()
    simulator.webhooks = [url]
    async with serving(simulator):
        await simulator.act("anna", FILM.key, Act.FINISH)
        await simulator.act("anna", FILM.key, Act.MARK_UNWATCHED)
        told = await listener.wait(3)
    assert [body["Event"] for body in told] == ["playback.start", "playback.stop", "item.markunplayed"]
    assert told[1]["PlaybackInfo"]["PlayedToCompletion"] is True
    assert told[2]["Item"]["UserData"]["Played"] is False


async def test_half_of_a_rewatch_says_not_completed(ear: tuple[Ear, str]) -> None:
    """Pitfall 3: the stop says that it was not played to the end, while the film stays played."""
    listener, url = ear
    simulator = emby()
    simulator.webhooks = [url]
    simulator.stock("anna", FILM.key, played=True, count=1)
    async with serving(simulator):
        await simulator.act("anna", FILM.key, Act.STOP, FILM.runtime // 2)
        told = await listener.wait(2)
    assert told[1]["PlaybackInfo"]["PlayedToCompletion"] is False
    assert simulator.shown("anna")[0].played is True


@pytest.mark.parametrize(
    ("version", "as_json", "sent"),
    [
        ("4.7.14.0", False, "multipart/form-data"),
        ("4.8.11.0", True, "multipart/form-data"),
        ("4.9.5.0", False, "multipart/form-data"),
        ("4.9.5.0", True, "application/json"),
    ],
)
async def test_json_is_a_choice_from_4_9_on(ear: tuple[Ear, str], version: str, as_json: bool, sent: str) -> None:
    listener, url = ear
    simulator = emby(version)
    simulator.webhooks, simulator.hooks_as_json = [url], as_json
    async with serving(simulator):
        await simulator.act("anna", FILM.key, Act.MARK_WATCHED)
        body = (await listener.wait(1))[0]
    assert listener.heard[0][0] == sent
    assert (body["Event"], body["Server"]["Version"]) == ("item.markplayed", version)


async def test_an_unplugged_server_tells_nobody_and_goes_on_afterwards(ear: tuple[Ear, str]) -> None:
    listener, url = ear
    simulator = emby()
    simulator.webhooks = ["http://127.0.0.1:9/gone", url]
    async with serving(simulator):
        simulator.faults = Faults(offline=True)
        await simulator.act("anna", FILM.key, Act.MARK_WATCHED)
        simulator.faults = Faults()
        await simulator.act("anna", FILM.key, Act.MARK_UNWATCHED)
        told = await listener.wait(1)
    assert [body["Event"] for body in told] == ["item.markunplayed"]


async def frame(socket: ClientWebSocketResponse, kind: str) -> Json:
    """Return the next frame of a kind."""
    async with asyncio.timeout(10):
        while (found := await socket.receive_json())["MessageType"] != kind:
            pass
    return found


async def log_in(session: ClientSession, url: str, name: str) -> str:
    async with session.post(f"{url}/Users/AuthenticateByName", json={"Username": name, "Pw": f"secret-{name}"}, headers=CLIENT) as answer:
        return str((await answer.json())["AccessToken"])


async def test_a_socket_tells_its_user_of_true_records() -> None:
    simulator = emby()
    async with serving(simulator) as url, ClientSession() as session:
        token = await log_in(session, url, "anna")
        async with session.ws_connect(f"{url}/embywebsocket?api_key={token}&deviceId=d-1") as socket:
            await socket.send_json({"MessageType": "SessionsStart", "Data": "0,1000"})
            await frame(socket, "Sessions")
            await simulator.act("bob", FILM.key, Act.MARK_WATCHED)
            await simulator.act("anna", FILM.key, Act.STOP, 600)
            told = await frame(socket, "UserDataChanged")
    row = simulator.shown("anna")[0]
    assert told["Data"]["UserId"] == simulator.accounts.by_name["anna"].account_id
    percent = 100 * 600 / FILM.runtime
    record: Json = {"PlayedPercentage": percent, "PlaybackPositionTicks": 6000000000, "PlayCount": 1, "IsFavorite": False}
    record |= {"LastPlayedDate": "2026-11-03T19:04:05.0000000Z", "Played": False, "ItemId": row.item_id}
    assert told["Data"]["UserDataList"] == [record]


async def test_sessions_come_on_request_and_change_and_have_no_message_id() -> None:
    simulator = emby()
    async with serving(simulator) as url, ClientSession() as session:
        token = await log_in(session, url, "anna")
        async with session.ws_connect(f"{url}/any/path?api_key={token}") as socket:
            await socket.send_json({"MessageType": "SessionsStart", "Data": "0,1000"})
            first = await frame(socket, "Sessions")
            await simulator.act("anna", FILM.key, Act.PLAY)
            second = await frame(socket, "Sessions")
    assert first.keys() == {"MessageType", "Data"}
    assert [sum("NowPlayingItem" in one for one in told["Data"]) for told in (first, second)] == [0, 1]


async def test_a_bad_token_opens_a_socket_that_stays_silent() -> None:
    simulator = emby()
    async with serving(simulator) as url, ClientSession() as session:
        token = await log_in(session, url, "anna")
        async with (
            session.ws_connect(f"{url}/embywebsocket?api_key=bad") as bad,
            session.ws_connect(f"{url}/embywebsocket?api_key={token}") as good,
        ):
            for socket in (bad, good):
                await socket.send_json({"MessageType": "SessionsStart", "Data": "0,1000"})
            await simulator.add(TITLES[0])
            await simulator.act("anna", FILM.key, Act.MARK_WATCHED)
            await frame(good, "LibraryChanged")
            await frame(good, "UserDataChanged")
            with pytest.raises(TimeoutError):
                await bad.receive(timeout=0.1)


@pytest.mark.parametrize("end", ["silence", "nonsense", "unplugged"])
async def test_a_socket_ends(end: str) -> None:
    simulator = emby()
    ends: dict[str, Callable[[ClientWebSocketResponse], Any]] = {
        "silence": lambda _: setattr(simulator.sockets, "silence", 0),
        "nonsense": lambda socket: socket.send_str("not JSON"),
        "unplugged": lambda _: setattr(simulator, "faults", Faults(offline=True)),
    }
    async with serving(simulator) as url, ClientSession() as session, session.ws_connect(f"{url}/embywebsocket") as socket:
        done = ends[end](socket)
        if done is not None:
            await done
        message = await socket.receive(timeout=10)
    assert message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED}


async def test_a_ping_counts_as_a_sign_of_life() -> None:
    simulator = emby()
    async with serving(simulator) as url, ClientSession() as session, session.ws_connect(f"{url}/embywebsocket", autoping=False) as socket:
        await socket.ping(b"alive")
        message = await socket.receive(timeout=10)
    assert (message.type, message.data) == (WSMsgType.PONG, b"alive")
