"""What is played: sessions, what players report, and the socket (server-apis §4.2, §5.4)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import override

from aiohttp import web

from .auth import Caller
from .room import Guarded, Open, Room, asked, read


class Playing(Room):
    """Players and listeners."""

    @override
    def open_doors(self) -> Iterator[tuple[str, str, Open]]:
        yield "GET", "/socket", self._socket

    @override
    def guarded_doors(self) -> Iterator[tuple[str, str, Guarded]]:
        yield "GET", "/Sessions", self._sessions
        yield "POST", "/Sessions/Playing", self._start
        yield "POST", "/Sessions/Playing/Progress", self._progress
        yield "POST", "/Sessions/Playing/Stopped", self._stop

    async def _sessions(self, _request: web.Request, caller: Caller) -> web.Response:
        return web.json_response(self._server.described_sessions(caller))

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """Open a socket; a bad token is refused at the handshake (how 10 says so was not recorded)."""
        caller = self._server.auth.caller(request)
        if caller is None:
            return web.Response(status=403 if self._server.numbers >= (12,) else 401)
        if device_id := asked(request).get("deviceId"):
            caller = Caller(caller.user, replace(caller.device, device_id=device_id))
        return await self._server.sockets.accept(request, caller)

    async def _start(self, request: web.Request, caller: Caller) -> web.Response:
        body = await read(request)
        if (item := self._server.library.find(body.get("ItemId") or "")) and caller.user:
            self._server.start(self._server.sessions.of(caller), caller.user, item, body.get("MediaSourceId"))
        await self._server.post.delivered()  # the player waits for the webhook's receiver (pitfall 47)
        return web.Response(status=204)

    async def _progress(self, request: web.Request, caller: Caller) -> web.Response:
        body = await read(request)
        self._server.progress(self._server.sessions.of(caller), body.get("PositionTicks"), paused=bool(body.get("IsPaused")))
        await self._server.post.delivered()
        return web.Response(status=204)

    async def _stop(self, request: web.Request, caller: Caller) -> web.Response:
        body = await read(request)
        if (item := self._server.library.find(body.get("ItemId") or "")) and caller.user:
            self._server.stop(self._server.sessions.of(caller), caller.user, item, body.get("PositionTicks"))
        await self._server.post.delivered()
        return web.Response(status=204)
