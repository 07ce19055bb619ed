"""The control page: the servers side by side, with buttons for what people do at them and switches for what goes wrong."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web

from .base import CONTROL

PAGE = Path(__file__).with_name("control.html")
POSITION_TOLERANCE = 10
"""Seconds by which two servers may differ: each rounds positions in its own way."""

_SESSION = web.AppKey("session", ClientSession)
_ROUTES = frozenset({"state", "act", "rate", "faults", "switches", "library", "restart"})

type Json = dict[str, Any]
type _Shown = dict[str, dict[str, Json]]
"""What each server shows of each title."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server that runs."""

    kind: str
    name: str
    url: str


class Control:
    """The page and what it asks for; it knows the servers only by their control routes."""

    def __init__(self, places: Iterable[Place], runtimes: Mapping[str, int], users: Iterable[str]) -> None:
        """Control these servers; `runtimes` maps the key of a title to its length in seconds."""
        self._places = {place.kind: place for place in places}
        self._runtimes = runtimes
        self._users = tuple(users)

    def application(self) -> web.Application:
        """Build the whole of it."""
        app = web.Application()
        app.cleanup_ctx.append(_session)
        app.router.add_get("/", self._page)
        app.router.add_get("/household", self._household)
        app.router.add_get("/titles", self._titles)
        app.router.add_route("*", "/servers/{kind}/{route}", self._forward)
        return app

    async def _page(self, _request: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGE, headers={"Cache-Control": "no-cache"})

    async def _household(self, _request: web.Request) -> web.Response:
        """Name the servers and the people."""
        servers = [{"kind": place.kind, "name": place.name, "url": place.url} for place in self._places.values()]
        return web.json_response({"servers": servers, "users": self._users})

    async def _forward(self, request: web.Request) -> web.Response:
        """Hand a request on to the control routes of a server."""
        place, route = self._places.get(request.match_info["kind"]), request.match_info["route"]
        if place is None or route not in _ROUTES:
            raise web.HTTPNotFound
        url, body = f"{place.url}{CONTROL}/{route}", await request.read()
        async with request.app[_SESSION].request(request.method, url, params=request.query, data=body) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    async def _titles(self, request: web.Request) -> web.Response:
        """Answer with the titles that match `search`, the first `limit`, `differing` ones only; 204 while `version` still holds."""
        session, query = request.app[_SESSION], request.query
        shown, faults = await asyncio.gather(self._states(session, query.get("user", self._users[0])), self._faults(session))
        text = json.dumps({"counts": _counts(shown), "faults": faults} | self._compared(shown, query))
        version = f"{zlib.crc32(text.encode()):08x}"
        if query.get("version") == version:
            return web.Response(status=204)
        return web.Response(text=text, content_type="application/json", headers={"X-Version": version})

    def _compared(self, shown: _Shown, query: Mapping[str, str]) -> Json:
        """Put side by side what the servers show of each title."""
        searched = query.get("search", "").lower()
        views = {key: _views(shown, key) for key in sorted(set().union(*shown.values())) if searched in key.lower()}
        differing = {key for key, view in views.items() if differ(row for row in view.values() if row)}
        chosen = [key for key in views if key in differing] if query.get("differing") == "true" else list(views)
        titles = [
            {"key": key, "runtime": self._runtimes.get(key, 0), "differs": key in differing, "shown": views[key]}
            for key in chosen[: int(query.get("limit", "50"))]
        ]
        return {"titles": titles, "matching": len(chosen), "differing": len(differing)}

    async def _states(self, session: ClientSession, user: str) -> _Shown:
        """Ask every server what a user sees; of two copies of a title the first counts."""
        states = await asyncio.gather(*(_ask(session, place, f"state?user={user}") for place in self._places.values()))
        rows = (reversed(state["users"][user]) for state in states)
        return {kind: {row["key"]: row for row in some} for kind, some in zip(self._places, rows, strict=True)}

    async def _faults(self, session: ClientSession) -> dict[str, Json]:
        faults = await asyncio.gather(*(_ask(session, place, "faults") for place in self._places.values()))
        return dict(zip(self._places, faults, strict=True))


def _counts(shown: _Shown) -> Json:
    return {kind: {"titles": len(rows), "watched": sum(row["played"] for row in rows.values())} for kind, rows in shown.items()}


def _views(shown: _Shown, key: str) -> dict[str, Json | None]:
    return {kind: rows.get(key) for kind, rows in shown.items()}


def differ(rows: Iterable[Json]) -> bool:
    """Tell whether the servers that have a title show it differently."""
    views = [(row["played"], row["position"]) for row in rows]
    positions = [position for _, position in views]
    return len({played for played, _ in views}) > 1 or max(positions, default=0) - min(positions, default=0) > POSITION_TOLERANCE


async def _ask(session: ClientSession, place: Place, route: str) -> Json:
    async with session.get(f"{place.url}{CONTROL}/{route}") as answer:
        found: Json = await answer.json()
        return found


async def _session(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession() as session:
        app[_SESSION] = session
        yield
