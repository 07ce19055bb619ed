"""Keeps a push stream open, with longer and longer pauses while it cannot be, and tells how it is doing."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ..ports import AuthFailed, Forbidden, PushHealth, PushState, PushStream, ServerError, ServerUnavailable, Told

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0  # seconds
STEADY = timedelta(minutes=1)
"""A connection that lasted so long was a good one: the next pause is short again."""


@dataclass(slots=True)
class Listener:
    """Listens for ever; `on_told` hears everything, `on_health` each change of state."""

    stream: PushStream
    clock: Callable[[], datetime]
    on_told: Callable[[Told], None]
    on_health: Callable[[PushHealth], None] = lambda _health: None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    dice: Callable[[], float] = random.random
    health: PushHealth = field(init=False)
    _failures: int = 0

    def __post_init__(self) -> None:
        """Start without a connection."""
        self.health = PushHealth(PushState.CONNECTING, self.clock())

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            problem = await self._listen()
            steady = self.health.state is PushState.CONNECTED and self.clock() - self.health.since >= STEADY
            self._failures = 1 if steady else self._failures + 1
            self._show(PushState.REFUSED if isinstance(problem, AuthFailed) else PushState.WAITING, str(problem or "the connection ended"))
            await self.sleep(self._pause(problem))

    async def _listen(self) -> ServerError | None:
        try:
            async with aclosing(self.stream.listen()) as stream:
                async for told in stream:
                    if self.health.state is not PushState.CONNECTED:
                        self.health = replace(self.health, connects=self.health.connects + 1)
                        self._show(PushState.CONNECTED)
                    self.health = replace(self.health, told=self.health.told + 1)
                    self.on_told(told)
        except ServerError as error:
            return error
        return None

    def _pause(self, problem: ServerError | None) -> float:
        """Return how long to wait: twice as long each time, and never all at once when a server returns; what was refused is not asked for soon."""
        if isinstance(problem, AuthFailed | Forbidden):
            return LONGEST_PAUSE
        longest = min(FIRST_PAUSE * 2.0 ** min(self._failures - 1, 16), LONGEST_PAUSE)
        asked = problem.retry_after if isinstance(problem, ServerUnavailable) else None
        return max(longest * (1 + self.dice()) / 2, asked or 0.0)

    def _show(self, state: PushState, problem: str = "") -> None:
        self.health = replace(self.health, state=state, since=self.clock(), problem=problem)
        self.on_health(self.health)
