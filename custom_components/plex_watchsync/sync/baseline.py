"""What all replicas last agreed on, and per replica the reading that was acknowledged for it (M2)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from .merge import NEVER, NO_CLAIMS, Claims, merge
from .model import UNWATCHED, Media, ReplicaId, WatchState


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
        return max((register.at for register in (self.claims.view, self.claims.spot) if register), default=NEVER)

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


@dataclass(slots=True)
class Counts:
    """How many items an account has, and how many of them it shows as watched."""

    items: int = 0
    watched: int = 0


class Baseline:
    """One viewer's items, found by match key and by replica; knows which items changed since they were last stored."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        """Index the items."""
        self._items: dict[str, Item] = {}
        self._by_key: dict[str, tuple[str, ...]] = {}
        self._by_replica: dict[ReplicaId, tuple[str, ...]] = {}
        self._counts: dict[str, Counts] = {}
        self.changed: set[str] = set()
        for item in items:
            self.put(item)
        self.changed.clear()

    def __len__(self) -> int:
        """Count the items."""
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the items; they may be changed meanwhile."""
        return iter(list(self._items.values()))

    def __contains__(self, item_id: str) -> bool:
        """Whether there is such an item."""
        return item_id in self._items

    def __getitem__(self, item_id: str) -> Item:
        """Return an item; raises KeyError."""
        return self._items[item_id]

    def of_replica(self, replica_id: ReplicaId) -> tuple[Item, ...]:
        """Return the items that a server's item is a copy of, several for a file of several episodes (I5)."""
        return tuple(self._items[item_id] for item_id in self._by_replica.get(replica_id, ()))

    def of_account(self, account: str) -> Iterator[ReplicaId]:
        """Iterate over an account's replicas."""
        return (replica_id for replica_id in list(self._by_replica) if replica_id.account == account)

    def counts(self, account: str) -> Counts:
        """Count an account's items."""
        return self._counts.get(account, Counts())

    def copy(self) -> Baseline:
        """Return another baseline with the same items, to plan on."""
        return Baseline(self._items.values())

    def sharing(self, keys: Iterable[str]) -> tuple[Item, ...]:
        """Return the items that have one of the keys, in a stable order."""
        found = {item_id for key in keys for item_id in self._by_key.get(key, ())}
        return tuple(self._items[item_id] for item_id in sorted(found))

    def is_ambiguous(self, item: Item) -> bool:
        """Whether another item has one of its keys: they could not be joined without joining two items of one server (I3)."""
        return any(len(self._by_key.get(key, ())) > 1 for key in item.keys)

    def put(self, item: Item) -> None:
        """Store an item, new or changed."""
        before = self._items.get(item.item_id)
        if before == item:
            return
        if before is not None:
            self._unindex(before)
        self._items[item.item_id] = item = _lean(item)
        self.changed.add(item.item_id)
        for key in item.keys:
            self._by_key[key] = (*self._by_key.get(key, ()), item.item_id)
        for replica_id, replica in item.replicas.items():
            self._count(replica_id, replica, 1)
            siblings = self._by_replica.get(replica_id, ())
            if item.item_id not in siblings:
                self._by_replica[replica_id] = (*siblings, item.item_id)

    def drop(self, item_id: str) -> None:
        """Remove an item whose place another has taken."""
        self._unindex(self._items.pop(item_id))
        self.changed.add(item_id)

    def _unindex(self, item: Item) -> None:
        for key in item.keys:
            _strike(self._by_key, key, item.item_id)
        for replica_id, replica in item.replicas.items():
            self._count(replica_id, replica, -1)
            _strike(self._by_replica, replica_id, item.item_id)

    def _count(self, replica_id: ReplicaId, replica: Replica, one: int) -> None:
        counts = self._counts.setdefault(replica_id.account, Counts())
        counts.items += one
        counts.watched += one if replica.reading and replica.reading.played else 0


def _strike[Key](index: dict[Key, tuple[str, ...]], key: Key, item_id: str) -> None:
    left = tuple(one for one in index[key] if one != item_id)
    if left:
        index[key] = left
    else:
        del index[key]


def _lean(item: Item) -> Item:
    """Let replicas share what is equal: most have all the item's keys and show nothing, and there are hundreds of thousands of them."""
    replicas = {
        known: replace(replica, keys=_same(item.keys, replica.keys), reading=_same(UNWATCHED, replica.reading)) for known, replica in item.replicas.items()
    }
    return replace(item, replicas=replicas)


def _same[Value](known: Value, other: Value) -> Value:
    return known if known == other else other
