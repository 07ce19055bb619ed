"""A baseline as documents: items spread over shards, so that one changed item rewrites one small file."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from ..ports import Documents, StoreError
from ..sync.baseline import Baseline, Item, Replica
from ..sync.merge import Claims, Spot, View
from ..sync.model import Media, MediaKind, ReplicaId, WatchState
from .pace import paced

SHARDS = 64
"""100,000 items on three servers make about 0.8 MB a shard."""

type Json = Any  # what a JSON document holds; read back through `_item` only


class Shards:
    """One viewer's baseline on disk."""

    def __init__(self, viewer: str, documents: Documents) -> None:
        """Name the documents after the viewer."""
        self._viewer, self._documents = viewer, documents
        self._members: dict[int, set[str]] = {}

    async def load(self, stored: Iterable[int]) -> Baseline:
        """Read the shards that are said to be stored; raises `StoreError` when one is gone or broken (G3)."""
        baseline = Baseline()
        for number in stored:
            content: Json = await self._documents.load(self._name(number))
            if content is None:
                raise StoreError(self._name(number))
            try:
                async for row in paced(content):
                    baseline.put(_item(row))
            except (LookupError, TypeError, ValueError) as error:
                raise StoreError(self._name(number)) from error
            self._members[number] = {row[0] for row in content}
        baseline.changed.clear()
        return baseline

    async def save(self, baseline: Baseline) -> frozenset[int]:
        """Write the shards of the items that changed; return the numbers of all that are in use."""
        changed, baseline.changed = baseline.changed, set()
        for item_id in changed:
            members = self._members.setdefault(shard_of(item_id), set())
            (members.add if item_id in baseline else members.discard)(item_id)
        for number in sorted({shard_of(item_id) for item_id in changed}):
            rows = [_row(baseline[item_id]) async for item_id in paced(sorted(self._members[number]))]
            await self._documents.save(self._name(number), rows)
        return frozenset(self._members)

    async def remove(self) -> None:
        """Delete every shard."""
        for number in range(SHARDS):
            await self._documents.remove(self._name(number))

    def _name(self, number: int) -> str:
        return f"{self._viewer}/items_{number:02}"


def shard_of(item_id: str) -> int:
    """Return the number of the shard that holds an item."""
    return crc32(item_id.encode()) % SHARDS


def _row(item: Item) -> Json:
    keys = sorted(item.keys)
    media, view, spot = item.media, item.claims.view, item.claims.spot
    return [
        item.item_id,
        [media.kind.value, media.title, media.year, media.show, media.season, media.episode],
        keys,
        view and [_time(view.at), view.played, _time(view.last_played), view.play_count],
        spot and [_time(spot.at), spot.position],
        item.revision,
        [[*known, [keys.index(key) for key in sorted(replica.keys)], *_replica_row(replica)] for known, replica in item.replicas.items()],
    ]


def _replica_row(replica: Replica) -> list[Json]:
    reading = replica.reading and state_row(replica.reading)
    return [replica.library, replica.several, reading, _time(replica.at), replica.revision, replica.missing]


def _item(row: Json) -> Item:
    item_id, media, keys, view, spot, revision, replicas = row
    claims = Claims(
        view and View(_moment(view[0]), view[1], _date(view[2]), view[3]),
        spot and Spot(_moment(spot[0]), spot[1]),
    )
    return Item(item_id, Media(MediaKind(media[0]), *media[1:]), frozenset(keys), claims, revision, dict(_replica(one, keys) for one in replicas))


def _replica(row: Json, keys: list[str]) -> tuple[ReplicaId, Replica]:
    account, item, own, library, several, reading, at, revision, missing = row
    replica = Replica(frozenset(keys[index] for index in own), library, several, reading and state_of(reading), _date(at), revision, missing)
    return ReplicaId(account, item), replica


def state_row(state: WatchState) -> list[Json]:
    """Flatten a watch state for a document."""
    return [state.played, state.position, state.play_count, _time(state.last_played)]


def state_of(row: Json) -> WatchState:
    """Read a flattened watch state."""
    return WatchState(row[0], row[1], row[2], _date(row[3]))


def _time(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _date(seconds: float | None) -> datetime | None:
    return None if seconds is None else _moment(seconds)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
