"""Why a title is as it is, and what would happen next: a fresh reading and the plan that follows, on a baseline of its own (G6)."""

import asyncio
from dataclasses import dataclass, field

from ..ports import ServerError
from ..sync.baseline import Baseline
from ..sync.item import Item, Replica
from ..sync.model import ReplicaId, WatchState
from ..sync.plan import Operation, plan
from ..sync.reconcile import Finding, Sighting, reconcile
from .cycle import Cycle
from .outbox import Entry, Outbox
from .reader import Reader, Reading


@dataclass(frozen=True, slots=True)
class Copy:
    """One replica.

    `known` is what was acknowledged, `shown` what its server says now, None when it says nothing; `rule` is what that is taken for; `next` the write that
    would follow, or `why_not` why none would; `waiting` what is in the outbox.
    """

    replica_id: ReplicaId
    known: Replica
    in_step: bool
    shown: WatchState | None = None
    playing: bool = False
    rule: str = ""
    error: str = ""
    next: Operation | None = None
    why_not: str = ""
    waiting: Entry | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """An item with its copies; `then` is what would be agreed on after this reading, `rivals` are other items with one of its ids (I3)."""

    item: Item
    then: WatchState
    copies: tuple[Copy, ...] = ()
    rivals: tuple[Item, ...] = ()
    ignored: bool = False


@dataclass(slots=True)
class Explainer:
    """Explains one item; `cycle` is one that does nothing but tell who takes part and by which thresholds."""

    cycle: Cycle
    outbox: Outbox
    readings: dict[str, Reading] = field(default_factory=dict)
    errors: dict[str, ServerError] = field(default_factory=dict)

    async def explain(self, item: Item) -> Explanation:
        """Read every copy, and see what would follow."""
        before, twin = self.cycle.baseline, self._twin(item)
        await asyncio.gather(*(self._read(account, item, twin) for account in self.cycle.accounts))
        then, findings = self._agree(twin.sharing(item.keys)[0] if item.item_id not in twin else twin[item.item_id], twin)
        twin.put(then)
        copies = tuple(self._copy(item, replica_id, findings.get(replica_id), twin) for replica_id in sorted(item.replicas))
        return Explanation(item, then.claims.state, copies, before.rivals(item), before.is_ignored(item))

    def _twin(self, item: Item) -> Baseline:
        """Return a baseline with the item, and all that has a key or a file in common with it."""
        baseline = self.cycle.baseline
        twin = baseline.like()
        for replica_id in item.replicas:
            for sibling in baseline.of_replica(replica_id):
                twin.put(sibling)
        for rival in baseline.sharing(item.keys):
            twin.put(rival)
        return twin

    async def _read(self, account_id: str, item: Item, twin: Baseline) -> None:
        copies = [replica_id.item for replica_id in item.replicas if replica_id.account == account_id]
        if copies:
            try:
                reader = Reader(account_id, self.cycle.accounts[account_id], twin, self.cycle.clock)
                self.readings[account_id] = await reader.read(copies, confirmed=True)
            except ServerError as error:
                self.errors[account_id] = error

    def _sighting(self, replica_id: ReplicaId) -> Sighting | None:
        reading = self.readings.get(replica_id.account)
        return reading.sightings.get(replica_id.item) if reading else None

    def _agree(self, item: Item, twin: Baseline) -> tuple[Item, dict[ReplicaId, Finding]]:
        if twin.is_left_alone(item):
            return item, {}
        sightings = {known: seen for known in item.replicas if (seen := self._sighting(known)) and not self._is_held(known, seen)}
        outcome = reconcile(item, sightings, self.cycle.policy)
        return outcome.item, dict(outcome.findings)

    def _is_held(self, replica_id: ReplicaId, seen: Sighting) -> bool:
        """Whether nothing follows from a reading until somebody decides (G2), as in a cycle."""
        return self.cycle.holds.has(replica_id) and not seen.state.played and seen.unplayed_at is None

    def _copy(self, item: Item, replica_id: ReplicaId, finding: Finding | None, twin: Baseline) -> Copy:
        known, sighting = item.replicas[replica_id], self._sighting(replica_id)
        reading, error = self.readings.get(replica_id.account), self.errors.get(replica_id.account)
        there = reading is not None and replica_id.item in reading.seen
        rule = finding.reason if finding else "R1 as acknowledged" if there else ""
        operation, why_not = self._next(replica_id, twin) if there else (None, "R2 its server does not show it")
        return Copy(
            replica_id,
            known,
            not item.is_owed(replica_id),
            sighting.state if sighting else known.reading if there else None,
            playing=sighting is not None and sighting.playing,
            rule="G2 held" if sighting and self._is_held(replica_id, sighting) else rule,
            error=str(error or ""),
            next=operation,
            why_not=why_not,
            waiting=self.outbox.entries.get(replica_id),
        )

    def _next(self, replica_id: ReplicaId, twin: Baseline) -> tuple[Operation | None, str]:
        """Return the write that the copy would get, or why it would get none."""
        items = twin.of_replica(replica_id)
        if any(twin.is_ignored(item) for item in items):
            return None, "I8 ignored"
        if any(twin.is_ambiguous(item) for item in items):
            return None, "I3 its ids contradict those of another title"
        if self.cycle.holds.has(replica_id):
            return None, "G2 held until somebody approves or discards it"
        if not self.cycle.policy.accounts[replica_id.account].direction.exports:
            return None, "W1 its account is not written to"
        if not any(item.is_owed(replica_id) for item in items):
            return None, "W6 it stands for what is agreed"
        operation = plan(items, replica_id, self.cycle.policy)
        return operation, "" if operation else "I5 the episodes in its file do not agree" if len(items) > 1 else "W6 it shows what is agreed"
