"""M5 over real HTTP: the engine with its real clients on the three simulated servers; hypothesis finds the shortest mix that goes wrong, and replays it by seed."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, override

import aiohttp
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from custom_components.plex_watchsync.engine.run import Account, Run
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.servers.connect import open_server
from custom_components.plex_watchsync.sync.policy import AccountPolicy
from scripts.media import Server
from scripts.proof.small import Door, doors
from simulators.base import Act, Faults, Simulator, serving
from simulators.house import VIEWER, household
from tests.engine.fakes import MemoryDocuments

NEAR = 10
SPOT = 600
FAULTS = (Faults(offline=True), Faults(status=503), Faults(status=500), Faults(status=429, retry_after=1), Faults(truncate=True))
NAMES = st.sampled_from(("plex", "jellyfin", "emby"))
TITLES = st.integers(0, 30)


class Household(RuleBasedStateMachine):
    """Each title is acted on once between two judgements, so that what it must come to is certain."""

    @initialize()
    def open(self) -> None:
        """Serve a small household, sign in, and sync once."""
        self.loop = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.documents = MemoryDocuments()
        self.servers: dict[str, Simulator] = {one.kind: one for one in household(3, 10, 1, datetime.now(UTC))}
        self.touched: set[str] = set()
        self.do(self._open())
        self.settle()
        self.wanted = {row.key: (row.played, row.position) for server in self.servers.values() for row in server.shown(VIEWER)}

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something happen; meanwhile the servers answer."""
        self.loop.run(work)

    async def _open(self) -> None:
        urls = {kind: await self.stack.enter_async_context(serving(server)) for kind, server in self.servers.items()}
        self.session = await self.stack.enter_async_context(aiohttp.ClientSession())
        places = {kind: Server(kind, server.name, urls[kind], server.credentials(), self.session) for kind, server in self.servers.items()}
        self.ways: dict[str, Door] = await doors(places)
        await self._start()

    async def _start(self) -> None:
        self.viewer = ViewerSync(VIEWER, self.documents, lambda: datetime.now(UTC))
        await self.viewer.load()
        for kind, way in self.ways.items():
            server = open_server(self.session, way.connection, clock=lambda: datetime.now(UTC))
            self.viewer.accounts[kind] = Account(server, AccountPolicy(server.traits), way.libraries)

    async def _poll(self) -> None:
        await self.viewer.run(Run())

    async def _wait(self) -> None:
        """Let the pauses pass that servers asked for: until then they are not to be written to (W5)."""
        now = datetime.now(UTC)
        pauses = (circuit.until - now for circuit in self.viewer.outbox.circuits.values() if circuit.asked)
        await asyncio.sleep(max((pause.total_seconds() for pause in pauses), default=0))

    @rule(name=NAMES, number=TITLES, choice=st.integers(0, 3))
    def act(self, name: str, number: int, choice: int) -> None:
        """Do something to a title that nobody has touched since all was judged."""
        rows = [row for row in self.servers[name].shown(VIEWER) if row.key not in self.touched]
        if not rows:
            return
        row = rows[number % len(rows)]
        self.touched.add(row.key)
        if choice == 0:
            self.wanted[row.key] = (not row.played, 0)
            self.do(self.servers[name].act(VIEWER, row.key, Act.MARK_UNWATCHED if row.played else Act.MARK_WATCHED))
        elif choice == 1:
            self.wanted[row.key] = (True, 0)
            self.do(self._play(name, row.key, Act.FINISH))
        elif choice == 2 and abs(row.position - SPOT) > NEAR:
            self.wanted[row.key] = (row.played, SPOT)
            self.do(self._play(name, row.key, Act.STOP, SPOT))
        elif row.played and not row.position:  # opened by mistake
            self.do(self._play(name, row.key, Act.STOP, 5))

    async def _play(self, name: str, key: str, end: Act, position: int | None = None) -> None:
        await self.servers[name].act(VIEWER, key, Act.PLAY)
        await self.servers[name].act(VIEWER, key, end, position)

    @rule(name=NAMES, fault=st.sampled_from(FAULTS))
    def fail(self, name: str, fault: Faults) -> None:
        """Let a server fail."""
        self.servers[name].faults = fault

    @rule()
    def poll(self) -> None:
        """Run a cycle."""
        self.do(self._poll())

    @rule()
    def restart(self) -> None:
        """Take the engine away without a word, and start it on what is on disk."""
        self.do(self._start())

    @rule()
    def settle(self) -> None:
        """M5, W6: bring all back; one run makes all agree on what the last acts left, and the next changes nothing."""
        for server in self.servers.values():
            server.faults = Faults()
        self.do(self._wait())
        self.do(self._poll())
        shown = {kind: server.shown(VIEWER) for kind, server in self.servers.items()}
        for kind, rows in shown.items():
            for row in rows if hasattr(self, "wanted") else ():
                played, position = self.wanted[row.key]
                assert row.played == played, (kind, row, self.wanted[row.key])
                assert abs(row.position - position) <= NEAR, (kind, row, self.wanted[row.key])
        self.do(self._poll())
        assert {kind: server.shown(VIEWER) for kind, server in self.servers.items()} == shown
        self.touched.clear()

    @override
    def teardown(self) -> None:
        """Judge once more, and close."""
        if hasattr(self, "wanted"):
            self.settle()
        self.do(self.stack.aclose())
        self.loop.close()


def test_servers_converge_over_http(socket_enabled: None) -> None:
    """M5, W6, R2: whatever people and networks do."""
    run_state_machine_as_test(
        Household, settings=settings(max_examples=30, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    )
