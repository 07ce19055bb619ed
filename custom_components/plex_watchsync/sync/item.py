"""An item across servers: what all replicas last agreed on, and per replica the reading that was acknowledged for it (M2)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from .identity import without_names
from .merge import NEVER, NO_CLAIMS, Claims, merge
from .model import Media, ReplicaId, WatchState


@dataclass(frozen=True, slots=True)
class Replica:
    """One account's copy of an item.

    `reading` is the acknowledged reading, None before the first; `at` when it was read. `revision` is the agreed revision that it stands for, 0 for none.
    `missing` counts the complete listings in a row without it (G4). `several`: its file holds several episodes, so that its position says nothing of
    any one of them (I5).
    """

    keys: frozenset[str]
    library: str
    several: bool = False
    reading: WatchState | None = None
    at: datetime | None = None
    revision: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """A film or an episode across servers; `revision` rises with every agreed change that is to be written."""

    item_id: str
    media: Media
    keys: frozenset[str]
    claims: Claims = NO_CLAIMS
    revision: int = 0
    replicas: dict[ReplicaId, Replica] = field(default_factory=dict)

    @property
    def changed_at(self) -> datetime:
        """When the agreed state last changed."""
        return max((register.at for register in (self.claims.view, self.claims.spot, self.claims.rating) if register), default=NEVER)

    @property
    def nameless(self) -> list[ReplicaId]:
        """The copies without ids, which are known by name only (I6)."""
        if len(without_names(self.keys)) == len(self.keys):
            return []
        return [replica_id for replica_id, replica in self.replicas.items() if not without_names(replica.keys)]

    @property
    def is_weak(self) -> bool:
        """Whether it has a copy that is held by its name only, and may be another title (I6)."""
        return len(self.replicas) > 1 and bool(self.nameless)

    @property
    def known_by(self) -> frozenset[str]:
        """The keys that mean it: a name that only others wait for means none that has ids (I6)."""
        return (not self.nameless and without_names(self.keys)) or self.keys

    def is_owed(self, replica_id: ReplicaId) -> bool:
        """Whether a replica does not stand for the agreed state."""
        return self.revision > 0 and self.replicas[replica_id].revision != self.revision

    def with_replica(self, replica_id: ReplicaId, replica: Replica) -> Item:
        """Set one replica; the item's keys are those of its replicas."""
        return self._with({**self.replicas, replica_id: replica})

    def without_replica(self, replica_id: ReplicaId) -> Item:
        """Drop one replica; the last one leaves its keys behind, so that a copy that returns finds the agreed state (G4)."""
        return self._with({known: replica for known, replica in self.replicas.items() if known != replica_id})

    def _with(self, replicas: dict[ReplicaId, Replica]) -> Item:
        keys = frozenset().union(*(replica.keys for replica in replicas.values())) if replicas else self.keys
        return replace(self, replicas=replicas, keys=keys)


def joined(items: Iterable[Item]) -> Item:
    """Make one item of several that turned out to be the same; what stood for either stands for nothing until it is compared anew."""
    first, *others = items
    for other in others:
        replicas = first.replicas | other.replicas
        first = replace(
            first,
            keys=first.keys | other.keys,
            claims=merge(first.claims, other.claims),
            revision=max(first.revision, other.revision) + 1,
            replicas={known: replace(replica, revision=0) for known, replica in replicas.items()},
        )
    return first
