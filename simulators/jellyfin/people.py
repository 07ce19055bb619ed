"""Who is there, who may come in, and who sees what (server-apis §1.2)."""

import secrets
from collections.abc import Iterator
from typing import override

from aiohttp import web

from .auth import Caller
from .items import page
from .listing import plain
from .room import Guarded, Json, Open, Refused, Room, asked, problem, read, refused


class People(Room):
    """Users, their log-ins and the keys."""

    @override
    def open_doors(self) -> Iterator[tuple[str, str, Open]]:
        yield "GET", "/System/Info/Public", self._public_info
        yield "GET", "/System/Ping", self._ping
        yield "GET", "/Users/Public", self._public_users
        yield "POST", "/Users/AuthenticateByName", self._log_in

    @override
    def guarded_doors(self) -> Iterator[tuple[str, str, Guarded]]:
        yield "GET", "/System/Info", self._info
        yield "GET", "/Users", self._users
        yield "GET", "/Users/Me", self._me
        yield "POST", "/Users/New", self._new_user
        yield "POST", "/Users/Password", self._new_password
        yield "GET", "/Users/{user}", self._one_user
        yield "DELETE", "/Users/{user}", self._delete_user
        yield "POST", "/Users/{user}/Policy", self._set_policy
        yield "GET", "/DisplayPreferences/{name}", self._preferences
        yield "GET", "/Auth/Keys", self._keys
        yield "POST", "/Auth/Keys", self._new_key
        yield "DELETE", "/Auth/Keys/{key}", self._delete_key
        yield "POST", "/Sessions/Logout", self._log_out

    async def _public_info(self, _request: web.Request) -> web.Response:
        return web.json_response(self._about())

    async def _info(self, _request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        return web.json_response(self._about() | {"HasPendingRestart": False, "IsShuttingDown": False, "SupportsLibraryMonitor": True, "CanSelfRestart": True})

    def _about(self) -> Json:
        server = self._server
        return {
            "LocalAddress": "http://127.0.0.1:8096",
            "ServerName": server.name,
            "Version": server.version.partition("-")[0],
            "ProductName": "Jellyfin Server",
            "OperatingSystem": "",
            "Id": server.server_id,
            "StartupWizardCompleted": True,
        }

    async def _ping(self, _request: web.Request) -> web.Response:
        return web.json_response("Jellyfin Server")

    async def _public_users(self, _request: web.Request) -> web.Response:
        return web.json_response([])

    async def _log_in(self, request: web.Request) -> web.Response:
        device = self._server.auth.device(request)
        if device is None:
            return refused(400)
        body = await read(request)
        user = self._server.auth.named(body.get("Username") or "")
        if user is None or user.password != (body.get("Pw") or ""):
            return refused(401)
        if user.disabled:
            return refused(403)
        return await self._logged_in(user, device)

    async def _log_out(self, request: web.Request, caller: Caller) -> web.Response:
        self._server.auth.tokens.pop(self._server.auth.token(request), None)
        self._server.sessions.end(caller.device)
        await self._server.sockets.cut(caller.device.device_id)
        return web.Response(status=204)

    async def _users(self, _request: web.Request, _caller: Caller) -> web.Response:
        return web.json_response([self._user_dto(user) for user in self._server.auth.users.values()])

    async def _me(self, _request: web.Request, caller: Caller) -> web.Response:
        return web.json_response(self._user_dto(caller.user)) if caller.user else problem(400, "Bad Request")

    async def _one_user(self, request: web.Request, caller: Caller) -> web.Response:
        return web.json_response(self._user_dto(self._user(request, caller)))

    async def _new_user(self, request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        body = await read(request)
        if self._server.auth.named(body["Name"]):
            return refused(400)
        return web.json_response(self._user_dto(self._server.auth.add(body["Name"], body.get("Password") or "")))

    async def _delete_user(self, request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        user = self._user(request, caller)
        self._server.auth.drop(user)
        del self._server.auth.users[user.user_id]
        return web.Response(status=204)

    async def _new_password(self, request: web.Request, caller: Caller) -> web.Response:
        """Change a password: every token of that user dies, but the one that it was changed with (pitfall 43)."""
        user = self._user(request, caller)
        body = await read(request)
        if not caller.is_administrator and body.get("CurrentPw") != user.password:
            return refused(403)
        user.password = body.get("NewPw") or ""
        self._server.auth.drop(user, but=self._server.auth.token(request))
        return web.Response(status=204)

    async def _set_policy(self, request: web.Request, caller: Caller) -> web.Response:
        """Say which libraries a user sees; a disabled user's tokens die."""
        self._need_administrator(caller)
        user = self._user(request, caller)
        policy: Json = await request.json()
        names = {folder.item_id: name for name, folder in self._server.library.folders.items()}
        user.disabled, user.administrator = policy["IsDisabled"], policy["IsAdministrator"]
        seen = frozenset(names[plain(one)] for one in policy.get("EnabledFolders") or () if plain(one) in names)
        user.folders = None if policy["EnableAllFolders"] else seen
        if user.disabled:
            self._server.auth.drop(user)
        return web.Response(status=204)

    async def _preferences(self, request: web.Request, caller: Caller) -> web.Response:
        """Return how a client wants lists shown: as nobody ever changed it."""
        self._user(request, caller)
        found = {"Id": "3ce5b65de116d73165d1efc4a30ec35c", "SortBy": "SortName", "RememberIndexing": False, "PrimaryImageHeight": 250, "CustomPrefs": {}}
        return web.json_response(
            found | {"ScrollDirection": "Horizontal", "ShowBackdrop": True, "SortOrder": "Ascending", "Client": asked(request).get("client")}
        )

    async def _keys(self, _request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        rows = [
            {"Id": 0, "AccessToken": key, "DeviceId": "", "AppName": name, "UserId": "0" * 32, "IsActive": False}
            for key, name in self._server.auth.keys.items()
        ]
        return web.json_response(page(rows, len(rows), 0))

    async def _new_key(self, request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        self._server.auth.keys[secrets.token_hex(16)] = asked(request).get("app", "")
        return web.Response(status=204)

    async def _delete_key(self, request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        if self._server.auth.keys.pop(request.match_info["key"], None) is None:
            raise Refused(problem(404, "Not Found"))
        return web.Response(status=204)
