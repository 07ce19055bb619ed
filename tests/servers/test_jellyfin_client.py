"""The Jellyfin client over real HTTP against what real servers of three versions answered."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientSession, web

from custom_components.plex_watchsync.ports import AuthFailed, ServerKind, ServerUnavailable
from custom_components.plex_watchsync.servers import Connection, log_in, open_server, probe
from custom_components.plex_watchsync.servers.mediabrowser import JellyfinServer
from custom_components.plex_watchsync.sync.model import MediaKind, WatchState
from tests.recordings import PAYLOADS, needs_recordings

pytestmark = [
    pytest.mark.usefixtures("socket_enabled"),
    needs_recordings,
]


class Replay:
    """Repeats a real server's recorded answers; listings are cut out of the recorded whole by type and page."""

    def __init__(self, version: str) -> None:
        """Load the steps of a version."""
        self.folder = PAYLOADS / f"jellyfin-{version}-recorded" / "basic"
        self.headers: list[dict[str, str]] = []
        self.bodies: list[Any] = []
        self.movies = {row["Id"] for row in self.step("list-all")["Items"] if row["Type"] == "Movie"}

    def step(self, name: str) -> Any:
        """Return the body of a recorded step."""
        [file] = self.folder.glob(f"*[0-9]-{name}.json")
        return json.loads(file.read_text())["body"]

    def routes(self) -> list[web.RouteDef]:
        """Return the routes that were recorded."""

        def say(name: str) -> Any:
            async def answer(request: web.Request) -> web.Response:
                self.headers.append(dict(request.headers))
                self.bodies.append(await request.json() if request.can_read_body else None)
                return web.json_response(self.step(name))

            return answer

        return [
            web.get("/System/Info/Public", say("public-info")),
            web.post("/Users/AuthenticateByName", say("login-anna")),
            web.get("/UserViews", say("views-anna")),
            web.get("/Users", say("users-as-admin")),
            web.get("/Items", self.items),
            web.get("/Sessions", say("bob-opens-by-mistake-sessions")),
            web.post("/UserItems/{item}/UserData", say("userdata-played-with-date")),
        ]

    async def items(self, request: web.Request) -> web.Response:
        """Answer a listing: the libraries of films get the films' rows by turns, the library of shows all the rest."""
        asked = request.query
        rows = [*self.step("list-all")["Items"], *self.step("series")["Items"]]
        if "ids" in asked:
            rows = [row for row in rows if row["Id"] in asked["ids"].split(",")]
        else:
            [first] = [view["Id"] for view in self.step("views-anna")["Items"] if view["Name"] == "Movies"]
            rows = [row for row in rows if row["Type"] == asked["includeItemTypes"] and (row["Type"] != "Movie" or asked["parentId"] == first)]
        start, limit = int(asked.get("startIndex", 0)), int(asked.get("limit", len(rows)))
        return web.json_response({"Items": rows[start : start + limit], "TotalRecordCount": len(rows), "StartIndex": start})


@asynccontextmanager
async def served(routes: list[web.RouteDef]) -> AsyncGenerator[tuple[str, ClientSession]]:
    """Serve these routes on loopback."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession() as session:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", session
    await runner.cleanup()


def always(path: str, status: int, body: Any = None) -> list[web.RouteDef]:
    """Return one route with one answer."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status) if body is None else web.json_response(body, status=status)

    return [web.get(path, answer)]


@pytest.fixture(params=["10.10.7", "10.11.11", "12.0-rc5"])
def replay(request: pytest.FixtureRequest) -> Replay:
    """Return the recording of a version."""
    return Replay(request.param)


async def test_from_log_in_to_write(replay: Replay) -> None:
    """Sign in, list in several pages, read one again, write: with the one header that every version takes."""
    async with served(replay.routes()) as (url, session):
        assert (await probe(session, url, ServerKind.JELLYFIN, verify_ssl=True)).name == "attic"
        given = await log_in(session, ServerKind.JELLYFIN, url, "anna", "secret-anna", device_id="d 1", verify_ssl=True)
        assert given.user.name == "anna"
        connection = Connection(ServerKind.JELLYFIN, url, given.token, "d 1", given.user.user_id)
        server = open_server(session, connection, clock=lambda: datetime.now(UTC))
        assert isinstance(server, JellyfinServer)
        server.page_size = 3
        libraries = await server.libraries()
        assert {(library.name, *library.kinds) for library in libraries} == {
            ("Movies", MediaKind.MOVIE),
            ("Movies4K", MediaKind.MOVIE),
            ("Shows", MediaKind.EPISODE),
        }
        found = [one async for page in server.list_items([library.library_id for library in libraries]) for one in page]
        assert len(found) == replay.step("list-all")["TotalRecordCount"]
        assert {len(one.parts) for one in found} == {1, 2}
        film = next(one for one in found if one.item_id in replay.movies)
        assert await server.read_items([film.item_id, "f" * 32]) == (film,)
        await server.write(film.item_id, WatchState(played=True, play_count=3, last_played=datetime(2018, 7, 6, 5, 4, 3, tzinfo=UTC)), film.state)
        assert replay.bodies[-1] == {"Played": True, "PlayCount": 3, "LastPlayedDate": "2018-07-06T05:04:03Z", "PlaybackPositionTicks": 0}
        [bob] = {row["UserId"] for row in replay.step("bob-opens-by-mistake-sessions") if row.get("NowPlayingItem")}
        assert await server.playing() == frozenset()
        other = open_server(session, Connection(ServerKind.JELLYFIN, url, given.token, "d 2", bob), clock=lambda: datetime.now(UTC))
        assert len(await other.playing()) == 1
    last = replay.headers[-1]
    assert last["Authorization"].startswith("MediaBrowser ")
    assert 'DeviceId="d%202"' in last["Authorization"]
    assert not [name for name in last if name.startswith("X-")]


@pytest.mark.parametrize("status", [200, 503])
async def test_while_it_starts(status: int) -> None:
    """Pitfall 40: camelCase with 200, then 503 on everything; neither is another server, nor a reason to sign in anew."""
    replay = Replay("10.11.11")
    starting = {name[0].lower() + name[1:]: value for name, value in replay.step("public-info-before-wizard").items()}
    async with served(always("/System/Info/Public", status, starting)) as (url, session):
        with pytest.raises(ServerUnavailable):
            await probe(session, url, ServerKind.JELLYFIN, verify_ssl=True)


async def test_a_dead_token(replay: Replay) -> None:
    """The empty 401 that was recorded is the only word for it."""
    [file] = replay.folder.glob("*-list-bad-token.json")
    status = json.loads(file.read_text())["status"]
    async with served(always("/UserViews", status)) as (url, session):
        connection = Connection(ServerKind.JELLYFIN, url, "dead-token", "d", "a" * 32)
        with pytest.raises(AuthFailed) as raised:
            await open_server(session, connection, clock=lambda: datetime.now(UTC)).libraries()
    assert "dead-token" not in repr(raised.value)
