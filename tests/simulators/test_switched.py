"""What a control route makes a simulated server do: deliver badly, check in, say goodbye, come back as another version, lose a library."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientSession, WSMsgType, web
from aiohttp.test_utils import TestServer

from simulators.base import CONTROL, Act, Faults, Simulator, serving
from simulators.catalogue import generate
from simulators.emby import EmbySimulator
from simulators.jellyfin import JellyfinSimulator
from simulators.jellyfin.server import API_KEY
from simulators.plex import PlexSimulator

type Json = Any

TITLES = generate(7, films=3, shows=1)
FILM, OTHER, EPISODE = TITLES[0], TITLES[1], TITLES[-1]
WHEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
KINDS = ("plex", "jellyfin", "emby")
PLAY = {
    "plex": ["media.play", "media.stop"],
    "jellyfin": ["PlaybackStart", "PlaybackStop"],
    "emby": ["playback.start", "playback.stop"],
}
pytestmark = pytest.mark.usefixtures("socket_enabled")


def simulated(kind: str) -> Simulator:
    servers = {"plex": PlexSimulator, "jellyfin": JellyfinSimulator, "emby": EmbySimulator}
    found: Simulator = servers[kind]("attic", TITLES, {"anna": "secret-anna", "bob": "secret-bob"})
    return found


class Hook:
    """A receiver of webhooks."""

    def __init__(self) -> None:
        self.came: list[Json] = []
        self.parts: list[set[str]] = []
        self.queue: asyncio.Queue[Json] = asyncio.Queue()

    async def take(self, request: web.Request) -> web.Response:
        form: Json = await request.post() if request.content_type.startswith("multipart") else {}
        body = json.loads(form.get("payload") or form.get("data") or await request.text())
        self.came.append(body)
        self.parts.append(set(form))
        self.queue.put_nowait(body)
        return web.Response()

    def names(self) -> list[str]:
        return [body.get("event") or body.get("Event") or body["NotificationType"] for body in self.came]


class Place:
    """A server, its control routes, and who hears of it."""

    def __init__(self, server: Simulator, url: str, session: ClientSession, hook: Hook) -> None:
        self.server, self.url, self.session, self.hook = server, url, session, hook

    async def control(self, route: str, body: Json) -> tuple[int, Json]:
        async with self.session.post(f"{self.url}{CONTROL}/{route}", json=body) as answer:
            return answer.status, await answer.json() if answer.status == 200 else await answer.text()

    async def act(self, act: Act, title: str = FILM.key, user: str = "anna", position: int | None = None) -> None:
        assert (await self.control("act", {"user": user, "key": title, "act": act, "position": position}))[0] == 200

    async def told(self) -> list[str]:
        """Wait until all is delivered and return the names of the messages that are about a play or a mark."""
        await asyncio.wait_for(self.server.post.delivered(), 10)
        return [name for name in self.hook.names() if name not in {"SessionStart", "UserDataSaved"}]


@asynccontextmanager
async def placed(kind: str) -> AsyncIterator[Place]:
    hook, app, server = Hook(), web.Application(), simulated(kind)
    app.router.add_post("/hook", hook.take)
    async with TestServer(app) as receiver, serving(server) as url, ClientSession() as session:
        place = Place(server, url, session, hook)
        assert (await place.control("webhooks", {"urls": [str(receiver.make_url("/hook"))]}))[0] == 200
        yield place


@pytest.mark.parametrize("kind", KINDS)
async def test_deliveries_in_order(kind: str) -> None:
    async with placed(kind) as place:
        await place.act(Act.PLAY)
        await place.act(Act.STOP, position=600)
        assert await place.told() == PLAY[kind]


@pytest.mark.parametrize("kind", KINDS)
async def test_deliveries_that_come_twice(kind: str) -> None:
    """Pitfall 25: the same body two times."""
    async with placed(kind) as place:
        await place.control("faults", {"twice": True})
        await place.act(Act.PLAY)
        await place.act(Act.STOP, position=600)
        assert await place.told() == [name for name in PLAY[kind] for _ in range(2)]
        assert set(Counter(json.dumps(body) for body in place.hook.came).values()) == {2}


@pytest.mark.parametrize("kind", KINDS)
async def test_deliveries_out_of_order(kind: str) -> None:
    """A message is overtaken by the next; one that is alone is only late."""
    async with placed(kind) as place:
        for user in ("anna", "bob"):
            await place.control("faults", {"disorder": user == "bob"})
            await place.act(Act.PLAY, user=user)
            await place.act(Act.STOP, user=user, position=600)
            await place.told()
        names = place.hook.names()
    straight, crooked = names[: len(names) // 2], names[len(names) // 2 :]
    assert sorted(crooked) == sorted(straight)
    assert crooked[:2] == straight[1::-1]


async def test_webhooks_of_plex() -> None:
    """Server-apis §5.1: a form with a poster for some events; who is not the owner has a number of plex.tv's; marks are told by none (pitfall 12)."""
    async with placed("plex") as place:
        for act in (Act.MARK_WATCHED, Act.MARK_UNWATCHED):
            await place.act(act)
        assert await place.told() == []
        await place.act(Act.PLAY)
        await place.act(Act.PAUSE, position=600)
        await place.act(Act.PLAY, position=600)
        await place.act(Act.FINISH)
        await place.act(Act.FINISH, OTHER.key, "bob")
        assert await place.told() == [
            *("media.play", "media.pause", "media.resume", "media.scrobble", "media.stop"),
            *("media.play", "media.scrobble", "media.stop"),
        ]
        assert [parts == {"payload", "thumb"} for parts in place.hook.parts] == [True, False, False, False, False, True, False, False]
        first, last = place.hook.came[0], place.hook.came[-1]
        assert (first["user"], first["owner"], first["Account"]["id"], first["Account"]["title"]) == (True, True, 1, "anna")
        assert (last["user"], last["owner"], last["Account"]["id"], last["Account"]["title"]) == (False, True, 31646101, "bob")
        assert {guid["id"] for guid in first["Metadata"]["Guid"]} == {f"{kind}://{value}" for kind, value in FILM.ids.items()}


@pytest.mark.parametrize("heard", [False, True])
async def test_a_rating_on_plex(heard: bool) -> None:
    """The webhook tells the number beside the event (seen by a client's author); whether sockets hear of it is not known, so it can be switched."""
    async with placed("plex") as place:
        await place.control("switches", {"tells_of_ratings": heard})
        async with place.session.ws_connect(f"{place.url}/:/websockets/notifications?X-Plex-Token=secret-anna") as socket:
            assert (await place.control("rate", {"user": "anna", "key": FILM.key, "rating": 8}))[0] == 200
            assert await place.told() == ["media.rate"]
            if heard:
                assert (await socket.receive_json(timeout=5))["NotificationContainer"]["type"] == "activity"
            else:
                with pytest.raises(TimeoutError):
                    await socket.receive(timeout=0.2)
    [body] = place.hook.came
    assert (body["rating"], body["Metadata"]["userRating"], "lastRatedAt" in body["Metadata"]) == (8, 8, True)


async def test_jellyfin_checks_in_by_itself() -> None:
    """Pitfall 48: while something plays a message comes every `every` seconds; it counts the position on, saves nothing, and ends with the play."""
    async with placed("jellyfin") as place:
        assert (await place.control("switches", {"every": 0.02}))[0] == 200
        await place.act(Act.PLAY)
        automated: list[Json] = []
        async with asyncio.timeout(10):
            while len(automated) < 3:
                body = await place.hook.queue.get()
                automated += [body] if body.get("IsAutomated") else []
        await place.act(Act.PAUSE)
        await place.told()
        paused = len(place.hook.came)
        await asyncio.sleep(0.1)
        assert len(place.hook.came) == paused
        await place.act(Act.STOP, position=600)
        assert (await place.told())[-1] == "PlaybackStop"
        stopped = len(place.hook.came)
        await asyncio.sleep(0.1)
        assert len(place.hook.came) == stopped
    assert [(body["NotificationType"], body["PlaybackPositionTicks"]) for body in automated] == [("PlaybackProgress", n * 200_000) for n in (1, 2, 3)]
    saved = [body["SaveReason"] for body in place.hook.came if body["NotificationType"] == "UserDataSaved"]
    assert saved == ["PlaybackStart", "PlaybackProgress", "PlaybackFinished"]


async def test_jellyfin_tells_of_sessions_that_begin() -> None:
    """Once for a client and device; about no title."""
    async with placed("jellyfin") as place:
        await place.act(Act.PLAY)
        await place.act(Act.PLAY, OTHER.key)
        await place.told()
        began = [body for body in place.hook.came if body["NotificationType"] == "SessionStart"]
    assert [(body["NotificationUsername"], body["DeviceId"], "ItemId" in body) for body in began] == [("anna", "anna-player", False)]


@pytest.mark.parametrize("kind", KINDS)
async def test_switches(kind: str) -> None:
    """What is not named stays as it is; what there is not is refused; a restart leaves them alone, unlike faults."""
    async with placed(kind) as place:
        async with place.session.get(f"{place.url}{CONTROL}/switches") as answer:
            before = await answer.json()
        name = next(name for name, value in before.items() if isinstance(value, bool))
        assert await place.control("switches", {name: not before[name]}) == (200, before | {name: not before[name]})
        assert (await place.control("switches", {"nonsense": True}))[0] == 400
        assert (await place.control("restart", {"pace": 0}))[0] == 200
        assert await place.control("switches", {}) == (200, before | {name: not before[name]})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ["restart", "shutdown"])
async def test_a_goodbye(kind: str, end: str) -> None:
    """Pitfall 40: Jellyfin says what it does before it closes with 1000; that Plex and Emby just close is an assumption."""
    path = {
        "plex": "/:/websockets/notifications?X-Plex-Token=secret-anna",
        "jellyfin": f"/socket?ApiKey={API_KEY}",
        "emby": "/embywebsocket?api_key=x",
    }[kind]
    server = simulated(kind)
    async with ClientSession() as session:
        async with serving(server) as url:
            socket = await session.ws_connect(url + path)
            if kind == "jellyfin":
                assert (await socket.receive_json(timeout=5))["MessageType"] == "ForceKeepAlive"
            if end == "restart":
                async with session.post(f"{url}{CONTROL}/restart", json={"pace": 0}) as answer:
                    assert answer.status == 200
        if kind == "jellyfin":
            assert (await socket.receive_json(timeout=5))["MessageType"] == ("ServerRestarting" if end == "restart" else "ServerShuttingDown")
        message = await socket.receive(timeout=5)
        assert message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
        assert kind != "jellyfin" or message.data == 1000
        await socket.close()


@pytest.mark.parametrize(("kind", "path", "version"), [
    ("plex", "/identity", "1.41.8.1"), ("jellyfin", "/System/Info/Public", "12.0.0"), ("emby", "/emby/System/Info/Public", "4.8.11.0"),
])  # fmt: skip
async def test_an_upgrade(kind: str, path: str, version: str) -> None:
    """Tried on a real Jellyfin: another version, the same server, accounts, ids and records."""
    async with placed(kind) as place:
        place.server.stock("anna", FILM.key, played=True, count=2, date=WHEN)
        seen, shown = [], []
        for _ in range(2):
            async with place.session.get(place.url + path, headers={"Accept": "application/json"}) as answer:
                about = await answer.json()
            about = about.get("MediaContainer", about)
            seen.append((about.get("machineIdentifier") or about["Id"], about.get("version") or about["Version"]))
            shown.append(place.server.shown("anna"))
            assert (await place.control("restart", {"pace": 0, "version": version}))[0] == 200
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] != seen[1][1] == version
    assert shown[0] == shown[1]


async def test_an_upgrade_of_jellyfin_to_12_ends_the_old_headers() -> None:
    """Server-apis §1.2: what is shown the old way is refused from then on, also by a log-in of before."""
    async with placed("jellyfin") as place:
        seen = []
        for _ in range(2):
            headers: list[dict[str, str]] = [{"X-Emby-Token": API_KEY}, {"Authorization": f'MediaBrowser Token="{API_KEY}"'}]
            for one in headers:
                async with place.session.get(f"{place.url}/Users", headers=one) as answer:
                    seen.append(answer.status)
            await place.control("restart", {"pace": 0, "version": "12.0.0"})
    assert seen == [200, 200, 401, 200]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_library_whose_disk_is_away(kind: str) -> None:
    """R2: all of it is gone, the other library is not; when it is back, Plex has new ids and knows nothing, the others know all."""
    async with placed(kind) as place:
        place.server.stock("anna", FILM.key, played=True, count=2, date=WHEN)
        before = {row.key: row for row in place.server.shown("anna")}
        assert (await place.control("library", {"unmount": "Movies"}))[0] == 200
        assert {row.key for row in place.server.shown("anna")} == {title.key for title in TITLES if title.show}
        assert (await place.control("library", {"mount": "Shows"}))[0] == 404
        assert (await place.control("library", {"mount": "Movies"}))[0] == 200
        after = {row.key: row for row in place.server.shown("anna")}
    assert before.keys() == after.keys()
    assert (after[FILM.key].item_id == before[FILM.key].item_id) is (kind == "jellyfin")
    assert (after[FILM.key].played, after[FILM.key].count) == ((False, 0) if kind == "plex" else (True, 2))
    assert after[EPISODE.key] == before[EPISODE.key]


async def test_plex_tells_of_titles_that_come_and_go() -> None:
    """Server-apis §5.2: a state of 5 or 9 in a timeline frame."""
    async with placed("plex") as place, place.session.ws_connect(f"{place.url}/:/websockets/notifications?X-Plex-Token=secret-anna") as socket:
        await place.control("library", {"unmount": "Movies"})
        await place.control("library", {"mount": "Movies"})
        entries = [(await socket.receive_json(timeout=5))["NotificationContainer"]["TimelineEntry"][0] for _ in range(9)]
    assert [entry["state"] for entry in entries] == [9] * 3 + [5] * 6


async def test_faults_replace_each_other() -> None:
    """Posting faults replaces them all; an unknown one is no fault."""
    async with placed("emby") as place:
        assert (await place.control("faults", {"slow": 0.01, "parallel": 3}))[1]["parallel"] == 3
        assert (await place.control("faults", {"nonsense": True}))[0] == 200
        assert place.server.faults == Faults()
