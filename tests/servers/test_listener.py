"""Keeping a push stream open."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import override

import pytest

from custom_components.plex_watchsync.ports import (
    AuthFailed,
    Forbidden,
    Gap,
    PushHealth,
    PushState,
    PushStream,
    RateLimited,
    ServerError,
    ServerUnavailable,
    Told,
)
from custom_components.plex_watchsync.servers import Listener
from custom_components.plex_watchsync.servers.listener import FIRST_PAUSE, LONGEST_PAUSE

START = datetime(2026, 1, 1, tzinfo=UTC)


class Stream(PushStream):
    """A stream whose every connection goes as was written down: seconds that it lasts, or what it fails with."""

    def __init__(self, *lives: float | ServerError | None) -> None:
        """Have these lives, and then end the test."""
        self.lives, self.now, self.left = list(lives), START, 0

    @override
    async def listen(self) -> AsyncGenerator[Told]:
        if not self.lives:
            raise asyncio.CancelledError
        life = self.lives.pop(0)
        if isinstance(life, ServerError):
            raise life
        try:
            if life is not None:
                yield Gap("connected")
                self.now += timedelta(seconds=life)
        finally:
            self.left += 1


async def run(stream: Stream, dice: float = 1.0) -> tuple[list[float], list[PushHealth], Listener]:
    """Listen to the end; return the pauses and how it was doing."""
    pauses: list[float] = []
    healths: list[PushHealth] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    listener = Listener(stream, lambda: stream.now, lambda _told: None, healths.append, sleep=sleep, dice=lambda: dice)
    with suppress(asyncio.CancelledError):
        await listener.run()
    return pauses, healths, listener


@pytest.mark.parametrize(("dice", "share"), [(1.0, 1.0), (0.0, 0.5)])
async def test_pauses_grow_to_a_limit_with_jitter(dice: float, share: float) -> None:
    """Whoever lost the same server does not come back at the same moment."""
    pauses, _, _ = await run(Stream(*[ServerUnavailable("away")] * 12), dice)
    assert pauses == [min(FIRST_PAUSE * 2**number, LONGEST_PAUSE) * share for number in range(12)]


async def test_a_good_connection_makes_the_next_pause_short() -> None:
    """One that breaks at once does not: a server that lets us in and hangs up is not hammered."""
    pauses, _, listener = await run(Stream(0, 0, 0, 61, 0))
    assert pauses == [1, 2, 4, 1, 2]
    assert (listener.health.connects, listener.health.told) == (5, 5)


async def test_a_pause_that_the_server_names_is_kept() -> None:
    """Retry-After, where it is longer."""
    pauses, _, _ = await run(Stream(RateLimited("slow down", 30.0), ServerUnavailable("away", 0.1)))
    assert pauses == [30, 2]


@pytest.mark.parametrize("error", [AuthFailed("no"), Forbidden("no")])
async def test_who_is_refused_does_not_ask_again_soon(error: ServerError) -> None:
    """Until somebody signs in anew, which starts us anew."""
    pauses, healths, _ = await run(Stream(error))
    assert pauses == [LONGEST_PAUSE]
    refused = PushState.REFUSED if isinstance(error, AuthFailed) else PushState.WAITING  # it may be a proxy that lets no socket through
    assert [(one.state, one.problem) for one in healths] == [(refused, "no")]


async def test_an_end_without_a_word_is_an_end() -> None:
    """And every connection is closed properly."""
    stream = Stream(None, 5)
    pauses, healths, _ = await run(stream)
    assert [(one.state, one.problem) for one in healths] == [
        (PushState.WAITING, "the connection ended"),
        (PushState.CONNECTED, ""),
        (PushState.WAITING, "the connection ended"),
    ]
    assert (pauses, stream.left, healths[1].since) == ([1, 2], 2, START)
