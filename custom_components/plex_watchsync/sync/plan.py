"""What is to be written where, so that every replica shows the agreed state; a plan is made without a server (G6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from .item import Item, Replica
from .model import ReplicaId, WatchState
from .policy import AccountPolicy, Policy
from .rating import alike, expected
from .reconcile import has_position, shows, tells_date, usable_position

HIGHEST_RATING = 10.0


class WriteKind(StrEnum):
    """What a person would see happen."""

    MARK_WATCHED = "mark_watched"
    MARK_UNWATCHED = "mark_unwatched"
    SET_POSITION = "set_position"
    RATE = "rate"
    SET_DATE = "set_date"


@dataclass(frozen=True, slots=True)
class Operation:
    """One write: make a replica that shows `shown` show `wanted`, the whole record (W7).

    `revisions` names, by item id, the agreed revisions that it carries out.
    """

    replica: ReplicaId
    kind: WriteKind
    wanted: WatchState
    shown: WatchState
    revisions: dict[str, int]
    reason: str


def plan(items: Sequence[Item], replica_id: ReplicaId, policy: Policy) -> Operation | None:
    """Return the write that a replica is owed, if any; `items` are all that its file holds (I5)."""
    account = policy.accounts.get(replica_id.account)
    if account is None or not account.direction.exports or not items or replica_id not in items[0].replicas:
        return None
    replicas = [item.replicas[replica_id] for item in items]
    shown = replicas[0].reading or WatchState()
    wanted = _wanted(items, replica_id, account)
    if wanted is None or all(replica.revision == item.revision for replica, item in zip(replicas, items, strict=True)):
        return None
    kind = _kind(replicas[0], wanted, account, policy)
    if kind is None:
        return None
    revisions = {item.item_id: item.revision for item in items}
    record = replace(wanted, position=_position(replicas[0], wanted, account, policy), play_count=_count(wanted, shown))
    agreed = "rated" if kind is WriteKind.RATE else "watched" if wanted.played else "unwatched"
    return Operation(replica_id, kind, record, shown, revisions, f"agreed: {agreed}")


def is_done(operation: Operation, reading: WatchState, policy: Policy, *, position: bool = True) -> bool:
    """Whether what was read back is what was written (M3)."""
    return shows(reading, operation.wanted, policy, position=position)


def cleaned(wanted: WatchState, runtime: int | None, now: datetime) -> WatchState:
    """Cut what no server checks: positions outside of the run time, dates in the future, ratings off the scale (W8)."""
    position = max(0, wanted.position if runtime is None else min(wanted.position, runtime))
    last_played = wanted.last_played and min(wanted.last_played, now)
    rating = wanted.rating if wanted.rating is None else min(max(wanted.rating, 0.0), HIGHEST_RATING)
    return replace(wanted, position=position, last_played=last_played, rating=rating)


def acknowledge(item: Item, replica_id: ReplicaId, reading: WatchState, revision: int, at: datetime) -> Item:
    """Let a reading stand for an agreed revision of the item."""
    replica = replace(item.replicas[replica_id], reading=reading, revision=revision, at=at, missing=0)
    return item.with_replica(replica_id, replica)


def _wanted(items: Sequence[Item], replica_id: ReplicaId, account: AccountPolicy) -> WatchState | None:
    """Return the state that all the file's items agree on (I5), None where they don't or nothing was ever agreed."""
    replicas = [(item.claims, item.replicas[replica_id]) for item in items if item.revision]
    states = [expected(claims, replica, replica.reading or WatchState(), account) for claims, replica in replicas]
    if len(states) < len(items) or len({state.played for state in states}) > 1:
        return None
    return max(states, key=lambda state: (state.last_played is not None, state.last_played))


def _kind(replica: Replica, wanted: WatchState, account: AccountPolicy, policy: Policy) -> WriteKind | None:
    shown = replica.reading or WatchState()
    if wanted.played != shown.played:
        return WriteKind.MARK_WATCHED if wanted.played else WriteKind.MARK_UNWATCHED
    if not shows(shown, wanted, policy, position=has_position(replica, account), rating=False):
        return WriteKind.SET_POSITION
    if not alike(shown.rating, wanted.rating):
        return WriteKind.RATE
    return WriteKind.SET_DATE if tells_date(replica, wanted, account) else None


def _position(replica: Replica, wanted: WatchState, account: AccountPolicy, policy: Policy) -> int:
    """Return the position to write: a mark clears it, but for one of no weight that was just begun; what is not synced stays as it is."""
    shown = replica.reading or WatchState()
    if not has_position(replica, account):
        return 0 if wanted.played != shown.played else shown.position
    begun = wanted.played and not shown.played and shown.position and not usable_position(shown.position, None, policy)
    return shown.position if begun else wanted.position


def _count(wanted: WatchState, shown: WatchState) -> int:
    """Let counts rise with the agreed one, never fall (they are no reason to write)."""
    return max(wanted.play_count, shown.play_count, 1) if wanted.played else 0
