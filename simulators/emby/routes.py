"""The HTTP routes of Emby, each with and without the prefix /emby."""

import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.typedefs import Handler

from .auth import Account, Caller, client_of, token_of
from .library import Item
from .query import Query
from .userdata import read_time
from .webhook import numbers

if TYPE_CHECKING:
    from .server import EmbySimulator

type Json = dict[str, Any]
type Guarded = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]

_VIDEO = "/Users/{user}/Items/{item}"
_MARK = "/Users/{user}/PlayedItems/{item}"
_FAVOURITE = "/Users/{user}/FavoriteItems/{item}"


class Routes:
    """The routes of one server."""

    def __init__(self, server: EmbySimulator) -> None:
        """Answer for this server."""
        self._server = server

    def add(self, app: web.Application) -> None:
        """Add every route; what is none of them may still be a socket, for any path upgrades (server-apis §5.6)."""
        for method, path, handler in (*self._open(), *((one, path, self._guard(guarded)) for one, path, guarded in self._closed())):
            for prefix in ("", "/emby"):
                app.router.add_route(method, f"{prefix}{path}", handler)
        app.router.add_get("/{path:.*}", self._other)

    def _open(self) -> Iterator[tuple[str, str, Handler]]:
        yield "GET", "/System/Info/Public", self._public_info
        yield "*", "/System/Ping", self._ping
        yield "GET", "/Users/Public", self._public_users
        yield "POST", "/Users/AuthenticateByName", self._log_in

    def _closed(self) -> Iterator[tuple[str, str, Guarded]]:
        yield "GET", "/Users/Me", self._me
        yield "GET", "/Users/Query", self._users
        yield "GET", "/Users/{user}", self._user
        yield "GET", "/Users/{user}/Views", self._views
        yield "GET", "/Users/{user}/Items", self._items
        yield "GET", "/Users/{user}/Items/Resume", self._resume
        yield "GET", _VIDEO, self._item
        yield "POST", f"{_VIDEO}/UserData", self._write_user_data
        yield "POST", _MARK, self._mark
        yield "DELETE", _MARK, self._unmark
        yield "POST", f"{_MARK}/Delete", self._unmark
        yield "POST", _FAVOURITE, self._favourite
        yield "DELETE", _FAVOURITE, self._favourite
        yield "POST", "/Users/{user}/Items/{item}/Rating", self._rate
        yield "DELETE", "/Users/{user}/Items/{item}/Rating", self._rate
        yield "GET", "/Items", self._items
        yield "GET", "/Items/{item}/Ancestors", self._ancestors
        yield "GET", "/Shows/{series}/Episodes", self._episodes
        yield "GET", "/Notifications/Services/Configured", self._configured
        yield "POST", "/Notifications/Services/Configured", self._configure
        yield "DELETE", "/Notifications/Services/Configured", self._forget_configured
        yield "POST", "/Notifications/Services/Test", self._test
        yield "GET", "/Sessions", self._sessions
        yield "POST", "/Sessions/Logout", self._log_out
        yield "POST", "/Sessions/Playing", self._play
        yield "POST", "/Sessions/Playing/Progress", self._progress
        yield "POST", "/Sessions/Playing/Stopped", self._stop

    def _guard(self, handler: Guarded) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            caller = self._server.accounts.caller(request)
            if caller is None:
                return web.Response(status=401, text="Access token is invalid or expired.")
            return await handler(request, caller)

        return guarded

    async def _other(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise web.HTTPNotFound
        return await self._server.sockets.accept(request, self._server.accounts.caller(request))

    async def _public_info(self, request: web.Request) -> web.Response:
        """Name the server but not the product; the addresses differ by version (recorded on 4.9.5)."""
        server, address = self._server, f"{request.scheme}://{request.host}"
        recent = numbers(server.version) >= (4, 9)
        addresses: Json = {"LocalAddresses": [], "RemoteAddresses": []} if recent else {"LocalAddress": address, "WanAddress": address}
        return web.json_response({**addresses, "ServerName": server.name, "Version": server.version, "Id": server.server_id})

    @staticmethod
    async def _ping(_request: web.Request) -> web.Response:
        return web.Response(text="Emby Server")

    async def _public_users(self, _request: web.Request) -> web.Response:
        accounts = self._server.accounts
        return web.json_response([accounts.dto(one, whole=False) for one in accounts.by_id.values() if not one.disabled])

    async def _log_in(self, request: web.Request) -> web.Response:
        body, client = await _body(request), client_of(request)
        server = self._server
        token, account = server.accounts.log_in(client, str(body.get("Username", "")), str(body.get("Pw", "")))
        session = server.playback.session(Caller(account, client)).dto(server.server_id, None)
        user = server.accounts.dto(account)
        return web.json_response({"User": user, "SessionInfo": session, "AccessToken": token, "ServerId": server.server_id})

    async def _log_out(self, request: web.Request, _caller: Caller) -> web.Response:
        self._server.accounts.forget(token_of(request))
        return web.Response(status=204)

    @staticmethod
    async def _me(_request: web.Request, _caller: Caller) -> web.Response:
        """Fail as 4.9.5 does: `Me` is taken for the id of a user."""
        return web.Response(status=500, text="Unrecognized Guid format.")

    async def _users(self, _request: web.Request, caller: Caller) -> web.Response:
        if not caller.is_administrator:
            raise web.HTTPForbidden(text="User does not have the required access.")
        users = [self._server.accounts.dto(account) for account in self._server.accounts.by_id.values()]
        return web.json_response({"Items": users, "TotalRecordCount": len(users)})

    async def _user(self, request: web.Request, caller: Caller) -> web.Response:
        return web.json_response(self._server.accounts.dto(self._account(request, caller)))

    async def _views(self, request: web.Request, caller: Caller) -> web.Response:
        account = self._account(request, caller)
        views = [self._server.items.row(account, one, user_data=False) for one in self._server.library.roots if _sees(account, one)]
        return web.json_response({"Items": views, "TotalRecordCount": len(views)})

    async def _items(self, request: web.Request, caller: Caller) -> web.Response:
        return await self._listing(self._account(request, caller), Query.of(request))

    async def _resume(self, request: web.Request, caller: Caller) -> web.Response:
        asked = Query.of(request).parameters
        resumable = {"recursive": "true", "filters": "IsResumable", "sortby": "DatePlayed", "sortorder": "Descending"}
        return await self._listing(self._account(request, caller), Query({**asked, **resumable}))

    async def _episodes(self, request: web.Request, caller: Caller) -> web.Response:
        asked = Query.of(request).parameters
        fixed = {"parentid": request.match_info["series"], "recursive": "true", "includeitemtypes": "Episode"}
        return await self._listing(self._account(request, caller), Query({"sortby": "ParentIndexNumber,IndexNumber", **asked, **fixed}))

    async def _listing(self, account: Account, query: Query) -> web.Response:
        """Answer with a page and the number of all, but without where the page begins."""
        server, test = self._server, query.test()
        if "ids" not in query.parameters:
            await server.before_page(query.start)
        records = ((item, server.records.of(account.account_id, item)) for item in query.candidates(server.library) if _sees(account, item))
        found = server.visible(query.ordered([(item, record) for item, record in records if test(item, record)]))
        page = query.page(found)
        if server.faults.truncate:
            page = page[: len(page) - max(1, len(page) // 10)]
        user_data = query.truth("enableuserdata") is not False
        rows = [server.items.row(account, item, query.fields, user_data=user_data) for item in page]
        return web.json_response({"Items": rows, "TotalRecordCount": len(found)})

    async def _item(self, request: web.Request, caller: Caller) -> web.Response:
        account = self._account(request, caller)
        return web.json_response(self._server.items.whole(account, self._find(request, account)))

    async def _ancestors(self, request: web.Request, caller: Caller) -> web.Response:
        account = self._account(request, caller)
        above, folders = self._find(request, account).parent, []
        while above is not None:
            folders.append(self._server.items.row(account, above, user_data=False))
            above = above.parent
        return web.json_response(folders)

    async def _mark(self, request: web.Request, caller: Caller) -> web.Response:
        account = self._account(request, caller)
        item, date = self._find(request, account), _date(Query.of(request).parameters.get("dateplayed"))
        if not self._server.faults.read_only:
            self._server.mark(account, item, date)
        return web.json_response(self._server.records.dto(account.account_id, item))

    async def _unmark(self, request: web.Request, caller: Caller) -> web.Response:
        account = self._account(request, caller)
        item = self._find(request, account)
        if not self._server.faults.read_only:
            self._server.unmark(account, item)
        return web.json_response(self._server.records.dto(account.account_id, item))

    async def _favourite(self, request: web.Request, caller: Caller) -> web.Response:
        account = self._account(request, caller)
        item = self._find(request, account)
        if not self._server.faults.read_only:
            self._server.favour(account, item, favourite=request.method == "POST")
        return web.json_response(self._server.records.dto(account.account_id, item))

    async def _rate(self, request: web.Request, caller: Caller) -> web.Response:
        account = self._account(request, caller)
        item, likes = self._find(request, account), Query.of(request).parameters.get("likes", "").lower() == "true"
        if not self._server.faults.read_only:
            self._server.like(account, item, likes if request.method == "POST" else None)
        return web.json_response(self._server.records.dto(account.account_id, item))

    async def _write_user_data(self, request: web.Request, caller: Caller) -> web.Response:
        account, body = self._account(request, caller), await _body(request)
        item = self._find(request, account)
        if not self._server.faults.read_only:
            try:
                self._server.records.edit(account.account_id, item).replace(body)
            except (ValueError, TypeError) as error:
                raise web.HTTPBadRequest(text=str(error)) from error
        return web.Response(status=204)

    async def _sessions(self, request: web.Request, caller: Caller) -> web.Response:
        device = Query.of(request).parameters.get("deviceid")
        sessions = self._server.sessions_for(caller)
        return web.json_response([one for one in sessions if device in {None, one["DeviceId"]}])

    async def _play(self, request: web.Request, caller: Caller) -> web.Response:
        """Start a play of the caller; an API key, having no user, plays for nobody."""
        if caller.account is None:
            raise web.HTTPBadRequest(text="Value cannot be null. (Parameter 'user')")
        body = await _body(request)
        item = self._visible(str(body.get("ItemId", "")), caller.account)
        if not self._server.faults.read_only:
            self._server.playback.start(self._server.playback.session(caller), item, int(body.get("PositionTicks") or 0))
        return web.Response(status=204)

    async def _progress(self, request: web.Request, caller: Caller) -> web.Response:
        """Take a report of a session that plays; without one it is a 400 (server-apis §4.3)."""
        body, session = await _body(request), self._server.playback.session(caller)
        if self._server.faults.read_only:
            return web.Response(status=204)
        if session.item is None:
            raise web.HTTPBadRequest(text="Session not found.")
        self._server.playback.progress(session, body.get("PositionTicks"), paused=bool(body.get("IsPaused", False)))
        return web.Response(status=204)

    async def _stop(self, request: web.Request, caller: Caller) -> web.Response:
        body = await _body(request)
        if not self._server.faults.read_only:
            self._server.playback.stop(self._server.playback.session(caller), body.get("PositionTicks"))
        return web.Response(status=204)

    async def _configured(self, request: web.Request, caller: Caller) -> web.Response:
        return web.json_response(self._server.notifications.of(self._owner(request, caller)))

    async def _configure(self, request: web.Request, caller: Caller) -> web.Response:
        """Keep an entry: that of the user in the query, else of the user that stands in it."""
        body = await _body(request)
        try:
            self._server.notifications.put(self._owner(request, caller, str(body.get("UserId") or "")), body)
        except TypeError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.Response(status=204)

    async def _forget_configured(self, request: web.Request, caller: Caller) -> web.Response:
        try:
            self._server.notifications.delete(self._owner(request, caller), Query.of(request).parameters.get("id", ""))
        except KeyError as error:
            raise web.HTTPNotFound(text="Notification not found.") from error
        return web.Response(status=204)

    async def _test(self, request: web.Request, _caller: Caller) -> web.Response:
        self._server.test(await _body(request))
        return web.Response(status=200)

    def _owner(self, request: web.Request, caller: Caller, named: str = "") -> Account:
        """Return whose list of notifications it is; asked without a user the server fails."""
        if not named and "userid" not in Query.of(request).parameters:
            raise web.HTTPInternalServerError(text="Value cannot be null. (Parameter 'user')")
        if named and "userid" not in Query.of(request).parameters:
            account = self._server.accounts.by_id.get(named)
            if account is None or (account is not caller.account and not caller.is_administrator):
                raise web.HTTPForbidden(text="User does not have the required access.")
            return account
        return self._account(request, caller)

    def _account(self, request: web.Request, caller: Caller) -> Account:
        """Return the user of the path or of the query, if the caller may act for him."""
        asked = request.match_info.get("user") or Query.of(request).parameters.get("userid")
        if asked is None and caller.account is not None:
            return caller.account
        account = self._server.accounts.by_id.get((asked or "").replace("-", "").lower())
        if account is None:
            raise web.HTTPNotFound(text="User not found.")
        if account is not caller.account and not caller.is_administrator:
            raise web.HTTPForbidden(text="User does not have the required access.")
        return account

    def _find(self, request: web.Request, account: Account) -> Item:
        return self._visible(request.match_info["item"], account)

    def _visible(self, item_id: str, account: Account) -> Item:
        item = self._server.library.items.get(item_id)
        if item is None or not _sees(account, item):
            raise web.HTTPNotFound(text="Item not found.")
        return item


def _sees(account: Account, item: Item) -> bool:
    return not account.hidden or item.library.name not in account.hidden


async def _body(request: web.Request) -> Json:
    """Read a JSON object. Raises HTTPBadRequest."""
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="An object was expected.")
    return body


def _date(text: str | None) -> datetime | None:
    """Read DatePlayed. Raises HTTPBadRequest."""
    try:
        return read_time(text) if text else None
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
