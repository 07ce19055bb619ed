"""Which items of the servers are one (I1-I6): every part of an observation finds its item, joins items, or founds one."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations

from .baseline import Baseline
from .identity import without_names
from .item import Item, Replica, joined
from .merge import NO_CLAIMS
from .model import Media, Observation, Part, ReplicaId
from .names import names_of
from .policy import AccountPolicy


def named(baseline: Baseline, observation: Observation, account: AccountPolicy) -> Observation:
    """Let a title without ids be known by the names that its account may be matched by, and one with ids by those that such a title waits for (I6)."""
    by_file, by_title = account.match_by_file_name, account.match_by_title
    if not (by_file or by_title) or len(observation.parts) > 1:
        return observation
    part = observation.parts[0]
    ids, names = without_names(part.keys), names_of(part.media, observation.file, observation.runtime, by_file=by_file, by_title=by_title)
    if ids:
        names = frozenset(name for name in names if any(item.is_weak for item in baseline.sharing([name])))
    return replace(observation, parts=(replace(part, keys=ids | names),)) if names else observation


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
    return baseline.meant_by(keys) or (Item(_unused_id(baseline, keys), media, keys),)


def not_shown(baseline: Baseline, replica_id: ReplicaId, parts: Iterable[Part]) -> list[Item]:
    """Return the items that the server's item has no longer the ids of: it is another title by now (R4)."""
    known = [part.keys for part in parts]
    own = ((item, item.replicas[replica_id].keys) for item in baseline.of_replica(replica_id))
    return [item for item, keys in own if keys not in known and not any(_meet(keys, shown) for shown in known)]


def _place(baseline: Baseline, replica_id: ReplicaId, new: Replica, media: Media) -> str:
    """Find or found the item of one part of a file and make the file one of the item's replicas."""
    own = next((item for item in baseline.of_replica(replica_id) if _meet(item.replicas[replica_id].keys, new.keys)), None)
    if own is not None:
        known = own.replicas[replica_id]
        replica = replace(known, keys=new.keys, library=new.library, several=new.several)
        if replica == known and not baseline.is_ambiguous(own):  # an ambiguous one is tried anew each time: its rival may be gone
            return own.item_id
        if without_names(known.keys):
            _part(baseline, own)
            own = baseline[own.item_id]
        new = replica if _meet(own.keys, new.keys) else new
        own = own.without_replica(replica_id)
        baseline.put(own)
    if same := _same(baseline, replica_id, new):
        item = _join(baseline, same, replica_id, new)
    else:
        home = own if own is not None and not own.replicas else Item(_unused_id(baseline, new.keys), media, new.keys)
        item = home.with_replica(replica_id, new)
        baseline.put(item)
    _let_go(baseline, new.keys - without_names(new.keys))
    return item.item_id


def _same(baseline: Baseline, replica_id: ReplicaId, new: Replica) -> list[Item]:
    """Return the items that the replica belongs to: by its ids, and by its names all that have these, if that joins no ids with others (I6)."""
    ids = without_names(new.keys)
    by_ids = [item for item in baseline.sharing(ids) if _consistent(item.with_replica(replica_id, new))]
    tries = [by_ids]
    if len(ids) < len(new.keys):
        by_name = [*by_ids, *(item for item in baseline.sharing(new.keys) if item not in by_ids)]
        with_ids = [item for item in by_name if without_names(item.keys)]
        if with_ids == by_ids or (not ids and len(with_ids) == 1):
            tries.insert(0, by_name)
    return next((items for items in tries if items and _consistent(joined(items).with_replica(replica_id, new))), [])


def _let_go(baseline: Baseline, names: Iterable[str]) -> None:
    """Take titles without ids out of where a name has led them that leads elsewhere too: nobody knows to which it belongs (I6)."""
    for name in names:
        items = baseline.sharing([name])
        for item in items if len(items) > 1 else ():
            if without_names(item.keys):
                _part(baseline, item)


def _part(baseline: Baseline, item: Item) -> None:
    """Make an item of each copy that no id names, with what was agreed on, if it stands for that; it is matched anew when it is read."""
    for replica_id, replica in item.replicas.items():
        if not without_names(replica.keys):
            agreed = NO_CLAIMS if item.is_owed(replica_id) else item.claims
            alone = Item(_unused_id(baseline, replica.keys), item.media, replica.keys, agreed, replica.revision)
            baseline.put(baseline[item.item_id].without_replica(replica_id))
            baseline.put(alone.with_replica(replica_id, replica))


def _meet(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether keys of one copy, then and now, are of one title: by ids, or where there were or are none by name."""
    ids, others = without_names(one), without_names(other)
    return not ids.isdisjoint(others) if ids and others else not one.isdisjoint(other)


def _join(baseline: Baseline, items: list[Item], replica_id: ReplicaId, replica: Replica) -> Item:
    item = joined(items).with_replica(replica_id, replica)
    for other in items[1:]:
        baseline.drop(other.item_id)
    baseline.put(item)
    return item


def _consistent(item: Item) -> bool:
    """Whether its replicas on each one account are copies of one film (I4), none of another (I3)."""
    by_account: dict[str, list[frozenset[str]]] = {}
    for replica_id, replica in item.replicas.items():
        by_account.setdefault(replica_id.account, []).append(replica.keys)
    return all(_copies(one, other) for keys in by_account.values() for one, other in combinations(keys, 2))


def _copies(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two key sets share an id and contradict each other in none; a name alone makes no copies (I6)."""
    mine, theirs = _by_kind(without_names(one)), _by_kind(without_names(other))
    return not mine.keys().isdisjoint(theirs) and all(not mine[kind].isdisjoint(theirs[kind]) for kind in mine.keys() & theirs.keys())


def _by_kind(keys: Iterable[str]) -> dict[str, set[str]]:
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
