"""The calls to a Plex Media Server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import batched
from types import MappingProxyType
from typing import Self

from aiohttp import ClientSession

from ...ports import AuthFailed, Forbidden, ItemNotFound, Library, NotAMediaServer, ServerIdentity, ServerUser, UnexpectedAnswer
from ...sync.model import MediaKind, Observation, WatchState
from ...sync.policy import Traits
from ..connection import Connection
from ..http import HttpClient
from . import wire
from .normalise import KINDS, MILLISECONDS, OWNER, SHARED, Times, external_ids, is_rating_key, libraries, observation, owner, server_identity, understood

PRODUCT = "plex_watchsync"
AGENT = "com.plexapp.plugins.library"
PAGE = 1000
MOST_IDS = 100
ROWS_PER_TURN = 250
MOVIES, SHOWS, EPISODES = "1", "2", "4"  # Plex's numbers of what can be listed
FOLDERS = frozenset({"show", "season"})
FILES = "Media"
UNREAD = "Genre,Country,Director,Writer,Role,Image,UltraBlurColors,Rating,Collection,Field"  # six of seven bytes of a row
NO_RATING = -1.0  # takes a rating back (server-apis §4.1)
ALMOST_WATCHED = 0.88  # from 90 % on a reported position makes a title watched (server-apis §4.1)


def headers(client_id: str, token: str | None) -> dict[str, str]:
    """Say who asks, as every request to a server or to plex.tv does; the client's id stays the same, or the list of devices fills up (server-apis §1.1)."""
    asking = {
        "Accept": "application/json",
        "X-Plex-Client-Identifier": client_id,
        "X-Plex-Product": PRODUCT,
        "X-Plex-Version": "1",
        "X-Plex-Platform": "Python",
        "X-Plex-Device": PRODUCT,
        "X-Plex-Device-Name": PRODUCT,
        "X-Plex-Pms-Api-Version": "1.0",
    }
    return asking | ({"X-Plex-Token": token} if token else {})


async def identify(http: HttpClient) -> ServerIdentity | None:
    """Ask who answers, None when it is no Plex; raises ServerUnavailable, ServerTooOld."""
    try:
        answer = await http.json("GET", "/identity")
    except AuthFailed, Forbidden, ItemNotFound, UnexpectedAnswer:
        return None
    return server_identity(answer)


class PlexServer:
    """A Plex server as one of its users sees it; implements `ports.WatchServer`."""

    traits = Traits(writes_date=False, unplayed_alone_counts=False)

    def __init__(self, http: HttpClient, user_id: str | None, *, files: bool = False, owner: HttpClient | None = None) -> None:
        """Speak with the token that `http` carries; `files`: read where they lie (I6); `owner` may know what plays where the user may not."""
        self._http, self._user_id = http, user_id
        self._may_know = [http, *([owner] if owner else [])]
        self._name = ""
        self._unread = UNREAD if files else f"{FILES},{UNREAD}"
        self._shows: dict[str, frozenset[str]] = {}
        self._runtimes: dict[str, int | None] = {}

    @classmethod
    def open(cls, session: ClientSession, connection: Connection, clock: Callable[[], datetime]) -> Self:
        """Make a server of a connection; sends nothing."""

        def speak(token: str) -> HttpClient:
            return HttpClient(session, connection.url, headers=headers(connection.device_id, token), verify_ssl=connection.verify_ssl, clock=clock)

        owner = connection.owner_token if connection.owner_token != connection.token else None
        return cls(speak(connection.token), connection.user_id, files=connection.files, owner=speak(owner) if owner else None)

    async def identity(self) -> ServerIdentity:
        """Ask the server who it is, and once its name, which it tells only those whose token is good; raises NotAMediaServer."""
        found = await identify(self._http)
        if found is None:
            message = "no Plex server answers"
            raise NotAMediaServer(message)
        if not self._name:
            try:
                root = await self._container("/")
            except AuthFailed, Forbidden:
                return found
            self._name = root.get("friendlyName") or found.name
        return replace(found, name=self._name)

    async def users(self) -> tuple[ServerUser, ...]:
        """Return whose token it is: the owner may list the accounts, others may not (server-apis §1.1)."""
        try:
            container = await self._container("/accounts")
        except AuthFailed, Forbidden:
            await self._container("/library/sections")  # a dead token fails here too
            return (SHARED,)
        with understood("the list of accounts"):
            return (owner(container),)

    async def libraries(self) -> tuple[Library, ...]:
        """List the libraries with films or shows that the user may see."""
        container = await self._container("/library/sections")
        with understood("the list of libraries"):
            return libraries(container)

    async def list_items(self, libraries: Collection[str]) -> AsyncIterator[tuple[Observation, ...]]:
        """Yield films and episodes page by page; shows first, for episodes have no ids of their show (server-apis §3.1)."""
        for library in await self._visible(libraries):
            shows = MediaKind.EPISODE in library.kinds
            if shows:
                async for rows in self._pages(library.library_id, SHOWS):
                    self._learn_shows(rows)
            async for rows in self._pages(library.library_id, EPISODES if shows else MOVIES):
                yield await self._observed(rows, library.library_id)

    async def list_recent(self, libraries: Collection[str], since: datetime) -> AsyncIterator[tuple[Observation, ...]]:
        """Yield what the user ever opened, which has a date, and what was added since (server-apis §3.1)."""
        added = f"{(since + self._http.skew).timestamp():.0f}"
        for library in await self._visible(libraries):
            shows = MediaKind.EPISODE in library.kinds
            number, scope = (EPISODES, "episode.") if shows else (MOVIES, "")
            for name, after in ((f"{scope}lastViewedAt>>", "1"), (f"{scope}addedAt>>", added)):
                async for rows in self._pages(library.library_id, number, {name: after}):
                    yield await self._observed(rows, library.library_id)

    @property
    def slow_pages(self) -> bool:
        """Plex optimises its database by itself."""
        return False

    async def _visible(self, libraries: Collection[str]) -> list[Library]:
        """Return these libraries; raises Forbidden when one of them is gone or hidden (R2)."""
        visible = await self.libraries()
        if hidden := frozenset(libraries) - {library.library_id for library in visible}:
            message = f"{len(hidden)} of the libraries cannot be seen"
            raise Forbidden(message)
        return [library for library in visible if library.library_id in libraries]

    async def read_items(self, item_ids: Collection[str]) -> tuple[Observation, ...]:
        """Read items anew by id; a show or season, which may be what was marked by hand, is read as its episodes."""
        wanted = frozenset(item_ids)
        with understood("the answer to a read by id"):
            named = [row for row in await self._by_ids(wanted) if row["ratingKey"] in wanted]
            rows = [row for row in named if row.get("type") in KINDS]
            for row in named:
                if row.get("type") in FOLDERS:
                    rows += await self._episodes(row["ratingKey"])
        homes: dict[str, list[wire.Row]] = {}
        for row in rows:
            homes.setdefault(str(row.get("librarySectionID", "")), []).append(row)
        return tuple([one for home, some in homes.items() for one in await self._observed(some, home)])

    async def playing(self) -> frozenset[str]:
        """Return what the user plays; only the owner may ask, whose id in sessions is 1; who was let in is asked first the next time."""
        for http in tuple(self._may_know):
            try:
                container = await self._container("/status/sessions", http)
            except AuthFailed, Forbidden:
                continue
            self._may_know.sort(key=lambda one: one is not http)
            with understood("the list of sessions"):
                return frozenset(row["ratingKey"] for row in container.get("Metadata", ()) if self._is_mine(row))
        return frozenset()

    async def write(self, item_id: str, wanted: WatchState, shown: WatchState) -> None:
        """Mark, and then set the position: marking clears it, and no route takes a date (server-apis §4.1)."""
        position = shown.position
        if wanted.played and (not shown.played or (position and not wanted.position)):
            await self._mark("scrobble", item_id)
            position = 0
        elif not wanted.played and (shown.played or (position and not wanted.position)):
            await self._mark("unscrobble", item_id)
            position = 0
        if wanted.position and wanted.position != position:
            await self._set_position(item_id, wanted)
        if wanted.rating != shown.rating:
            rating = NO_RATING if wanted.rating is None else wanted.rating
            await self._http.ask("PUT", "/:/rate", params={"identifier": AGENT, "key": item_id, "rating": f"{rating:g}"})

    async def _mark(self, how: str, item_id: str) -> None:
        await self._http.ask("PUT", f"/:/{how}", params={"identifier": AGENT, "key": item_id})

    async def _set_position(self, item_id: str, wanted: WatchState) -> None:
        """Report a stop at the position; Plex ignores it without the run time, which it may not know: the reading back will tell (M3)."""
        if item_id not in self._runtimes:
            await self.read_items([item_id])
        if not (runtime := self._runtimes.get(item_id)):
            return
        position = min(wanted.position, int(runtime * ALMOST_WATCHED))
        params = {
            "ratingKey": item_id,
            "key": f"/library/metadata/{item_id}",
            "identifier": AGENT,
            "state": "stopped",
            "time": str(position * MILLISECONDS),
            "duration": str(runtime * MILLISECONDS),
        }
        await self._http.ask("POST", "/:/timeline", params=params)

    def _is_mine(self, row: wire.Row) -> bool:
        return str(row.get("User", {}).get("id")) == (self._user_id or OWNER.user_id)

    async def _container(self, path: str, http: HttpClient | None = None, /, **params: str) -> wire.Container:
        answer = await (http or self._http).json("GET", path, params=params)
        with understood("the answer"):
            container: wire.Container = answer["MediaContainer"]
            return container

    async def _pages(self, library: str, number: str, filters: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[list[wire.Row]]:
        """Yield the pages of a listing whose total stays the same, each row once; else raise UnexpectedAnswer (R2)."""
        seen: set[str] = set()
        total: int | None = None
        while total is None or len(seen) < total:
            page = {"X-Plex-Container-Start": str(len(seen)), "X-Plex-Container-Size": str(PAGE)}
            query = {"type": number, "includeGuids": "1", "excludeElements": self._unread, "sort": "addedAt:asc", **filters, **page}
            container = await self._container(f"/library/sections/{library}/all", **query)
            with understood("a page of the listing"):
                rows = container.get("Metadata", [])
                ids, told = {row["ratingKey"] for row in rows}, int(container["totalSize"])
            total = told if total is None else total
            fits = total == told and len(seen) + len(ids) <= total and not ids & seen and len(ids) == len(rows)
            if not fits or (not ids and len(seen) < total):
                message = f"R2 the listing does not add up: {len(seen)} rows so far, {len(rows)} more, {told} in all"
                raise UnexpectedAnswer(message)
            seen |= ids
            yield rows

    async def _by_ids(self, item_ids: Iterable[str]) -> list[wire.Row]:
        """Read rows of any type; what is no rating key is unknown, and never becomes a part of an address."""
        known = sorted(item_id for item_id in item_ids if is_rating_key(item_id))
        return [row for some in batched(known, MOST_IDS, strict=False) for row in await self._together(some)]

    async def _together(self, item_ids: tuple[str, ...]) -> list[wire.Row]:
        """Read some rows at once, those of a refused group apart: whether one missing item makes a 404 of all is documented nowhere."""
        try:
            container = await self._container(f"/library/metadata/{','.join(item_ids)}", includeGuids="1", excludeElements=self._unread)
        except ItemNotFound:
            half = len(item_ids) // 2
            return [*await self._together(item_ids[:half]), *await self._together(item_ids[half:])] if half else []
        return _at_home(container)

    async def _episodes(self, folder: str) -> list[wire.Row]:
        container = await self._container(f"/library/metadata/{folder}/allLeaves", includeGuids="1", excludeElements=self._unread)
        return _at_home(container)

    async def _observed(self, rows: list[wire.Row], home: str) -> tuple[Observation, ...]:
        await self._read_missing_shows(rows)
        times = Times(self._http.skew)
        found: list[Observation] = []
        for some in batched(rows, ROWS_PER_TURN, strict=False):
            with understood("a row of the listing"):
                found += [observation(row, home, self._shows, times) for row in some]
            await asyncio.sleep(0)
        self._runtimes.update((one.item_id, one.runtime) for one in found)
        return tuple(found)

    async def _read_missing_shows(self, rows: Iterable[wire.Row]) -> None:
        shows = {show for row in rows if (show := row.get("grandparentRatingKey"))}
        if missing := shows - self._shows.keys():
            self._learn_shows(await self._by_ids(missing))
            self._shows.update(dict.fromkeys(missing - self._shows.keys(), frozenset[str]()))

    def _learn_shows(self, rows: Iterable[wire.Row]) -> None:
        with understood("a row of a show"):
            self._shows.update((row["ratingKey"], external_ids(row)) for row in rows)


def _at_home(container: wire.Container) -> list[wire.Row]:
    """Return the rows with their library, which may stand once for all of them."""
    home = container.get("librarySectionID")
    return [row if home is None or "librarySectionID" in row else {**row, "librarySectionID": home} for row in container.get("Metadata", ())]
