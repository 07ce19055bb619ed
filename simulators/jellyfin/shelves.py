"""What is on the shelves: libraries, listings, single items (server-apis §3.2)."""

from collections.abc import Iterator
from typing import override

from aiohttp import web

from .auth import Caller
from .items import page, wanted_fields
from .library import item_id
from .listing import chosen, library_of, next_up, plain, wanted
from .room import Guarded, Room, asked, problem, read


class Shelves(Room):
    """The library, as far as it can be looked at."""

    @override
    def guarded_doors(self) -> Iterator[tuple[str, str, Guarded]]:
        yield "GET", "/UserViews", self._views
        yield "GET", "/Users/{user}/Views", self._views
        yield "GET", "/Library/MediaFolders", self._folders
        yield "GET", "/Library/VirtualFolders", self._virtual_folders
        yield "GET", "/ScheduledTasks", self._tasks
        yield "GET", "/Items", self._items
        yield "GET", "/Users/{user}/Items", self._items
        yield "GET", "/Items/Counts", self._counts
        yield "GET", "/Items/{item}", self._item
        yield "POST", "/Items/{item}", self._edit
        yield "GET", "/Users/{user}/Items/{item}", self._item
        yield "GET", "/Items/{item}/Ancestors", self._ancestors
        yield "GET", "/UserItems/Resume", self._resume
        yield "GET", "/Shows/NextUp", self._next_up

    async def _views(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        rows = [self._server.items.row(folder, user, frozenset()) for name, folder in sorted(self._server.library.folders.items()) if user.sees(name)]
        return web.json_response(page(rows, len(rows), 0))

    async def _folders(self, _request: web.Request, _caller: Caller) -> web.Response:
        rows = [self._server.items.row(folder, None, frozenset()) for folder in self._server.library.folders.values()]
        rows.append({"Name": "Playlists", "ServerId": self._server.server_id, "Id": item_id("playlists"), "IsFolder": True, "Type": "ManualPlaylistsFolder"})
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
                {"Name": "Scan Media Library", "Key": "RefreshLibrary", "State": "Idle" if self._server.faults.scan is None else "Running"},
                {"Name": "Optimize database", "Key": "OptimizeDatabaseTask", "State": "Idle"},
            ]
        )

    async def _counts(self, _request: web.Request, _caller: Caller) -> web.Response:
        kinds = [item.kind for item in self._server.library.items.values()]
        return web.json_response({"MovieCount": kinds.count("Movie"), "SeriesCount": kinds.count("Series"), "EpisodeCount": kinds.count("Episode")})

    async def _items(self, request: web.Request, caller: Caller) -> web.Response:
        """List items; an API key without a user gets no records, unknown arguments are ignored."""
        query = asked(request)
        user = None if caller.user is None and "userId" not in query and "user" not in request.match_info else self._user(request, caller)
        start, limit = int(query.get("startIndex", 0)), int(query["limit"]) if "limit" in query else None
        if "ids" not in query:
            await self._server.before_page(start)
        found = [item for item in chosen(self._server.library, query) if user is None or user.sees(library_of(item))]
        if user is not None:
            found = wanted(found, lambda item: self._server.records.stored(user.user_id, item), query, self._server.numbers)
        found = self._server.visible(found)
        rows = found[start : start + limit if limit is not None else None]
        if self._server.faults.truncate:
            rows = rows[: len(rows) // 2]
        shows_record, shows_images = query.get("enableUserData") != "false", query.get("enableImages") != "false"
        bodies = [self._server.items.row(item, user, wanted_fields(query), user_data=shows_record, images=shows_images) for item in rows]
        total = len(rows) if query.get("enableTotalRecordCount") == "false" else len(found)
        return web.json_response(page(bodies, total, start))

    async def _resume(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        found = [item for item in self._server.library.videos() if self._server.records.of(user.user_id, item).ticks > 0]
        return web.json_response(page([self._server.items.row(item, user, wanted_fields(asked(request))) for item in found], len(found), 0))

    async def _next_up(self, request: web.Request, caller: Caller) -> web.Response:
        """List what to watch next, of the series watched last first."""
        user, query = self._user(request, caller), asked(request)
        series = [one for one in self._server.library.of_kinds(frozenset({"Series"})) if user.sees(library_of(one))]
        wanted_one = plain(query.get("seriesId", ""))
        found = next_up([one for one in series if wanted_one in ("", one.item_id)], lambda item: self._server.records.of(user.user_id, item))
        start = int(query.get("startIndex", 0))
        some = found[start : start + int(query["limit"]) if "limit" in query else None]
        return web.json_response(page([self._server.items.row(item, user, wanted_fields(query)) for item in some], len(found), start))

    async def _item(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        item = self._find(request, user)
        return web.json_response(self._server.items.row(item, user, wanted_fields(asked(request)), single=True))

    async def _edit(self, request: web.Request, caller: Caller) -> web.Response:
        """Edit an item's description, of which the ids matter; its record stays."""
        self._need_administrator(caller)
        item = self._server.library.find(request.match_info["item"])
        if item is None:
            return problem(404, "Not Found")
        body = await read(request)
        item.ids = {kind.lower(): value for kind, value in body["ProviderIds"].items()}
        item.name = body["Name"]
        self._server.sockets.library_changed(updated=[item.item_id])
        return web.Response(status=204)

    async def _ancestors(self, request: web.Request, caller: Caller) -> web.Response:
        user = self._user(request, caller)
        return web.json_response([self._server.items.row(one, user, frozenset(), user_data=False) for one in self._find(request, user).ancestors()])
