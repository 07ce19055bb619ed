"""What the three simulated servers share: records, faults, acts of people, and the control routes."""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from .catalogue import Show, Title
from .faults import Faults, Phase, with_broken_text, without_filters
from .post import Post
from .switching import CONTROL, Switched

__all__ = ["CONTROL", "Act", "Faults", "Phase", "Shown", "Simulator", "serving"]


class Act(StrEnum):
    """What a person does at a player or in the server's own web page."""

    PLAY = "play"
    PAUSE = "pause"
    SEEK = "seek"
    STOP = "stop"
    FINISH = "finish"
    MARK_WATCHED = "mark_watched"
    MARK_UNWATCHED = "mark_unwatched"


@dataclass(frozen=True, slots=True)
class Shown:
    """A person's view of a title on one server; `position` in seconds, `date` aware UTC."""

    key: str
    item_id: str
    played: bool
    position: int
    count: int
    date: datetime | None
    playing: bool = False
    rating: float | None = None


@dataclass(slots=True)
class Load:
    """The most requests, and the most writes among them, that were there at once; a socket or an event stream stays open and is none."""

    requests: int = 0
    writes: int = 0
    _now: Counter[bool] = field(default_factory=Counter)  # by whether it is a write

    @contextmanager
    def of(self, request: web.Request) -> Iterator[None]:
        """Count a request while it is there."""
        if "Upgrade" in request.headers or request.path.endswith("/notifications"):
            yield
            return
        writes = request.method != "GET"
        self._now[writes] += 1
        self.requests, self.writes = max(self.requests, self._now.total()), max(self.writes, self._now[True])
        try:
            yield
        finally:
            self._now[writes] -= 1


class Simulator(Switched, ABC):
    """One media server on loopback, with users, titles and a record per user and item."""

    kind: ClassVar[str]
    version: str

    def __init__(self, name: str, titles: tuple[Title, ...], *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Stock the server; `clock` can be skewed or frozen by a test."""
        self.name = name
        self.titles = titles
        self.clock = clock
        self.faults = Faults()
        self.webhooks: list[str] = []
        self.requests: list[str] = []
        self.load = Load()
        self.post = Post(lambda: self.faults)
        self._busy = 0
        self._away: dict[str, tuple[Title, ...]] = {}

    @property
    @abstractmethod
    def users(self) -> tuple[str, ...]:
        """Names of the people that have an account here."""

    @abstractmethod
    def credentials(self) -> dict[str, str]:
        """Return what a person would type into a form: token, api_key, username and password, as far as there are any."""

    @abstractmethod
    def shown(self, user: str) -> tuple[Shown, ...]:
        """Return what this user sees, one row for each item of the server."""

    @abstractmethod
    def stock(self, user: str, key: str, *, played: bool, position: int = 0, count: int = 0, date: datetime | None = None) -> None:
        """Put a record in place without any event, as if it had always been there; `position` in seconds, `date` aware UTC.

        Raises KeyError for an unknown user or title.
        """

    @abstractmethod
    async def act(self, user: str, key: str, act: Act, position: int | None = None) -> None:
        """Do as a person at this server would, with every event and webhook that a real one sends for it; `position` in seconds.

        Raises KeyError for an unknown user or title.
        """

    @abstractmethod
    async def rate_title(self, user: str, key: str, rating: float | None) -> None:
        """Rate as a person at this server would, from 0 to 10, None to take it back. Raises KeyError for an unknown user or title."""

    @abstractmethod
    async def add(self, title: Title, *, first: bool = False) -> str:
        """Put a title on its shelf, as a scan that found its file does, and return its id; `first`: at the head of listings that nobody sorted."""

    @abstractmethod
    async def remove(self, key: str, library: str | None = None) -> None:
        """Take a title away, as a scan that misses its file does, with all copies or those of a library. Raises KeyError."""

    async def move(self, key: str, path: str) -> str:
        """Let a title's file have another path and return the id that it has then. Raises KeyError."""
        title = next((one for one in self.titles if one.key == key), None)
        if title is None:
            raise KeyError(key)
        await self.remove(key)
        return await self.add(replace(title, path=path))

    async def unmount(self, library: str) -> None:
        """Let a scan find nothing at all in a library: its disk is away (R2)."""
        self._away[library] = tuple(title for title in self.titles if title.library == library)
        for title in self._away[library]:
            await self.remove(title.key, library)

    async def mount(self, library: str) -> None:
        """Let a scan find everything there again. Raises KeyError."""
        for title in self._away.pop(library):
            await self.add(title)

    def become(self, version: str) -> None:
        """Be of another version from now on, with the same identity, accounts, ids and records (tried on a real Jellyfin)."""
        self.version = version

    @abstractmethod
    async def goodbye(self) -> None:
        """Tell everybody who listens that the server goes down."""

    def restarted(self) -> None:
        """Forget what only lives as long as the process."""

    def starting(self, request: web.Request) -> web.Response:
        """Answer a request while the server starts."""
        return web.Response(status=503, text="", content_type="text/html")

    async def restart(self, pace: float = 0.2, version: str | None = None) -> None:
        """Go down and come up again, maybe upgraded: goodbye, refused, cold, refused, loading, normal, each so many seconds (pitfall 40)."""
        await self.goodbye()
        for state in (Faults(offline=True), Faults(phase=Phase.COLD), Faults(offline=True), Faults(phase=Phase.LOADING)):
            self.faults = state
            await asyncio.sleep(pace)
        self.restarted()
        self.become(version or self.version)
        self.faults = Faults()

    def time(self) -> datetime:
        """Tell the server's time: look at the clock of the moment, a test may have put another one in."""
        return self.clock() + timedelta(seconds=self.faults.skew)

    async def before_page(self, start: int) -> None:
        """Do what happens while somebody pages through a listing."""
        await asyncio.sleep(self.faults.slow_lists)
        film = next((title for title in self.titles if title.show is None), None)
        if start > 0 and self.faults.shift > 0 and film is not None:
            self.faults.shift -= 1
            name = f"0 Newcomer {self.faults.shift}"  # first by name too
            await self.add(replace(film, name=name, ids={"imdb": f"tt99{self.faults.shift:05}"}, path=f"{film.library}/{name}.mkv"), first=True)

    def visible[T](self, rows: list[T]) -> list[T]:
        """Return what a listing has at this moment."""
        return self.faults.visible(rows, len(self.titles))

    @abstractmethod
    def routes(self, app: web.Application) -> None:
        """Add the server's own routes."""

    def application(self) -> web.Application:
        """Build the whole server as an aiohttp application."""
        app = web.Application(middlewares=[self._misbehave], client_max_size=1 << 24)
        app.router.add_get(f"{CONTROL}/state", self._get_state)
        app.router.add_post(f"{CONTROL}/act", self._post_act)
        app.router.add_post(f"{CONTROL}/rate", self._post_rate)
        self.add_switches(app)
        app.router.add_post(f"{CONTROL}/webhooks", self._post_webhooks)
        app.router.add_post(f"{CONTROL}/library", self._post_library)
        app.router.add_post(f"{CONTROL}/restart", self._post_restart)
        app.on_response_prepare.append(self._date)
        app.cleanup_ctx.append(self.post.run)
        self.routes(app)
        return app

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            return await handler(request)
        self.requests.append(f"{request.method} {request.path}")
        with self.load.of(request):
            return await self._answer(request, handler)

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.faults.offline:
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPServiceUnavailable
        await asyncio.sleep(self.faults.slow)
        if self.faults.status is not None:
            retry = {} if self.faults.retry_after is None else {"Retry-After": str(self.faults.retry_after)}
            return web.Response(status=self.faults.status, text="fault", headers=retry)
        if self.faults.phase is not None:
            return self.starting(request)
        if self.faults.parallel is not None and self._busy >= self.faults.parallel:
            return web.Response(status=503, text="", content_type="text/html")
        return await self._serve(request, handler)

    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._busy += 1
        try:
            answer = await handler(without_filters(request) if self.faults.unfiltered else request)
        finally:
            self._busy -= 1
        if self.faults.broken_text:
            with_broken_text(answer)
        return answer

    async def _date(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Date an answer by the server's own clock."""
        response.headers["Date"] = format_datetime(self.time().astimezone(UTC), usegmt=True)

    async def _get_state(self, request: web.Request) -> web.Response:
        users = (request.query["user"],) if "user" in request.query else self.users
        rows = {user: [asdict(row) | {"date": row.date and row.date.isoformat()} for row in self.shown(user)] for user in users}
        return web.json_response({"kind": self.kind, "name": self.name, "users": rows})

    async def _post_act(self, request: web.Request) -> web.Response:
        """`{"user", "key", "act", "position"}`; 404 for an unknown user or title, 400 for an unknown act."""
        asked: dict[str, Any] = await request.json()
        try:
            act = Act(asked["act"])
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        try:
            await self.act(asked["user"], asked["key"], act, asked.get("position"))
        except KeyError as error:
            raise web.HTTPNotFound(text=f"unknown: {error}") from error
        return web.json_response({})

    async def _post_rate(self, request: web.Request) -> web.Response:
        """`{"user", "key", "rating"}`; 404 for an unknown user or title."""
        asked: dict[str, Any] = await request.json()
        try:
            await self.rate_title(asked["user"], asked["key"], asked["rating"])
        except KeyError as error:
            raise web.HTTPNotFound(text=f"unknown: {error}") from error
        return web.json_response({})

    async def _post_library(self, request: web.Request) -> web.Response:
        """`{"add": {fields of a title}}`, `{"remove": key}`, `{"move": key, "path": path}`, `{"unmount": library}`, `{"mount": library}`; 404 if unknown."""
        asked: dict[str, Any] = await request.json()
        try:
            if "add" in asked:
                show = asked["add"].get("show")
                return web.json_response({"id": await self.add(Title(**{**asked["add"], "show": show and Show(**show)}))})
            if "move" in asked:
                return web.json_response({"id": await self.move(asked["move"], asked["path"])})
            for name, work in (("remove", self.remove), ("unmount", self.unmount), ("mount", self.mount)):
                if name in asked:
                    await work(asked[name])
        except KeyError as error:
            raise web.HTTPNotFound(text=f"unknown: {error}") from error
        return web.json_response({})

    async def _post_restart(self, request: web.Request) -> web.Response:
        """Restart, `{"pace": seconds}` a phase, `{"version"}` as another one; answers when the server is back."""
        asked = await request.json()
        await self.restart(float(asked.get("pace", 0.2)), asked.get("version"))
        return web.json_response({})

    async def _post_webhooks(self, request: web.Request) -> web.Response:
        """Replace the addresses that events are sent to: `{"urls": [...]}`."""
        self.webhooks = list((await request.json())["urls"])
        return web.json_response({"urls": self.webhooks})


class Servable(Protocol):
    """Whatever is an aiohttp application."""

    def application(self) -> web.Application:
        """Build it."""


@asynccontextmanager
async def serving(simulator: Servable, port: int = 0) -> AsyncIterator[str]:
    """Serve on 127.0.0.1 and yield the address, without a trailing slash."""
    runner = web.AppRunner(simulator.application(), shutdown_timeout=0.5, max_line_size=1 << 17)  # each server has a limit of its own
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
