"""A simulated server, and anna's account on it."""

from datetime import UTC, datetime

import aiohttp

from custom_components.plex_watchsync.ports import WatchServer
from custom_components.plex_watchsync.sync.model import Observation, WatchState
from simulators.base import Simulator
from simulators.catalogue import Title, generate

TITLES = generate(7, films=12, shows=2)
FILM = TITLES[0]
SEEN = datetime(2026, 3, 4, 20, 15, tzinfo=UTC)
SECRET = "anna-secret"


def clock() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


class Place:
    """A simulator that is served, and a client of anna's account on it."""

    def __init__(self, simulator: Simulator, url: str, session: aiohttp.ClientSession, server: WatchServer) -> None:
        """Keep what the tests need."""
        self.simulator, self.url, self.session, self.server = simulator, url, session, server

    async def everything(self) -> dict[str, Observation]:
        """List all libraries, by item id."""
        libraries = [library.library_id for library in await self.server.libraries()]
        return {one.item_id: one async for page in self.server.list_items(libraries) for one in page}

    async def recent(self, since: datetime) -> dict[str, Observation]:
        """List what may have changed in all libraries since then, by item id."""
        libraries = [library.library_id for library in await self.server.libraries()]
        return {one.item_id: one async for page in self.server.list_recent(libraries, since) for one in page}

    async def read(self, item_id: str) -> WatchState:
        """Read one item's state anew."""
        (found,) = await self.server.read_items([item_id])
        return found.state

    def item_id(self, title: Title = FILM) -> str:
        """Return the server's id of a title, of the film that is acted on if none is named."""
        return next(row.item_id for row in self.simulator.shown("anna") if row.key == title.key)

    async def write(self, wanted: WatchState) -> WatchState:
        """Write a state over what is there, and read it back."""
        await self.server.write(self.item_id(), wanted, await self.read(self.item_id()))
        return await self.read(self.item_id())
