"""All rooms of the server."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from .people import People
from .playing import Playing
from .plugins import Plugins
from .quick_connect import QuickConnect
from .shelves import Shelves
from .watching import Watching

if TYPE_CHECKING:
    from .server import JellyfinSimulator

LONGEST_LINE = 8192
"""Bytes of a request's first line, its end included; beyond it is a 414 (pitfall 44)."""


def add(app: web.Application, server: JellyfinSimulator) -> None:
    """Add every route."""
    app.middlewares.append(_guard_length)
    for room in (People, QuickConnect, Shelves, Watching, Playing, Plugins):
        room(server).add(app)


@web.middleware
async def _guard_length(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    line = f"{request.method} {request.raw_path} HTTP/1.1\r\n"
    return web.Response(status=414) if len(line) > LONGEST_LINE else await handler(request)
