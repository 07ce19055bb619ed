"""What the three simulated servers share: records, faults, acts of people, and the control routes."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from .catalogue import Title

CONTROL = "/_simulator"


class Act(StrEnum):
    """What a person does at a player or in the server's own web page."""

    PLAY = "play"
    PAUSE = "pause"
    SEEK = "seek"
    STOP = "stop"
    FINISH = "finish"
    MARK_WATCHED = "mark_watched"
    MARK_UNWATCHED = "mark_unwatched"


@dataclass(slots=True)
class Faults:
    """Switchable misbehaviour; control routes are exempt.

    `status` answers every request with that status (`retry_after` seconds go into the header), `truncate` leaves out the last rows of each
    page without changing the total, `slow` waits so many seconds before each answer, `read_only` accepts writes but ignores them.
    """

    offline: bool = False
    status: int | None = None
    retry_after: int | None = None
    truncate: bool = False
    slow: float = 0.0
    read_only: bool = False


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


class Simulator(ABC):
    """One media server on loopback, with users, titles and a record per user and item."""

    kind: ClassVar[str]

    def __init__(self, name: str, titles: tuple[Title, ...], *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Stock the server; `clock` can be skewed or frozen by a test."""
        self.name = name
        self.titles = titles
        self.clock = clock
        self.faults = Faults()
        self.webhooks: list[str] = []
        self.requests: list[str] = []

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
    def routes(self, app: web.Application) -> None:
        """Add the server's own routes."""

    def application(self) -> web.Application:
        """Build the whole server as an aiohttp application."""
        app = web.Application(middlewares=[self._misbehave], client_max_size=1 << 24)
        app.router.add_get(f"{CONTROL}/state", self._get_state)
        app.router.add_post(f"{CONTROL}/act", self._post_act)
        app.router.add_post(f"{CONTROL}/rate", self._post_rate)
        app.router.add_get(f"{CONTROL}/faults", self._get_faults)
        app.router.add_post(f"{CONTROL}/faults", self._post_faults)
        app.router.add_post(f"{CONTROL}/webhooks", self._post_webhooks)
        self.routes(app)
        return app

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            return await handler(request)
        self.requests.append(f"{request.method} {request.path}")
        if self.faults.offline:
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPServiceUnavailable
        await asyncio.sleep(self.faults.slow)
        if self.faults.status is not None:
            retry = {} if self.faults.retry_after is None else {"Retry-After": str(self.faults.retry_after)}
            return web.Response(status=self.faults.status, text="fault", headers=retry)
        return await handler(request)

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

    async def _get_faults(self, _request: web.Request) -> web.Response:
        return web.json_response(asdict(self.faults))

    async def _post_faults(self, request: web.Request) -> web.Response:
        """Replace the faults: what the body does not name is switched off."""
        asked = await request.json()
        self.faults = Faults(**{one.name: asked[one.name] for one in fields(Faults) if one.name in asked})
        return web.json_response(asdict(self.faults))

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
