"""A viewer with three model servers."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from custom_components.plex_watchsync.engine.report import Change, Report
from custom_components.plex_watchsync.engine.run import Account, Run
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.ports import Hint, ServerKind
from custom_components.plex_watchsync.sync.model import WatchState
from custom_components.plex_watchsync.sync.policy import AccountPolicy, Direction

from .fakes import LIBRARY, START, Clock, MemoryDocuments, ModelServer

FILMS = [f"tt{number}" for number in range(100, 140)]
WATCHED = WatchState(played=True, play_count=1, last_played=START - timedelta(days=9))


@dataclass
class House:
    """A viewer called anna, her servers plex, jellyfin and emby, and what she was told."""

    clock: Clock = field(default_factory=Clock)
    documents: MemoryDocuments = field(default_factory=MemoryDocuments)
    changes: list[Change] = field(default_factory=list)
    servers: dict[str, ModelServer] = field(default_factory=dict)
    viewer: ViewerSync = field(init=False)

    def __post_init__(self) -> None:
        """Stock two films everywhere."""
        for kind in ServerKind:
            server = self.servers[kind.value] = ModelServer(kind, self.clock)
            server.stock("tt1")
            server.stock("tt2")
        self.viewer = self.new_viewer()

    def new_viewer(self) -> ViewerSync:
        """Return a viewer on the same documents that knows nothing yet."""
        viewer = ViewerSync("anna", self.documents, self.clock, self.changes.append)
        for name, server in self.servers.items():
            viewer.accounts[name] = Account(server, AccountPolicy(server.traits), frozenset({LIBRARY}), server.kind.value)
        return viewer

    async def restart(self) -> None:
        """Start anew on what is on disk."""
        self.viewer = self.new_viewer()
        await self.viewer.load()

    def set_direction(self, name: str, direction: Direction) -> None:
        """Switch a direction off."""
        account = self.viewer.accounts[name]
        self.viewer.accounts[name] = replace(account, policy=replace(account.policy, direction=direction))

    async def sync(self, run: Run | None = None) -> Report:
        """Run a cycle an hour later."""
        self.clock.pass_by(hours=1)
        return await self.viewer.run(run or Run())

    async def hint(self, name: str, item: str, *, unplayed: bool = False) -> Report:
        """Have one item looked at."""
        self.clock.pass_by(minutes=1)
        return await self.viewer.run(Run(hints=(Hint(name, item, self.clock(), unplayed),)))

    def played(self, item: str) -> dict[str, bool]:
        """Return which servers show an item as watched."""
        return {name: server.records[item].played for name, server in self.servers.items() if item in server.records}

    def writes(self) -> dict[str, int]:
        """Count the writes that each server took, and start anew."""
        counts = {name: len(server.writes) for name, server in self.servers.items()}
        for server in self.servers.values():
            server.writes.clear()
        return counts


@pytest.fixture
async def house() -> House:
    """Return a house that was synced once."""
    house = House()
    await house.sync()
    return house


@pytest.fixture
async def stocked() -> House:
    """Return a house with forty more films, all watched everywhere, that was synced once."""
    house = House()
    for server in house.servers.values():
        for film in FILMS:
            server.stock(film, state=WATCHED)
    await house.sync()
    house.writes()
    return house


def watched(house: House) -> dict[str, int]:
    """Count what each server shows as watched."""
    return {name: sum(record.played for record in server.records.values()) for name, server in house.servers.items()}
