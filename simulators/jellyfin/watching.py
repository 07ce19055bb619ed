"""What was watched: records read and written (server-apis §4.2)."""

from collections.abc import Iterator
from typing import Any, override

from aiohttp import web

from .auth import Caller, User
from .library import Item
from .room import Guarded, Json, Room, asked, problem
from .userdata import parse_time, time_text


class Watching(Room):
    """Everybody's records."""

    @override
    def guarded_doors(self) -> Iterator[tuple[str, str, Guarded]]:
        yield "GET", "/UserItems/{item}/UserData", self._user_data
        yield "POST", "/UserItems/{item}/UserData", self._write_user_data
        yield "POST", "/Users/{user}/Items/{item}/UserData", self._write_user_data
        yield "POST", "/UserPlayedItems/{item}", self._mark
        yield "DELETE", "/UserPlayedItems/{item}", self._unmark
        yield "POST", "/Users/{user}/PlayedItems/{item}", self._mark
        yield "DELETE", "/Users/{user}/PlayedItems/{item}", self._unmark
        yield "POST", "/UserItems/{item}/Rating", self._rate
        yield "DELETE", "/UserItems/{item}/Rating", self._rate
        yield "POST", "/UserFavoriteItems/{item}", self._favourite
        yield "DELETE", "/UserFavoriteItems/{item}", self._favourite
        yield "POST", "/Users/{user}/FavoriteItems/{item}", self._favourite
        yield "DELETE", "/Users/{user}/FavoriteItems/{item}", self._favourite

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
            date = parse_time(asked(request)["datePlayed"]) if "datePlayed" in asked(request) else None
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
        likes = None if request.method == "DELETE" else asked(request).get("likes", "").lower() == "true"
        return self._rated(request, caller, {"Likes": likes})

    async def _favourite(self, request: web.Request, caller: Caller) -> web.Response:
        return self._rated(request, caller, {"IsFavorite": request.method == "POST"})

    def _rated(self, request: web.Request, caller: Caller, body: Json) -> web.Response:
        user = self._user(request, caller)
        item = self._find(request, user)
        self._server.rate(user, item, body)
        return self._record(user, item)

    def _record(self, user: User, item: Item, *, single: bool = True) -> web.Response:
        return web.json_response(self._server.items.user_data(item, user, single=single))


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
