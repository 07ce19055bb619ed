"""Agree on what was said by action, in place of what servers say."""

from collections import Counter
from collections.abc import AsyncIterable
from dataclasses import dataclass

from ..sync.acts import Act, after, agreed
from ..sync.guard import Trip, too_many
from ..sync.item import Item
from ..sync.merge import Claims
from ..sync.model import ReplicaId
from ..sync.selection import Selection
from .changes import kinds_of
from .cycle import Cycle
from .journal import Note, NoteKind
from .listing import find
from .pace import paced
from .report import Change, ChangeKind

HERE = ""
"""The account of what was said here and not at any server."""


@dataclass(frozen=True, slots=True)
class Acts:
    """One act on every title that is selected; ambiguous and ignored ones are left alone (I3, I8)."""

    selection: Selection
    act: Act

    async def __call__(self, cycle: Cycle) -> frozenset[str]:
        """Agree on it; no account was read for it."""
        async for item in paced(await find(cycle.baseline, self.selection)):
            if not cycle.baseline.is_left_alone(item):
                adopt(cycle, item, after(self.act, item.claims, cycle.policy), f"{self.act.kind.value} by action")
        return frozenset()


async def held_back(cycle: Cycle, wanted: AsyncIterable[tuple[Item, Claims]], trip: Trip) -> frozenset[str]:
    """Hold the titles that would be unwatched, if they are more than a person's on any account (G2); who fails lets nothing through."""
    unwatched: dict[str, Claims] = {}
    by_account: Counter[str] = Counter()
    async for item, claims in wanted:
        lost = item.claims.state.played and not claims.state.played
        if lost and item.item_id not in unwatched and not cycle.baseline.is_left_alone(item):
            unwatched[item.item_id] = claims
            by_account.update({replica_id.account for replica_id in item.replicas})
    if not any(too_many(count, 0, cycle.watched(account), 0, cycle.policy.limits) for account, count in by_account.items()):
        return frozenset()
    cycle.hold(HERE, trip, (ReplicaId(HERE, item_id) for item_id in unwatched), unwatched)
    return frozenset(unwatched)


def adopt(cycle: Cycle, before: Item, claims: Claims, reason: str, *, new: bool = True) -> None:
    """Let claims be what all agree on, and report it if it is a change; `new` as in `Change`."""
    item = agreed(before, claims, cycle.policy)
    cycle.baseline.put(item)
    cycle.touched.add(item.item_id)
    old, now = before.claims.state, claims.state
    for kind in kinds_of(before.claims, claims):
        at = (now.last_played if kind is ChangeKind.WATCHED else None) or cycle.clock()
        change = Change(kind, cycle.viewer, item.item_id, item.media, item.keys, old, now, ReplicaId(HERE, ""), at, reason, new=new)
        _note(cycle, cycle.report.add(change))


def _note(cycle: Cycle, change: Change) -> None:
    cycle.journal.add(
        Note(
            cycle.clock(),
            NoteKind.CHANGE,
            "agreed",
            item=str(change.media),
            reason=change.reason,
            event=change.kind,
            viewer=cycle.viewer,
            item_id=change.item_id,
            run_id=cycle.report.run_id,
            change_id=change.change_id,
            before=change.before,
            after=change.after,
            dates=cycle.baseline[change.item_id].claims.dates,
        )
    )
