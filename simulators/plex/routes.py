"""What can be asked of the server, and what may not."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .history import chosen
from .library import Item
from .query import ordered, page, passes
from .wire import UNAUTHORIZED, answer, directory, row, trimmed

if TYPE_CHECKING:
    from .server import Account, PlexSimulator, Session

type Json = dict[str, Any]
type Asked = Callable[[web.Request, Account], Awaitable[web.StreamResponse]]

MOST_AT_ONCE = 16
FIRST_WITH_TRIMMING = (1, 41, 9)


class Routes:
    """The server's routes; everything but `/identity` needs a token."""

    def __init__(self, server: PlexSimulator) -> None:
        """Answer for this server."""
        self._server = server
        self._busy = 0

    def add(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/identity", self._identity)
        for path, handler in (
            ("/", self._root),
            ("/library", self._library),
            ("/library/sections", self._sections),
            ("/library/sections/{section}/all", self._all),
            ("/library/metadata/{keys}", self._metadata),
            ("/library/metadata/{keys}/children", self._children),
            ("/library/metadata/{keys}/allLeaves", self._leaves),
            ("/status/sessions", self._sessions),
            ("/status/sessions/history/all", self._history),
            ("/accounts", self._accounts),
            ("/clients", self._clients),
            ("/updater/status", self._updates),
            ("/:/websockets/notifications", self._server.notifications.socket),
            ("/:/websocket/notifications", self._server.notifications.socket),
            ("/:/eventsource/notifications", self._server.notifications.stream),
        ):
            app.router.add_get(path, self._for_account(handler))
        for path, handler, methods in (
            ("/:/scrobble", self._scrobble, ("GET", "PUT")),
            ("/:/unscrobble", self._unscrobble, ("GET", "PUT")),
            ("/:/rate", self._rate, ("GET", "PUT")),
            ("/:/timeline", self._timeline, ("GET", "POST")),
            ("/:/progress", self._progress, ("GET", "PUT")),
        ):
            for method in methods:
                app.router.add_route(method, path, self._for_account(handler))

    def _for_account(self, handler: Asked) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def guarded(request: web.Request) -> web.StreamResponse:
            token = request.headers.get("X-Plex-Token") or request.query.get("X-Plex-Token", "")
            account = self._server.account_of(token)
            if account is None:
                return web.Response(status=401, text=UNAUTHORIZED, content_type="text/html", headers={"X-Plex-Protocol": "1.0"})
            if request.path.endswith("/notifications"):  # open for ever, so none of those that are busy
                return await handler(request, account)
            if self._busy >= MOST_AT_ONCE:
                return web.Response(status=503, text="", content_type="text/html")
            self._busy += 1
            try:
                return await handler(request, account)
            finally:
                self._busy -= 1

        return guarded

    async def _identity(self, request: web.Request) -> web.Response:
        server = self._server
        return answer(request, {"size": 0, "claimed": True, "machineIdentifier": server.machine_identifier, "version": server.version})

    async def _root(self, request: web.Request, account: Account) -> web.Response:
        server = self._server
        return answer(
            request,
            {
                "size": 0,
                "allowSync": True,
                "friendlyName": server.name,
                "machineIdentifier": server.machine_identifier,
                "version": server.version,
                "myPlex": True,
                "myPlexUsername": account.name,
                "platform": "Linux",
                "updatedAt": server.now(),
            },
        )

    async def _library(self, request: web.Request, _account: Account) -> web.Response:
        found = [{"key": name, "title": name.title()} for name in ("sections", "recentlyAdded", "onDeck")]
        return answer(
            request, {"size": len(found), "allowSync": False, "identifier": "com.plexapp.plugins.library", "title1": "Plex Library", "Directory": found}
        )

    async def _sections(self, request: web.Request, account: Account) -> web.Response:
        found = [directory(section, self._server.now()) for section in self._server.library.sections.values()]
        return answer(request, {"size": len(found), "allowSync": False, "title1": "Plex Library", "Directory": found})

    async def _all(self, request: web.Request, account: Account) -> web.Response:
        """List a library: a page when a start or a size is given, as header or as argument, else everything."""
        section = self._server.library.sections.get(int(request.match_info["section"]))
        if section is None:
            raise web.HTTPNotFound
        query = request.query
        start, size = page(request)
        await self._server.before_page(start or 0)
        items = [item for item in section.of_kind(int(query.get("type", section.kind))) if self._passes(item, account, query)]
        items = self._server.visible(ordered(items, query.get("sort", ""), lambda item: self._values(item, account)))
        paging: Json = {}
        some = items
        if start is not None or size is not None:
            first = start or 0
            some = items[first : None if size is None else first + size]
            paging = {"totalSize": len(items), "offset": first}
        if self._server.faults.truncate:
            some = some[: len(some) // 2]
        home = {"librarySectionID": section.key, "librarySectionTitle": section.title, "librarySectionUUID": f"00000000-0000-4000-8000-{section.key:012}"}
        return answer(request, self._container(request, account, some, {**paging, **home, "identifier": "com.plexapp.plugins.library"}))

    async def _metadata(self, request: web.Request, account: Account) -> web.Response:
        """Return items by id; unknown ones are left out, none at all is a 404."""
        keys = [int(key) for key in request.match_info["keys"].split(",") if key.isdecimal()]
        items = [item for key in keys if (item := self._server.library.by_rating_key.get(key))]
        if not items:
            raise web.HTTPNotFound
        if self._server.notifications.refreshes_on_read or "1" in (request.query.get("checkFiles"), request.query.get("asyncCheckFiles")):
            for item in items:
                self._server.notifications.refreshed(account, item)
        return answer(request, self._container(request, account, items, {"identifier": "com.plexapp.plugins.library"}, home=True))

    async def _children(self, request: web.Request, account: Account) -> web.Response:
        item = self._item(request.match_info["keys"])
        return answer(request, self._container(request, account, item.children, {"key": str(item.key)}, home=True))

    async def _leaves(self, request: web.Request, account: Account) -> web.Response:
        item = self._item(request.match_info["keys"])
        return answer(request, self._container(request, account, list(item.leaves()), {"key": str(item.key)}, home=True))

    def _container(self, request: web.Request, account: Account, items: Iterable[Item], more: Json, *, home: bool = False) -> Json:
        guids = request.query.get("includeGuids") == "1" or "metadata" in request.path
        rows = [row(item, account.account_id, self._server.records, guids=guids, home=home) for item in items]
        if self._trims(request):
            rows = trimmed(rows, request.query)
        return {"size": len(rows), "allowSync": True, **more, **({"Metadata": rows} if rows else {})}

    def _trims(self, request: web.Request) -> bool:
        version = tuple(int(number) for number in self._server.version.partition("-")[0].split(".")[:3])
        return version >= FIRST_WITH_TRIMMING and "X-Plex-Pms-Api-Version" in request.headers

    def _passes(self, item: Item, account: Account, query: Mapping[str, str]) -> bool:
        if query.get("title", "").lower() not in item.title.lower() or query.get("title=", item.title) != item.title:
            return False
        return passes(query, self._values(item, account))

    def _values(self, item: Item, account: Account) -> Mapping[str, int]:
        """Return by what a list is filtered and sorted."""
        record = self._server.records.of(account.account_id, item)
        return {
            "viewCount": record.views,
            "lastViewedAt": record.viewed_at,
            "viewOffset": record.offset,
            "addedAt": item.added_at,
            "updatedAt": item.added_at,
            "year": item.year or 0,
        }

    async def _sessions(self, request: web.Request, account: Account) -> web.Response:
        """List what is played, for the owner only."""
        if account.account_id != 1:
            raise web.HTTPForbidden
        rows = [self._session(session) for session in self._server.sessions.values()]
        return answer(request, {"size": len(rows), **({"Metadata": rows} if rows else {})})

    def _session(self, session: Session) -> Json:
        account = session.account
        return row(session.item, account.account_id, self._server.records, guids=False, home=True) | {
            "sessionKey": session.key,
            "viewOffset": session.offset,
            "User": {"id": str(account.account_id), "title": account.name},
            "Player": {"machineIdentifier": session.player, "state": session.state, "title": "Simulated", "product": "Simulated", "local": True},
            "Session": {"id": f"session-{session.key}", "bandwidth": 9000, "location": "lan"},
        }

    async def _history(self, request: web.Request, account: Account) -> web.Response:
        """List whole plays; the owner sees everybody's."""
        known = self._server.library.by_rating_key
        rows = [view.row(exists=view.item.key in known) for view in chosen(self._server.history, account.account_id, request.query)]
        start, size = page(request)
        first = start or 0
        some = rows[first : None if size is None else first + size]
        return answer(request, {"size": len(some), "totalSize": len(rows), "offset": first, **({"Metadata": some} if some else {})})

    async def _accounts(self, request: web.Request, account: Account) -> web.Response:
        if account.account_id != 1:
            raise web.HTTPForbidden
        people = [(0, ""), *((one.account_id, one.name) for one in self._server.accounts.values())]
        rows = [{"id": number, "key": f"/accounts/{number}", "name": name, "defaultAudioLanguage": "en", "thumb": ""} for number, name in people]
        return answer(request, {"size": len(rows), "identifier": "com.plexapp.system.accounts", "Account": rows})

    async def _clients(self, request: web.Request, _account: Account) -> web.Response:
        """List players that can be remote-controlled: none can."""
        return answer(request, {"size": 0})

    async def _updates(self, request: web.Request, _account: Account) -> web.Response:
        return answer(request, {"size": 0, "canInstall": False, "checkedAt": self._server.now(), "status": 0})

    async def _scrobble(self, request: web.Request, account: Account) -> web.Response:
        self._server.mark(account, self._item(request.query.get("key", "")))
        return web.Response()

    async def _unscrobble(self, request: web.Request, account: Account) -> web.Response:
        self._server.unmark(account, self._item(request.query.get("key", "")))
        return web.Response()

    async def _rate(self, request: web.Request, account: Account) -> web.Response:
        """Rate from 0 to 10; a negative rating clears, one of the future is refused."""
        item, now = self._item(request.query.get("key", "")), self._server.now()
        rated_at = int(request.query.get("ratedAt", now))
        if rated_at > now:
            raise web.HTTPBadRequest
        self._server.set_rating(account, item, float(request.query["rating"]), rated_at)
        return web.Response()

    async def _timeline(self, request: web.Request, account: Account) -> web.Response:
        """Take a player's report; without the run time or the player's name it is ignored."""
        query = request.query
        item = self._item(query.get("ratingKey", ""))
        player = request.headers.get("X-Plex-Client-Identifier") or query.get("X-Plex-Client-Identifier")
        if player and int(query.get("duration", 0)) > 0:
            self._server.report(account, item, player, query.get("state", "stopped"), int(query.get("time", 0)))
        record = self._server.records.of(account.account_id, item)
        return answer(
            request,
            {"size": 0, "playbackState": query.get("state", "stopped"), "skipCount": record.skips, "viewCount": record.views, "viewOffset": record.offset},
        )

    async def _progress(self, request: web.Request, account: Account) -> web.Response:
        """Set a position, which for 0 and for users from outside of the house does nothing."""
        item, milliseconds = self._item(request.query.get("key", "")), int(request.query.get("time", 0))
        if milliseconds:
            self._server.records.edit(account.account_id, item).report(item, milliseconds, self._server.now())
        return web.Response()

    def _item(self, key: str) -> Item:
        item = self._server.library.by_rating_key.get(int(key)) if key.isdecimal() else None
        if item is None:
            raise web.HTTPNotFound if key.isdecimal() else web.HTTPBadRequest
        return item
