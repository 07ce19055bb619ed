"""Long loops give way to others."""

import asyncio
from itertools import pairwise

from custom_components.plex_watchsync.engine.pace import BREATH, PIECE, in_order


async def test_much_is_sorted_while_others_get_their_turn() -> None:
    """In order whatever the pieces were, and never a whole library at a stretch."""
    rows = [(f"{number * 7919 % (3 * PIECE):06}",) for number in range(3 * PIECE)]
    turns: list[int] = []
    seen: list[tuple[str]] = []

    async def others() -> None:
        while True:
            turns.append(len(seen))
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    async for row in in_order(rows):
        seen.append(row)  # noqa: PERF401 - the others look at it meanwhile
    task.cancel()
    assert seen == sorted(rows)
    assert len([turn for turn in turns if not turn]) >= 3
    assert max(after - before for before, after in pairwise(turns)) <= BREATH
