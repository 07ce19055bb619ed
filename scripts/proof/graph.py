"""What can follow from worlds, found out by real worlds; any number of processes may do so side by side."""

import asyncio
import gc
from collections.abc import Iterable
from dataclasses import dataclass, field

from .canon import digests
from .judge import Event, Wrong
from .world import CONDITIONS, Step, World

CRASH = Step("restart")

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


def expand(name: str, worlds: Iterable[tuple[bytes, bytes]], steps_left: int) -> Found:
    """Let happen in each of some worlds whatever can; `name` is the exploration's."""
    global _met  # noqa: PLW0603 - a process of a pool knows nothing else that lasts
    if _met.name != name:
        _met = _Met(name)
        gc.freeze()  # what is there by now stays
    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(asyncio.eager_task_factory)  # model servers never wait, so nothing is ever put off
        gc.disable()  # worlds are cycles, and few: it is quicker to collect them seldom
        try:
            return runner.run(_expand(worlds, steps_left))
        finally:
            gc.collect()


async def _expand(worlds: Iterable[tuple[bytes, bytes]], steps_left: int) -> Found:
    found = Found({}, {})
    for known, frozen in worlds:
        moves: list[Move] = []
        for step in steps_of(frozen, steps_left):
            await _follow(found, moves, frozen, step, steps_left)
        found.moves[known] = tuple(moves)
    return found


def steps_of(frozen: bytes, steps_left: int) -> tuple[Step, ...]:
    """List what can happen in a world; a condition that nothing can meet any more changes nothing."""
    return tuple(step for step in World.thawed(frozen).steps() if steps_left > 1 or step.what not in CONDITIONS)


async def _follow(found: Found, moves: list[Move], frozen: bytes, step: Step, steps_left: int) -> None:
    """Go one step, and, if that is another story, kill Home Assistant before it has written to disk what it knows."""
    world = World.thawed(frozen)
    try:
        await world.do(step)
    except Wrong as wrong:
        moves.append(Move((step,), b"", (), str(wrong)))
        return
    if not world.is_new and (step.what not in CONDITIONS or steps_left == 1):
        return
    if steps_left > 1 and world.is_dirty:
        crashed = World.thawed(world.frozen())
        await crashed.crash()
        moves.append(Move((step, CRASH), *await _keep(found, crashed, steps_left - 2)))
    await world.rest(save=steps_left > 1)  # what nobody will take away need not be on disk
    moves.append(Move((step,), *await _keep(found, world, steps_left - 1)))


async def _keep(found: Found, world: World, steps_left: int) -> tuple[bytes, Events]:
    """Name a world, and, if this process meets it for the first time, freeze it and see how it ends; of the last only the end matters."""
    events = world.log.take()
    alike, known = digests(world)
    known = known if steps_left else alike
    if _met.worlds.get(known, -1) < steps_left:
        _met.worlds[known] = steps_left
        frozen = world.frozen() if steps_left else b""
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
