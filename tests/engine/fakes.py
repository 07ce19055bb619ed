"""Ports without a network: documents in memory, and model servers with the habits of real ones."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import override

from custom_components.plex_watchsync.ports import (
    Documents,
    ItemNotFound,
    Library,
    ServerError,
    ServerIdentity,
    ServerKind,
    ServerUnavailable,
    ServerUser,
    StoreError,
    WatchServer,
)
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Observation, Part, WatchState
from custom_components.plex_watchsync.sync.policy import Traits

START = datetime(2026, 1, 1, tzinfo=UTC)
LIBRARY = "films"
RUNTIME = 6000


@dataclass(slots=True)
class Clock:
    """A clock that only tests move."""

    now: datetime = START

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def pass_by(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)


@dataclass(slots=True)
class MemoryDocuments(Documents):
    """Documents that go through JSON, as on disk; `broken` ones cannot be read, those in `failing` cannot be written."""

    content: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    failing: dict[str, type[BaseException]] = field(default_factory=dict)
    saves: list[str] = field(default_factory=list)

    @override
    async def load(self, name: str) -> object | None:
        if name in self.broken:
            raise StoreError(name)
        found: object | None = json.loads(self.content[name]) if name in self.content else None
        return found

    @override
    async def save(self, name: str, content: object) -> None:
        self.saves.append(name)
        if name in self.failing:
            raise self.failing[name](name)
        self.content[name] = json.dumps(content)

    @override
    async def remove(self, name: str) -> None:
        self.content.pop(name, None)


@dataclass(slots=True)
class ModelServer(WatchServer):
    """A server that does with a watch state what its kind does.

    `floor`: positions below so many seconds are kept as 0; `step`: positions are rounded to so many seconds. `error` answers everything,
    `write_error` the next writes, `refused` are the titles whose writes fail, `deaf` takes writes and ignores them, `lost_answers` counts writes that will be taken and
    never answered, whereupon the server is gone, `cut` breaks a listing off after the first page, `fail_reads` lets only listings
    through, `gate` holds a listing up before its second page until it is set. `server_id` is its kind until it is another server.
    """

    kind: ServerKind
    clock: Clock
    floor: int = 0
    step: int = 1
    records: dict[str, WatchState] = field(default_factory=dict)
    parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    plays: set[str] = field(default_factory=set)
    error: ServerError | None = None
    write_error: ServerError | None = None
    refused: set[str] = field(default_factory=set)
    lost_answers: int = 0
    deaf: bool = False
    cut: bool = False
    fail_reads: bool = False
    writes: list[tuple[str, WatchState]] = field(default_factory=list)
    reads: list[tuple[str, ...]] = field(default_factory=list)
    listings: list[str] = field(default_factory=list)
    added: dict[str, datetime] = field(default_factory=dict)
    ignores_filters: bool = False
    hides: bool = False
    gate: asyncio.Event | None = None
    server_id: str = ""

    def stock(self, item_id: str, *keys: str, state: WatchState | None = None) -> None:
        """Put a film on the shelf; without keys it is `movie/imdb/<item id>`."""
        self.parts[item_id] = (Part(Media(MediaKind.MOVIE, item_id), frozenset(keys or {f"movie/imdb/{item_id}"})),)
        self.records[item_id] = state or WatchState()
        self.added[item_id] = self.clock()

    @property
    @override
    def traits(self) -> Traits:
        return Traits(writes_date=self.kind is not ServerKind.PLEX, unplayed_alone_counts=self.kind is ServerKind.JELLYFIN, thumbs=self.kind is ServerKind.EMBY)

    @override
    async def identity(self) -> ServerIdentity:
        self._answer()
        return ServerIdentity(self.kind, self.server_id or self.kind.value, self.kind.value, "1")

    @override
    async def users(self) -> tuple[ServerUser, ...]:
        return (ServerUser("1", "anna"),)

    @override
    async def libraries(self) -> tuple[Library, ...]:
        return (Library(LIBRARY, "Films", frozenset(MediaKind)),)

    @override
    async def list_items(self, libraries: Collection[str]) -> AsyncIterator[tuple[Observation, ...]]:
        self._answer()
        self.listings.append("whole")
        for item_id in list(self.records) if LIBRARY in libraries else ():
            yield (self._observation(item_id),)
            if self.gate is not None:
                await self.gate.wait()
            if self.cut:
                raise ServerUnavailable("the listing broke off")

    @property
    @override
    def slow_pages(self) -> bool:
        return False

    @override
    async def list_recent(self, libraries: Collection[str], since: datetime) -> AsyncIterator[tuple[Observation, ...]]:
        """Know when each title came, and send what was watched or begun."""
        self._answer()
        self.listings.append("recent")
        for item_id, record in list(self.records.items()) if LIBRARY in libraries else ():
            if self.ignores_filters or (not self.hides and (record.played or record.position or self.added.get(item_id, START) >= since)):
                yield (self._observation(item_id),)
                if self.cut:
                    raise ServerUnavailable("the listing broke off")

    @override
    async def read_items(self, item_ids: Collection[str]) -> tuple[Observation, ...]:
        self._answer()
        if self.fail_reads:
            raise ServerUnavailable("single reads fail")
        self.reads.append(tuple(item_ids))
        return tuple(self._observation(item_id) for item_id in item_ids if item_id in self.records)

    @override
    async def write(self, item_id: str, wanted: WatchState, shown: WatchState) -> None:
        self._answer()
        if self.write_error is not None:
            raise self.write_error
        if item_id in self.refused:
            raise ServerUnavailable(f"no {item_id}")
        if item_id not in self.records:
            raise ItemNotFound(item_id)
        self.writes.append((item_id, wanted))
        if not self.deaf:
            self.records[item_id] = self._kept(wanted, shown)
        if self.lost_answers:
            self.lost_answers -= 1
            self.error = ServerUnavailable("the connection broke")
            raise self.error

    @override
    async def playing(self) -> frozenset[str]:
        self._answer()
        return frozenset(self.plays)

    def _answer(self) -> None:
        if self.error is not None:
            raise self.error

    def _observation(self, item_id: str) -> Observation:
        return Observation(item_id, LIBRARY, self.parts[item_id], self.records[item_id], RUNTIME)

    def _kept(self, wanted: WatchState, shown: WatchState) -> WatchState:
        """Return what the server makes of a write: Plex dates it itself and counts one view more, all round and floor."""
        position = 0 if wanted.position < self.floor else wanted.position - wanted.position % self.step
        if self.kind is ServerKind.PLEX:
            touched = wanted.played or position
            count = shown.play_count + (not shown.played or bool(shown.position and not position)) if wanted.played else 0
            return WatchState(wanted.played, position, count, self.clock() if touched else None, wanted.rating)
        return replace(wanted, position=position)

    # What people do at this server.

    def watch(self, item_id: str) -> None:
        """Watch to the end."""
        known = self.records[item_id]
        self.records[item_id] = WatchState(True, 0, known.play_count + 1, self.clock(), known.rating)

    def unwatch(self, item_id: str) -> None:
        """Mark as unwatched."""
        self.records[item_id] = WatchState(rating=self.records[item_id].rating)

    def rate(self, item_id: str, rating: float | None) -> None:
        """Rate, or take the rating back."""
        self.records[item_id] = replace(self.records[item_id], rating=rating)

    def stop_at(self, item_id: str, position: int) -> None:
        """Stop half-way."""
        self.records[item_id] = replace(self.records[item_id], position=position, last_played=self.clock())
