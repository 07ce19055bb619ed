"""What the breaker holds for one viewer (G2): kept on disk until a person approves or discards it, or it goes away by itself."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..ports import Documents, StoreError
from ..sync.guard import WINDOW, Trip
from ..sync.merge import Claims
from ..sync.model import ReplicaId
from ..sync.record import claims_of, claims_row

ANSWERS = 20
"""So many runs of an account may be named to decide on what they found to be held."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What one account's server showed in a run and nobody is to follow: by the server's own ids; of what vanished, all that is missing.

    Of a restore or an undo, what it would make all unwatched: of no account, by our own ids, with all the `claims` that it makes of each.
    """

    run_id: str
    account: str
    at: datetime
    trip: Trip
    items: frozenset[str]
    claims: Mapping[str, Claims] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, bool, str]:
        """What it is one with: an account's polls join what is held of them; what was said here stands alone, as of when it was said."""
        return self.account, self.vanished, self.run_id if self.said_here else ""

    @property
    def vanished(self) -> bool:
        """Whether these items are missing, rather than unwatched."""
        return self.trip is Trip.VANISHED

    @property
    def said_here(self) -> bool:
        """Whether a person asked for it here, by a restore or an undo, rather than a server showed it."""
        return self.trip in {Trip.RESTORE, Trip.UNDO}


@dataclass(slots=True)
class Holds:
    """One viewer's holds, at most one of each sort for an account; how many unwatches its polls found lately, and which runs answered that it is held."""

    name: str
    documents: Documents
    held: list[Hold] = field(default_factory=list)
    _recent: dict[str, deque[datetime]] = field(default_factory=dict)
    _answers: dict[str, deque[str]] = field(default_factory=dict)
    _changed: bool = False

    def of(self, run_id: str) -> list[Hold]:
        """Return what a run had held, or else what it found to be held already."""
        own = [hold for hold in self.held if hold.run_id == run_id]
        return own or [hold for hold in self.held if run_id in self._answers.get(hold.account, ())]

    def answer(self, account: str, run_id: str) -> None:
        """Remember that a run answered that something of an account is held."""
        self._answers.setdefault(account, deque(maxlen=ANSWERS)).append(run_id)

    def has(self, replica_id: ReplicaId) -> bool:
        """Whether a replica's unwatch is held."""
        return any(hold.account == replica_id.account and replica_id.item in hold.items for hold in self.held if not hold.vanished)

    def has_any(self, account: str) -> bool:
        """Whether anything of an account is held."""
        return any(hold.account == account for hold in self.held)

    def unwatches(self, account: str) -> Hold | None:
        """Return an account's held unwatches, which further ones from polls join."""
        return next((hold for hold in self.held if hold.account == account and not hold.vanished), None)

    def add(self, hold: Hold) -> Hold | None:
        """Hold something, together with what is held of the same sort at the account already; return it if that is news."""
        known = next((one for one in self.held if one.key == hold.key), None)
        if known is None:
            self.held = [*self.held, hold]
            self._changed = True
            return hold
        items = hold.items if hold.vanished else known.items | hold.items
        self._replace(known, replace(known, items=items, claims={**known.claims, **hold.claims}))
        return None

    def release(self, hold: Hold, gone: Collection[str]) -> None:
        """Let go of items that show what they should again; a hold without any is over."""
        self._replace(hold, replace(hold, items=hold.items - set(gone)))

    def remove(self, holds: Iterable[Hold]) -> None:
        """Let go of all that is in these holds; what joined them since stays held."""
        for hold in holds:
            for known in [one for one in self.held if one.key == hold.key]:
                self.release(known, hold.items)

    def forget(self, account: str) -> None:
        """Forget an account."""
        self.remove([hold for hold in self.held if hold.account == account])
        self._recent.pop(account, None)

    def recent(self, account: str, now: datetime) -> int:
        """Count the unwatches that polls found at an account within the window."""
        times = self._recent.setdefault(account, deque())
        while times and times[0] <= now - WINDOW:
            times.popleft()
        return len(times)

    def count(self, account: str, polled: int, now: datetime) -> None:
        """Remember unwatches that polls found and that were let through."""
        self._recent.setdefault(account, deque()).extend([now] * polled)

    def copy(self) -> Holds:
        """Return others with the same content, to plan on; they are never saved."""
        return Holds(self.name, self.documents, [*self.held], {account: deque(times) for account, times in self._recent.items()})

    async def load(self) -> None:
        """Read what is held; raises `StoreError`, as what is held must not go through for want of it."""
        content: Any = await self.documents.load(self.name) or []
        try:
            self.held = [_hold_of(row) for row in content]
        except (LookupError, TypeError, ValueError) as error:
            raise StoreError(self.name) from error

    async def save(self) -> None:
        """Write the document if anything changed; raises `StoreError`, and the next time it is written anew."""
        if self._changed:
            self._changed = False
            try:
                await self.documents.save(self.name, [_row_of(hold) for hold in self.held])
            except BaseException:  # a cancelled flush is tried again too
                self._changed = True
                raise

    def _replace(self, known: Hold, new: Hold) -> None:
        if new != known:
            self.held = [one for one in (new if one == known else one for one in self.held) if one.items]
            self._changed = True


def _row_of(hold: Hold) -> list[Any]:
    claims = {item: claims_row(hold.claims[item]) for item in sorted(hold.items & hold.claims.keys())}
    return [hold.run_id, hold.account, hold.at.isoformat(), hold.trip.value, sorted(hold.items), claims]


def _hold_of(row: list[Any]) -> Hold:
    """Read a hold; rows from before claims were held end with the items."""
    run_id, account, at, trip, items, *claims = row
    made = {item: claims_of(said) for item, said in dict(*claims).items()}
    return Hold(run_id, account, datetime.fromisoformat(at), Trip(trip), frozenset(items), made)
