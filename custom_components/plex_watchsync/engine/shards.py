"""A baseline as documents: items spread over shards, so that one changed item rewrites one small file."""

from collections.abc import Collection, Iterable
from typing import Any
from zlib import crc32

from ..ports import Documents, StoreError
from ..sync.baseline import Baseline
from ..sync.record import item_of
from ..sync.selection import NOTHING, Selection
from .pace import paced

SHARDS = 64
"""100,000 items on three servers make about 0.8 MB a shard."""

type Json = Any  # what a JSON document holds; read back through `item_of` only


class Shards:
    """One viewer's baseline on disk."""

    def __init__(self, viewer: str, documents: Documents) -> None:
        """Name the documents after the viewer."""
        self._viewer, self._documents = viewer, documents
        self._members: dict[int, set[str]] = {}

    async def load(self, stored: Iterable[int], ignored: Selection = NOTHING) -> Baseline:
        """Read the shards that are said to be stored; raises `StoreError` when one is gone or broken (G3)."""
        baseline = Baseline(ignored)
        for number in stored:
            content: Json = await self._documents.load(self._name(number))
            if content is None:
                raise StoreError(self._name(number))
            try:
                async for row in paced(content):
                    baseline.put(item_of(row))
            except (LookupError, TypeError, ValueError) as error:
                raise StoreError(self._name(number)) from error
            self._members[number] = {row[0] for row in content}
        baseline.changed.clear()
        return baseline

    async def save(self, baseline: Baseline, changed: Collection[str]) -> frozenset[int]:
        """Write the shards of the items that changed; return the numbers of all that are in use; raises `StoreError`."""
        for item_id in changed:
            members = self._members.setdefault(shard_of(item_id), set())
            (members.add if item_id in baseline else members.discard)(item_id)
        for number in sorted({shard_of(item_id) for item_id in changed}):
            rows = [baseline.row(item_id) async for item_id in paced(sorted(self._members[number]))]
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
