"""What the simulated Jellyfin pushes through its socket, as real ones did (server-apis §1.2, §5.4)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from simulators.base import Act, Faults, serving
from simulators.catalogue import generate
from simulators.jellyfin import JellyfinSimulator
from tests.recordings import PAYLOADS, needs_recordings

type Json = Any

NOW = datetime(2026, 11, 3, 19, 4, 5, 123456, tzinfo=UTC)
TITLES = generate(7, films=2, shows=1)
FILM, OTHER, EPISODE = TITLES[0], TITLES[1], TITLES[2]
RECORDED = PAYLOADS / "jellyfin-10.11.11-recorded"
pytestmark = pytest.mark.usefixtures("socket_enabled")


def jellyfin(version: str = "10.11.11") -> JellyfinSimulator:
    simulator = JellyfinSimulator("attic", TITLES, {"anna": "secret-anna", "bob": "secret-bob"}, version=version, clock=lambda: NOW)
    simulator.sockets.delay = simulator.sockets.library_delay = 0.05
    return simulator


class Client:
    """Somebody's device."""

    def __init__(self, session: ClientSession, url: str, name: str, device: str) -> None:
        self.session, self.url, self.name, self.device, self.token = session, url, name, device, ""

    @property
    def headers(self) -> dict[str, str]:
        fields = f'MediaBrowser Client="Test", Device="Shelf", DeviceId="{self.device}", Version="1"'
        return {"Authorization": f'{fields}, Token="{self.token}"' if self.token else fields}

    async def log_in(self) -> None:
        body = {"Username": self.name, "Pw": f"secret-{self.name}"}
        async with self.session.post(f"{self.url}/Users/AuthenticateByName", json=body, headers=self.headers) as answer:
            self.token = (await answer.json())["AccessToken"]

    async def ask(self, method: str, path: str) -> int:
        async with self.session.request(method, self.url + path, headers=self.headers) as answer:
            return answer.status

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[ClientWebSocketResponse]:
        async with self.session.ws_connect(f"{self.url}/socket", headers=self.headers) as socket:
            assert (await frame(socket, "ForceKeepAlive"))["Data"] == 60
            yield socket


@asynccontextmanager
async def people(simulator: JellyfinSimulator, *names: tuple[str, str]) -> AsyncIterator[list[Client]]:
    async with serving(simulator) as url, ClientSession() as session:
        clients = [Client(session, url, name, device) for name, device in names]
        for client in clients:
            await client.log_in()
        yield clients


async def frame(socket: ClientWebSocketResponse, kind: str) -> Json:
    """Return the next frame of a kind."""
    async with asyncio.timeout(10):
        while (found := await socket.receive_json())["MessageType"] != kind:
            pass
    return found


async def silent(socket: ClientWebSocketResponse) -> bool:
    """Whether nothing more comes."""
    with pytest.raises(TimeoutError):
        await socket.receive(timeout=0.3)
    return True


def user_id(simulator: JellyfinSimulator, name: str) -> str:
    user = simulator.auth.named(name)
    assert user
    return user.user_id


def item_id(simulator: JellyfinSimulator, key: str) -> str:
    return next(row.item_id for row in simulator.shown("anna") if row.key == key)


@pytest.mark.parametrize("version", ["10.10.7", "10.11.11", "12.0.0"])
async def test_a_mark_comes_with_what_is_one_level_up(version: str) -> None:
    """Pitfall 45: an episode's season, a film's folder with an id that no listing has; the frame has item ids on 10.10 too."""
    simulator = jellyfin(version)
    async with people(simulator, ("anna", "d-1")) as [anna], anna.socket() as socket:
        await simulator.act("anna", FILM.key, Act.MARK_WATCHED)
        told = await frame(socket, "UserDataChanged")
        film, folder = told["Data"]["UserDataList"]
        await simulator.act("anna", EPISODE.key, Act.MARK_WATCHED)
        _, season = (await frame(socket, "UserDataChanged"))["Data"]["UserDataList"]
    assert told["Data"]["UserId"] == user_id(simulator, "anna")
    assert (film["ItemId"], film["Played"], film["PlayCount"]) == (item_id(simulator, FILM.key), True, 1)
    assert (folder["UnplayedItemCount"], folder["ItemId"] in simulator.library.items) == (1, False)
    assert (season["UnplayedItemCount"], simulator.library.items[season["ItemId"]].kind) == (3, "Season")


async def test_a_storm_gives_one_frame_at_its_end() -> None:
    """500 ms of silence on the whole server: others' acts put it off too, and nobody hears of theirs."""
    simulator = jellyfin()
    simulator.sockets.delay = 0.2
    async with people(simulator, ("anna", "d-1"), ("bob", "d-2")) as [anna, _], anna.socket() as socket:
        await simulator.act("anna", FILM.key, Act.MARK_WATCHED)
        for _ in range(4):
            await asyncio.sleep(0.1)
            await simulator.act("bob", OTHER.key, Act.MARK_WATCHED)
        await simulator.act("anna", OTHER.key, Act.MARK_WATCHED)
        told = await frame(socket, "UserDataChanged")
        assert await silent(socket)
    assert {row["ItemId"] for row in told["Data"]["UserDataList"]} >= {item_id(simulator, FILM.key), item_id(simulator, OTHER.key)}


async def test_progress_is_told_to_nobody() -> None:
    """A player's reports are saved at once, but no frame comes before it stops."""
    simulator = jellyfin()
    async with people(simulator, ("anna", "d-1")) as [anna], anna.socket() as socket:
        await simulator.act("anna", FILM.key, Act.PLAY)
        assert (await frame(socket, "UserDataChanged"))["Data"]["UserDataList"][0]["PlayCount"] == 1
        await simulator.act("anna", FILM.key, Act.SEEK, 600)
        assert await silent(socket)
        await simulator.act("anna", FILM.key, Act.STOP, 600)
        assert (await frame(socket, "UserDataChanged"))["Data"]["UserDataList"][0]["PlaybackPositionTicks"] == 6_000_000_000


async def test_of_two_sockets_of_a_device_the_one_that_spoke_last_hears() -> None:
    """Pitfall 39: a KeepAlive counts as speaking."""
    simulator = jellyfin()
    async with people(simulator, ("anna", "d-1")) as [anna], anna.socket() as first, anna.socket() as second:
        for speaks, hears, deaf in ((second, second, first), (first, first, second)):
            await speaks.send_json({"MessageType": "KeepAlive"})
            assert (await frame(speaks, "KeepAlive")).keys() == {"MessageId", "MessageType"}
            await simulator.act("anna", FILM.key, Act.MARK_WATCHED)
            await frame(hears, "UserDataChanged")
            assert await silent(deaf)


async def test_two_people_with_one_device_share_a_session() -> None:
    """Pitfall 39: whoever came last has the session, and hears for both sockets' owner; the other is deaf to his own."""
    simulator = jellyfin()
    async with people(simulator, ("anna", "d-1"), ("bob", "d-1")) as [anna, bob], anna.socket(), bob.socket() as socket:
        await socket.send_json({"MessageType": "KeepAlive"})
        await simulator.act("anna", FILM.key, Act.MARK_WATCHED)
        await simulator.act("bob", OTHER.key, Act.MARK_WATCHED)
        told = await frame(socket, "UserDataChanged")
        assert await silent(socket)
    assert told["Data"]["UserId"] == user_id(simulator, "bob")


async def test_marking_for_somebody_else_hijacks_the_session() -> None:
    """Pitfall 49: an administrator who marks for bob hears bob from then on, until the socket is opened anew; writing a record does no such thing."""
    simulator = jellyfin()
    bob = user_id(simulator, "bob")
    async with people(simulator, ("anna", "d-1")) as [anna]:
        async with anna.socket() as socket:
            assert await anna.ask("POST", f"/UserPlayedItems/{item_id(simulator, FILM.key)}?userId={bob}") == 200
            assert await anna.ask("GET", "/Users/Me") == 200
            await simulator.act("anna", OTHER.key, Act.MARK_WATCHED)
            assert (await frame(socket, "UserDataChanged"))["Data"]["UserId"] == bob
            assert await silent(socket)
        async with anna.socket() as socket:
            await simulator.act("anna", OTHER.key, Act.MARK_UNWATCHED)
            assert (await frame(socket, "UserDataChanged"))["Data"]["UserId"] == user_id(simulator, "anna")


@pytest.mark.parametrize("again", ["log-in", "log-out"])
async def test_a_new_log_in_cuts_the_device_s_sockets(again: str) -> None:
    """Pitfall 43: so does a log-out."""
    simulator = jellyfin()
    async with people(simulator, ("anna", "d-1")) as [anna], anna.socket() as socket:
        await (anna.log_in() if again == "log-in" else anna.ask("POST", "/Sessions/Logout"))
        assert (await socket.receive(timeout=5)).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}


@pytest.mark.parametrize(("version", "status"), [("10.11.11", 401), ("12.0.0", 403)])
async def test_a_bad_token_is_refused_at_the_handshake(version: str, status: int) -> None:
    simulator = jellyfin(version)
    async with people(simulator, ("anna", "d-1")) as [anna]:
        for query in ("?ApiKey=bad", *(("?api_key=" + anna.token,) if version == "12.0.0" else ())):
            with pytest.raises(WSServerHandshakeError) as raised:
                await anna.session.ws_connect(f"{anna.url}/socket{query}")
            assert raised.value.status == status


async def test_an_api_key_hears_of_nobody() -> None:
    """It has no user; what is for all it hears."""
    simulator = jellyfin()
    key = simulator.credentials()["api_key"]
    async with serving(simulator) as url, ClientSession() as session, session.ws_connect(f"{url}/socket?ApiKey={key}&deviceId=d-9") as socket:
        await frame(socket, "ForceKeepAlive")
        await simulator.act("anna", FILM.key, Act.MARK_WATCHED)
        simulator.sockets.library_changed(added=["a"])
        assert (await frame(socket, "LibraryChanged"))["Data"]["ItemsAdded"] == ["a"]


async def test_sessions_come_on_request_when_something_changes() -> None:
    """Unlike Emby, it sends none before; bob sees his own only."""
    simulator = jellyfin()
    async with people(simulator, ("anna", "d-1"), ("bob", "d-2")) as [anna, bob], anna.socket() as all_of_them, bob.socket() as own:
        for socket in (all_of_them, own):
            await socket.send_json({"MessageType": "SessionsStart", "Data": "0,1500"})
            assert await silent(socket)
        await simulator.act("anna", FILM.key, Act.PLAY)
        seen = [(await frame(socket, "Sessions"))["Data"] for socket in (all_of_them, own)]
    playing = [[one["NowPlayingItem"]["Id"] for one in sessions if "NowPlayingItem" in one] for sessions in seen]
    assert playing == [[item_id(simulator, FILM.key)], []]
    assert {one["UserName"] for one in seen[1]} == {"bob"}


@pytest.mark.parametrize("end", ["silence", "unplugged", "restart"])
async def test_a_socket_ends(end: str) -> None:
    """After 60 s without a word; when the cable is out; and with a word and code 1000 at a restart (recorded: I-restart)."""
    simulator = jellyfin()
    async with people(simulator, ("anna", "d-1")) as [anna], anna.socket() as socket:
        if end == "silence":
            simulator.sockets.silence = 0
        elif end == "unplugged":
            simulator.faults = Faults(offline=True)
        else:
            await simulator.sockets.shut_down()
            assert (await frame(socket, "ServerRestarting"))["Data"] == ""
        message = await socket.receive(timeout=10)
    assert message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
    assert end != "restart" or message.data == 1000


@needs_recordings
async def test_frames_are_of_the_recorded_shape() -> None:
    """Key by key, for a mark, a mark taken back and a stop half-way."""
    lines = [json.loads(line) for line in (RECORDED / "basic" / "frames.jsonl").read_text().splitlines()]
    kinds = {"055-played-no-date": Act.MARK_WATCHED, "065-unplayed": Act.MARK_UNWATCHED, "099-bob-stops-half-way-stop": Act.STOP}
    recorded = {one["after"]: one["frame"] for one in lines if one["after"] in kinds and one["frame"]["MessageType"] == "UserDataChanged"}
    simulator = jellyfin()
    async with people(simulator, ("anna", "d-1")) as [anna], anna.socket() as socket:
        for step, act in kinds.items():
            if act is Act.STOP:
                await simulator.act("anna", FILM.key, Act.PLAY)
                await frame(socket, "UserDataChanged")
            await simulator.act("anna", FILM.key, act, 900 if act is Act.STOP else None)
            told = await frame(socket, "UserDataChanged")
            real = recorded[step]
            assert (list(told), list(told["Data"])) == (list(real), list(real["Data"])), step
            assert [list(row) for row in told["Data"]["UserDataList"]] == [list(row) for row in real["Data"]["UserDataList"]], step
