"""What is Emby's own: routes, list rows that lie unless asked twice, marks and positions in two requests (4.7 to 4.9)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, override

from ...ports import AuthFailed, Forbidden, ServerKind, ServerUser, UnexpectedAnswer
from ...sync.model import WatchState
from ...sync.plan import cleaned
from ...sync.policy import Traits
from ...sync.rating import LIKED_FROM, alike
from ...sync.reconcile import DATE_TOLERANCE
from . import wire
from .client import MediaBrowserServer
from .normalise import TICKS, Times, is_disabled, seconds, server_user, understood, watch_state

_LISTING = {
    "Recursive": "true",
    "Fields": "ProviderIds,ProductionYear,DateCreated,UserDataPlayCount,UserDataLastPlayedDate",
    "EnableImages": "false",
    "EnableTotalRecordCount": "true",
    "CollapseBoxSetItems": "false",
    "IsMissing": "false",
    "SortBy": "DateCreated,SortName",
    "SortOrder": "Ascending",
}
"""Without the two UserData fields a played row says that it was never played and at no time (server-apis §3.3)."""


class EmbyServer(MediaBrowserServer):
    """An Emby server; `user_id` of the connection names the user, for a token does not reveal its own (4.9.5: /Users/Me is a 500)."""

    kind: ClassVar = ServerKind.EMBY
    traits: ClassVar = Traits(writes_date=True, unplayed_alone_counts=False, thumbs=True)
    prefix: ClassVar = "/emby"
    page_size = 1000

    @override
    async def users(self) -> tuple[ServerUser, ...]:
        try:
            page: dict[str, list[wire.User]] = await self._http.json("GET", "/emby/Users/Query")
        except AuthFailed, Forbidden:  # only an administrator or an API key may ask
            if self._user_id is None:
                raise
            me: wire.User = await self._http.json("GET", f"/emby/Users/{self._user_id}")
            page = {"Items": [me]}
        with understood("the list of users"):
            return tuple(server_user(user) for user in page["Items"] if not is_disabled(user))

    @override
    async def _own_user(self) -> str:
        message = "no user was chosen for this account"
        raise UnexpectedAnswer(message)

    @override
    async def _views(self, user: str) -> list[wire.Item]:
        page: wire.Page = await self._http.json("GET", f"/emby/Users/{user}/Views")
        with understood("the list of libraries"):
            return page["Items"]

    @override
    async def _items(self, user: str, query: Mapping[str, str]) -> wire.Page:
        asked = {f"{name[0].upper()}{name[1:]}": value for name, value in query.items()}
        page: wire.Page = await self._http.json("GET", f"/emby/Users/{user}/Items", params={**self._with_files(_LISTING, "Fields"), **asked})
        return page

    @override
    def _recent(self, since: datetime) -> tuple[Mapping[str, str], ...]:
        """Ask too for what was saved for the user since, ratings for one (§3.3): whether an unwatch is among it nobody tested, so the played set decides."""
        return (*super()._recent(since), {"minDateLastSavedForUser": f"{since:%Y-%m-%dT%H:%M:%SZ}"})

    @override
    async def write(self, item_id: str, wanted: WatchState, shown: WatchState) -> None:
        """Mark first, for a mark clears the position, then set the position with all that its route would reset (server-apis §4.3).

        The other way round, as others do it, a rewatch would lose its position. Without one the mark alone is enough (W3).
        What the item shows is read anew: the favourite flag, which must be sent along, is no part of `shown`.
        """
        user, times = await self._user(), self._times()
        item: wire.Item = await self._http.json("GET", f"/emby/Users/{user}/Items/{item_id}")
        with understood("an item"):
            now_shown = watch_state(item["UserData"], times)
        record = cleaned(wanted, seconds(item.get("RunTimeTicks")) or None, times.now)
        position = 0 if await self._mark(user, item_id, record, now_shown, times) else now_shown.position
        if position != record.position:
            body = _record(item["UserData"], record, times)
            await self._http.json("POST", f"/emby/Users/{user}/Items/{item_id}/UserData", body=body)
        if not alike(record.rating, shown.rating):
            await self._rate(user, item_id, record.rating)

    async def _rate(self, user: str, item_id: str, rating: float | None) -> None:
        """Put a thumb up or down, or take it away: Emby has no route for a number (server-apis §4.3)."""
        path = f"/emby/Users/{user}/Items/{item_id}/Rating"
        if rating is None:
            await self._http.json("DELETE", path)
        else:
            await self._http.json("POST", path, params={"Likes": str(rating >= LIKED_FROM).lower()})

    async def _mark(self, user: str, item_id: str, record: WatchState, shown: WatchState, times: Times) -> bool:
        """Mark the item played with its date, or unplayed, if it does not show that; return whether it did."""
        path = f"/emby/Users/{user}/PlayedItems/{item_id}"
        if record.played and not _tells(shown, record):
            dated = {"DatePlayed": f"{times.write(record.last_played):%Y%m%d%H%M%S}"} if record.last_played else {}
            await self._http.json("POST", path, params=dated)
            return True
        if not record.played and (shown.played or (record.last_played is None and shown.last_played is not None)):
            await self._http.json("DELETE", path)
            return True
        return False


def _tells(shown: WatchState, record: WatchState) -> bool:
    """Whether an item shows the view already; the date within the tolerance of the comparison."""
    if not shown.played or record.last_played is None:
        return shown.played
    return shown.last_played is not None and abs(shown.last_played - record.last_played) <= DATE_TOLERANCE


def _record(kept: wire.UserData, record: WatchState, times: Times) -> dict[str, Any]:
    """Make the body of UserData: what is left out takes its default, so Played and the favourite flag always stand in it (W7)."""
    body = {
        "Played": record.played,
        "PlaybackPositionTicks": record.position * TICKS,
        "PlayCount": record.play_count,
        "IsFavorite": kept.get("IsFavorite", False),
        **{name: kept[name] for name in ("Rating", "Likes") if kept.get(name) is not None},
    }
    return body | ({"LastPlayedDate": f"{times.write(record.last_played):%Y-%m-%dT%H:%M:%SZ}"} if record.last_played else {})
