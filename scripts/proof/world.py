"""A small world: a person, a few files on two or three servers, Home Assistant, and everything that can happen in one step."""

import copyreg
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from custom_components.plex_watchsync.engine.outbox import Entry, Outbox
from custom_components.plex_watchsync.engine.run import Account, Run
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.ports import Hint, ServerKind
from custom_components.plex_watchsync.sync.baseline import Baseline
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Part, ReplicaId, WatchState
from custom_components.plex_watchsync.sync.plan import Operation
from custom_components.plex_watchsync.sync.policy import AccountPolicy, Policy, Traits
from tests.engine.fakes import LIBRARY, START, Clock

from .acts import ACTS, CONDITIONS, HINTED, OF_WATCHED
from .freezing import Disk, Mute, pickled_by_number, pickled_short
from .judge import Wrong
from .log import Log, Stored
from .servers import HabitServer
from .stage import Copy, Stage, Step

STEP, POLL = 15, 61  # minutes; longer than the outbox ever waits


@dataclass(slots=True)
class World:
    """Servers and Home Assistant; all that one step may change.

    It knows nothing of the judge, who is told by `log`: what happens never depends on what he thinks of it. `begun`: files left without a position that has
    weight; `armed`: conditions that nothing has met yet; `met`: those that the last step met, or would have, a bit for each; `hint`: the last word of an unwatch.
    """

    servers: dict[str, HabitServer]
    copies: dict[str, Copy]
    clock: Clock
    log: Log
    stage: Stage
    documents: Disk = field(default_factory=Disk)
    viewer: ViewerSync = field(init=False)
    begun: set[str] = field(default_factory=set)
    lose: bool = False
    armed: set[Step] = field(default_factory=set)
    met: int = 0
    hint: Hint | None = None

    @classmethod
    async def of(cls, stage: Stage, *, played: bool) -> World:
        """Stock the servers, and sync twice, so that nothing is owed."""
        clock, known = Clock(), {f"{one.server}:{'+'.join(one.holds)}": replace(one) for one in stage.copies}
        servers = {name: HabitServer(ServerKind(name), clock) for name in dict.fromkeys(one.server for one in known.values())}
        for copy in known.values():
            servers[copy.server].stock(copy.item_id, state=WatchState(played, 0, 1, START) if played else None)
            servers[copy.server].parts[copy.item_id] = copy.parts
        world = cls(servers, known, clock, Log(clock), stage)
        world.start()
        await world.poll()
        await world.poll()
        await world.rest()
        world.log.take()
        return world

    def start(self) -> None:
        """Start Home Assistant, without what it may have on disk."""
        self.viewer = ViewerSync("anna", self.documents, self.clock, self.log.hear, journal=Mute())
        self._connect()

    def frozen(self) -> bytes:
        """Pickle it, without what has no influence or is always the same."""
        self.viewer.baseline._unpacked.clear()  # noqa: SLF001 - kept for speed only, and large to pickle
        self.viewer.last_watched, self.viewer.accounts = None, {}
        self.viewer.unmatched.clear()
        for server in self.servers.values():
            server.writes.clear()
            server.reads.clear()
            server.listings.clear()
        frozen = pickle.dumps(self, pickle.HIGHEST_PROTOCOL)
        self._connect()
        return frozen

    @staticmethod
    def thawed(frozen: bytes) -> World:
        """Return a world that was frozen."""
        world: World = pickle.loads(frozen)  # noqa: S301 - pickled by this process or its like
        world._connect()
        return world

    def _connect(self) -> None:
        for name, server in self.servers.items():
            self.viewer.accounts[name] = Account(server, AccountPolicy(server.traits), frozenset({LIBRARY}))

    def steps(self) -> Iterator[Step]:
        """Yield all that can happen now."""
        for name, copy in self.copies.items():
            server = self.servers[copy.server]
            yield Step("watch", name)
            yield Step("seek", name)
            yield Step("replace", name)
            yield Step("hint", name)
            if self._shown(name).played:
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
            some = [Step("outage" if server.error is None else "return", name), Step("reject", name)]
            some += [Step("cut", name)] if self.stage.cuts and server.error is None else []
            yield from (one for one in some if one > last)
        if Step("lose") > last:
            yield Step("lose")

    @property
    def last_condition(self) -> int:
        """The condition that was set last and that nothing has met, as in `met`; 0 if there is none."""
        return self._bit(max(self.armed)) if self.armed else 0

    def _bit(self, condition: Step) -> int:
        number = {"outage": 0, "return": 0, "reject": len(self.servers), "cut": len(self.servers), "lose": 2 * len(self.servers)}[condition.what]
        return 1 << number + (list(self.servers).index(condition.where) if condition.where else 0)

    @property
    def is_new(self) -> bool:
        """Whether the last step met every condition that was set before it; else the condition could as well have been set after the step."""
        return not self.armed

    async def do(self, step: Step) -> None:
        """Let a step happen, and Home Assistant do what it does then; raises `Wrong`."""
        self.log.begin(self._stored())
        for server in self.servers.values():
            server.asked = server.tried = False
        if step.what not in CONDITIONS:
            self.clock.pass_by(minutes=STEP)
            if self.viewer.next_retry is not None:
                await self.viewer.retry()
                self._written()
            if step.what in OF_WATCHED and not self._shown(step.where).played:
                step = Step("nothing")
        await ACTS[step.what](self, step.where)
        self._meet(step)
        if self.hint and not any(self.hint.item_id in server.records for server in self.servers.values()):
            self.hint = None  # of a file that is gone

    @property
    def is_dirty(self) -> bool:
        """Whether Home Assistant knows what is not on disk yet."""
        return bool(self.viewer.baseline.changed or self.viewer.outbox._changed)  # noqa: SLF001 - nothing else tells

    async def rest(self, *, save: bool = True) -> None:
        """Let half a minute pass, in which Home Assistant writes to disk what it knows."""
        if save:
            await self.viewer.flush()
            self.log.store(self._stored())
        self.log.add("rested")

    async def crash(self) -> None:
        """Take Home Assistant away before that, and start it on what is on disk."""
        self.start()
        await self.viewer.load()
        self.log.store(self._stored())
        self.log.add("crashed")
        for name, copy in self.copies.items():  # an unwatch may have been sent, for all that anybody knows (M3)
            entry = self.viewer.outbox.entries.get(ReplicaId(copy.server, copy.item_id))
            if entry and not all(sent.state.played for sent in entry.sent):
                self.log.add("unsure", name)

    def _meet(self, step: Step) -> None:
        """See which conditions came to bear, or would have if they had been set."""
        if step.what in CONDITIONS:
            self.armed.add(step)
            return
        if step.what in HINTED:
            self.servers[self.copies[step.where].server].asked = True  # told of it, or could not
        servers = self.servers.values()
        come = (*(server.asked for server in servers), *(server.tried for server in servers), step.what in HINTED)
        self.met = sum(1 << number for number, has_come in enumerate(come) if has_come)
        self.armed = {condition for condition in self.armed if not self.met & self._bit(condition)}

    @property
    def items(self) -> tuple[str, ...]:
        """The films and episodes."""
        return tuple(dict.fromkeys(item for copy in self.copies.values() for item in copy.holds))

    async def poll(self) -> None:
        """Read every library; what was watched or begun and is not in a list is read by its id."""
        self.clock.pass_by(minutes=POLL - STEP)
        begun = {name: self.viewer.baseline.begun(name) for name, server in self.servers.items() if server.error is None}
        for server in self.servers.values():
            server.listed.clear()
        await self.viewer.run(Run(recent=self.stage.recent))
        for name, copy in self.copies.items():
            if copy.server in begun and copy.item_id in self.servers[copy.server].listed | begun[copy.server]:
                self.log.add("read", name)
        self._written(kept=True)

    async def check(self) -> None:
        """M5: once all is reachable one run makes all agree, and the next plan is empty; raises `Wrong`. Whether the last act won, the judge says."""
        self.log.begin(self._stored())
        for server in self.servers.values():
            server.error, server.refuses, server.lost_answers = None, False, 0
        self.clock.pass_by(minutes=STEP)
        await self.poll()
        for item in self.items:
            self._check_item(item)
        for server in self.servers.values():
            server.writes.clear()
        self.clock.pass_by(minutes=STEP)
        report = await self.viewer.run(Run())
        written = [f"{name} ({wanted})" for name, server in self.servers.items() for _, wanted in server.writes]
        planned = [write for write in report.planned if write.item_id in self.servers[write.account].records]  # what is gone is forgotten by and by (G4)
        if written or planned:
            raise Wrong(f"the next run, in which nothing happened, writes again: {written or planned}")

    def _check_item(self, item: str) -> None:
        alone = [copy for copy in self.copies.values() if copy.holds == (item,)]
        shared = [copy for copy in self.copies.values() if copy.holds != (item,) and item in copy.holds]
        agreed = {one: self.agreed(one) for one in self.items}
        for copy in alone:
            self._check_copy(copy, agreed[item])
        for copy in shared:
            if len({agreed[one].played for one in copy.holds}) == 1:  # I5
                self._check_copy(copy, replace(agreed[item], position=-1))
        self.log.add("ended", item=item, played=agreed[item].played, position=agreed[item].position if alone else 0)

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

    def _shown(self, name: str) -> WatchState:
        copy = self.copies[name]
        return self.servers[copy.server].records[copy.item_id]

    async def tell(self, name: str, *, unplayed: bool = False) -> None:
        """Let a server tell what was done to a copy, unless that is lost; `unplayed`: it names an unwatch."""
        copy = self.copies[name]
        hint = Hint(copy.server, copy.item_id, self.clock(), unplayed)
        self.hint = hint if unplayed else self.hint
        lost, self.lose = self.lose or self.servers[copy.server].error is not None, False
        if not lost:
            await self.look(hint)

    async def look(self, hint: Hint) -> None:
        """Follow a hint."""
        answers = self.servers[hint.account].error is None
        await self.viewer.run(Run(hints=(hint,)))
        for name, copy in self.copies.items():
            if answers and (copy.server, copy.item_id) == (hint.account, hint.item_id):
                self.log.add("read", name)
        self._written()

    def _written(self, *, kept: bool = False) -> None:
        """Take note of what was read back; a poll puts it on disk."""
        for name, copy in self.copies.items():
            server = self.servers[copy.server]
            if any(item == copy.item_id for item, _ in server.writes):
                self.begun.discard(copy.item_id)
                self.log.add("cut" if copy.item_id in server.unanswered else "kept" if kept else "wrote", name)
                if copy.item_id in server.unanswered and not server.unanswered[copy.item_id].played:
                    self.log.add("unsure", name)
        for server in self.servers.values():
            server.writes.clear()
            server.unanswered.clear()

    def _stored(self) -> Stored:
        """Tell when each copy of each item was last read and something had changed, as far as that is, or will be, on disk."""
        now = {(copy.server, copy.item_id): name for name, copy in self.copies.items()}
        known = ((now.get(replica_id), item.item_id, replica.at) for item in self.viewer.baseline for replica_id, replica in item.replicas.items())
        return {(name, item.rpartition("/")[2]): at for name, item, at in known if name and at}


RECORDS = (WatchState, Media, Part, Traits, AccountPolicy, Account, Operation, Hint, Policy)
copyreg.pickle(Mute, lambda _journal: (Mute, ()))
pickled_short(*RECORDS)
pickled_by_number(*RECORDS, World, HabitServer, Copy, Log, Clock, Disk, Mute, ViewerSync, Baseline, Outbox, Entry, ReplicaId, ServerKind, MediaKind, datetime)
