"""Writes that are owed: one per replica, the newest wins, kept until they are acknowledged (W5)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from ..ports import Documents, StoreError
from ..sync.merge import NEVER
from ..sync.model import ReplicaId, Sent
from ..sync.plan import Operation, WriteKind
from ..sync.record import sent_of, sent_row, state_of, state_row
from .pace import paced

FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(minutes=10)

_dice = Random()  # jitter keeps servers that came back together from being asked together


@dataclass(slots=True)
class Entry:
    """An operation with its history.

    `unshown` counts the times that it was written and did not show; `sent` is what went to the server, by this operation or one whose place it took, and
    was not read back: it may show there (M3). `superseded`: it is not to be sent any more.
    """

    operation: Operation
    not_before: datetime
    attempts: int = 0
    unshown: int = 0
    sent: tuple[Sent, ...] = ()
    superseded: bool = False


@dataclass(slots=True)
class Circuit:
    """A server that failed: nothing is sent to it before `until`; `asked` when it named that pause itself."""

    failures: int = 0
    until: datetime = NEVER
    asked: bool = False


@dataclass(slots=True)
class Outbox:
    """One viewer's outbox. Pauses are not kept on disk: who starts Home Assistant anew wants what is owed to be tried."""

    name: str
    documents: Documents
    clock: Callable[[], datetime]
    entries: dict[ReplicaId, Entry] = field(default_factory=dict)
    circuits: dict[str, Circuit] = field(default_factory=dict)  # by account
    _changed: bool = False

    def put(self, operation: Operation) -> None:
        """Queue a write; it takes the place of an older one for the same replica."""
        known = self.entries.get(operation.replica)
        if known is None or known.superseded or known.operation != operation:
            self.entries[operation.replica] = Entry(operation, self.clock(), sent=known.sent if known else ())
            self._changed = True

    def supersede(self, replica_id: ReplicaId) -> None:
        """Remove a write that is not to be sent any more, if it never was; else it stays until it is known what shows (M3)."""
        if not (entry := self.entries[replica_id]).sent:
            self.take(replica_id)
        elif not entry.superseded:
            entry.superseded = self._changed = True

    def take(self, replica_id: ReplicaId) -> None:
        """Remove a write that is done, superseded or pointless."""
        self._changed |= self.entries.pop(replica_id, None) is not None

    def sent(self, replica_id: ReplicaId) -> tuple[Sent, ...]:
        """Return what may show at a replica because it was sent there."""
        entry = self.entries.get(replica_id)
        return entry.sent if entry else ()

    def read(self, replica_ids: Iterable[ReplicaId]) -> None:
        """Forget what was sent to replicas that were read since: whether it shows is known."""
        for replica_id in replica_ids:
            if entry := self.entries.get(replica_id):
                self._changed |= bool(entry.sent)
                entry.sent = ()

    def postpone(self, entry: Entry, delay: timedelta | None = None) -> None:
        """Try again later: after `delay`, or twice as long as the last time."""
        entry.attempts += 1
        entry.not_before = self.clock() + (delay or _backed_off(entry.attempts))
        self._changed = True

    def pause(self, account: str, asked: timedelta | None) -> None:
        """Send an account nothing for as long as its server asked, or twice as long as the last time: it is the server that fails, not a title."""
        circuit = self.circuits.setdefault(account, Circuit())
        if not self.is_paused(account):
            circuit.failures += 1
            circuit.until = self.clock() + _backed_off(circuit.failures)
            circuit.asked = False
        if asked:
            circuit.until, circuit.asked = self.clock() + asked, True

    def is_paused(self, account: str) -> bool:
        """Whether nothing is to be sent to an account now."""
        return account in self.circuits and self.circuits[account].until > self.clock()

    def succeed(self, account: str) -> None:
        """Forget that an account's server failed: it takes writes."""
        self.circuits.pop(account, None)

    def due(self, account: str) -> list[Entry]:
        """Return an account's writes whose time has come, in the order in which they were queued."""
        now = self.clock()
        return [entry for replica_id, entry in self.entries.items() if replica_id.account == account and entry.not_before <= now]

    def is_due(self, entry: Entry) -> bool:
        """Whether an entry still waits here and its time has come."""
        return self.entries.get(entry.operation.replica) is entry and entry.not_before <= self.clock()

    def pending(self, account: str) -> int:
        """Count an account's writes that are to be sent."""
        return sum(replica_id.account == account and not entry.superseded for replica_id, entry in self.entries.items())

    @property
    def next_due(self) -> datetime | None:
        """When the next write may be tried."""
        paused = {account: circuit.until for account, circuit in self.circuits.items()}
        return min((max(entry.not_before, paused.get(replica_id.account, NEVER)) for replica_id, entry in self.entries.items()), default=None)

    def wake(self, accounts: Iterable[str]) -> None:
        """Let the writes of accounts that answer again be tried at once, unless their server asked for a pause."""
        awake, now = set(accounts), self.clock()
        self.circuits = {account: circuit for account, circuit in self.circuits.items() if account not in awake or (circuit.asked and circuit.until > now)}
        for replica_id, entry in self.entries.items():
            if replica_id.account in awake:
                entry.not_before = min(entry.not_before, now)

    def forget(self, account: str) -> None:
        """Drop an account's writes."""
        for replica_id in [known for known in self.entries if known.account == account]:
            self.take(replica_id)
        self.circuits.pop(account, None)

    async def load(self) -> None:
        """Read what was left when Home Assistant stopped; raises `StoreError` when that is broken."""
        content: Any = await self.documents.load(self.name) or []
        try:
            entries = [_entry(row, self.clock()) for row in content]
        except (LookupError, TypeError, ValueError) as error:
            raise StoreError(self.name) from error
        self.entries = {entry.operation.replica: entry for entry in entries}

    async def save(self) -> None:
        """Write the document if the outbox changed; raises `StoreError`, and the next time it is written anew."""
        if self._changed:
            self._changed = False
            try:
                await self.documents.save(self.name, [_row(entry) async for entry in paced(tuple(self.entries.values()))])
            except BaseException:  # a cancelled flush is tried again too
                self._changed = True
                raise


def _backed_off(times: int) -> timedelta:
    delay: timedelta = min(FIRST_DELAY * 2 ** min(times - 1, 10), LONGEST_DELAY)
    return delay * _dice.uniform(0.8, 1.2)


def _row(entry: Entry) -> list[Any]:
    operation = entry.operation
    return [
        *operation.replica,
        operation.kind.value,
        state_row(operation.wanted),
        state_row(operation.shown),
        dict(operation.revisions),
        operation.reason,
        [sent_row(sent) for sent in entry.sent],
        entry.superseded,
    ]


def _entry(row: list[Any], now: datetime) -> Entry:
    """Read an entry; what was to be sent may have been sent just before Home Assistant was killed."""
    account, item, kind, wanted, shown, revisions, reason, rows, superseded = row
    operation = Operation(ReplicaId(account, item), WriteKind(kind), state_of(wanted), state_of(shown), revisions, reason)
    sent = tuple(map(sent_of, rows))
    if not superseded:
        sent = (Sent(operation.wanted, now), *(known for known in sent if known.state != operation.wanted))
    return Entry(operation, now, sent=sent, superseded=superseded)
