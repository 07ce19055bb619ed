"""The calls that Jellyfin and Emby share; what differs is in `jellyfin` and `emby`."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from datetime import datetime
from itertools import batched
from typing import ClassVar, Self
from urllib.parse import quote

from aiohttp import ClientSession

from ...ports import (
    AuthFailed,
    Forbidden,
    ItemNotFound,
    Library,
    NotAMediaServer,
    OtherServerKind,
    RateLimited,
    ServerIdentity,
    ServerKind,
    ServerUnavailable,
    ServerUser,
    UnexpectedAnswer,
)
from ...sync.model import MediaKind, Observation, WatchState
from ...sync.policy import Traits
from ..connection import Connection
from ..http import HttpClient
from . import wire
from .frames import is_present
from .normalise import (
    KINDS,
    Times,
    compact_id,
    external_ids,
    is_watchable,
    observation,
    server_identity,
    server_user,
    understood,
    watchable_libraries,
)

CLIENT = "plex_watchsync"

_IDS_PER_READ = 200
"""Jellyfin refuses a request line over 8 kB: 240 ids pass, 250 do not (pitfall 44)."""

_ROWS_PER_TURN = 250
"""Rows that are read before others get their turn on the event loop."""

_SLOW_PAGE_SECONDS = 20
_LARGEST_PAGE = 5000
_SMALLEST_PAGE = 250
_NEWEST = 100


def headers(kind: ServerKind, device_id: str, token: str | None = None) -> dict[str, str]:
    """Say who asks; the server ends a session when another log-in comes under its device id (pitfalls 39, 43)."""
    fields = {"Client": CLIENT, "Device": CLIENT, "DeviceId": device_id, "Version": "1"} | ({"Token": token} if token else {})
    scheme = "MediaBrowser " + ", ".join(f'{name}="{quote(value, safe="")}"' for name, value in fields.items())
    if kind is ServerKind.JELLYFIN:  # every other header is off by default from 12.0 on (server-apis §1.2)
        return {"Authorization": scheme}
    return {"X-Emby-Authorization": scheme} | ({"X-Emby-Token": token} if token else {})


async def identify(http: HttpClient) -> ServerIdentity | None:
    """Ask who answers, None when it is no Jellyfin and no Emby.

    Raises ServerUnavailable (also while it starts, pitfall 40) and ServerTooOld.
    """
    try:
        info: wire.PublicInfo = await http.json("GET", "/System/Info/Public")
    except AuthFailed, Forbidden, ItemNotFound, UnexpectedAnswer:
        return None
    return server_identity(info) if isinstance(info, dict) else None


async def log_in(http: HttpClient, kind: ServerKind, username: str, password: str) -> tuple[str, ServerUser]:
    """Exchange a password for a token of this device; raises AuthFailed, and Forbidden for a user who was switched off."""
    prefix = "/emby" if kind is ServerKind.EMBY else ""
    answer: wire.Authentication = await http.json("POST", f"{prefix}/Users/AuthenticateByName", body={"Username": username, "Pw": password})
    with understood("the answer to the log-in"):
        return answer["AccessToken"], server_user(answer["User"])


class MediaBrowserServer(ABC):
    """A Jellyfin or Emby server as one of its users sees it; implements `ports.WatchServer`."""

    kind: ClassVar[ServerKind]
    traits: ClassVar[Traits]
    prefix: ClassVar[str] = ""
    page_size: int

    def __init__(self, http: HttpClient, connection: Connection, clock: Callable[[], datetime]) -> None:
        """Speak with the token that `http` carries, for the user of the connection."""
        self._http = http
        self._clock = clock
        self._device_id = connection.device_id
        self._user_id = connection.user_id
        self._files = connection.files
        self._shows: dict[str, frozenset[str]] = {}
        self._homes: dict[str, str] = {}
        self._runtimes: dict[str, int | None] = {}
        self._largest_page = _LARGEST_PAGE
        self._page_before_failures = 0
        self._is_quick = True
        self.slow_pages = False

    @classmethod
    def open(cls, session: ClientSession, connection: Connection, clock: Callable[[], datetime]) -> Self:
        """Make a server of a connection; sends nothing."""
        sent = headers(cls.kind, connection.device_id, connection.token)
        http = HttpClient(session, connection.url, headers=sent, verify_ssl=connection.verify_ssl, clock=clock)
        return cls(http, connection, clock)

    @abstractmethod
    async def users(self) -> tuple[ServerUser, ...]:
        """List the users that the credentials may act for."""

    @abstractmethod
    async def write(self, item_id: str, wanted: WatchState, shown: WatchState) -> None:
        """Make an item show the wanted state."""

    @abstractmethod
    async def _own_user(self) -> str:
        """Return the id of the user whose token it is."""

    @abstractmethod
    async def _views(self, user: str) -> list[wire.Item]:
        """Return the user's libraries."""

    @abstractmethod
    async def _items(self, user: str, query: Mapping[str, str]) -> wire.Page:
        """Ask for items that meet the query, its names as Jellyfin writes them."""

    async def identity(self) -> ServerIdentity:
        """Ask the server who it is; raises NotAMediaServer, OtherServerKind."""
        found = await identify(self._http)
        if found is None:
            message = "neither Jellyfin nor Emby answers"
            raise NotAMediaServer(message)
        if found.kind is not self.kind:
            message = f"{found.kind} answers, not {self.kind}"
            raise OtherServerKind(message, found.kind)
        return found

    async def libraries(self) -> tuple[Library, ...]:
        """List the libraries with films or shows that the user may see."""
        views = await self._views(await self._user())
        with understood("the list of libraries"):
            return watchable_libraries(views)

    async def list_items(self, libraries: Collection[str]) -> AsyncIterator[tuple[Observation, ...]]:
        """Yield the films and the episodes of these libraries page by page, films and episodes apart (server-apis §3.2).

        Raises Forbidden for a library that is gone or hidden: Jellyfin's own answer, 401, would look like a dead token.
        """
        user = await self._user()
        taken: set[str] = set()  # one folder can be part of two libraries
        self._is_quick = True
        for library in await self._visible(libraries):
            if MediaKind.EPISODE in library.kinds:
                await self._list_shows(user, library.library_id)
            for item_type, kind in KINDS.items():
                if kind not in library.kinds:
                    continue
                async for rows in self._pages(user, {"parentId": library.library_id, "includeItemTypes": item_type}):
                    new = [row for row in rows if row["Id"] not in taken]
                    taken.update(row["Id"] for row in new)
                    yield await self._observed(user, new, library.library_id)
        self._recover()

    async def list_recent(self, libraries: Collection[str], since: datetime) -> AsyncIterator[tuple[Observation, ...]]:
        """Yield what is played and what is begun, what was added since, and what else a kind of server tells of (server-apis §3.2, §3.3)."""
        user = await self._user()
        for library in await self._visible(libraries):
            for item_type, kind in KINDS.items():
                if kind not in library.kinds:
                    continue
                place = {"parentId": library.library_id, "includeItemTypes": item_type}
                for query in self._recent(self._times().write(since)):
                    async for rows in self._pages(user, {**place, **query}):
                        yield await self._observed(user, rows, library.library_id)
                async for rows in self._newest(user, place, since):
                    yield await self._observed(user, rows, library.library_id)

    def _recent(self, _since: datetime) -> tuple[Mapping[str, str], ...]:
        """Return the queries for what may have changed; `_since` is by the server's clock."""
        return ({"filters": "IsPlayed"}, {"filters": "IsResumable"})

    async def _newest(self, user: str, place: Mapping[str, str], since: datetime) -> AsyncIterator[list[wire.Item]]:
        """Yield what was added since then, newest first: no filter by time is the same on all versions."""
        start, times = 0, self._times()
        while True:
            query = {**place, "sortBy": "DateCreated,SortName", "sortOrder": "Descending", "startIndex": str(start), "limit": str(_NEWEST)}
            async with self._http.listing:
                page = await self._items(user, query)
            with understood("a page of the listing"):
                rows = page["Items"]
                new = [row for row in rows if (times.read(row.get("DateCreated")) or since) >= since]
            yield new
            if len(new) < _NEWEST:
                return
            start += len(rows)

    async def _visible(self, libraries: Collection[str]) -> list[Library]:
        visible = await self.libraries()
        if hidden := frozenset(libraries) - {library.library_id for library in visible}:
            message = f"{len(hidden)} of the libraries cannot be seen"
            raise Forbidden(message)
        return [library for library in visible if library.library_id in libraries]

    async def read_items(self, item_ids: Collection[str]) -> tuple[Observation, ...]:
        """Read items anew by the listing's route: single reads can be stale (W7, pitfall 38); what was not asked for is dropped (I7)."""
        user = await self._user()
        asked = {compact_id(item_id) for item_id in item_ids}
        rows = await self._by_ids(user, asked)
        with understood("the answer to a read by id"):
            rows = [row for row in rows if row["Id"] in asked and is_watchable(row)]
        homes: dict[str, list[wire.Item]] = {}
        for row in rows:
            if home := await self._home(user, row["Id"]):
                homes.setdefault(home, []).append(row)
        return tuple([one for home, some in homes.items() for one in await self._observed(user, some, home)])

    async def playing(self) -> frozenset[str]:
        """Return the ids of the items that the user plays, alone or along with others."""
        user = await self._user()
        try:
            sessions: list[wire.Session] = await self._http.json("GET", f"{self.prefix}/Sessions")
        except Forbidden:
            return frozenset()
        with understood("the list of sessions"):
            return frozenset(
                item["Id"] for session in sessions if is_present(session, user, self._device_id) and (item := session.get("NowPlayingItem")) is not None
            )

    def _with_files(self, listing: Mapping[str, str], fields: str) -> Mapping[str, str]:
        """Ask for the paths of files too, where titles may be matched by them (I6)."""
        return {**listing, fields: f"{listing[fields]},Path"} if self._files else listing

    async def _user(self) -> str:
        if self._user_id is None:
            self._user_id = await self._own_user()
        return self._user_id

    def _times(self) -> Times:
        return Times(self._clock(), self._http.skew)

    async def _pages(self, user: str, query: Mapping[str, str]) -> AsyncIterator[list[wire.Item]]:
        """Yield the pages of a listing whose total stays the same, each row once; else raise UnexpectedAnswer (R2, pitfalls 41, 52)."""
        seen: set[str] = set()
        total: int | None = None
        while total is None or len(seen) < total:
            page = await self._page(user, query, len(seen))
            with understood("a page of the listing"):
                ids = {row["Id"] for row in page["Items"]}
                told = page["TotalRecordCount"]
            total = told if total is None else total
            fits = total == told and len(seen) + len(ids) <= total and not ids & seen and len(ids) == len(page["Items"])
            if not fits or (not ids and len(seen) < total):
                message = f"R2 the listing does not add up: {len(seen)} rows so far, {len(page['Items'])} more, {told} in all"
                raise UnexpectedAnswer(message)
            seen |= ids
            yield page["Items"]

    async def _page(self, user: str, query: Mapping[str, str], start: int) -> wire.Page:
        """Read one page, for one account at a time; of a server whose every page is slow the next is larger (pitfall 50), after a failure smaller."""
        async with self._http.listing:
            began = self._clock()
            try:
                page = await self._items(user, {**query, "startIndex": str(start), "limit": str(self.page_size)})
            except RateLimited:
                raise
            except ServerUnavailable:
                self._page_before_failures = max(self._page_before_failures, self.page_size)
                self.page_size = self._largest_page = max(self.page_size // 2, _SMALLEST_PAGE)
                raise
            seconds = (self._clock() - began).total_seconds()
        if seconds > _SLOW_PAGE_SECONDS:
            self._is_quick, self.slow_pages = False, True
            self.page_size = max(self.page_size, min(2 * self.page_size, self._largest_page))
        return page

    def _recover(self) -> None:
        """Note that libraries were read to the end; if quickly, ask for larger pages again, up to what they were before they failed."""
        if self._is_quick:
            self.slow_pages, self._largest_page = False, _LARGEST_PAGE
            self.page_size = max(self.page_size, min(2 * self.page_size, self._page_before_failures))

    async def _by_ids(self, user: str, ids: Iterable[str], **query: str) -> list[wire.Item]:
        rows: list[wire.Item] = []
        for some in batched(sorted(ids), _IDS_PER_READ, strict=False):
            page = await self._items(user, {"ids": ",".join(some), **query})
            with understood("the answer to a read by id"):
                rows += page["Items"]
        return rows

    async def _observed(self, user: str, rows: list[wire.Item], home: str) -> tuple[Observation, ...]:
        await self._read_missing_shows(user, rows)
        times = self._times()
        found: list[Observation] = []
        for some in batched(rows, _ROWS_PER_TURN, strict=False):
            with understood("a row of the listing"):
                found += [observation(row, home, self._shows, times) for row in some if is_watchable(row)]
            await asyncio.sleep(0)
        self._homes.update((one.item_id, home) for one in found)
        self._runtimes.update((one.item_id, one.runtime) for one in found)
        return tuple(found)

    async def _list_shows(self, user: str, library: str) -> None:
        """Learn the ids of a library's shows, without user data: counting unplayed episodes is the slow part (server-apis §3.2)."""
        query = {"parentId": library, "includeItemTypes": "Series", "enableUserData": "false"}
        async for rows in self._pages(user, query):
            self._learn_shows(rows)

    async def _read_missing_shows(self, user: str, rows: Iterable[wire.Item]) -> None:
        with understood("a row of the listing"):
            shows = {show for row in rows if (show := row.get("SeriesId"))}
        if missing := shows - self._shows.keys():
            self._learn_shows(await self._by_ids(user, missing, enableUserData="false"))
            self._shows.update(dict.fromkeys(missing - self._shows.keys(), frozenset[str]()))

    def _learn_shows(self, rows: Iterable[wire.Item]) -> None:
        with understood("a row of a show"):
            self._shows.update((row["Id"], external_ids(row)) for row in rows)

    async def _home(self, user: str, item_id: str) -> str | None:
        """Return the library of an item, asking for the folders above one that no listing had (I8); None when it is in none."""
        if item_id not in self._homes:
            try:
                above: list[wire.Item] = await self._http.json("GET", f"{self.prefix}/Items/{item_id}/Ancestors", params={"userId": user})
            except ItemNotFound:
                return None
            with understood("the folders above an item"):
                folders = [folder["Id"] for folder in above if folder["Type"] == "CollectionFolder"]
            if not folders:
                return None
            self._homes[item_id] = folders[0]
        return self._homes[item_id]
