"""All items of a viewer: what was agreed on, and what was acknowledged for each replica (M2)."""

import marshal
from collections.abc import Collection, Iterable, Iterator
from dataclasses import astuple, dataclass, replace
from datetime import datetime

from .identity import without_names
from .item import Item
from .merge import NEVER
from .model import Observation, ReplicaId
from .record import Row, item_of, row_of
from .selection import NOTHING, Selection

AT_HAND = 64
"""Items that stay unpacked for a while."""


@dataclass(slots=True)
class Counts:
    """How many items an account has, how many of them it shows as watched, and how many are owed the agreed state."""

    items: int = 0
    watched: int = 0
    owed: int = 0


class Baseline:
    """One viewer's items, found by match key and by replica; knows which items changed since they were last stored.

    `looks` are when replicas were last read, in this process: by replica, or by account alone for whole libraries. Items are kept packed: bytes and texts are nothing that the garbage collector would have to go through.
    """

    def __init__(self, ignored: Selection = NOTHING) -> None:
        """Start empty; what is ignored will be known and left alone (I8)."""
        self._ignored = ignored
        self._packed: dict[str, bytes] = {}
        self._unpacked: dict[str, Item] = {}
        self._by_key: dict[str, tuple[str, ...]] = {}
        self._by_replica: dict[str, dict[str, tuple[str, ...]]] = {}  # by account and the server's item id
        self._settled: dict[str, dict[str, int]] = {}
        self._begun: dict[str, dict[str, int]] = {}  # by account: the server's items that it shows as watched or begun, and of how many items each is a copy
        self._counts: dict[str, dict[str, Counts]] = {}  # by account and library
        self.changed: set[str] = set()
        self.looks: dict[ReplicaId, datetime] = {}

    def __len__(self) -> int:
        """Count the items."""
        return len(self._packed)

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the items; they may be changed meanwhile."""
        return (self[item_id] for item_id in list(self._packed) if item_id in self._packed)

    def __contains__(self, item_id: str) -> bool:
        """Whether there is such an item."""
        return item_id in self._packed

    def __getitem__(self, item_id: str) -> Item:
        """Return an item; raises KeyError."""
        item = self._unpacked.get(item_id)
        return item or self._keep(item_of(marshal.loads(self._packed[item_id])))  # noqa: S302 - never from outside of this process

    def get(self, item_id: str) -> Item | None:
        """Return an item, or nothing when there is no such."""
        return self[item_id] if item_id in self._packed else None

    def row(self, item_id: str) -> Row:
        """Return an item as a document holds it; raises KeyError."""
        return marshal.loads(self._packed[item_id])  # noqa: S302 - the same

    def of_replica(self, replica_id: ReplicaId) -> tuple[Item, ...]:
        """Return the items that a server's item is a copy of, several for a file of several episodes (I5)."""
        return tuple(self[item_id] for item_id in self._by_replica.get(replica_id.account, {}).get(replica_id.item, ()))

    def of_account(self, account: str) -> Iterator[ReplicaId]:
        """Iterate over an account's replicas."""
        return (ReplicaId(account, item) for item in list(self._by_replica.get(account, ())))

    def counts(self, account: str, libraries: Collection[str] | None = None) -> Counts:
        """Count an account's items, in some libraries or in all that there ever were."""
        chosen = [counts for library, counts in self._counts.get(account, {}).items() if libraries is None or library in libraries]
        return Counts(*(sum(numbers) for numbers in zip(*map(astuple, chosen), strict=True)))

    def begun(self, account: str) -> frozenset[str]:
        """Return the server's items that an account showed as watched or begun when they were acknowledged."""
        return frozenset(self._begun.get(account, ()))

    def copy(self) -> Baseline:
        """Return another baseline with the same items, to plan on."""
        twin = Baseline(self._ignored)
        twin._packed, twin._by_key = {**self._packed}, {**self._by_key}
        twin._by_replica = {account: {**replicas} for account, replicas in self._by_replica.items()}
        twin.looks = {**self.looks}
        twin._begun = {account: {**begun} for account, begun in self._begun.items()}
        twin._counts = {account: {library: replace(counts) for library, counts in by_library.items()} for account, by_library in self._counts.items()}
        return twin

    def like(self) -> Baseline:
        """Return an empty baseline that leaves the same alone."""
        return Baseline(self._ignored)

    def sharing(self, keys: Iterable[str]) -> tuple[Item, ...]:
        """Return the items that have one of the keys, in a stable order."""
        found = {item_id for key in keys for item_id in self._by_key.get(key, ())}
        return tuple(self[item_id] for item_id in sorted(found))

    def meant_by(self, keys: frozenset[str]) -> tuple[Item, ...]:
        """Return the items that somebody means by these keys."""
        return tuple(item for item in self.sharing(keys) if not item.known_by.isdisjoint(keys))

    def rivals(self, item: Item) -> tuple[Item, ...]:
        """Return the other items that make an item ambiguous (I3)."""
        return tuple(other for other in self.sharing(without_names(item.keys) or item.keys) if other.item_id != item.item_id)

    def keys(self) -> tuple[str, ...]:
        """Return all match keys; they are looked through where no index leads."""
        return tuple(self._by_key)

    def is_ambiguous(self, item: Item) -> bool:
        """Whether another item has one of its keys: they could not be joined without joining two items of one server (I3). A name counts where no id is (I6)."""
        return any(len(self._by_key.get(key, ())) > 1 for key in without_names(item.keys) or item.keys)

    def is_ignored(self, item: Item) -> bool:
        """Whether the viewer wants an item left alone (I8)."""
        return bool(self._ignored) and self._ignored.covers(item.known_by)

    def is_left_alone(self, item: Item) -> bool:
        """Whether nothing is concluded from an item and nothing written to it: it is ambiguous (I3) or ignored (I8)."""
        return self.is_ignored(item) or self.is_ambiguous(item)

    def ignore(self, selection: Selection, concerned: Iterable[Item]) -> None:
        """Leave alone what is selected, and nothing else; `concerned` are all items for which that is news."""
        items = tuple(concerned)
        for item in items:
            self._count(item, -1)
        self._ignored = selection
        for item in items:
            self._count(item, 1)

    def looked_at(self, replica_id: ReplicaId) -> datetime:
        """Tell when a replica was last read; when nothing has changed, that is not stored, to spare disks (R1)."""
        return self.looks.get(replica_id) or self.looks.get(ReplicaId(replica_id.account, ""), NEVER)

    def look(self, account: str, at: datetime, items: Iterable[str], unsure: Iterable[ReplicaId]) -> None:
        """Remember when items of an account were read, "" for all; for those of which it is not sure what was read, the look before stays the last."""
        kept = {replica_id: self.looked_at(replica_id) for replica_id in unsure if replica_id.account == account}
        read = [ReplicaId(account, item) for item in items]
        if ReplicaId(account, "") in read:
            self.looks = {known: when for known, when in self.looks.items() if known.account != account or when > at}
        self.looks |= dict.fromkeys(read, at) | kept

    def settle(self, replica_id: ReplicaId, observation: Observation) -> None:
        """Remember that nothing followed from an observation; it holds until one of the replica's items changes."""
        self._settled.setdefault(replica_id.account, {})[replica_id.item] = hash(observation)

    def is_settled(self, replica_id: ReplicaId, observation: Observation) -> bool:
        """Whether the replica was last observed to be just so: most of a library is as it was, and need not be looked up."""
        return self._settled.get(replica_id.account, {}).get(replica_id.item) == hash(observation)

    def put(self, item: Item) -> None:
        """Store an item, new or changed."""
        before = self.get(item.item_id)
        if before == item:
            return
        if before is not None:
            self._unindex(before)
        self._packed[item.item_id] = marshal.dumps(row_of(self._keep(item)))
        self.changed.add(item.item_id)
        for key in item.keys:
            self._by_key[key] = (*self._by_key.get(key, ()), item.item_id)
        self._count(item, 1)
        for replica_id in item.replicas:
            replicas = self._by_replica.setdefault(replica_id.account, {})
            replicas[replica_id.item] = (*replicas.get(replica_id.item, ()), item.item_id)
            self._settled.get(replica_id.account, {}).pop(replica_id.item, None)

    def drop(self, item_id: str) -> None:
        """Remove an item whose place another has taken."""
        self._unindex(self[item_id])
        self.changed.add(item_id)
        del self._packed[item_id]
        self._unpacked.pop(item_id, None)

    def _keep(self, item: Item) -> Item:
        """Keep an item at hand: who asked for it will ask again."""
        if len(self._unpacked) >= AT_HAND:
            self._unpacked.clear()
        self._unpacked[item.item_id] = item
        return item

    def _unindex(self, item: Item) -> None:
        for key in item.keys:
            _strike(self._by_key, key, item.item_id)
        self._count(item, -1)
        for replica_id in item.replicas:
            _strike(self._by_replica[replica_id.account], replica_id.item, item.item_id)
            self._settled.get(replica_id.account, {}).pop(replica_id.item, None)

    def _count(self, item: Item, one: int) -> None:
        ignored = self.is_ignored(item)
        for replica_id, replica in item.replicas.items():
            counts = self._counts.setdefault(replica_id.account, {}).setdefault(replica.library, Counts())
            counts.items += one
            counts.watched += one if replica.reading and replica.reading.played else 0
            if replica.reading and (replica.reading.played or replica.reading.position):
                begun = self._begun.setdefault(replica_id.account, {})
                begun[replica_id.item] = begun.get(replica_id.item, 0) + one
                if not begun[replica_id.item]:
                    del begun[replica_id.item]
            counts.owed += one if item.is_owed(replica_id) and not ignored else 0


def _strike(index: dict[str, tuple[str, ...]], key: str, item_id: str) -> None:
    left = tuple(one for one in index[key] if one != item_id)
    if left:
        index[key] = left
    else:
        del index[key]
