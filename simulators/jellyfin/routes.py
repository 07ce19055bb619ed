"""All rooms of the server."""

import re
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler

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
    app.middlewares.extend((_guard_length, _any_case))
    for room in (People, QuickConnect, Shelves, Watching, Playing, Plugins):
        room(server).add(app)


@web.middleware
async def _guard_length(request: web.Request, handler: Handler) -> web.StreamResponse:
    line = f"{request.method} {request.raw_path} HTTP/1.1\r\n"
    return web.Response(status=414) if len(line) > LONGEST_LINE else await handler(request)


@web.middleware
async def _any_case(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find a route whatever the case of its path, as the framework of the real server does."""
    if request.match_info.http_exception is not None:
        for route in request.app.router.routes():
            pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route.resource.canonical if route.resource else "")
            found = re.fullmatch(pattern, request.path, re.IGNORECASE)
            if found and route.method == request.method:
                request.match_info.update(found.groupdict())
                return await route.handler(request)
    return await handler(request)
