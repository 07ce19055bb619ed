"""Quick Connect: a code shown here is typed where somebody is logged in (server-apis §1.2)."""

from collections.abc import Iterator
from typing import override

from aiohttp import web

from .auth import Caller
from .room import Guarded, Open, Room, asked, read, refused


class QuickConnect(Room):
    """Logging in without a password."""

    @override
    def open_doors(self) -> Iterator[tuple[str, str, Open]]:
        yield "GET", "/QuickConnect/Enabled", self._enabled
        yield "POST", "/QuickConnect/Initiate", self._begin
        yield "GET", "/QuickConnect/Connect", self._state
        yield "POST", "/Users/AuthenticateWithQuickConnect", self._log_in

    @override
    def guarded_doors(self) -> Iterator[tuple[str, str, Guarded]]:
        yield "POST", "/QuickConnect/Authorize", self._authorize

    async def _enabled(self, _request: web.Request) -> web.Response:
        return web.json_response(self._server.auth.quick_connect)

    async def _begin(self, request: web.Request) -> web.Response:
        if not self._server.auth.quick_connect:
            return refused(401)
        device = self._server.auth.device(request)
        return web.json_response(self._server.auth.begin_quick_connect(device, self._server.now())) if device else refused(400)

    async def _state(self, request: web.Request) -> web.Response:
        state = self._server.auth.codes.get(asked(request).get("secret", ""))
        return web.json_response({key: value for key, value in state.items() if key != "User"}) if state else web.json_response("Unknown secret", status=404)

    async def _authorize(self, request: web.Request, caller: Caller) -> web.Response:
        state = next((one for one in self._server.auth.codes.values() if one["Code"] == asked(request).get("code")), None)
        if state is None:
            return web.json_response("Unable to find request", status=404)
        state["Authenticated"], state["User"] = True, self._user(request, caller)
        return web.json_response(True)

    async def _log_in(self, request: web.Request) -> web.Response:
        state, device = self._server.auth.codes.get((await read(request)).get("Secret", "")), self._server.auth.device(request)
        if state is None or device is None or "User" not in state:
            return refused(401)
        return await self._logged_in(state["User"], device)
