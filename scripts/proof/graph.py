"""What can follow from worlds, found out by real worlds; any number of processes may do so side by side."""

import asyncio
import gc
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Flag, auto

from .canon import digests
from .judge import Event, Wrong
from .world import CONDITIONS, Step, World

CRASH = Step("restart")
DISTURBANCES = frozenset({"outage", "reject", "lose", "hint", "again", "restart"})

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
class Node:
    """A world by its digest; frozen, unless nothing is to follow from it."""

    frozen: bytes = field(repr=False)
    end: End


@dataclass(frozen=True, slots=True)
class Found:
    """By world what follows from it; the worlds that this process had not met before."""

    moves: dict[bytes, tuple[Move, ...]]
    nodes: dict[bytes, Node]


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


def expand(name: str, worlds: Iterable[tuple[bytes, bytes]], steps_left: int, which: Which) -> Found:
    """Let happen in each of some worlds whatever can; `name` is the exploration's."""
    global _met  # noqa: PLW0603 - a process of a pool knows nothing else that lasts
    if _met.name != name:
        _met = _Met(name)
        gc.freeze()  # what is there by now stays
    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(asyncio.eager_task_factory)  # model servers never wait, so nothing is ever put off
        gc.disable()  # worlds are cycles, and few: it is quicker to collect them seldom
        try:
            return runner.run(_expand(worlds, steps_left, which))
        finally:
            gc.collect()


async def _expand(worlds: Iterable[tuple[bytes, bytes]], steps_left: int, which: Which) -> Found:
    found = Found({}, {})
    for known, packed in worlds:
        frozen, moves = zlib.decompress(packed), list[Move]()
        for step in World.thawed(frozen).steps():
            await _follow(found, moves, frozen, step, steps_left, which)
        found.moves[known] = tuple(moves)
    return found


def sort_of(path: Path) -> Which:
    """Say which steps these are."""
    return Which.CALM if DISTURBANCES.isdisjoint(step.what for step in path) else Which.DISTURBED


async def _follow(found: Found, moves: list[Move], frozen: bytes, step: Step, steps_left: int, which: Which) -> None:  # noqa: PLR0917 - one step, in all its aspects
    """Go one step, and, if that is another story, kill Home Assistant before it has written to disk what it knows.

    A condition that nothing can meet any more changes nothing.
    """
    crashes = steps_left > 1 and Which.DISTURBED in which
    if (step.what in CONDITIONS and steps_left == 1) or not (crashes or which & sort_of((step,))):
        return
    world = World.thawed(frozen)
    try:
        await world.do(step)
    except Wrong as wrong:
        moves.append(Move((step,), b"", (), str(wrong)))
        return
    if not world.is_new and step.what not in CONDITIONS:
        return
    if crashes and world.is_dirty:
        crashed = World.thawed(world.frozen())
        await crashed.crash()
        moves.append(Move((step, CRASH), *await _keep(found, crashed, steps_left - 2)))
    if which & sort_of((step,)):
        await world.rest(save=steps_left > 1)  # what nobody will take away need not be on disk
        moves.append(Move((step,), *await _keep(found, world, steps_left - 1)))


async def _keep(found: Found, world: World, steps_left: int) -> tuple[bytes, Events]:
    """Name a world, and, if this process meets it for the first time, freeze it and see how it ends; of the last only the end matters."""
    events = world.log.take()
    alike, known = digests(world)
    known = known if steps_left else alike
    if _met.worlds.get(known, -1) < steps_left:
        _met.worlds[known] = steps_left
        frozen = zlib.compress(world.frozen(), 1) if steps_left else b""
        if world.is_new and alike not in _met.ends:
            _met.ends[alike] = await ended(world)
        found.nodes[known] = Node(frozen, _met.ends[alike] if world.is_new else End())
    return known, events


async def ended(world: World) -> End:
    """Let all be well in a world."""
    try:
        await world.check()
    except Wrong as wrong:
        return End(wrong=str(wrong))
    return End(world.log.take())
