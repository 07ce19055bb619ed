"""Items as flat rows of plain values: what documents hold, and what a baseline keeps in memory.

A library of 100,000 titles as objects would be a million of them, which the garbage collector goes through while everything else waits.
"""

from datetime import UTC, datetime
from typing import Any

from .item import Item, Replica
from .merge import Claims, Rating, Spot, View
from .model import Media, MediaKind, ReplicaId, Sent, WatchState

type Row = Any  # nested lists of texts, numbers, flags and None


def row_of(item: Item) -> Row:
    """Flatten an item."""
    keys = sorted(item.keys)
    media, (view, spot, *rating) = item.media, claims_row(item.claims)
    return [
        item.item_id,
        [media.kind.value, media.title, media.year, media.show, media.season, media.episode],
        keys,
        view,
        spot,
        item.revision,
        [[*known, _indices(replica.keys, item.keys, keys), *_replica_row(replica)] for known, replica in item.replicas.items()],
        *rating,
    ]


def claims_row(claims: Claims) -> Row:
    """Flatten claims."""
    view, spot, rating = claims.view, claims.spot, claims.rating
    return [
        view and [_time(view.at), view.played, _time(view.last_played), view.play_count],
        spot and [_time(spot.at), spot.position],
        *([[_time(rating.at), rating.value, rating.exact]] if rating else []),
    ]


def _indices(mine: frozenset[str], everything: frozenset[str], keys: list[str]) -> list[int]:
    return list(range(len(keys))) if mine == everything else [keys.index(key) for key in sorted(mine)]


def _replica_row(replica: Replica) -> list[Any]:
    reading = replica.reading and state_row(replica.reading)
    return [replica.library, replica.several, reading, _time(replica.at), replica.revision, replica.missing]


def item_of(row: Row) -> Item:
    """Read a flattened item; raises LookupError, TypeError or ValueError when it is none."""
    item_id, media, keys, view, spot, revision, replicas, *rated = row  # rows from before there were ratings end here
    everything = frozenset(keys)
    known = {ReplicaId(one[0], one[1]): _replica(one, keys, everything) for one in replicas}
    return Item(item_id, Media(MediaKind(media[0]), *media[1:]), everything, claims_of([view, spot, *rated]), revision, known)


def claims_of(row: Row) -> Claims:
    """Read flattened claims."""
    view, spot, *rated = row
    return Claims(
        view and View(_moment(view[0]), view[1], _date(view[2]), view[3]),
        spot and Spot(_moment(spot[0]), spot[1]),
        Rating(_moment(rated[0][0]), rated[0][1], rated[0][2]) if rated else None,
    )


def _replica(row: Row, keys: list[str], everything: frozenset[str]) -> Replica:
    """Read a replica; most have all the item's keys."""
    _, _, own, library, several, reading, at, revision, missing = row
    mine = everything if len(own) == len(keys) else frozenset(keys[index] for index in own)
    return Replica(mine, library, several, reading and state_of(reading), _date(at), revision, missing)


def state_row(state: WatchState) -> list[Any]:
    """Flatten a watch state."""
    row = [state.played, state.position, state.play_count, _time(state.last_played)]
    return row if state.rating is None else [*row, state.rating]


def state_of(row: Row) -> WatchState:
    """Read a flattened watch state."""
    return WatchState(row[0], row[1], row[2], _date(row[3]), row[4] if len(row) > 4 else None)


def sent_row(sent: Sent) -> list[Any]:
    """Flatten what was sent."""
    return [state_row(sent.state), _time(sent.at)]


def sent_of(row: Row) -> Sent:
    """Read what was sent."""
    return Sent(state_of(row[0]), _moment(row[1]))


def _time(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _date(seconds: float | None) -> datetime | None:
    return None if seconds is None else _moment(seconds)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
