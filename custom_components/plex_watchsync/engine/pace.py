"""Long loops that let others have the event loop now and then."""

import asyncio
from collections.abc import AsyncIterator, Iterable

BREATH = 200
"""Rows between two pauses: a few milliseconds on a small computer."""


async def paced[Row](rows: Iterable[Row]) -> AsyncIterator[Row]:
    """Yield rows, with pauses."""
    for number, row in enumerate(rows, 1):
        yield row
        if number % BREATH == 0:
            await asyncio.sleep(0)
