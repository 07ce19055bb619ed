"""When two worlds are the same: what can still happen depends on the order of dates, not on the dates; on which revision is the last, not on its number."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

from custom_components.plex_watchsync.engine.cycle import MARGIN
from custom_components.plex_watchsync.engine.outbox import Entry
from custom_components.plex_watchsync.ports import ServerKind
from custom_components.plex_watchsync.sync.baseline import Baseline
from custom_components.plex_watchsync.sync.item import Item, Replica
from custom_components.plex_watchsync.sync.merge import NEVER
from custom_components.plex_watchsync.sync.model import ReplicaId, WatchState
from custom_components.plex_watchsync.sync.reconcile import DATE_TOLERANCE

from .servers import HabitServer
from .world import World

type Plain = Any

_NUMBERED = re.compile(r"([a-z0-9+-]+)#([0-9]+)")


def end_of(world: World) -> bytes:
    """Return the same bytes for worlds that end alike when nothing happens any more.

    When all is well, conditions are over, and nobody says anything twice.
    """
    return _hash(_core(world, kills=False))


def name_of(world: World, *, kills: bool = True) -> bytes:
    """Return the same bytes for worlds in which the same can happen; `kills`: Home Assistant may be killed, which is a second step.

    What is on disk is what Home Assistant knows, but for looks, which a kill makes it forget.
    """
    return _hash((_core(world, kills=kills), _around(world)))


def _hash(plain: Plain) -> bytes:
    return blake2b(_renumbered(_ordered(plain)).encode(), digest_size=16).digest()


def _around(world: World) -> Plain:
    """Lay out what does not outlast a time in which all is well."""
    return (
        [(server.error is None, server.refuses, server.lost_answers) for server in world.servers.values()],
        world.lose,
        sorted(world.armed),
        world.hint and (world.hint.account, world.hint.item_id, world.hint.at),
    )


def _core(world: World, *, kills: bool) -> Plain:
    """Lay out what Home Assistant knows and what servers show as tuples with dates in them; `kills`: it may still be killed."""
    viewer = world.viewer
    items = sorted(viewer.baseline, key=lambda item: item.item_id)
    records = {item: state for server in world.servers.values() for item, state in server.records.items()}
    known: dict[str, set[WatchState | None]] = {}
    for item in items:
        for replica_id, replica in item.replicas.items():
            known.setdefault(replica_id.item, set()).add(replica.reading)
    unread = {item for item, state in records.items() if known.get(item) != {state}}
    return (
        [_item_row(item, records.keys(), unread, viewer.baseline, kills=kills) for item in items],
        [_entry_row(entry, items) for replica_id, entry in viewer.outbox.entries.items() if replica_id.item in records],
        [sorted(_records(server, unread)) for server in world.servers.values()],
        sorted(world.begun & records.keys()),
        [_news(world, name) for name in world.servers] if world.stage.recent else (),
    )


def _news(world: World, name: str) -> Plain:
    """Lay out which titles a list of what may have changed will have because they were added; None where the library will be read whole."""
    if name not in world.viewer._read_at:  # noqa: SLF001 - nothing else tells
        return None
    server, (at, _libraries) = world.servers[name], world.viewer._read_at[name]  # noqa: SLF001 - the same
    return sorted(item for item in server.records if server.added[item] >= at - MARGIN)


def _records(server: HabitServer, unread: Collection[str]) -> Iterator[Plain]:
    """Lay out what a server shows; most is what was read there last."""
    for item, state in server.records.items():
        yield item, _state(server.kind, state) if item in unread else "as read"


def _item_row(item: Item, present: Collection[str], unread: Collection[str], baseline: Baseline, *, kills: bool) -> Plain:
    view, spot = item.claims.view, item.claims.spot
    replicas = [
        _replica_row(known, replica, item, unread, _looks(known, replica, baseline, kills=kills)) if known.item in present else (known, "gone", replica.missing)
        for known, replica in sorted(item.replicas.items())
    ]
    return (
        item.item_id,
        view and (view.at, view.played, view.last_played),
        spot and (spot.at, spot.position),
        bool(item.revision),
        replicas,
    )


def _replica_row(replica_id: ReplicaId, replica: Replica, item: Item, unread: Collection[str], looks: Plain) -> Plain:
    """Lay out a replica; of one whose file is gone, which nobody will read or write again, it is enough that it is not forgotten yet."""
    return (replica_id, replica.several, _reading(replica_id, replica, unread), *looks, _standing(replica.revision, item.revision), replica.missing)


def _looks(replica_id: ReplicaId, replica: Replica, baseline: Baseline, *, kills: bool) -> Plain:
    """Lay out the last look, and, while it may be forgotten, the last that is on disk; an earlier one is never asked for."""
    looked, at = baseline.looked_at(replica_id), replica.at or NEVER
    return (replica.at, looked if looked > at else None) if kills else (max(looked, at),)


def _reading(replica_id: ReplicaId, replica: Replica, unread: Collection[str]) -> Plain:
    """Lay out what was read last: while that still shows, all that will matter of Plex's date is whether there is one, and its counts only rise."""
    reading, kind = replica.reading, ServerKind(replica_id.account)
    if reading is None or replica_id.item in unread or kind is not ServerKind.PLEX:
        return reading and _state(kind, reading)
    return (reading.played, reading.position, min(reading.play_count, 2), reading.last_played is not None)


def _standing(revision: int, latest: int) -> int:
    return 2 if revision == latest else 1 if revision else 0


def _entry_row(entry: Entry, items: Iterable[Item]) -> Plain:
    operation = entry.operation
    current = operation.revisions.items() <= {item.item_id: item.revision for item in items}.items()
    shown = _state(ServerKind(operation.replica.account), operation.shown)
    dates = operation.replica.account == ServerKind.PLEX
    states = [shown, _state(None, operation.wanted), *((_state(None, sent.state), sent.at if dates else None) for sent in entry.sent)]
    return (operation.replica, operation.kind, states, sorted(operation.revisions), current, entry.unshown, entry.superseded)


def _state(kind: ServerKind | None, state: WatchState) -> Plain:
    """Lay a state out; of counts, only what Plex showed is compared with each other, as every act has a date of its own elsewhere."""
    count = state.play_count if kind is ServerKind.PLEX else min(state.play_count, 1)
    return (state.played, state.position, count, state.last_played, state.rating)


def _ranks(dates: set[datetime]) -> Mapping[datetime, int]:
    """Give dates numbers in their order; what the tolerance of dates takes for one stays close together."""
    ranks: dict[datetime, int] = {}
    number, before = 0, None
    for date in sorted(dates):
        number += 1 if before is not None and date - before <= DATE_TOLERANCE else 100
        ranks[date], before = number, date
    return ranks


def _ordered(plain: Plain) -> str:
    """Write it out with the places of dates in their order instead of the dates."""
    leaves: list[Plain] = []
    _flatten(plain, leaves)
    ranks = _ranks({leaf for leaf in leaves if type(leaf) is datetime})
    return "".join([f"@{ranks[leaf]}" if type(leaf) is datetime else f"{leaf}," for leaf in leaves])


def _flatten(plain: Plain, leaves: list[Plain]) -> None:
    for one in plain:
        if type(one) is list or isinstance(one, tuple):
            leaves.append("(")
            _flatten(one, leaves)
            leaves.append(")")
        else:
            leaves.append(one)


def _renumbered(text: str) -> str:
    """Give the ids that files had numbers as if those that nobody knows any more had never been."""
    if "#" not in text.replace("#1,", ""):
        return text
    numbers: dict[str, set[int]] = {}
    for name, number in _NUMBERED.findall(text):
        numbers.setdefault(name, set()).add(int(number))
    order = {(name, number): place for name, some in numbers.items() for place, number in enumerate(sorted(some), 1)}
    return _NUMBERED.sub(lambda found: f"{found[1]}#{order[found[1], int(found[2])]}", text)
