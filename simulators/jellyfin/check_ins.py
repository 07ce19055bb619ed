"""What Jellyfin's plugin is told by the server itself while something plays (pitfall 48)."""

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from .library import TICKS
from .playback import Session


class CheckIns:
    """A message for each player that plays, once a second on a real server; `every` so many seconds, 0 for never."""

    def __init__(self, tell: Callable[[Session], None]) -> None:
        """Be silent at first."""
        self.every = 0.0
        self._tell = tell
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, session: Session) -> None:
        """Follow a session as long as it plays what it plays now."""
        if self.every:
            task = asyncio.get_running_loop().create_task(self._follow(session))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Stop when the server ends."""
        yield
        for task in self._tasks:
            task.cancel()

    async def _follow(self, session: Session) -> None:
        """Count the position on; the record stays as the player last reported it. That a pause is silent is an assumption."""
        item = session.item
        while self.every:
            await asyncio.sleep(self.every)
            if session.item is not item:
                return
            if not session.paused:
                session.ticks += int(self.every * TICKS)
                self._tell(session)
