"""Which items of the servers are one (I1-I5): every part of an observation finds its item, joins items, or founds one."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations

from .baseline import Baseline
from .item import Item, Replica, joined
from .model import Media, Observation, Part, ReplicaId


def attach(baseline: Baseline, account: str, observation: Observation) -> tuple[str, ...]:
    """Make the observed item a replica of every item that its file holds; return the ids of these items, none when it has no ids."""
    replica_id = ReplicaId(account, observation.item_id)
    for item in not_shown(baseline, replica_id, observation.parts):  # what is acknowledged for one film is not so for another (R4)
        baseline.put(item.without_replica(replica_id))
    several = len(observation.parts) > 1
    return tuple(_place(baseline, replica_id, Replica(part.keys, observation.library, several), part.media) for part in observation.parts if part.keys)


def detach(baseline: Baseline, replica_id: ReplicaId) -> None:
    """Forget a replica; its items keep their agreed state (G4)."""
    for item in baseline.of_replica(replica_id):
        baseline.put(item.without_replica(replica_id))


def recall(baseline: Baseline, keys: frozenset[str], media: Media) -> tuple[Item, ...]:
    """Return the items that have one of the keys, or a new one that no server shows yet: a copy that comes finds its agreed state (R4)."""
    return baseline.sharing(keys) or (Item(_unused_id(baseline, keys), media, keys),)


def not_shown(baseline: Baseline, replica_id: ReplicaId, parts: Iterable[Part]) -> list[Item]:
    """Return the items that the server's item has no longer the ids of: it is another title by now (R4)."""
    known = [part.keys for part in parts]
    own = ((item, item.replicas[replica_id].keys) for item in baseline.of_replica(replica_id))
    return [item for item, keys in own if keys not in known and not any(keys & shown for shown in known)]


def _place(baseline: Baseline, replica_id: ReplicaId, new: Replica, media: Media) -> str:
    """Find or found the item of one part of a file and make the file one of the item's replicas."""
    own = next((item for item in baseline.of_replica(replica_id) if item.replicas[replica_id].keys & new.keys), None)
    if own is not None:
        known = own.replicas[replica_id]
        replica = replace(known, keys=new.keys, library=new.library, several=new.several)
        if replica == known and not baseline.is_ambiguous(own):  # an ambiguous one is tried anew each time: its rival may be gone
            return own.item_id
        baseline.put(own.without_replica(replica_id))
        new = replica
    same = [item for item in baseline.sharing(new.keys) if _consistent(item.with_replica(replica_id, new))]
    if same and _consistent(joined(same).with_replica(replica_id, new)):
        return _join(baseline, same, replica_id, new)
    item = Item(_unused_id(baseline, new.keys), media, new.keys).with_replica(replica_id, new)
    baseline.put(item)
    return item.item_id


def _join(baseline: Baseline, items: list[Item], replica_id: ReplicaId, replica: Replica) -> str:
    item = joined(items) if len(items) > 1 else items[0]
    for other in items[1:]:
        baseline.drop(other.item_id)
    baseline.put(item.with_replica(replica_id, replica))
    return item.item_id


def _consistent(item: Item) -> bool:
    """Whether its replicas on each one account are copies of one film (I4), none of another (I3)."""
    by_account: dict[str, list[frozenset[str]]] = {}
    for replica_id, replica in item.replicas.items():
        by_account.setdefault(replica_id.account, []).append(replica.keys)
    return all(_copies(one, other) for keys in by_account.values() for one, other in combinations(keys, 2))


def _copies(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two key sets share an id and contradict each other in none."""
    mine, theirs = _by_kind(one), _by_kind(other)
    return not one.isdisjoint(other) and all(not mine[kind].isdisjoint(theirs[kind]) for kind in mine.keys() & theirs.keys())


def _by_kind(keys: frozenset[str]) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for key in keys:
        scope, kind, value = key.split("/", 2)
        kinds.setdefault(f"{scope}/{kind}", set()).add(value)
    return kinds


def _unused_id(baseline: Baseline, keys: frozenset[str]) -> str:
    """Name a new item by its least key, numbered where an ambiguous rival has that name."""
    name, number = min(keys), 1
    item_id = name
    while item_id in baseline:
        number += 1
        item_id = f"{name}#{number}"
    return item_id
