"""What is Jellyfin's own: routes, the one request that writes a whole record, API keys (10.9 to 12.0)."""

from collections.abc import Mapping
from typing import ClassVar, override

from ...ports import ServerKind, ServerUser, UnexpectedAnswer
from ...sync.model import WatchState
from ...sync.plan import cleaned
from ...sync.policy import Traits
from . import wire
from .client import MediaBrowserServer
from .normalise import TICKS, is_administrator, is_disabled, server_user, understood

_LISTING = {
    "recursive": "true",
    "fields": "ProviderIds,DateCreated",
    "enableUserData": "true",
    "enableImages": "false",
    "enableTotalRecordCount": "true",
    "collapseBoxSetItems": "false",
    "isMissing": "false",
    "excludeLocationTypes": "Virtual",
    "sortBy": "DateCreated,SortName",
    "sortOrder": "Ascending",
}
"""Without an order 10.10 gives pages that overlap (pitfall 52); by this one, what is added meanwhile comes last."""


class JellyfinServer(MediaBrowserServer):
    """A Jellyfin server; with an API key, `user_id` of the connection names the user."""

    kind: ClassVar = ServerKind.JELLYFIN
    traits: ClassVar = Traits(writes_date=True, unplayed_alone_counts=True)
    page_size = 2000

    @override
    async def users(self) -> tuple[ServerUser, ...]:
        me = await self._me()
        with understood("the list of users"):
            if me is not None and not is_administrator(me):
                return (server_user(me),)
            everyone: list[wire.User] = await self._http.json("GET", "/Users")
            return tuple(server_user(user) for user in everyone if not is_disabled(user))

    async def _me(self) -> wire.User | None:
        """Return whose token it is, None for an API key: it has no user and is told so by a 400."""
        try:
            me: wire.User = await self._http.json("GET", "/Users/Me")
        except UnexpectedAnswer:
            return None
        return me

    @override
    async def _own_user(self) -> str:
        me = await self._me()
        if me is None:
            message = "an API key acts for no user of its own, one must be chosen"
            raise UnexpectedAnswer(message)
        with understood("the user"):
            return server_user(me).user_id

    @override
    async def _views(self, user: str) -> list[wire.Item]:
        page: wire.Page = await self._http.json("GET", "/UserViews", params={"userId": user})
        with understood("the list of libraries"):
            return page["Items"]

    @override
    async def _items(self, user: str, query: Mapping[str, str]) -> wire.Page:
        page: wire.Page = await self._http.json("GET", "/Items", params={"userId": user, **self._with_files(_LISTING, "fields"), **query})
        return page

    @override
    async def write(self, item_id: str, wanted: WatchState, shown: WatchState) -> None:
        """Write the four fields together: a part would be laid over a record that may be stale (W7, pitfall 38).

        By UserData, since a mark by an administrator's token would turn its session into the user's (pitfall 49); only DELETE takes
        a date or a rating away. The rating goes first: what its route lays over a stale record is written right by what follows.
        """
        user, times = {"userId": await self._user()}, self._times()
        record = cleaned(wanted, self._runtimes.get(item_id), times.now)
        if record.rating is None and shown.rating is not None:
            await self._http.json("DELETE", f"/UserItems/{item_id}/Rating", params=user)
        if not record.played and record.last_played is None and shown.last_played is not None:
            await self._http.json("DELETE", f"/UserPlayedItems/{item_id}", params=user)
            if not record.position and record.rating == shown.rating:
                return
        body = {
            "Played": record.played,
            "PlayCount": record.play_count,
            "LastPlayedDate": record.last_played and f"{times.write(record.last_played):%Y-%m-%dT%H:%M:%SZ}",
            "PlaybackPositionTicks": record.position * TICKS,
            **({} if record.rating is None else {"Rating": record.rating}),
        }
        await self._http.json("POST", f"/UserItems/{item_id}/UserData", params=user, body=body)
