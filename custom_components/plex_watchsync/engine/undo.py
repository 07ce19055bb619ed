"""Undo what a run, or one change of it, did: a new act that says what was so before, dated now (G5)."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from ..sync.guard import Trip
from ..sync.item import Item
from ..sync.merge import Claims, Rating, Spot, View
from ..sync.model import WatchState
from .acts import adopt, held_back
from .cycle import Cycle
from .journal import Note
from .pace import paced


@dataclass(slots=True)
class Undoing:
    """Undoes journalled changes, newest first; only what still is as they left it, the rest is `left` with the reason why.

    Of what would be unwatched, if it is more than a person's, `held` titles stay as they are until somebody approves it (G2).
    """

    notes: Sequence[Note]
    undone: int = 0
    held: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)

    async def __call__(self, cycle: Cycle) -> frozenset[str]:
        """Agree on what was so before; no account was read for it."""
        by_item: dict[str, list[Note]] = {}
        for note in self.notes:
            by_item.setdefault(note.item_id, []).append(note)
        changes = list(by_item.values())
        held = await held_back(cycle, self._wanted(cycle, changes), Trip.UNDO)
        self.held = len(held)
        async for notes in paced(changes):
            item, newest, oldest = cycle.baseline.get(notes[0].item_id), notes[0], notes[-1]
            if reason := self._reason_to_leave(cycle, item, newest, oldest):
                self.left.append((newest.item, reason))
            elif item is not None and item.item_id not in held:
                adopt(cycle, item, _before(item, oldest, cycle), f"undo of {', '.join(note.change_id for note in notes)}")
                self.undone += 1
        return frozenset()

    async def _wanted(self, cycle: Cycle, changes: Sequence[Sequence[Note]]) -> AsyncIterator[tuple[Item, Claims]]:
        async for notes in paced(changes):
            item = cycle.baseline.get(notes[0].item_id)
            if item is not None and not self._reason_to_leave(cycle, item, notes[0], notes[-1]):
                yield item, _before(item, notes[-1], cycle)

    def _reason_to_leave(self, cycle: Cycle, item: Item | None, newest: Note, oldest: Note) -> str:
        if item is None or item.claims.state != newest.after or newest.dates not in {(), item.claims.dates}:  # or said again: the last act wins (M5)
            return "it was changed since"
        if cycle.baseline.is_left_alone(item):
            return "it is left alone"
        if "first" in oldest.more:  # to undo it would take the record away from whoever had it first
            return "it was so before it was known here"
        return ""


def _before(item: Item, oldest: Note, cycle: Cycle) -> Claims:
    """Return claims that amount to what was so before a change, as far as it differs, from now on."""
    claims, old, state, now = item.claims, item.claims.state, oldest.before or WatchState(), cycle.clock()
    view = (state.played, state.last_played, state.play_count) if state.played else (False, None, 0)
    known = (old.played, old.last_played, old.play_count) if old.played else (False, None, 0)
    if view != known:
        claims = replace(claims, view=View(now, *view))
    if state.position != old.position:
        claims = replace(claims, spot=Spot(now, state.position))
    return replace(claims, rating=Rating(now, state.rating)) if state.rating != old.rating else claims
