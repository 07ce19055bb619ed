"""One viewer's sync: owns the baseline and the outbox; runs take turns."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import batched, zip_longest
from typing import Any
from uuid import uuid4

from ..ports import Documents, StoreError
from ..sync.baseline import Baseline, Counts
from ..sync.item import Item
from ..sync.match import detach
from ..sync.model import ReplicaId
from ..sync.policy import AccountPolicy, Policy
from .cycle import Cycle
from .executor import Executor
from .explain import Explainer, Explanation
from .holds import Hold, Holds
from .ignores import Ignores, Rule
from .journal import Journal, Note, NoteKind
from .listing import ReportKind, tally
from .outbox import Entry, Outbox
from .pace import paced
from .reader import Reader
from .release import NOT_LOADED, Restoring, Unwatching, approving
from .report import Change, ChangeKind, Report
from .run import Account, Run, RunKind
from .shards import Shards
from .unmatched import Unnamed

type Agree = Callable[[Cycle], Awaitable[frozenset[str]]]
"""Agrees on something, and returns the accounts whose libraries were read whole for it."""

BATCH = 50  # writes between which others get their turn
ROUNDS = 3  # so often may people be faster than the writes of one run; the next run takes the rest


def _nobody(_news: object) -> None:
    """Hear nothing."""


@dataclass(slots=True)
class ViewerSync:
    """A person's watch state across servers.

    `accounts` and `policy` (the thresholds; its accounts are filled in here) are set from outside. `on_change` hears of every act that is news,
    `on_progress` that writes were done. `tallies` are what reports listed of each account after the last whole sync.
    """

    viewer: str
    documents: Documents
    clock: Callable[[], datetime]
    on_change: Callable[[Change], None] = _nobody
    on_progress: Callable[[ViewerSync], None] = _nobody
    policy: Policy = field(default_factory=Policy)
    accounts: dict[str, Account] = field(default_factory=dict)
    journal: Journal = field(default_factory=Journal)
    baseline: Baseline = field(default_factory=Baseline)
    last_watched: Change | None = None
    unmatched: dict[str, Unnamed] = field(default_factory=dict)
    tallies: Mapping[str, Counter[ReportKind]] = field(default_factory=dict)
    ignores: Ignores = field(init=False)
    holds: Holds = field(init=False)
    outbox: Outbox = field(init=False)
    _shards: Shards = field(init=False)
    _in_use: frozenset[int] = frozenset()
    _synced: set[str] = field(default_factory=set)
    _rated: set[str] = field(default_factory=set)  # accounts of which all ratings were heard
    _known: dict[str, Any] = field(default_factory=dict)  # what the viewer's document says, but for the shards
    _read_at: dict[str, tuple[datetime, frozenset[str]]] = field(default_factory=dict)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)  # held while libraries are read; before the other
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Name the documents."""
        self._shards = Shards(self.viewer, self.documents)
        self.ignores = Ignores(f"{self.viewer}/ignored", self.documents)
        self.holds = Holds(f"{self.viewer}/held", self.documents)
        self.outbox = Outbox(f"{self.viewer}/outbox", self.documents, self.clock)

    async def load(self, *, synced: bool = False) -> None:
        """Read what was agreed on; raises `StoreError` when it was there, as somebody else remembers if it was `synced`, and cannot be read (G3)."""
        content: Any = await self.documents.load(self._name)
        if content is None and synced:
            raise StoreError(self._name)
        if content is None:
            return
        try:
            self._synced, self._in_use = set(content["synced"]), frozenset(content["shards"])
            self._rated = set(content.get("rated", self._synced))  # nobody took note of it at first
            self._known = {name: value for name, value in content.items() if name != "shards"}
            last = content["last_watched"]
        except (LookupError, TypeError) as error:
            raise StoreError(self._name) from error
        await self.ignores.load()
        await self.holds.load()
        self.baseline = await self._shards.load(self._in_use, self.ignores.selection)
        self._restore_last_watched(last)
        await self.outbox.load()

    async def run(self, run: Run, agree: Agree = Cycle.agree) -> Report:
        """Read, or hear by other means what is to be agreed on, agree, write; errors of servers are in the report.

        While libraries are read, which takes minutes, hints are followed; but not while one is read for the first time: nobody knows yet what it shows.
        """
        if run.dry_run:
            return await self._planned(run, self.accounts, agree)
        async with self._reading if run.lists else nullcontext():
            ahead = await self._read_ahead(run) if run.lists and agree is Cycle.agree else None
            async with self._lock:
                cycle = ahead or self._cycle(run, self.accounts, self.baseline)
                await self._carry_out(cycle, await agree(cycle))
            await self._write(cycle)
            if run.lists:
                await self.flush()
            if run.lists and not run.recent:
                self.tallies = await tally(self.baseline, self.accounts)
            return self._finished(cycle.report)

    async def preview(self, account_id: str, account: Account) -> Report:
        """Plan the first sync of an account that is not there yet; nothing is kept (G1, G6)."""
        run = Run(accounts=frozenset({account_id}), dry_run=True)
        return await self._planned(run, {**self.accounts, account_id: account}, Cycle.agree)

    async def retry(self) -> Report:
        """Try the writes whose time has come again."""
        cycle = self._cycle(Run(), self.accounts, self.baseline)
        await self._write(cycle)
        return self._finished(cycle.report)

    async def approve(self, holds: Sequence[Hold], run_id: str = "") -> list[Report]:
        """Follow what is held, as a person says that it was meant (G2); what a server does not answer for stays held."""
        reports = [await self.run(run) for run in approving(holds, run_id)]
        if said := [hold for hold in holds if hold.said_here]:
            reports.append(await self.run(Run(explicit=True, run_id=run_id), Unwatching(said)))
        unloaded = {hold.account for hold in holds if not hold.said_here} - self.accounts.keys()
        for report in reports:
            report.errors |= dict.fromkeys(unloaded, NOT_LOADED)
        away = {account for report in reports for account in report.errors}
        approved = [hold for hold in holds if hold.account not in away]
        for hold in approved:
            self.journal.add(Note(self.clock(), NoteKind.DECISION, "approved", hold.account, viewer=self.viewer, run_id=hold.run_id))
        self.holds.remove(approved)
        await self.flush()
        return reports

    async def discard(self, holds: Sequence[Hold], run_id: str = "") -> Report:
        """Let the held servers show again what is agreed (G2)."""
        return await self.run(Run(explicit=True, run_id=run_id), Restoring(holds))

    async def forget(self, account_id: str) -> None:
        """Forget an account; what it had watched stays agreed."""
        async with self._reading, self._lock:
            self.accounts.pop(account_id, None)
            self.unmatched.pop(account_id, None)
            self._synced.discard(account_id)
            self._rated.discard(account_id)
            self._read_at.pop(account_id, None)
            self.outbox.forget(account_id)
            self.holds.forget(account_id)
            for replica_id in self.baseline.of_account(account_id):
                detach(self.baseline, replica_id)
            await self._save()

    async def explain(self, item: Item) -> Explanation:
        """Read an item anew and say why it is as it is; nothing is kept."""
        async with self._lock:
            return await Explainer(self._cycle(Run(dry_run=True), self.accounts, self.baseline), self.outbox).explain(item)

    async def ignore(self, rules: tuple[Rule, ...]) -> None:
        """Leave alone what these rules name, and nothing else (I8); what was to be written to it is not."""
        async with self._lock:
            await self.ignores.change(rules, self.baseline)
            for replica_id in list(self.outbox.entries):
                if any(self.baseline.is_ignored(item) for item in self.baseline.of_replica(replica_id)):
                    self.outbox.take(replica_id)
            await self._save()

    async def snapshot(self) -> Baseline:
        """Return all that is agreed on at this moment."""
        async with self._reading, self._lock:
            return await asyncio.to_thread(self.baseline.copy)

    async def flush(self) -> None:
        """Write what is not on disk yet."""
        async with self._lock:
            await self._save()

    async def remove(self) -> None:
        """Delete everything that is known of the viewer."""
        async with self._reading, self._lock:
            await self._shards.remove()
            await self.documents.remove(self.outbox.name)
            await self.documents.remove(self.ignores.name)
            await self.documents.remove(self.holds.name)
            await self.documents.remove(self._name)

    def pending(self, account_id: str) -> int:
        """Count the writes that an account is owed."""
        return self.outbox.pending(account_id)

    def counts(self, account_id: str) -> Counts:
        """Count an account's items in the libraries that take part (I8); where it is not written to, it is owed nothing (W1)."""
        account = self.accounts[account_id]
        counts = self.baseline.counts(account_id, account.libraries)
        return counts if account.policy.direction.exports else replace(counts, owed=0)

    def unnamed(self, account_id: str) -> int:
        """Count an account's titles without ids, of which nothing can be synced."""
        return self.unmatched[account_id].counts.total() if account_id in self.unmatched else 0

    @property
    def is_stored(self) -> bool:
        """Whether anything that was agreed on is on disk."""
        return bool(self._in_use)

    @property
    def next_retry(self) -> datetime | None:
        """When `retry` is worth calling."""
        return self.outbox.next_due

    @property
    def _name(self) -> str:
        return f"{self.viewer}/viewer"

    def _cycle(self, run: Run, accounts: dict[str, Account], baseline: Baseline) -> Cycle:
        taking_part = {known: self._policy(known, account.policy) for known, account in accounts.items()}
        report = Report(run.run_id or uuid4().hex, run.dry_run, self.clock())
        journal, holds = (Journal(), self.holds.copy()) if run.dry_run else (self.journal, self.holds)  # what did not happen is not kept
        policy = replace(self.policy, accounts=taking_part)
        return Cycle(self.viewer, run, dict(accounts), policy, baseline, self.clock, journal, report, holds, dict(self._read_at), self.outbox.sent)

    def _policy(self, account_id: str, chosen: AccountPolicy) -> AccountPolicy:
        return replace(chosen, first_sync=account_id not in self._synced, first_ratings=chosen.sync_ratings and account_id not in self._rated)

    async def _read_ahead(self, run: Run) -> Cycle | None:
        """Read libraries that were read before; others only when nothing else happens."""
        cycle = self._cycle(run, self.accounts, self.baseline)
        if not cycle.chosen <= self._synced:
            return None
        await cycle.read_ahead()
        return cycle

    async def _planned(self, run: Run, accounts: dict[str, Account], agree: Agree) -> Report:
        """Plan on a copy, so that nobody has to wait for it."""
        cycle = self._cycle(run, accounts, await self.snapshot())
        await agree(cycle)
        cycle.report.planned = [cycle.describe(operation) async for operation in paced(await cycle.operations())]
        return self._finished(cycle.report)

    async def _carry_out(self, cycle: Cycle, listed: Iterable[str]) -> None:
        """Keep what was agreed, then write it: after a crash in between, what is owed is known (M2)."""
        self._tell(cycle.report.changes)
        await self._queue(cycle)
        if cycle.run.imports:  # else what they show is not agreed yet (G1)
            self._synced |= set(listed)
            self._rated = {known for known in self._rated | set(listed) if known not in self.accounts or self.accounts[known].policy.sync_ratings}
        if cycle.run.lists:  # what an import agreed on is written by a whole sync
            self._read_at = {} if cycle.run.kind is RunKind.IMPORT else cycle.read_at
        for account, (libraries, now) in cycle.unmatched.items():
            self.unmatched[account] = self.unmatched.get(account, Unnamed()).renewed(libraries, now)
        await self._save()
        self.outbox.wake(listed)  # they answer again, so one run is enough to make all agree (M5)

    async def _queue(self, cycle: Cycle) -> None:
        """Plan what is owed, and put it into the outbox."""
        for replica_id in cycle.held:
            self.outbox.take(replica_id)
        self.outbox.read(cycle.read)
        cycle.read = set()
        if cycle.run.kind is RunKind.IMPORT:
            return
        operations = await cycle.operations()
        idle = cycle.weighed - {operation.replica for operation in operations}
        async for replica_id in paced(self.outbox.entries.keys() & idle):
            if not any(item.is_owed(replica_id) for item in self.baseline.of_replica(replica_id)):
                self.outbox.supersede(replica_id)
        async for operation in paced(operations):
            cycle.report.planned.append(cycle.describe(operation))
            self.outbox.put(operation)

    async def _write(self, cycle: Cycle) -> None:
        """Write what is due, in turns, so that nobody waits for long; what a person changed meanwhile is agreed on first, and then written again.

        What was acknowledged goes to disk later and together: an outbox that is ahead of the baseline would, after a crash, take its own writes for acts.
        """
        if cycle.run.kind is RunKind.IMPORT:
            return
        for _round in range(ROUNDS):
            moved = False
            due = {known: self._due(cycle, known) for known in cycle.accounts}
            for turn in zip_longest(*(batched(entries, BATCH, strict=False) for entries in due.values()), fillvalue=()):
                async with self._lock:
                    moved |= await self._take_turn(cycle, dict(zip(due, turn, strict=True)))
            if not moved:
                break

    def _due(self, cycle: Cycle, account: str) -> list[Entry]:
        """Return what is due at an account; who followed a hint does not wait for what others have to write."""
        return [entry for entry in self.outbox.due(account) if not cycle.run.hints or entry.operation.replica in cycle.concerned]

    async def _take_turn(self, cycle: Cycle, turn: Mapping[str, Sequence[Entry]]) -> bool:
        """Write a batch at each account; whether anything had changed there."""
        parts = {known: self._executor(cycle, known) for known, entries in turn.items() if entries and known in self.accounts}
        moved = await asyncio.gather(*(part.carry_out(turn[known]) for known, part in parts.items()))
        readings = [
            Reader(known, self.accounts[known], self.baseline, self.clock).take(rows, frozenset()) for known, rows in zip(parts, moved, strict=True) if rows
        ]
        if readings:
            told = len(cycle.report.changes)
            await cycle.conclude(readings)
            self._tell(cycle.report.changes[told:])
            await self._queue(cycle)
            await self._save()
        self.on_progress(self)
        return bool(readings)

    def _executor(self, cycle: Cycle, account: str) -> Executor:
        return Executor(
            self.viewer,
            account,
            self.accounts[account],
            cycle.policy,
            self.outbox,
            self.baseline,
            self.journal,
            self.clock,
            cycle.report,
            overwrite=cycle.run.ignore_date,
        )

    def _tell(self, changes: list[Change]) -> None:
        for change in changes:
            if change.kind is ChangeKind.WATCHED and (self.last_watched is None or _second(change.at) >= _second(self.last_watched.at)):
                self.last_watched = change
            if change.new:
                self.on_change(change)

    async def _save(self) -> None:
        """Write what changed. Where that fails, what comes after it waits too, as after a crash there (M2), and the next time all of it is tried again."""
        with suppress(StoreError):  # the documents tell of it
            await self.ignores.save()
            await self._save_baseline()
            await self.holds.save()
            await self.outbox.save()

    async def _save_baseline(self) -> None:
        """Write the shards, then what names them."""
        known = {"synced": sorted(self._synced), "rated": sorted(self._rated), "last_watched": self._last_watched_row()}
        changed, self.baseline.changed = self.baseline.changed, set()
        if not changed and known == self._known:
            return
        try:
            in_use = await self._shards.save(self.baseline, changed)
            await self.documents.save(self._name, known | {"shards": sorted(in_use)})
        except BaseException:  # a cancelled flush is tried again too
            self.baseline.changed |= changed
            raise
        self._in_use, self._known = in_use, known

    def _last_watched_row(self) -> list[Any] | None:
        last = self.last_watched
        return None if last is None else [last.item_id, last.account, last.at.timestamp()]

    def _restore_last_watched(self, row: list[Any] | None) -> None:
        if row and row[0] in self.baseline:
            item = self.baseline[row[0]]
            at = datetime.fromtimestamp(row[2], self.clock().tzinfo)
            state = item.claims.state
            self.last_watched = Change(
                ChangeKind.WATCHED, self.viewer, item.item_id, item.media, item.keys, state, state, ReplicaId(row[1], ""), at, "restored", new=False
            )

    def _finished(self, report: Report) -> Report:
        report.duration = (self.clock() - report.started).total_seconds()
        if not report.dry_run:
            self._note_run(report)
        return report

    def _note_run(self, report: Report) -> None:
        """Journal what a run did at each account; one that did nothing anywhere is no news."""
        for account, counts in report.counts.items():
            error, numbers = report.errors.get(account), {name: str(count) for name, count in asdict(counts).items() if count}
            if error or numbers:
                outcome, reason = ("failed", str(error)) if error else ("finished", "")
                note = Note(self.clock(), NoteKind.RUN, outcome, account, "", reason, viewer=self.viewer, run_id=report.run_id, more=numbers)
                self.journal.add(note)


def _second(at: datetime) -> datetime:
    """Cut to the second: some servers do, and of two views within one the later reported is the later."""
    return at.replace(microsecond=0)
