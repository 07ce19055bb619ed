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
        names = frozenset(name for name in names if any(item.nameless for item in baseline.sharing([name])))
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
    anew = Replica(new.keys, new.library, new.several)  # what is acknowledged for one title is not so for another (R4)
    if same := _same(baseline, replica_id, new):
        stays = own is not None and own.item_id in {item.item_id for item in same}
        item = _join(baseline, same, replica_id, new if stays else anew)
    else:
        stays = own is not None and not own.replicas
        home = own if own is not None and stays else Item(_unused_id(baseline, new.keys), media, new.keys)
        item = home.with_replica(replica_id, new if stays else anew)
        baseline.put(item)
    if len(namesakes := _namesakes(baseline, new.keys)) > 1:
        for namesake in namesakes:
            _part(baseline, namesake)
    return item.item_id


def _same(baseline: Baseline, replica_id: ReplicaId, new: Replica) -> list[Item]:
    """Return the items that the replica belongs to: by its ids, and by its names all that these lead to, if that joins no ids with others (I6)."""
    ids = without_names(new.keys)
    by_ids = [item for item in baseline.sharing(ids) if _consistent(item.with_replica(replica_id, new))]
    if len(by_ids) > 1 and not _consistent(joined(by_ids).with_replica(replica_id, new)):
        by_ids = []
    everything = [*by_ids, *(item for item in _namesakes(baseline, new.keys) if item not in by_ids)]
    with_ids = [item for item in everything if without_names(item.keys)]
    one_title = with_ids == by_ids if ids else len(with_ids) <= 1
    if everything and one_title and _is_sure(joined(everything).with_replica(replica_id, new)):
        return everything
    for item in by_ids:
        _part(baseline, item)
    return [baseline[item.item_id] for item in by_ids]


def _namesakes(baseline: Baseline, keys: frozenset[str]) -> list[Item]:
    """Return the items that names lead to, and those to which the names of these lead."""
    found: dict[str, Item] = {}
    names = keys - without_names(keys)
    while names:
        new = {item.item_id: item for item in baseline.sharing(names) if item.item_id not in found}
        found |= new
        names = frozenset().union(*(item.keys - without_names(item.keys) for item in new.values()))
    return list(found.values())


def _part(baseline: Baseline, item: Item) -> None:
    """Let copies that no id names go from an item: the name that has led them to it leads elsewhere too, and nobody knows to which they belong (I6).

    Each keeps what was agreed on, if it stands for that, and is matched anew when it is read.
    """
    for replica_id in item.nameless if without_names(item.keys) else item.nameless[1:]:
        replica, agreed = item.replicas[replica_id], NO_CLAIMS if item.is_owed(replica_id) else item.claims
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
    """Whether its replicas on each one account are copies of one film (I4), none of another (I3), as far as they have ids."""
    by_account: dict[str, list[frozenset[str]]] = {}
    for replica_id, replica in item.replicas.items():
        if ids := without_names(replica.keys):
            by_account.setdefault(replica_id.account, []).append(ids)
    return all(_copies(one, other) for keys in by_account.values() for one, other in combinations(keys, 2))


def _is_sure(item: Item) -> bool:
    """Whether each replica without ids is the only one on its account: a name makes no copies (I6)."""
    accounts = [replica_id.account for replica_id in item.replicas]
    return all(accounts.count(replica_id.account) == 1 for replica_id in item.nameless)


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
