"""A small world: a person, a few files on two or three servers, Home Assistant, and everything that can happen in one step."""

import copyreg
import pickle
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from custom_components.plex_watchsync.engine.journal import Journal
from custom_components.plex_watchsync.engine.run import Account, Run
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.ports import Hint, ServerKind, ServerUnavailable
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Part, WatchState
from custom_components.plex_watchsync.sync.plan import Operation
from custom_components.plex_watchsync.sync.policy import AccountPolicy, Policy, Traits
from tests.engine.fakes import LIBRARY, START, Clock, MemoryDocuments

from .judge import Judge, Wrong
from .servers import HabitServer

STEP, POLL = 15, 61  # minutes; longer than the outbox ever waits
SPOTS = (600, 1200, 1800)


class Step(NamedTuple):
    """What happens; `where` is a copy, a server or nothing."""

    what: str
    where: str = ""


@dataclass(slots=True)
class Copy:
    """A file on a server: the films or episodes that it holds, and its present id."""

    server: str
    holds: tuple[str, ...]
    number: int = 1

    @property
    def item_id(self) -> str:
        """The server's id of it; a replaced file has another."""
        return f"{self.server}-{'+'.join(self.holds)}#{self.number}"


@dataclass(slots=True)
class World:
    """Servers, Home Assistant, and the judge; all that one step may change.

    `looked`: when a run last read a copy; `wrote`: when one was read back after a write, which is not on disk yet; `blank`: copies of which that was lost;
    `begun`: files left without a position that has weight; `armed`: conditions that nothing has met yet; `hint`: the last word of an unwatch.
    """

    servers: dict[str, HabitServer]
    copies: dict[str, Copy]
    clock: Clock
    judge: Judge
    documents: MemoryDocuments = field(default_factory=MemoryDocuments)
    viewer: ViewerSync = field(init=False)
    looked: dict[str, datetime] = field(default_factory=dict)
    wrote: dict[str, datetime] = field(default_factory=dict)
    blank: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    lose: bool = False
    armed: set[Step] = field(default_factory=set)
    hint: Hint | None = None

    @classmethod
    async def of(cls, copies: Iterable[Copy], *, played: bool) -> World:
        """Stock the servers, and sync twice, so that nothing is owed."""
        clock, known = Clock(), {f"{one.server}:{'+'.join(one.holds)}": one for one in copies}
        servers = {name: HabitServer(ServerKind(name), clock) for name in dict.fromkeys(one.server for one in known.values())}
        for copy in known.values():
            servers[copy.server].stock(copy.item_id, state=WatchState(played, 0, 1, START) if played else None)
            servers[copy.server].parts[copy.item_id] = _parts(copy)
        judge = Judge.of(dict.fromkeys(item for copy in known.values() for item in copy.holds), START, played=played)
        world = cls(servers, known, clock, judge)
        world.start()
        await world.poll()
        await world.poll()
        await world.rest()
        world.judge.telling.clear()
        return world

    def start(self) -> None:
        """Start Home Assistant, without what it may have on disk."""
        self.viewer = ViewerSync("anna", self.documents, self.clock, self.judge.hear)
        for name, server in self.servers.items():
            self.viewer.accounts[name] = Account(server, AccountPolicy(server.traits), frozenset({LIBRARY}))

    def frozen(self) -> bytes:
        """Pickle it, without what has no influence."""
        self.viewer.baseline._unpacked.clear()  # noqa: SLF001 - kept for speed only, and large to pickle
        if self.hint and not any(self.hint.item_id in server.records for server in self.servers.values()):
            self.hint = None  # of a file that is gone
        for server in self.servers.values():
            server.writes.clear()
            server.reads.clear()
        self.documents.saves.clear()
        return pickle.dumps(self, pickle.HIGHEST_PROTOCOL)

    def steps(self) -> Iterator[Step]:
        """Yield all that can happen now."""
        for name, copy in self.copies.items():
            server = self.servers[copy.server]
            state = server.records[copy.item_id]
            yield Step("watch", name)
            yield Step("seek", name)
            yield Step("replace", name)
            yield Step("hint", name)
            if state.played:
                yield from (Step(what, name) for what in ("unwatch", "open"))
                if server.kind is not ServerKind.PLEX:
                    yield Step("drop", name)
        yield Step("poll")
        if self.hint is not None:
            yield Step("again")
        yield from self._conditions()

    def _conditions(self) -> Iterator[Step]:
        """Yield what has no effect before something else meets it, in one order only: any other order makes the same worlds."""
        last = max(self.armed, default=Step(""))
        for name, server in self.servers.items():
            yield from (one for one in (Step("outage" if server.error is None else "return", name), Step("reject", name)) if one > last)
        if Step("lose") > last:
            yield Step("lose")

    @property
    def is_new(self) -> bool:
        """Whether the last step met every condition that was set before it; else the condition could as well have been set after the step."""
        return not self.armed

    async def do(self, step: Step) -> None:
        """Let a step happen, and Home Assistant do what it does then; raises `Wrong`."""
        for server in self.servers.values():
            server.asked = False
        if step.what not in CONDITIONS:
            self.clock.pass_by(minutes=STEP)
            if self.viewer.next_retry is not None:
                await self.viewer.retry()
                self._written()
        await ACTS[step.what](self, step.where)
        self._meet(step)
        self.judge.check_told(self.by_server)

    @property
    def is_dirty(self) -> bool:
        """Whether Home Assistant knows what is not on disk yet."""
        return bool(self.viewer.baseline.changed or self.viewer.outbox._changed)  # noqa: SLF001 - nothing else tells

    async def rest(self) -> None:
        """Let half a minute pass, in which Home Assistant writes to disk what it knows; raises `Wrong`."""
        await self.viewer.flush()
        for name, at in self.wrote.items():
            self.looked[name] = at
            self.blank.discard(name)
        self.wrote.clear()

    async def crash(self) -> None:
        """Take Home Assistant away before that, and start it on what is on disk; raises `Wrong`."""
        self.start()
        await self.viewer.load()
        for name, copy in self.copies.items():  # of a look at which nothing had changed, nothing is on disk
            stored = self._stored_look(copy)
            if name in self.wrote or stored < self.looked[name]:
                self.looked[name] = min(stored, self.looked[name])
                self.judge.forgotten(name, self.looked[name], blank=name in self.wrote)
        self.blank |= self.wrote.keys()
        self.wrote.clear()

    def _meet(self, step: Step) -> None:
        """See which conditions came to bear."""
        if step.what in CONDITIONS:
            self.armed.add(step)
            return
        if step.what in HINTED:
            self.armed.discard(Step("lose"))
            self.servers[self.copies[step.where].server].asked = True  # told of it, or could not
        for name, server in self.servers.items():
            if server.asked:
                self.armed -= {Step("outage", name), Step("return", name)}
            if not server.refuses:
                self.armed.discard(Step("reject", name))

    @property
    def by_server(self) -> dict[str, list[str]]:
        """The copies on each server."""
        return {server: [name for name, copy in self.copies.items() if copy.server == server] for server in self.servers}

    async def poll(self) -> None:
        """Read every library."""
        self.clock.pass_by(minutes=POLL - STEP)
        await self._run(Run(), [name for name, copy in self.copies.items() if self.servers[copy.server].error is None])

    async def check(self) -> None:
        """M5: once all is reachable one run makes all agree, the last act wins, and the next plan is empty; raises `Wrong`."""
        for server in self.servers.values():
            server.error, server.refuses = None, False
        self.clock.pass_by(minutes=STEP)
        await self.poll()
        self.judge.check_told(self.by_server)
        for item in self.judge.views:
            self._check_item(item)
        for server in self.servers.values():
            server.writes.clear()
        self.clock.pass_by(minutes=STEP)
        report = await self.viewer.run(Run())
        written = [f"{name} ({wanted})" for name, server in self.servers.items() for _, wanted in server.writes]
        if written or report.planned:
            raise Wrong(f"the next run, in which nothing happened, writes again: {written or report.planned}")

    def _check_item(self, item: str) -> None:
        alone = [copy for copy in self.copies.values() if copy.holds == (item,)]
        shared = [copy for copy in self.copies.values() if copy.holds != (item,) and item in copy.holds]
        agreed = {one: self.agreed(one) for one in self.judge.views}
        for copy in alone:
            self._check_copy(copy, agreed[item])
        for copy in shared:
            if len({agreed[one].played for one in copy.holds}) == 1:  # I5
                self._check_copy(copy, replace(agreed[item], position=-1))
        self.judge.check_end(item, played=agreed[item].played, position=agreed[item].position if alone else 0)

    def _check_copy(self, copy: Copy, agreed: WatchState) -> None:
        state = self.servers[copy.server].records[copy.item_id]
        if state.played != agreed.played:
            raise Wrong(f"agreed is {'' if agreed.played else 'un'}watched, and {copy.server} shows {copy.item_id} {'' if state.played else 'un'}watched")
        left_alone = copy.item_id in self.begun and not state.position  # less than a minute has no weight (W3)
        if agreed.position >= 0 and abs(state.position - agreed.position) > 60 and not left_alone:
            raise Wrong(f"agreed is a position of {agreed.position} s, and {copy.server} shows {state.position} s")

    def agreed(self, item: str) -> WatchState:
        """Return what all agree on."""
        found = [one for one in self.viewer.baseline if any(key.endswith(f"/{item}") for key in one.keys)]
        if len(found) != 1:
            raise Wrong(f"{len(found)} items in the baseline are {item}")
        return found[0].claims.state

    # What people and tools do.

    async def watch(self, name: str) -> None:
        """Watch to the end; where Home Assistant forgot that it took Plex's flag away, that looks like a touch: Plex dates both, and counts from one again."""
        copy = self.copies[name]
        server = self.servers[copy.server]
        server.watch(copy.item_id)
        self.begun.discard(copy.item_id)
        clear = server.kind is not ServerKind.PLEX or name not in self.blank
        self.judge.act(name, copy.holds, self.clock(), self.clock(), played=True, position=0, certain=clear)
        await self._tell(name)

    async def unwatch(self, name: str) -> None:
        """Mark unwatched."""
        copy = self.copies[name]
        server = self.servers[copy.server]
        server.unwatch(copy.item_id)
        self.begun.discard(copy.item_id)
        said = server.kind is not ServerKind.PLEX and server.error is None and not self.lose
        since = self.clock() if said else self._last_look(name)
        self.judge.act(name, copy.holds, since, self.clock(), played=False, position=0, certain=said or name not in self.blank)
        await self._tell(name, unplayed=server.kind is not ServerKind.PLEX)

    async def seek(self, name: str) -> None:
        """Stop half-way, elsewhere than where it is."""
        copy = self.copies[name]
        server = self.servers[copy.server]
        known = server.records[copy.item_id].position
        position = next(spot for spot in SPOTS if abs(spot - known) > 60 and all(abs(spot - other) > 60 for one in copy.holds for other in (self._spot(one),)))
        server.stop_at(copy.item_id, position)
        self.begun.discard(copy.item_id)
        self.judge.act(name, copy.holds, self.clock(), self.clock(), position=position if self._alone(copy) else None)
        await self._tell(name)

    async def open(self, name: str) -> None:
        """Open a watched title by mistake; on Emby that looks like another view."""
        copy = self.copies[name]
        server = self.servers[copy.server]
        resumes = bool(server.records[copy.item_id].position)
        server.open(copy.item_id)
        self.begun.add(copy.item_id)
        again = True if server.kind is ServerKind.EMBY else None
        removed = 0 if again or resumes else None
        self.judge.act(name, copy.holds, self.clock(), self.clock(), played=again, position=removed, certain=False)
        await self._tell(name)

    async def drop(self, name: str) -> None:
        """Let a tool take the flag alone: an unwatch on Jellyfin, nothing on Emby."""
        copy = self.copies[name]
        server = self.servers[copy.server]
        server.drop_flag(copy.item_id)
        self.begun.add(copy.item_id)
        if server.kind is ServerKind.JELLYFIN:
            self.judge.act(name, copy.holds, self._last_look(name), self.clock(), played=False, position=0, certain=name not in self.blank)
        else:
            self.judge.hide(name, copy.holds, self.clock())
        await self._tell(name)

    async def replace(self, name: str) -> None:
        """Replace the file: another id, and nothing known of it."""
        copy = self.copies[name]
        server = self.servers[copy.server]
        del server.records[copy.item_id], server.parts[copy.item_id]
        copy.number += 1
        server.stock(copy.item_id)
        server.parts[copy.item_id] = _parts(copy)
        self.judge.hide(name, copy.holds, self.clock())
        self.wrote.pop(name, None)

    async def outage(self, server: str) -> None:
        """Take a server off the network."""
        self.servers[server].error = ServerUnavailable("unplugged")

    async def returns(self, server: str) -> None:
        """Bring a server back."""
        self.servers[server].error = None

    async def reject(self, server: str) -> None:
        """Let a server refuse the next write."""
        self.servers[server].refuses = True

    async def poll_now(self, _: str) -> None:
        """Let an hour pass."""
        await self.poll()

    async def lose_next(self, _: str) -> None:
        """Let the next hint be lost."""
        self.lose = True

    async def hinted(self, name: str) -> None:
        """Let a hint come that is doubled, late or mistaken: it says no more than that one should look."""
        copy = self.copies[name]
        await self._look(Hint(copy.server, copy.item_id, self.clock()))

    async def again(self, _: str) -> None:
        """Let the last hint that names an unwatch come a second time, or the lost one at last."""
        if self.hint is not None:
            await self._look(self.hint)

    async def _tell(self, name: str, *, unplayed: bool = False) -> None:
        copy = self.copies[name]
        hint = Hint(copy.server, copy.item_id, self.clock(), unplayed)
        self.hint = hint if unplayed else self.hint
        lost, self.lose = self.lose or self.servers[copy.server].error is not None, False
        if not lost:
            await self._look(hint)

    async def _look(self, hint: Hint) -> None:
        names = [name for name, copy in self.copies.items() if (copy.server, copy.item_id) == (hint.account, hint.item_id)]
        await self._run(Run(hints=(hint,)), [name for name in names if self.servers[hint.account].error is None])

    async def _run(self, run: Run, read: list[str]) -> None:
        await self.viewer.run(run)
        self.judge.read(read)
        for name in read:
            self.looked[name] = self.clock()
            self.blank.discard(name)
            self.wrote.pop(name, None)
        self._written(kept=not run.hints)

    def _written(self, *, kept: bool = False) -> None:
        """Take note of what was read back; a poll puts it on disk."""
        for name, copy in self.copies.items():
            server = self.servers[copy.server]
            if any(item == copy.item_id for item, _ in server.writes):
                self.begun.discard(copy.item_id)
                (self.looked if kept else self.wrote)[name] = self.clock()
                if kept:
                    self.blank.discard(name)
        for server in self.servers.values():
            server.writes.clear()

    def _stored_look(self, copy: Copy) -> datetime:
        replicas = [replica for item in self.viewer.baseline for known, replica in item.replicas.items() if known == (copy.server, copy.item_id)]
        return min((replica.at or START for replica in replicas), default=START)

    def _last_look(self, name: str) -> datetime:
        return max(self.looked.get(name, START), self.wrote.get(name, START))

    def _alone(self, copy: Copy) -> bool:
        return len(copy.holds) == 1

    def _spot(self, item: str) -> int:
        return self.agreed(item).position


CONDITIONS = frozenset({"outage", "return", "reject", "lose"})
HINTED = frozenset({"watch", "unwatch", "seek", "open", "drop"})
ACTS: dict[str, Callable[[World, str], Awaitable[None]]] = {
    "watch": World.watch,
    "unwatch": World.unwatch,
    "seek": World.seek,
    "open": World.open,
    "drop": World.drop,
    "replace": World.replace,
    "outage": World.outage,
    "return": World.returns,
    "reject": World.reject,
    "poll": World.poll_now,
    "lose": World.lose_next,
    "hint": World.hinted,
    "again": World.again,
}


def _pickled_short(*kinds: type) -> None:
    """Pickle frozen records by their fields: several times as fast as by their state."""
    for kind in kinds:
        names = attrgetter(*(one.name for one in fields(kind)))
        copyreg.pickle(kind, lambda record, kind=kind, names=names: (kind, names(record)))  # type: ignore[misc]


copyreg.pickle(Journal, lambda _journal: (Journal, ()))  # it has no influence
_pickled_short(WatchState, Media, Part, Traits, AccountPolicy, Account, Operation, Hint, Policy)


def _parts(copy: Copy) -> tuple[Part, ...]:
    return tuple(Part(Media(MediaKind.MOVIE, item), frozenset({f"movie/imdb/{item}"})) for item in copy.holds)
