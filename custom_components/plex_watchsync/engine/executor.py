"""The writes of one account: read anew, write, read back, acknowledge what shows (M3, W2, W5-W8)."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..ports import Forbidden, ItemNotFound, RateLimited, ServerError, ServerUnavailable
from ..sync.baseline import Baseline
from ..sync.item import Replica
from ..sync.match import detach, named, not_shown
from ..sync.model import Observation, Sent, WatchState
from ..sync.plan import WriteKind, acknowledge, cleaned, is_done
from ..sync.policy import Policy
from ..sync.rating import heard
from ..sync.reconcile import has_position, is_later_view, is_taken, shows
from .journal import Journal, Note, NoteKind, weakness
from .outbox import LONGEST_DELAY, Entry, Outbox
from .report import Report
from .run import Account

STRIKES = 3  # so many writes in a row fail before it is the server that fails
WRITERS = 2  # more make no server faster (server-apis §4.2)
WHILE_PLAYING = timedelta(seconds=30)
PATIENCE = 8  # so often, further and further apart, is a position written that a server does not keep; a watched flag is never given up
PATIENCE_OF_RATINGS = 3  # nobody recorded how an Emby shows a thumb, if it does (server-apis §4.3)


@dataclass(slots=True)
class Executor:
    """Carries out what the outbox holds for one account."""

    viewer: str
    account_id: str
    account: Account
    policy: Policy
    outbox: Outbox
    baseline: Baseline
    journal: Journal
    clock: Callable[[], datetime]
    report: Report
    overwrite: bool = False
    moved: list[Observation] = field(default_factory=list)
    _strikes: int = 0

    async def carry_out(self, entries: Iterable[Entry]) -> list[Observation]:
        """Write what is due of a batch; return the readings that a person changed since the write was planned, to be reconciled first."""
        batch = self._current(entries)
        try:
            if batch and not self.outbox.is_paused(self.account_id):
                await self._carry_out(batch, await self.account.playing())
        except ServerError as error:  # it could not be read: all waits, not this batch alone
            self.outbox.pause(self.account_id, _pause(error))
            self.report.errors[self.account_id] = error
            self.report.of(self.account_id).failed += len(batch)
        return self.moved

    def _current(self, entries: Iterable[Entry]) -> list[Entry]:
        """Leave out what was superseded: another revision was agreed, the replica stands for it already, is gone, or is not written to any more.

        What may have been sent before is looked at all the same: should it show, it is to be written over.
        """
        kept: list[Entry] = []
        for entry in filter(self.outbox.is_due, entries):
            known = self.baseline.of_replica(entry.operation.replica)
            if known and not self._may_write_to(entry):
                kept += self._supersede(entry)
            elif self._is_current(entry) or (entry.sent and known):
                kept.append(entry)
            else:
                self.outbox.take(entry.operation.replica)
        return kept

    def _supersede(self, entry: Entry) -> list[Entry]:
        """Give up a write to what is not written to any more; what was sent is looked at, but in a library that takes no part (I8), where it waits (M3)."""
        if not entry.superseded:
            self.outbox.supersede(entry.operation.replica)
            self._note(entry, "superseded", "W1 I8 nothing is written there any more")
        if entry.sent and self._replica(entry).library in self.account.libraries:
            return [entry]
        if entry.sent:
            self.outbox.postpone(entry, LONGEST_DELAY)
        return []

    def _is_current(self, entry: Entry) -> bool:
        replica_id, revisions = entry.operation.replica, entry.operation.revisions
        items = self.baseline.of_replica(replica_id)
        owed = any(item.replicas[replica_id].revision != item.revision for item in items) and self._may_write_to(entry)
        return owed and {item.item_id: item.revision for item in items} == revisions and not any(map(self.baseline.is_ambiguous, items))  # I3

    def _may_write_to(self, entry: Entry) -> bool:
        return self.account.may_write(self._replica(entry))

    async def _carry_out(self, batch: Sequence[Entry], playing: frozenset[str]) -> None:
        before = await self._read(batch)
        writable = [entry for entry in batch if self._may_write(entry, before.get(entry.operation.replica.item), playing)]
        gate = asyncio.Semaphore(WRITERS)
        written = await asyncio.gather(*(self._write(entry, before[entry.operation.replica.item], gate) for entry in writable))
        unsure = [(entry, done) for entry, done in zip(writable, written, strict=True) if entry.sent]
        after = await self._read([entry for entry, _ in unsure])
        for entry, done in unsure:
            self._read_back(entry, after.get(entry.operation.replica.item), done=done)

    async def _read(self, batch: Sequence[Entry]) -> Mapping[str, Observation]:
        if not batch:
            return {}
        observations = await self.account.server.read_items([entry.operation.replica.item for entry in batch])
        account = self.policy.accounts[self.account_id]
        return {observation.item_id: named(self.baseline, heard(observation, account), account) for observation in observations}

    def _may_write(self, entry: Entry, found: Observation | None, playing: frozenset[str]) -> bool:
        """Decide on a fresh reading whether the write is still wanted; if that is news, the entry stays until it has been reconciled."""
        operation = entry.operation
        if found is None:  # 404 is final; should the item return, it is a new replica (W5, R4)
            self._drop(entry, "the server has no such item")
            return False
        if not_shown(self.baseline, operation.replica, found.parts):  # another title has the id by now, and is as good as never seen (R4)
            self._drop(entry, "R4 the server has another title under this id")
            detach(self.baseline, operation.replica)
            self.moved.append(found)
            return False
        if operation.replica.item in playing:  # W2
            self.outbox.postpone(entry, WHILE_PLAYING)
            self.report.of(self.account_id).skipped += 1
            return False
        if not self._is_current(entry):
            if found.state == self._replica(entry).reading:
                self.outbox.take(operation.replica)
            else:
                self.moved.append(found)
            return False
        if self._shows_by_itself(entry, found.state):
            self._acknowledge(entry, found.state)
            return False
        if not self.overwrite and not self._is_as_planned_on(entry, found.state):  # a person was faster, or an answer was lost
            self.moved.append(found)
            self.report.of(self.account_id).skipped += 1
            self._note(entry, "skipped", "changed on the server meanwhile")
            return False
        return True

    async def _write(self, entry: Entry, found: Observation, gate: asyncio.Semaphore) -> bool:
        """Send one write; whether it counts is seen by reading back, also when its answer is lost."""
        wanted = cleaned(entry.operation.wanted, found.runtime, self.clock())
        async with gate:
            if self.outbox.is_paused(self.account_id):
                return False
            before = entry.sent
            entry.sent = (Sent(wanted, self.clock()), *(known for known in before if known.state != wanted))
            try:
                await self.account.server.write(found.item_id, wanted, found.state)
            except (ItemNotFound, Forbidden) as error:
                entry.sent = ()
                self._drop(entry, str(error))
            except RateLimited as error:
                entry.sent = before
                self.outbox.pause(self.account_id, _pause(error))
                self._fail(entry, error)
            except ServerError as error:
                self._strike(entry, error)
            else:
                self._strikes = 0
                self.outbox.succeed(self.account_id)
                return True
        return False

    def _strike(self, entry: Entry, error: ServerError) -> None:
        """Try a write again later; after some in a row it is the server that fails, not this title."""
        self._strikes += 1
        if self._strikes >= STRIKES or (isinstance(error, ServerUnavailable) and error.retry_after):
            self.outbox.pause(self.account_id, _pause(error))
        self._fail(entry, error)

    def _read_back(self, entry: Entry, found: Observation | None, *, done: bool) -> None:
        if found is None:
            self._drop(entry, "the server has no such item")
        elif self._shows(entry, found.state) or self._is_enough(entry, found.state):
            self._acknowledge(entry, found.state)
            self.report.of(self.account_id).written += 1
            self._note(entry, "written", entry.operation.reason, found.state)
        elif done:
            entry.unshown += 1
            self._fail(entry, None)
        else:
            entry.sent = ()

    def _is_enough(self, entry: Entry, reading: WatchState) -> bool:
        """Whether a server shows all that it can: some keep no short positions."""
        patience = PATIENCE_OF_RATINGS if entry.operation.kind is WriteKind.RATE else PATIENCE
        return reading.played == entry.operation.wanted.played and entry.unshown + 1 >= patience

    def _acknowledge(self, entry: Entry, reading: WatchState) -> None:
        operation, at = entry.operation, self.clock()
        for item in self.baseline.of_replica(operation.replica):
            if item.item_id in operation.revisions:
                self.baseline.put(acknowledge(item, operation.replica, reading, operation.revisions[item.item_id], at))
        self.outbox.take(operation.replica)

    def _shows(self, entry: Entry, reading: WatchState) -> bool:
        position = has_position(self._replica(entry), self.policy.accounts[self.account_id])
        return is_done(entry.operation, reading, self.policy, position=position)

    def _shows_by_itself(self, entry: Entry, reading: WatchState) -> bool:
        """Whether somebody did what is to be written, or a crash came before it was read back; what may be later than what is agreed is news."""
        items = self.baseline.of_replica(entry.operation.replica)
        later = is_taken(reading, self._replica(entry), entry.sent) or any(is_later_view(reading, item) for item in items)
        return self._shows(entry, reading) and entry.operation.kind is not WriteKind.SET_DATE and not later

    def _is_as_planned_on(self, entry: Entry, reading: WatchState) -> bool:
        """Whether a replica still shows what the write was planned on, to the date and the count: a view anew looks like the old one else (M3)."""
        shown = entry.operation.shown
        position = has_position(self._replica(entry), self.policy.accounts[self.account_id])
        same_view = (reading.play_count, reading.last_played) == (shown.play_count, shown.last_played)
        return same_view and shows(reading, shown, self.policy, position=position)

    def _replica(self, entry: Entry) -> Replica:
        replica_id = entry.operation.replica
        return self.baseline.of_replica(replica_id)[0].replicas[replica_id]

    def _fail(self, entry: Entry, error: ServerError | None) -> None:
        self.outbox.postpone(entry)
        self.report.of(self.account_id).failed += 1
        self._note(entry, "failed", str(error) if error else "written, but it does not show")
        if error is not None:
            self.report.errors[self.account_id] = error

    def _drop(self, entry: Entry, reason: str) -> None:
        self.outbox.take(entry.operation.replica)
        self.report.of(self.account_id).failed += 1
        self._note(entry, "dropped", reason)

    def _note(self, entry: Entry, outcome: str, reason: str, reading: WatchState | None = None) -> None:
        operation = entry.operation
        items = self.baseline.of_replica(operation.replica)
        self.journal.add(
            Note(
                self.clock(),
                NoteKind.OPERATION,
                outcome,
                self.account_id,
                str(items[0].media) if items else operation.replica.item,
                reason,
                event=operation.kind,
                viewer=self.viewer,
                item_id=items[0].item_id if items else "",
                run_id=self.report.run_id,
                before=operation.shown,
                after=operation.wanted,
                reading=reading,
                more={"server_item": operation.replica.item, "attempt": str(entry.attempts + 1), **weakness(*items)},
            )
        )


def _pause(error: ServerError) -> timedelta | None:
    """How long the server asked to be left alone."""
    seconds = error.retry_after if isinstance(error, ServerUnavailable) else None
    return timedelta(seconds=seconds) if seconds else timedelta(seconds=30) if isinstance(error, RateLimited) else None
