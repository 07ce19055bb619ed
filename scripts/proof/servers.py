"""Model servers with every habit of a kind that a watch state meets: what people and tools do there, and what a write leaves."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import override

from custom_components.plex_watchsync.ports import ServerKind, ServerUnavailable
from custom_components.plex_watchsync.sync.model import Observation, WatchState
from custom_components.plex_watchsync.sync.reconcile import DATE_TOLERANCE
from tests.engine.fakes import ModelServer

STEPS_OF_SECONDS = {ServerKind.PLEX: 1, ServerKind.JELLYFIN: 1, ServerKind.EMBY: 5}
PLEX_FLOOR = 60


@dataclass(slots=True)
class HabitServer(ModelServer):
    """A server whose records change as the clients' requests and people's players change them (server-apis §4).

    `refuses`: refuse the next write; `asked`: it was asked for something, whether it answered or not; `tried`: somebody wanted to write; `listed`: what it
    was last seen to have; `unanswered`: what was written and not answered.
    """

    refuses: bool = False
    asked: bool = False
    tried: bool = False
    listed: set[str] = field(default_factory=set)
    unanswered: dict[str, WatchState] = field(default_factory=dict)

    @override
    async def list_items(self, libraries: Collection[str]) -> AsyncIterator[tuple[Observation, ...]]:
        async for page in super().list_items(libraries):
            self.listed |= {observation.item_id for observation in page}
            yield page

    @override
    async def list_recent(self, libraries: Collection[str], since: datetime) -> AsyncIterator[tuple[Observation, ...]]:
        async for page in super().list_recent(libraries, since):
            self.listed |= {observation.item_id for observation in page}
            yield page

    @override
    def _answer(self) -> None:
        self.asked = True
        super()._answer()

    @override
    async def write(self, item_id: str, wanted: WatchState, shown: WatchState) -> None:
        self.tried = True
        if self.refuses:
            self.refuses = False
            raise ServerUnavailable("disk full")
        if self.lost_answers and self.error is None:
            self.unanswered[item_id] = wanted
        await super().write(item_id, wanted, shown)

    @override
    def watch(self, item_id: str) -> None:
        known = self.records[item_id]
        self.records[item_id] = WatchState(played=True, position=0, play_count=known.play_count + 1, last_played=self.clock())

    @override
    def stop_at(self, item_id: str, position: int) -> None:
        """Stop half-way; a player that opens a watched title on Jellyfin 10.11 takes its flag away (pitfalls 4, 37)."""
        known = self.records[item_id]
        plex = self.kind is ServerKind.PLEX
        played = known.played and self.kind is not ServerKind.JELLYFIN
        kept = self._rounded(position)
        self.records[item_id] = WatchState(played, kept, known.play_count + (not plex), self.clock())

    def open(self, item_id: str) -> None:
        """Start it by mistake and stop at once: no position, but a date, and on all but Plex a higher count (server-apis §4.2)."""
        self.stop_at(item_id, 0)

    def drop_flag(self, item_id: str) -> None:
        """Let a tool take the flag alone: on Jellyfin its deliberate unwatch, on Emby half a write (R5)."""
        self.records[item_id] = replace(self.records[item_id], played=False)

    @override
    def _kept(self, wanted: WatchState, shown: WatchState) -> WatchState:
        if self.kind is ServerKind.PLEX:
            return self._plex(wanted, shown)
        if self.kind is ServerKind.EMBY:
            return self._emby(wanted, shown)
        return replace(wanted, position=self._rounded(wanted.position))

    def _plex(self, wanted: WatchState, shown: WatchState) -> WatchState:
        """Scrobble, unscrobble, timeline: the date is always now."""
        state = shown
        if wanted.played and (not shown.played or (shown.position and not wanted.position)):
            state = WatchState(played=True, position=0, play_count=shown.play_count + 1, last_played=self.clock())
        elif not wanted.played and (shown.played or (shown.position and not wanted.position)):
            state = WatchState()
        if wanted.position and wanted.position != state.position:
            state = replace(state, position=self._rounded(wanted.position), last_played=self.clock())
        return state

    def _emby(self, wanted: WatchState, shown: WatchState) -> WatchState:
        """Mark, then UserData: a mark clears the position and counts, a record without a date keeps the old one (server-apis §4.3)."""
        state = shown
        date = wanted.last_played and wanted.last_played.replace(microsecond=0)
        dated = date is None or (shown.last_played is not None and abs(shown.last_played - date) <= DATE_TOLERANCE)
        if wanted.played and not (shown.played and dated):
            state = WatchState(
                played=True, position=0, play_count=max(1, shown.play_count + (date is not None)), last_played=date or shown.last_played or self.clock()
            )
        elif not wanted.played and (shown.played or (date is None and shown.last_played is not None)):
            state = WatchState()
        if wanted.position != state.position:
            state = WatchState(wanted.played, self._rounded(wanted.position), wanted.play_count, date or state.last_played)
        return state

    def _rounded(self, position: int) -> int:
        floor = PLEX_FLOOR if self.kind is ServerKind.PLEX else 0
        return 0 if position < floor else position - position % STEPS_OF_SECONDS[self.kind]
