"""What can follow from worlds, found out by real worlds; any number of processes may do so side by side."""

import asyncio
import gc
import zlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from enum import Flag, auto

from .acts import CONDITIONS
from .canon import end_of, name_of
from .judge import Event, Wrong
from .stage import Step
from .world import World

CRASH = Step("restart")
DISTURBANCES = frozenset({"outage", "cut", "reject", "lose", "hint", "again", "restart"})

type Path = tuple[Step, ...]
type Events = tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A step, and a kill in the middle of it if there was one: where it leads, what the judge is told of it, or what went wrong."""

    path: Path
    target: bytes
    events: Events
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """What the judge is told when nothing happens any more, None where that is not asked; or what is wrong whatever he knows."""

    events: Events | None = None
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A world that has not gone its steps yet, frozen; `meets` tells by step which conditions it would have met without the last that was set."""

    known: bytes
    frozen: bytes = field(repr=False)
    meets: bytes = b""


@dataclass(frozen=True, slots=True)
class Node:
    """A world, unless nothing is to follow from it, and its end; `also`: the name of all such worlds as have more than one step left."""

    end: End
    waiting: Waiting | None = None
    also: bytes = b""


@dataclass(slots=True)
class Found:
    """By world what follows from it; the worlds that this process had not met before."""

    moves: dict[bytes, tuple[Move, ...]] = field(default_factory=dict)
    nodes: dict[bytes, Node] = field(default_factory=dict)


@dataclass(slots=True)
class _Met:
    """What this process has met in one exploration: digests with the steps that were left, and how worlds end."""

    name: str = ""
    worlds: dict[bytes, int] = field(default_factory=dict)
    ends: dict[bytes, End] = field(default_factory=dict)


_met = _Met()


class Which(Flag):
    """Which steps worlds are to go: those of people and of time, and those that disturb."""

    CALM = auto()
    DISTURBED = auto()
    ALL = CALM | DISTURBED


def expand(name: str, worlds: Iterable[Waiting], steps_left: int, which: Which) -> Found:
    """Let happen in each of some worlds whatever can; `name` is the exploration's."""
    global _met  # noqa: PLW0603 - a process of a pool knows nothing else that lasts
    if _met.name != name:
        _met = _Met(name)
    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(asyncio.eager_task_factory)  # model servers never wait, so nothing is ever put off
        gc.disable()  # worlds are cycles, and few: it is quicker to collect them seldom
        try:
            return runner.run(_expand(worlds, steps_left, which))
        finally:
            gc.collect()
            gc.freeze()  # what is left stays


async def _expand(worlds: Iterable[Waiting], steps_left: int, which: Which) -> Found:
    found = Found()
    for waiting in worlds:
        found.moves[waiting.known] = tuple([move async for move in Expansion(found, waiting, steps_left, which).moves()])
    return found


def sort_of(path: Path) -> Which:
    """Say which steps these are."""
    return Which.CALM if DISTURBANCES.isdisjoint(step.what for step in path) else Which.DISTURBED


@dataclass(slots=True)
class Expansion:
    """Lets happen in one world whatever can.

    A step that does not meet a condition that was set before it makes the same world as the condition set after it, and is left out. Whether it will is
    mostly known: until a step meets a condition it is the same as without.
    """

    found: Found
    waiting: Waiting
    steps_left: int
    which: Which
    frozen: bytes = field(init=False)
    meets: bytearray = field(default_factory=bytearray)

    async def moves(self) -> AsyncIterator[Move]:
        """Yield what can happen; a condition that nothing can meet any more changes nothing."""
        self.frozen = zlib.decompress(self.waiting.frozen)
        world = World.thawed(self.frozen)
        last, known = world.last_condition, self.waiting.meets
        for number, step in enumerate(world.steps()):
            if step.what in CONDITIONS:
                if self._is_disturbed:
                    yield await self._set(step)
            elif last and known and not last & known[number]:
                self.meets.append(known[number])
            elif self._is_disturbed or self.which & sort_of((step,)):
                async for move in self._go(step):
                    yield move

    @property
    def _is_disturbed(self) -> bool:
        """Whether there may be conditions and kills, which take a second step to matter."""
        return self.steps_left > 1 and Which.DISTURBED in self.which

    async def _set(self, step: Step) -> Move:
        """Set a condition."""
        world = World.thawed(self.frozen)
        await world.do(step)
        await world.rest()
        return Move((step,), *await _keep(self.found, world, self.steps_left - 1, bytes(self.meets)))

    async def _go(self, step: Step) -> AsyncIterator[Move]:
        """Go one step, and, if that is another story, kill Home Assistant before it has written to disk what it knows."""
        world = World.thawed(self.frozen)
        try:
            await world.do(step)
        except Wrong as wrong:
            yield Move((step,), b"", (), str(wrong))
            return
        finally:
            self.meets.append(world.met)
        if not world.is_new:
            return
        if self._is_disturbed and world.is_dirty:
            crashed = World.thawed(world.frozen())
            await crashed.crash()
            yield Move((step, CRASH), *await _keep(self.found, crashed, self.steps_left - 2))
        if self.which & sort_of((step,)):
            await world.rest(save=self.steps_left > 1)  # what nobody will take away need not be on disk
            yield Move((step,), *await _keep(self.found, world, self.steps_left - 1))


async def _keep(found: Found, world: World, steps_left: int, meets: bytes = b"") -> tuple[bytes, Events]:
    """Name a world, and, if this process meets it for the first time, freeze it and see how it ends; of the last only the end matters."""
    events = world.log.take()
    also = name_of(world) if steps_left else end_of(world)
    known = name_of(world, kills=False) if steps_left == 1 else also
    if _met.worlds.get(known, -1) < steps_left:
        _met.worlds[known] = steps_left
        goes_on = steps_left and _met.worlds.get(also, -1) <= steps_left
        waiting = Waiting(known, zlib.compress(world.frozen(), 1), meets) if goes_on else None
        found.nodes[known] = Node(await _end(world, known if not steps_left else b""), waiting, also)
    return known, events


async def _end(world: World, alike: bytes) -> End:
    """Look up how such a world ends, or see."""
    if not world.is_new:
        return End()
    alike = alike or end_of(world)
    if alike not in _met.ends:
        _met.ends[alike] = await ended(world)
    return _met.ends[alike]


async def ended(world: World) -> End:
    """Let all be well in a world."""
    try:
        await world.check()
    except Wrong as wrong:
        return End(wrong=str(wrong))
    return End(world.log.take())
