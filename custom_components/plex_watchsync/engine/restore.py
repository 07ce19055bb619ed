"""Agree on what a backup says: it is one more voice, that wins where it is newer, or everywhere when it is told to."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..sync.baseline import Baseline
from ..sync.guard import Trip
from ..sync.item import Item
from ..sync.match import recall
from ..sync.merge import Claims, merge
from ..sync.portable import Entry
from .acts import adopt, held_back
from .cycle import Cycle
from .pace import paced


@dataclass(slots=True)
class Restore:
    """Restores titles; `overwrite`: as if the viewer said all of it anew at `at`. What no server has is kept until one has it (R4).

    Counts: `restored` titles are agreed on anew, of `older` ones something newer is agreed on, `left_alone` are ambiguous or ignored (I3, I8), `held`
    ones stay as they are until somebody approves that the backup makes so many unwatched (G2).
    """

    entries: Sequence[Entry]
    at: datetime
    overwrite: bool = False
    restored: int = 0
    unchanged: int = 0
    older: int = 0
    left_alone: int = 0
    held: int = 0

    async def __call__(self, cycle: Cycle) -> frozenset[str]:
        """Agree on it; no account was read for it."""
        held = await held_back(cycle, ((item, self._claims(item, saved)) async for item, saved in self._said(cycle)), Trip.RESTORE)
        self.held = len(held)
        async for item, saved in self._said(cycle):
            if item.item_id not in held:
                self._restore(cycle, item, saved)
        return frozenset()

    async def _said(self, cycle: Cycle) -> AsyncIterator[tuple[Item, Claims]]:
        """Tell what was saved of each title here; a date that is yet to come is now, as it would win over every act until then (R7, M5)."""
        async for entry in paced(self.entries):
            for item in recall(cycle.baseline, entry.keys, entry.media):
                yield item, _until(self.at, entry.claims)

    def _restore(self, cycle: Cycle, item: Item, saved: Claims) -> None:
        claims = self._claims(item, saved)
        if cycle.baseline.is_left_alone(item):
            self.left_alone += 1
        elif claims != item.claims:
            self.restored += 1
            adopt(cycle, item, claims, "restored from a backup", new=False)
        elif saved.state == item.claims.state:
            self.unchanged += 1
        else:
            self.older += 1

    def _claims(self, item: Item, saved: Claims) -> Claims:
        """Join what was saved with what is agreed (M1); what is told to win is dated now, unless nothing would change."""
        if not self.overwrite:
            return merge(item.claims, saved)
        if saved.state == item.claims.state and item.claims.view:
            return item.claims
        view, spot, rating = saved.view or item.claims.view, saved.spot or item.claims.spot, saved.rating or item.claims.rating
        return Claims(view and replace(view, at=self.at), spot and replace(spot, at=self.at), rating and replace(rating, at=self.at))


def _until(now: datetime, said: Claims) -> Claims:
    view, spot, rating = said.view, said.spot, said.rating
    return Claims(
        view and replace(view, at=min(view.at, now), last_played=view.last_played and min(view.last_played, now)),
        spot and replace(spot, at=min(spot.at, now)),
        rating and replace(rating, at=min(rating.at, now)),
    )


def entries_of(baseline: Baseline) -> list[Entry]:
    """Return all that a viewer's baseline says, by name of the item."""
    return sorted((Entry(item.media, item.keys, item.claims) for item in baseline), key=lambda entry: min(entry.keys))
