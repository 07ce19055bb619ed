"""One run's reading and agreeing: fetch, match, reconcile, read a second time what is doubtful, plan."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from ..ports import Hint, ServerError
from ..sync.baseline import Baseline
from ..sync.guard import Trip, too_many, vanished, would_unwatch
from ..sync.item import Item
from ..sync.match import detach
from ..sync.merge import NEVER, Claims
from ..sync.model import ReplicaId, Sent, WatchState
from ..sync.plan import Operation, plan
from ..sync.policy import Direction, Policy
from ..sync.reconcile import Finding, Outcome, Sighting, reconcile
from .changes import changes_of
from .holds import Hold, Holds
from .journal import Journal, Note, NoteKind, weakness
from .pace import in_order, paced
from .reader import Reader, Reading
from .report import Change, Report, Write
from .run import Account, Run, RunKind
from .unmatched import Unnamed

LISTINGS_UNTIL_FORGOTTEN = 2  # G4
MARGIN = timedelta(minutes=10)  # what was added while the last read went on is read again


@dataclass(slots=True)
class Cycle:
    """A run on a baseline; a dry run gets a copy of it and nobody executes the plan (G6).

    `readings` are what was read before the baseline was held, if anything was. `read_at`: by account since when which libraries are known whole. `sent` tells what may show at a replica because it was written and not read back;
    `read` are the replicas that were read since, `held` those whose unwatch nothing follows from (G2), `passed` those that were passed over, `concerned` those of which a hint had it planned what they are owed,
    `weighed` those of which the last plan tells.
    """

    viewer: str
    run: Run
    accounts: Mapping[str, Account]
    policy: Policy
    baseline: Baseline
    clock: Callable[[], datetime]
    journal: Journal
    report: Report
    holds: Holds
    read_at: dict[str, tuple[datetime, frozenset[str]]] = field(default_factory=dict)
    sent: Callable[[ReplicaId], tuple[Sent, ...]] = lambda _replica_id: ()
    read: set[ReplicaId] = field(default_factory=set)
    held: set[ReplicaId] = field(default_factory=set)
    passed: set[ReplicaId] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    concerned: set[ReplicaId] = field(default_factory=set)
    weighed: set[ReplicaId] = field(default_factory=set)
    _planned: bool = False
    readings: list[Reading] | None = None
    unmatched: dict[str, tuple[frozenset[str], Unnamed]] = field(default_factory=dict)

    @property
    def chosen(self) -> frozenset[str]:
        """The accounts that are read."""
        return frozenset(known for known in self.accounts if self.run.accounts is None or known in self.run.accounts)

    def watched(self, account: str) -> int:
        """Count what an account shows as watched, in the libraries that take part; of one that is not loaded nobody knows which."""
        known = self.accounts.get(account)
        return self.baseline.counts(account, known.libraries if known else None).watched

    async def read_ahead(self) -> None:
        """Read the accounts; hints may be followed meanwhile, on the same baseline."""
        self.readings = await self._read_all()

    async def agree(self) -> frozenset[str]:
        """Agree on what the accounts say; return the accounts of which all is known that there is to know."""
        ahead = self.readings
        readings = await self._read_all() if ahead is None else [*ahead, *await self._overtaken(ahead)]
        unsure = await self.conclude(readings)
        for reading in readings:
            if not self.run.metadata_only:  # nothing was concluded, so it was no look (R1)
                self.baseline.look(reading.account, reading.at, [""] if reading.listed and self.run.libraries is None else reading.seen, unsure)
            if self.run.imports:
                await self._look_for_missing(reading)
                self._let_go(reading)
            if reading.listed:
                self.unmatched[reading.account] = (reading.listed, reading.unmatched)
        for account in [known for known, counts in self.report.counts.items() if counts.held and self.run.lists]:
            self.holds.answer(account, self.report.run_id)
        if any(reading.new_names for reading in readings):
            self.read_at.clear()
        whole = self.run.lists and self.run.libraries is None
        return frozenset(reading.account for reading in readings if whole)

    async def _read_all(self) -> list[Reading]:
        self.report.take_part(self.chosen)
        return [reading for reading in await asyncio.gather(*(self._read(known) for known in sorted(self.chosen))) if reading]

    async def _overtaken(self, readings: Iterable[Reading]) -> list[Reading]:
        """Read anew what was looked at or written while libraries were read: what they showed of it may be older (M3)."""
        renewed = []
        for reading in readings:
            old = {item async for item in paced(reading.sightings) if self._is_known_since(ReplicaId(reading.account, item), reading.at)}
            for item in old:
                del reading.sightings[item]
            again = await self._read_again(reading.account, old, confirmed=False) if old else None
            renewed.append(again)
            self.passed |= {ReplicaId(reading.account, item) for item in old - (again.seen if again else set())}
        return [reading for reading in renewed if reading]

    def _is_known_since(self, replica_id: ReplicaId, at: datetime) -> bool:
        return self.baseline.looked_at(replica_id) > at or any((item.replicas[replica_id].at or NEVER) > at for item in self.baseline.of_replica(replica_id))

    async def conclude(self, readings: Iterable[Reading]) -> frozenset[ReplicaId]:
        """Reconcile readings, and once more what only a second read can tell (R5); return of which replicas nothing was, or not at once."""
        doubtful: dict[str, set[str]] = {}
        if not self.run.metadata_only:
            doubtful = await self._reconcile(readings)
            second = await asyncio.gather(*(self._read_again(account, items, confirmed=True) for account, items in doubtful.items()))
            await self._reconcile(reading for reading in second if reading)
        return frozenset(self.held | self.passed | {ReplicaId(account, item) for account, items in doubtful.items() for item in items})

    async def operations(self) -> list[Operation]:
        """Plan the writes that the items which were touched since the last plan, or in an export all items, are owed."""
        items = self.baseline if self.run.kind is RunKind.EXPORT and not self._planned else map(self.baseline.get, self.touched)
        self.touched, self._planned, self.weighed = set(), True, set()
        async for item in paced(items):
            if item and not self.baseline.is_left_alone(item):
                self.weighed.update(item.replicas)
        if self.run.hints:
            self.concerned |= self.weighed
        return [operation async for replica_id in in_order(self.weighed) if (operation := self._operation(replica_id))]

    def describe(self, operation: Operation) -> Write:
        """Name a planned write for people."""
        replica_id, item = operation.replica, self.baseline.of_replica(operation.replica)[0]
        return Write(replica_id.account, replica_id.item, item.replicas[replica_id].library, item.media, operation.kind, operation.reason, item.is_weak)

    def _operation(self, replica_id: ReplicaId) -> Operation | None:
        if replica_id.account not in self.accounts or self.holds.has(replica_id):
            return None
        if self.run.kind is RunKind.EXPORT and self.run.accounts is not None and replica_id.account not in self.run.accounts:
            return None
        items = self.baseline.of_replica(replica_id)
        if any(self.baseline.is_ignored(item) or not self.accounts[replica_id.account].may_write(item.replicas[replica_id]) for item in items):
            return None
        return plan(items, replica_id, self.policy)

    async def _read(self, account_id: str) -> Reading | None:
        reader = Reader(account_id, self.accounts[account_id], self.baseline, self.clock)
        hints = [hint for hint in self.run.hints if hint.account == account_id]
        try:
            reading = await self._read_with(reader, hints)
        except ServerError as error:  # an unreachable server is not an empty one (R2)
            self.report.errors[account_id] = error
            return None
        if reading:
            self.report.of(account_id).read += reading.count
        return reading

    async def _read_with(self, reader: Reader, hints: list[Hint]) -> Reading | None:
        if hints:
            self._note_hints(hints)
            return await reader.look(hints)
        return await self._read_libraries(reader) if self.run.lists else None

    async def _read_libraries(self, reader: Reader) -> Reading:
        """Read what may have changed, or everything where that is asked for or nothing else would do."""
        at, whole = self.clock(), reader.account.libraries
        since, known = self.read_at.get(reader.account_id, (at, frozenset[str]()))
        if self.run.recent and whole <= known and not self.policy.accounts[reader.account_id].first_ratings:
            reading = await reader.recent(self.run.libraries, since - MARGIN)
        else:
            reading = await reader.list(self.run.libraries)
        if self.run.libraries is None and self.run.imports:
            self.read_at[reader.account_id] = (at, whole)
        return reading

    def _note_hints(self, hints: Iterable[Hint]) -> None:
        for hint in hints:
            if not hint.again:
                event, run_id = "unwatched" if hint.unplayed else "look", self.report.run_id
                note = Note(self.clock(), NoteKind.HINT, "looked", hint.account, event=event, viewer=self.viewer, item_id=hint.item_id, run_id=run_id)
                self.journal.add(note)

    async def _read_again(self, account_id: str, item_ids: set[str], *, confirmed: bool) -> Reading | None:
        try:
            return await Reader(account_id, self.accounts[account_id], self.baseline, self.clock).read(item_ids, confirmed=confirmed)
        except ServerError as error:
            self.report.errors[account_id] = error
            return None

    async def _reconcile(self, readings: Iterable[Reading]) -> dict[str, set[str]]:
        """Reconcile item by item; return by account what must be read again."""
        doubtful: dict[str, set[str]] = {}
        seen = await self._by_item(readings)
        await self._hold_back(seen)
        async for item_id, sightings in paced(seen.items()):
            outcome = reconcile(self.baseline[item_id], sightings, self._run_policy())
            self._take(outcome, sightings)
            for account, item in outcome.doubtful:
                doubtful.setdefault(account, set()).add(item)
        return doubtful

    async def _by_item(self, readings: Iterable[Reading]) -> dict[str, dict[ReplicaId, Sighting]]:
        """Gather what was seen of each item, but of ambiguous and ignored ones (I3, I8)."""
        found: dict[str, dict[ReplicaId, Sighting]] = {}
        for reading in readings:
            async for server_item, sighting in paced(reading.sightings.items()):
                replica_id = ReplicaId(reading.account, server_item)
                for item in self.baseline.of_replica(replica_id):
                    if self.baseline.is_left_alone(item) or not self._may_conclude(item, replica_id, sighting.state):
                        self.passed.update([replica_id] if item.replicas[replica_id].reading else [])
                    else:
                        found.setdefault(item.item_id, {})[replica_id] = replace(sighting, written=sent) if (sent := self.sent(replica_id)) else sighting
                        self.read.add(replica_id)
        return found

    def _may_conclude(self, item: Item, replica_id: ReplicaId, state: WatchState) -> bool:
        """In an export, what a person did on the server is left for the next import, unless what is agreed is to stand instead of it (R3, M5)."""
        known, agreed = item.replicas[replica_id].reading, item.claims
        if self.run.kind is not RunKind.EXPORT or known == state:
            return True
        old = known or WatchState()
        rated, moved = state.rating != old.rating, replace(state, rating=old.rating) != old
        if self.run.ignore_date:
            return bool((agreed.view or agreed.spot or not moved) and (agreed.rating or not rated))
        says = self.policy.accounts[replica_id.account].takes_first_sight and (state.played or state.position or rated)
        return known is None and not says

    def _run_policy(self) -> Policy:
        """Return the policy; in an export no change counts."""
        if self.run.kind is not RunKind.EXPORT:
            return self.policy
        accounts = {known: replace(one, direction=Direction.EXPORT_ONLY) for known, one in self.policy.accounts.items()}
        return replace(self.policy, accounts=accounts)

    def _take(self, outcome: Outcome, sightings: Mapping[ReplicaId, Sighting]) -> None:
        item = outcome.item
        before = self.baseline[item.item_id]
        self.baseline.put(item)
        self.touched.add(item.item_id)
        changes = [self.report.add(change) for change in changes_of(before, outcome, self.policy, self.viewer, self.clock())]
        for replica_id, finding in outcome.findings.items():
            won = [change for change in changes if change.replica == replica_id]
            kept = [] if won or finding.unchanged or finding.first else [None]
            for change in won or kept:
                self._note(before, replica_id, finding, sightings[replica_id].state, change)

    def _note(self, before: Item, replica_id: ReplicaId, finding: Finding, reading: WatchState, change: Change | None) -> None:
        """Journal what a reading was taken for, with the readings that led to it (G5)."""
        known, agreed = before.replicas[replica_id].reading, before.claims.state
        self.journal.add(
            Note(
                self.clock(),
                NoteKind.CHANGE if change else NoteKind.DECISION,
                "agreed" if change else "doubtful" if finding.doubtful else "kept",
                replica_id.account,
                str(before.media),
                change.reason if change else finding.reason,
                event=change.kind if change else "",
                viewer=self.viewer,
                item_id=before.item_id,
                run_id=self.report.run_id,
                change_id=change.change_id if change else "",
                before=agreed if change else known,
                after=change.after if change else None,
                reading=reading,
                more=({"first": "yes"} if change and not change.new else {}) | weakness(before),
                dates=self.baseline[before.item_id].claims.dates if change else (),
            )
        )

    async def _hold_back(self, seen: dict[str, dict[ReplicaId, Sighting]]) -> None:
        """Take out of what was seen all unwatches that are held, and those that are more than a person's (G2)."""
        suspects: dict[str, dict[ReplicaId, bool]] = {}
        async for item_id, sightings in paced(seen.items()):
            for replica_id, sighting in sightings.items():
                if not sighting.state.played and sighting.unplayed_at is None and self.holds.has(replica_id):
                    self.held.add(replica_id)
                elif would_unwatch(self.baseline[item_id], replica_id, sighting, self._run_policy()):
                    suspects.setdefault(replica_id.account, {})[replica_id] = sighting.unplayed_at is None
        for account, polled in suspects.items():
            self._judge(account, polled)
        for item_id in [item_id for item_id, sightings in seen.items() if not self.held.isdisjoint(sightings)]:
            seen[item_id] = {known: sighting for known, sighting in seen[item_id].items() if known not in self.held}
        for account, count in Counter(replica_id.account for replica_id in self.held).items():
            self.report.of(account).held = count

    def _judge(self, account: str, suspects: Mapping[ReplicaId, bool]) -> None:
        """Let an account's unwatches through, or hold them; `suspects` says which of them come from a poll. Who fails, holds."""
        if self.run.explicit:
            return
        polls, now = [replica_id for replica_id, polled in suspects.items() if polled], self.clock()
        held = self.holds.unwatches(account)
        try:
            watched, recent = self.watched(account), self.holds.recent(account, now)
            trip = too_many(len(suspects), len(polls), watched, recent, self.policy.limits)
        except Exception:  # noqa: BLE001 - whatever goes wrong in the guard must not let anything through (pitfall 7)
            trip = Trip.FAILED
        if trip or (held and polls):
            self.hold(account, trip or Trip.UNWATCHES, suspects if trip else polls)
        self.holds.count(account, sum(replica_id not in self.held for replica_id in polls), now)

    def hold(self, account: str, trip: Trip, replicas: Iterable[ReplicaId], claims: Mapping[str, Claims] = MappingProxyType({})) -> None:
        """Hold something of an account, or of what was said here with all its claims, and say so once."""
        chosen = frozenset(replicas)
        if trip is not Trip.VANISHED:
            self.held |= chosen
        hold = Hold(self.report.run_id, account, self.clock(), trip, frozenset(replica_id.item for replica_id in chosen), claims)
        if news := self.holds.add(hold):
            self.report.held.append(news)
            more = {"items": str(len(chosen))}
            note = Note(self.clock(), NoteKind.DECISION, "held", account, reason=f"G2 {trip}", viewer=self.viewer, run_id=self.report.run_id, more=more)
            self.journal.add(note)

    async def _look_for_missing(self, reading: Reading) -> None:
        """Forget a replica after two complete listings in a row without it (G4), but not when too much is missing at once (G2)."""
        if not reading.listed:
            return
        async for replica_id in paced([one for one in self.run.gone if one.account == reading.account and one.item not in reading.seen]):
            detach(self.baseline, replica_id)
        items: Counter[str] = Counter()
        missing: dict[ReplicaId, str] = {}
        async for replica_id in paced(self.baseline.of_account(reading.account)):
            library = self.baseline.of_replica(replica_id)[0].replicas[replica_id].library
            if library in reading.listed:
                items[library] += 1
                if replica_id.item not in reading.seen and not self._is_known_since(replica_id, reading.at):
                    missing[replica_id] = library
        lost = {replica_id: library for replica_id, library in missing.items() if not self._is_replaced(replica_id, reading)}
        if lost and (trip := self._missed(lost, items)):
            self.hold(reading.account, trip, lost)
            self.report.of(reading.account).held += len(lost)
            return
        if self.run.libraries is None:
            self.holds.remove([hold for hold in self.holds.held if hold.account == reading.account and hold.vanished])
        async for replica_id in paced(missing):
            self._forget(replica_id)

    def _is_replaced(self, replica_id: ReplicaId, reading: Reading) -> bool:
        """Whether the server shows another copy of the title: a file was replaced, or the library rebuilt (R4)."""
        items = self.baseline.of_replica(replica_id)
        return all(any(other.account == replica_id.account and other.item in reading.seen for other in item.replicas) for item in items)

    def _let_go(self, reading: Reading) -> None:
        """End the hold of what was seen to be as it was, or is forgotten (G2, G4): what did not come is held on, and what nothing was concluded of."""
        if hold := self.holds.unwatches(reading.account):
            open_ = {replica_id.item for replica_id in self.held | self.passed if replica_id.account == reading.account}
            known = {item for item in hold.items if self.baseline.of_replica(ReplicaId(reading.account, item))}
            self.holds.release(hold, (hold.items - known) | (hold.items & reading.seen) - open_)

    def _missed(self, lost: Mapping[ReplicaId, str], items: Mapping[str, int]) -> Trip | None:
        try:
            return vanished(Counter(lost.values()), items, self.policy.limits)
        except Exception:  # noqa: BLE001 - as above
            return Trip.VANISHED

    def _forget(self, replica_id: ReplicaId) -> None:
        items = self.baseline.of_replica(replica_id)
        missing = items[0].replicas[replica_id].missing + 1
        if missing >= LISTINGS_UNTIL_FORGOTTEN:
            detach(self.baseline, replica_id)
            return
        for item in items:
            self.baseline.put(item.with_replica(replica_id, replace(item.replicas[replica_id], missing=missing)))
