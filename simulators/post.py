"""How webhooks get out of a simulated server: in order, one at a time, and what fails is lost, as nobody ever saw a second try."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from .faults import Faults

PATIENCE = 0.2
"""Seconds that a letter waits to be overtaken."""

type Letter = Callable[[], dict[str, Any]]
"""Writes the arguments of one request; a form can be sent only once."""


class Post:
    """Delivers letters without making anybody wait."""

    def __init__(self, faults: Callable[[], Faults]) -> None:
        """Deliver as well as the faults of the moment allow: each letter twice, or each after the one that follows it."""
        self._faults = faults
        self._queue: asyncio.Queue[Letter] = asyncio.Queue()

    def put(self, letter: Letter) -> None:
        """Queue a letter."""
        for _ in range(2 if self._faults().twice else 1):
            self._queue.put_nowait(letter)

    async def delivered(self) -> None:
        """Wait until all letters are out."""
        await self._queue.join()

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Deliver while the server runs."""
        async with ClientSession(timeout=ClientTimeout(total=30)) as session:
            task = asyncio.create_task(self._deliver(session))
            yield
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _deliver(self, session: ClientSession) -> None:
        while True:
            for letter in await self._next():
                with suppress(ClientError, TimeoutError, OSError, ValueError):
                    async with session.post(**letter()) as answer:
                        await answer.read()
                self._queue.task_done()

    async def _next(self) -> list[Letter]:
        letters = [await self._queue.get()]
        if self._faults().disorder:
            with suppress(TimeoutError):
                letters.insert(0, await asyncio.wait_for(self._queue.get(), PATIENCE))
        return letters
