"""Long loops that let others have the event loop now and then."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from heapq import merge
from itertools import batched

BREATH = 200
"""Rows between two pauses: a few milliseconds on a small computer."""
PIECE = 2000
"""So many are sorted in as much time."""


async def paced[Row](rows: Iterable[Row]) -> AsyncIterator[Row]:
    """Yield rows, with pauses."""
    for number, row in enumerate(rows, 1):
        yield row
        if number % BREATH == 0:
            await asyncio.sleep(0)


async def in_order[Row: tuple[str, ...]](rows: Iterable[Row]) -> AsyncIterator[Row]:
    """Yield rows in their order, with pauses, also while they are sorted: in pieces, which are merged."""
    pieces: list[list[Row]] = []
    for piece in batched(rows, PIECE, strict=False):
        pieces.append(sorted(piece))
        await asyncio.sleep(0)
    async for row in paced(merge(*pieces)):
        yield row
