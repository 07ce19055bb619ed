"""What can be asked of the server, and how it says no (server-apis §1.2)."""

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .auth import Caller, User, user_dto
from .items import page, wanted_fields
from .library import Item
from .listing import chosen, library_of, wanted
from .userdata import dto, folder_dto, parse_time, time_text

if TYPE_CHECKING:
    from .server import JellyfinSimulator

type Json = dict[str, Any]
type Asked = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]

LONGEST_TARGET = 8190  # bytes of the request line; beyond it is a 414 (pitfall 44)
GUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


def refused(status: int, text: str = "Error processing request.") -> web.Response:
    """Say no as the middleware does: with a text."""
    return web.Response(status=status, text=text, content_type="text/plain")


def problem(status: int, title: str, **more: Any) -> web.Response:
    """Say no as routing does: with a problem in JSON."""
    body = {
        "type": f"https://tools.ietf.org/html/rfc9110#section-15.5.{status - 399}",
        "title": title,
        "status": status,
        **more,
        "traceId": f"00-{secrets.token_hex(16)}-00",
    }
    return web.json_response(body, status=status, content_type="application/problem+json")


class Refused(web.HTTPException):
    """Carries a refusal out of whatever found it."""

    status_code = 400

    def __init__(self, response: web.Response) -> None:
        """Keep the refusal."""
        super().__init__(text=response.text, content_type=response.content_type)
        self.set_status(response.status)


class Routes:
    """The server's routes."""

    def __init__(self, server: JellyfinSimulator) -> None:
        """Answer for this server."""
        self._server = server

    def add(self, app: web.Application) -> None:
        """Add the routes."""
        app.middlewares.append(self._guard_length)
        add = app.router.add_route
        for method, path, open_handler in (
            ("GET", "/System/Info/Public", self._public_info),
            ("GET", "/System/Ping", self._ping),
            ("GET", "/Users/Public", self._public_users),
            ("POST", "/Users/AuthenticateByName", self._log_in),
            ("POST", "/Users/AuthenticateWithQuickConnect", self._quick_connect_log_in),
            ("GET", "/QuickConnect/Enabled", self._quick_connect_enabled),
            ("POST", "/QuickConnect/Initiate", self._quick_connect_begin),
            ("GET", "/QuickConnect/Connect", self._quick_connect_state),
            ("GET", "/socket", self._socket),
        ):
            add(method, path, open_handler)
        for method, path, handler in (
            ("GET", "/Users", self._users),
            ("GET", "/Users/Me", self._me),
            ("POST", "/QuickConnect/Authorize", self._quick_connect_authorize),
            ("GET", "/Auth/Keys", self._keys),
            ("POST", "/Auth/Keys", self._new_key),
            ("POST", "/Sessions/Logout", self._log_out),
            ("GET", "/UserViews", self._views),
            ("GET", "/Library/MediaFolders", self._folders),
            ("GET", "/Library/VirtualFolders", self._virtual_folders),
            ("GET", "/ScheduledTasks", self._tasks),
            ("GET", "/Items", self._items),
            ("GET", "/Users/{user}/Items", self._items),
            ("GET", "/Items/Counts", self._counts),
            ("GET", "/Items/{item}", self._item),
            ("GET", "/Users/{user}/Items/{item}", self._item),
            ("GET", "/Items/{item}/Ancestors", self._ancestors),
            ("GET", "/UserItems/Resume", self._resume),
            ("GET", "/UserItems/{item}/UserData", self._user_data),
            ("POST", "/UserItems/{item}/UserData", self._write_user_data),
            ("POST", "/Users/{user}/Items/{item}/UserData", self._write_user_data),
            ("POST", "/UserPlayedItems/{item}", self._mark),
            ("DELETE", "/UserPlayedItems/{item}", self._unmark),
            ("POST", "/Users/{user}/PlayedItems/{item}", self._mark),
            ("DELETE", "/Users/{user}/PlayedItems/{item}", self._unmark),
            ("POST", "/UserItems/{item}/Rating", self._rate),
            ("DELETE", "/UserItems/{item}/Rating", self._rate),
            ("POST", "/UserFavoriteItems/{item}", self._favourite),
            ("DELETE", "/UserFavoriteItems/{item}", self._favourite),
            ("GET", "/Sessions", self._sessions),
            ("POST", "/Sessions/Playing", self._start),
            ("POST", "/Sessions/Playing/Progress", self._progress),
            ("POST", "/Sessions/Playing/Stopped", self._stop),
        ):
            add(method, path, self._for_caller(handler))

    @web.middleware
    async def _guard_length(self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        return web.Response(status=414) if len(request.raw_path) > LONGEST_TARGET else await handler(request)

    def _for_caller(self, handler: Asked) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def guarded(request: web.Request) -> web.StreamResponse:
            caller = self._server.auth.caller(request)
            if caller is None:
                return web.Response(status=401)
            self._server.sessions.of(caller)
            return await handler(request, caller)

        return guarded

    # Who is there.

    async def _public_info(self, _request: web.Request) -> web.Response:
        server = self._server
        return web.json_response(
            {
                "LocalAddress": "http://127.0.0.1:8096",
                "ServerName": server.name,
                "Version": server.version.partition("-")[0],
                "ProductName": "Jellyfin Server",
                "OperatingSystem": "",
                "Id": server.server_id,
                "StartupWizardCompleted": True,
            }
        )

    async def _ping(self, _request: web.Request) -> web.Response:
        return web.json_response("Jellyfin Server")

    async def _public_users(self, _request: web.Request) -> web.Response:
        return web.json_response([])

    async def _log_in(self, request: web.Request) -> web.Response:
        device = self._server.auth.device(request)
        if device is None:
            return refused(400)
        body: Json = await request.json()
        user = self._server.auth.named(body.get("Username") or "")
        if user is None or user.password != (body.get("Pw") or ""):
            return refused(401)
        if user.disabled:
            return refused(403)
        self._server.sessions.end(device)
        await self._server.sockets.cut(device.device_id)
        return self._logged_in(user, Caller(user, device))

    def _logged_in(self, user: User, caller: Caller) -> web.Response:
        server = self._server
        token = server.auth.log_in(user, caller.device)
        session = server.sessions.of(caller).dto(server.server_id, None, server.now())
        return web.json_response({"User": user_dto(user, server.server_id), "SessionInfo": session, "AccessToken": token, "ServerId": server.server_id})

    async def _log_out(self, request: web.Request, caller: Caller) -> web.Response:
        self._server.auth.tokens.pop(self._server.auth.token(request), None)
        self._server.sessions.end(caller.device)
        await self._server.sockets.cut(caller.device.device_id)
        return web.Response(status=204)

    async def _users(self, _request: web.Request, _caller: Caller) -> web.Response:
        return web.json_response([user_dto(user, self._server.server_id) for user in self._server.auth.users.values()])

    async def _me(self, _request: web.Request, caller: Caller) -> web.Response:
        return web.json_response(user_dto(caller.user, self._server.server_id)) if caller.user else problem(400, "Bad Request")

    async def _keys(self, _request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        rows = [
            {"Id": 0, "AccessToken": key, "DeviceId": "", "AppName": name, "UserId": "0" * 32, "IsActive": False}
            for key, name in self._server.auth.keys.items()
        ]
        return web.json_response(page(rows, len(rows), 0))

    async def _new_key(self, request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        self._server.auth.keys[secrets.token_hex(16)] = request.query.get("app", "")
        return web.Response(status=204)

    async def _quick_connect_enabled(self, _request: web.Request) -> web.Response:
        return web.json_response(True)

    async def _quick_connect_begin(self, request: web.Request) -> web.Response:
        device = self._server.auth.device(request)
        return web.json_response(self._server.auth.begin_quick_connect(device, self._server.now())) if device else refused(400)

    async def _quick_connect_state(self, request: web.Request) -> web.Response:
        state = self._server.auth.codes.get(request.query.get("secret", ""))
        return web.json_response({key: value for key, value in state.items() if key != "User"}) if state else web.json_response("Unknown secret", status=404)

    async def _quick_connect_authorize(self, request: web.Request, caller: Caller) -> web.Response:
        state = next((one for one in self._server.auth.codes.values() if one["Code"] == request.query.get("code")), None)
        if state is None:
            return web.json_response("Unable to find request", status=404)
        state["Authenticated"], state["User"] = True, self._user(request, caller)
        return web.json_response(True)

    async def _quick_connect_log_in(self, request: web.Request) -> web.Response:
        state, device = self._server.auth.codes.get((await request.json()).get("Secret", "")), self._server.auth.device(request)
        if state is None or device is None or "User" not in state:
            return refused(401)
        return self._logged_in(state["User"], Caller(state["User"], device))

    # What is there.

    async def _views(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        rows = [self._server.items.row(folder, user, frozenset()) for name, folder in sorted(self._server.library.folders.items()) if user.sees(name)]
        return web.json_response(page(rows, len(rows), 0))

    async def _folders(self, _request: web.Request, _caller: Caller) -> web.Response:
        rows = [self._server.items.row(folder, None, frozenset()) for folder in self._server.library.folders.values()]
        return web.json_response(page(rows, len(rows), 0))

    async def _virtual_folders(self, _request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        return web.json_response(
            [{"Name": name, "ItemId": folder.item_id, "Locations": [f"/media/{name}"]} for name, folder in self._server.library.folders.items()]
        )

    async def _tasks(self, _request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        return web.json_response(
            [
                {"Name": "Scan Media Library", "Key": "RefreshLibrary", "State": "Idle"},
                {"Name": "Optimize database", "Key": "OptimizeDatabaseTask", "State": "Idle"},
            ]
        )

    async def _counts(self, _request: web.Request, _caller: Caller) -> web.Response:
        kinds = [item.kind for item in self._server.library.items.values()]
        return web.json_response({"MovieCount": kinds.count("Movie"), "SeriesCount": kinds.count("Series"), "EpisodeCount": kinds.count("Episode")})

    async def _items(self, request: web.Request, caller: Caller) -> web.Response:
        """List items; an API key without a user gets no records, unknown arguments are ignored."""
        query = request.query
        user = None if caller.user is None and "userId" not in query and "user" not in request.match_info else self._user(request, caller)
        found = [item for item in chosen(self._server.library, query) if user is None or user.sees(library_of(item))]
        if user is not None:
            found = wanted(found, lambda item: self._server.records.of(user.user_id, item), query, self._server.numbers)
        start, limit = int(query.get("startIndex", 0)), int(query["limit"]) if "limit" in query else None
        rows = found[start : start + limit if limit is not None else None]
        if self._server.faults.truncate:
            rows = rows[: len(rows) // 2]
        shows_record = query.get("enableUserData") != "false"
        bodies = [self._server.items.row(item, user, wanted_fields(query), user_data=shows_record) for item in rows]
        total = len(rows) if query.get("enableTotalRecordCount") == "false" else len(found)
        return web.json_response(page(bodies, total, start))

    async def _resume(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        found = [item for item in self._server.library.videos() if self._server.records.of(user.user_id, item).ticks > 0]
        return web.json_response(page([self._server.items.row(item, user, wanted_fields(request.query)) for item in found], len(found), 0))

    async def _item(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        item = self._find(request, user)
        body = self._server.items.row(item, user, wanted_fields(request.query), single=True)
        asked = request.match_info["item"].replace("-", "").lower()
        return web.json_response(body | ({"Id": asked} if asked in item.versions.values() else {}))

    async def _ancestors(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        return web.json_response([self._server.items.row(one, user, frozenset(), user_data=False) for one in self._find(request, user).ancestors()])

    # What was watched.

    async def _user_data(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        return self._record(user, self._find(request, user), single=True)

    async def _write_user_data(self, request: web.Request, caller: Caller) -> web.Response:
        if not request.can_read_body:
            return problem(415, "Unsupported Media Type")
        user = self._user(request, caller)
        item = self._find(request, user)
        try:
            self._server.write(user, item, _typed(await request.json()))
        except ValueError, TypeError:
            return problem(400, "One or more validation errors occurred.", errors={"body": ["not of the type"]})
        return self._record(user, item)

    async def _mark(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        item = self._find(request, user)
        try:
            date = parse_time(request.query["datePlayed"]) if "datePlayed" in request.query else None
        except ValueError:
            return problem(400, "One or more validation errors occurred.", errors={"datePlayed": ["not a time"]})
        self._server.sessions.of(caller).user = user  # marking for somebody makes the session his (pitfall 49)
        self._server.mark(user, item, date)
        return self._record(user, item)

    async def _unmark(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        item = self._find(request, user)
        self._server.sessions.of(caller).user = user
        self._server.unmark(user, item)
        return self._record(user, item)

    async def _rate(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        item = self._find(request, user)
        record = self._server.records.edit(user.user_id, item)
        record.rating = None if request.method == "DELETE" else 10 if request.query.get("likes", "").lower() == "true" else 1
        return self._record(user, item)

    async def _favourite(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        item = self._find(request, user)
        self._server.records.edit(user.user_id, item).favourite = request.method == "POST"
        return self._record(user, item)

    def _record(self, user: User, item: Item, *, single: bool = False) -> web.Response:
        """Answer with a record; a marked series says so whatever its videos show."""
        records, key = self._server.records, self._server.items.key(item)
        if item.is_folder:
            return web.json_response(folder_dto([records.of(user.user_id, video) for video in item.videos()], item, key, percent=self._server.numbers >= (12,)))
        record = records.single(user.user_id, item) if single else records.of(user.user_id, item)
        return web.json_response(dto(record, item, key, zero_ids=self._server.numbers < (10, 11)))

    # What is played.

    async def _sessions(self, _request: web.Request, caller: Caller) -> web.Response:
        return web.json_response(self._server.described_sessions(caller))

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """Open a socket; a bad token is refused at the handshake (how 10 says so was not recorded)."""
        caller = self._server.auth.caller(request)
        if caller is None:
            return web.Response(status=403 if self._server.numbers >= (12,) else 401)
        if device_id := request.query.get("deviceId"):
            caller = Caller(caller.user, replace(caller.device, device_id=device_id))
        return await self._server.sockets.accept(request, caller)

    async def _start(self, request: web.Request, caller: Caller) -> web.Response:
        body: Json = await request.json()
        if (item := self._server.library.find(body.get("ItemId") or "")) and caller.user:
            self._server.start(self._server.sessions.of(caller), caller.user, item, body.get("MediaSourceId"))
        await self._server.sender.delivered()  # the player waits for the webhook's receiver (pitfall 47)
        return web.Response(status=204)

    async def _progress(self, request: web.Request, caller: Caller) -> web.Response:
        body: Json = await request.json()
        self._server.progress(self._server.sessions.of(caller), body.get("PositionTicks"), paused=bool(body.get("IsPaused")))
        await self._server.sender.delivered()
        return web.Response(status=204)

    async def _stop(self, request: web.Request, caller: Caller) -> web.Response:
        body: Json = await request.json()
        if (item := self._server.library.find(body.get("ItemId") or "")) and caller.user:
            self._server.stop(self._server.sessions.of(caller), caller.user, item, body.get("PositionTicks"))
        await self._server.sender.delivered()
        return web.Response(status=204)

    # Whom and what it is about.

    def _need_administrator(self, caller: Caller) -> None:
        if not caller.is_administrator:
            raise Refused(web.Response(status=403, text=""))

    def _user(self, request: web.Request, caller: Caller) -> User:
        """Return the user that a request is about; others' data is for administrators and keys."""
        asked = request.match_info.get("user") or request.query.get("userId")
        if asked is None:
            if caller.user is None:
                raise Refused(refused(400))
            return caller.user
        user = self._server.auth.users.get(asked.replace("-", "").lower())
        if not caller.is_administrator and user is not caller.user:
            raise Refused(refused(403))
        if user is None:
            raise Refused(refused(404))
        return user

    def _find(self, request: web.Request, user: User) -> Item:
        """Return the item that a path names; a hidden one is an unknown one."""
        text = request.match_info["item"]
        if not GUID.fullmatch(text):
            raise Refused(problem(400, "One or more validation errors occurred.", errors={"itemId": [f"The value '{text}' is not valid."]}))
        item = self._server.library.find(text)
        if item is None or not user.sees(library_of(item)):
            raise Refused(problem(404, "Not Found"))
        return item


def _typed(body: Any) -> Json:
    """Check the types of a record's fields, as the server's reader does; raises TypeError and ValueError."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "Played": bool,
        "IsFavorite": bool,
        "Likes": bool,
        "PlaybackPositionTicks": int,
        "PlayCount": int,
        "Rating": (int, float),
    }
    for name, kind in kinds.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise TypeError(name)
    if body.get("LastPlayedDate") is not None:
        time_text(parse_time(body["LastPlayedDate"]))
    found: Json = body
    return found
