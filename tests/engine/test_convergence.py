"""M5: whatever people and networks do, once all is reachable one cycle makes all agree, the next plan is empty, and the last act wins."""

import asyncio
from collections.abc import Callable
from typing import override

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from custom_components.plex_watchsync.engine.run import Account, Run
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.ports import Hint, ServerKind, ServerUnavailable
from custom_components.plex_watchsync.sync.policy import AccountPolicy
from custom_components.plex_watchsync.sync.rating import DISLIKE, LIKE, LIKED_FROM

from .fakes import LIBRARY, Clock, MemoryDocuments, ModelServer

NAMES = ("plex", "jellyfin", "emby")
ITEMS = ("tt1", "tt2")
servers = st.sampled_from(NAMES)
items = st.sampled_from(ITEMS)


class Household(RuleBasedStateMachine):
    """Three servers with habits of their own, one viewer; acts are told by hints that may be lost, doubled or late."""

    @initialize()
    def set_up(self) -> None:
        """Stock the servers and sync once."""
        self.clock = Clock()
        self.documents = MemoryDocuments()
        self.servers = {
            "plex": ModelServer(ServerKind.PLEX, self.clock, floor=60),
            "jellyfin": ModelServer(ServerKind.JELLYFIN, self.clock),
            "emby": ModelServer(ServerKind.EMBY, self.clock, step=5),
        }
        for server in self.servers.values():
            for item in ITEMS:
                server.stock(item)
        self.last_act: dict[str, tuple[bool, bool]] = {}
        self.last_rating: dict[str, float | None] = {}
        self.unseen: list[Hint] = []
        self.open()
        self.sync()

    def open(self) -> None:
        """Start Home Assistant on what is on disk."""
        self.viewer = ViewerSync("anna", self.documents, self.clock)
        asyncio.run(self.viewer.load())
        for name, server in self.servers.items():
            self.viewer.accounts[name] = Account(server, AccountPolicy(server.traits), frozenset({LIBRARY}))

    def sync(self, *hints: Hint) -> None:
        """Run a cycle."""
        asyncio.run(self.viewer.run(Run(hints=hints)))

    def act(self, name: str, item: str, do: Callable[[ModelServer], None], *, played: bool, tell: str) -> None:
        """Let a person do something that nobody else does meanwhile; undated acts that no hint told of have no place in an order."""
        self.clock.pass_by(minutes=7)
        do(self.servers[name])
        hint = Hint(name, item, self.clock(), unplayed=not played)
        told = tell != "lost" and self.servers[name].error is None
        self.last_act[item] = (played, told)
        if tell == "late":
            self.unseen.append(hint)
        if tell != "lost":
            self.sync(*(hint,) * (2 if tell == "doubled" else 1))

    @rule(name=servers, item=items, tell=st.sampled_from(["once", "doubled", "lost", "late"]))
    def watch(self, name: str, item: str, tell: str) -> None:
        """Watch a film."""
        self.act(name, item, lambda server: server.watch(item), played=True, tell=tell)

    @rule(name=servers, item=items, tell=st.sampled_from(["once", "doubled", "late"]))
    def unwatch(self, name: str, item: str, tell: str) -> None:
        """Mark a film as unwatched, on a server that is there to tell of it and knows of all that came before."""
        if self.servers[name].records[item].played and self.is_calm():
            self.act(name, item, lambda server: server.unwatch(item), played=False, tell=tell)

    @rule(name=servers, item=items, position=st.integers(1, 50).map(lambda minutes: minutes * 100))
    def stop(self, name: str, item: str, position: int) -> None:
        """Stop half-way; no hint."""
        self.clock.pass_by(minutes=3)
        self.servers[name].stop_at(item, position)

    @rule(name=servers, item=items, rating=st.none() | st.sampled_from([1.0, 5.0, 10.0]))
    def rate(self, name: str, item: str, rating: float | None) -> None:
        """Rate a film, on a server that is there to tell of it; a thumb that is taken away on Emby says nothing (M4)."""
        shown = self.servers[name].records[item].rating
        if self.is_calm() and shown != rating and not (name == "emby" and rating is None):
            self.clock.pass_by(minutes=5)
            self.servers[name].rate(item, LIKE if name == "emby" and rating == 5 else rating)
            self.last_rating[item] = self.servers[name].records[item].rating
            self.sync(Hint(name, item, self.clock()))

    @rule(name=servers)
    def unplug(self, name: str) -> None:
        """Take a server off the network."""
        self.servers[name].error = ServerUnavailable("unplugged")

    @rule(name=servers)
    def refuse(self, name: str) -> None:
        """Let a server's writes fail."""
        self.servers[name].write_error = ServerUnavailable("disk full")

    @rule(name=servers)
    def ignore(self, name: str) -> None:
        """Let a server ignore what it is told."""
        self.servers[name].deaf = True

    @rule()
    def mend(self) -> None:
        """Bring everything back."""
        for server in self.servers.values():
            server.error, server.write_error, server.deaf = None, None, False

    @rule()
    def poll(self) -> None:
        """Let some time pass, and poll."""
        self.clock.pass_by(minutes=61)
        self.sync()

    @rule()
    def restart(self) -> None:
        """Take Home Assistant away without a word, and start it on what is on disk."""
        self.open()

    @precondition(lambda self: bool(self.unseen))
    @rule()
    def late_hints(self) -> None:
        """Let hints arrive out of order, long after."""
        hints, self.unseen = tuple(reversed(self.unseen)), []
        self.sync(*hints)

    def is_calm(self) -> bool:
        """Whether all servers are there and all acts known."""
        calm = all(server.error is None and server.write_error is None and not server.deaf for server in self.servers.values())
        if calm:
            self.sync()
        return calm

    @invariant()
    def nothing_watched_is_lost_to_silence(self) -> None:
        """No server's flag is ever cleared unless a person unwatched the item somewhere."""
        for server in getattr(self, "servers", {}).values():
            for item, wanted in server.writes:
                assert wanted.played or wanted.position or item in self.last_act or not server.records[item].played

    @override
    def teardown(self) -> None:
        """M5, W6: one cycle makes all agree, the last act wins, and the next cycle writes nothing."""
        if not hasattr(self, "servers"):
            return
        self.mend()
        self.clock.pass_by(minutes=61)
        self.sync()
        for item in ITEMS:
            played = {server.records[item].played for server in self.servers.values()}
            assert len(played) == 1, self.servers
            if item in self.last_act:
                assert played == {self.last_act[item][0]}
            rating = self.last_rating.get(item)
            assert {name: server.records[item].rating for name, server in self.servers.items()} == {
                "plex": rating,
                "jellyfin": rating,
                "emby": rating and (LIKE if rating >= LIKED_FROM else DISLIKE),
            }
            positions = [server.records[item].position for server in self.servers.values()]
            assert max(positions) - min(positions) <= 60 + 10  # a floor and a tolerance
        for server in self.servers.values():
            server.writes.clear()
        self.sync()
        assert not any(server.writes for server in self.servers.values())


TestConvergence = Household.TestCase
TestConvergence.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)
