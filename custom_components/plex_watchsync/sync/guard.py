"""The breaker (G2): whether what a cycle found is more than a person does; pure, so that whoever asks can hold when it fails."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from .item import Item
from .model import ReplicaId
from .policy import Limits, Policy
from .reconcile import Sighting, find

WINDOW = timedelta(minutes=5)
MOST_IN_WINDOW = 15
"""So many unwatches from polls within the window are no person's any more."""


class Trip(StrEnum):
    """Why something is held."""

    UNWATCHES = "unwatches"
    BURST = "burst"
    VANISHED = "vanished"
    RESTORE = "restore"
    UNDO = "undo"
    FAILED = "failed"


def would_unwatch(item: Item, replica_id: ReplicaId, seen: Sighting, policy: Policy) -> bool:
    """Whether a reading would make all unwatched what was agreed to be watched."""
    if seen.state.played or not item.claims.state.played:
        return False
    view = find(item, replica_id, seen, policy).claims.view
    return view is not None and not view.played


def too_many(found: int, polled: int, watched: int, recent: int, limits: Limits) -> Trip | None:
    """Judge an account's unwatches: `polled` of the `found` came from polls, as did the `recent` ones within the window before."""
    if found > limits.breaker_items and found * 100 > watched * limits.breaker_percent:
        return Trip.UNWATCHES
    return Trip.BURST if polled and polled + recent >= MOST_IN_WINDOW else None


def vanished(missing: Mapping[str, int], items: Mapping[str, int], limits: Limits) -> Trip | None:
    """Judge what a whole listing did not show, by library: a large part of all, or a library that is emptied, as when a disk is not mounted."""
    gone = sum(missing.values()) * 100 > sum(items.values()) * limits.vanished_percent
    emptied = any(count == items[library] > limits.breaker_items for library, count in missing.items())
    return Trip.VANISHED if gone or emptied else None
