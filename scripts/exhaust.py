"""Let everything that can happen in so many steps happen, to a film on three servers and to double episodes, and judge every end.

Steps are what people do, what networks and disks do, and what hints do. Equal worlds are gone on with once. The first wrong end ends it: it is the
shortest, and is told as a story.
"""

import argparse
import asyncio
import pickle
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import batched
from multiprocessing import get_context

from .proof.canon import digest
from .proof.judge import Wrong
from .proof.story import tell
from .proof.world import CONDITIONS, Copy, Step, World

CHUNK = 50
CRASH = Step("restart")

type Path = tuple[Step, ...]

STAGES: dict[str, tuple[Copy, ...]] = {
    "a film on Plex, Jellyfin and Emby": (Copy("plex", ("film",)), Copy("jellyfin", ("film",)), Copy("emby", ("film",))),
    "a file of two episodes on Jellyfin and on Emby": (Copy("jellyfin", ("one", "two")), Copy("emby", ("one", "two"))),
    "a file of two episodes on Jellyfin, two files on Plex": (Copy("plex", ("one",)), Copy("plex", ("two",)), Copy("jellyfin", ("one", "two"))),
}


@dataclass(frozen=True, slots=True)
class Node:
    """A world, and how it came about."""

    world: bytes = field(repr=False)
    path: Path


@dataclass(frozen=True, slots=True)
class Found:
    """What can follow from a world: by number of steps and digest; how many histories were gone through; the first wrong end."""

    one: dict[bytes, Node]
    two: dict[bytes, Node]
    histories: int
    wrong: tuple[Path, str] | None = None


@dataclass(slots=True)
class Count:
    """What was gone through."""

    states: int = 0
    histories: int = 0
    wrong: tuple[Path, str] | None = None


def explore(copies: tuple[Copy, ...], depth: int, pool: Executor, *, say: bool = False) -> Count:
    """Go through everything that can happen in `depth` steps, from servers that agree on *unwatched* and from such that agree on *watched*."""
    frontier = dict(asyncio.run(_roots(copies)))
    seen, count, later = set(frontier), Count(len(frontier)), dict[bytes, Node]()
    for level in range(depth + 1):
        following: dict[bytes, Node] = {known: node for known, node in later.items() if known not in seen}
        later = {}
        for found in pool.map(expand, *zip(*[(chunk, depth - level) for chunk in batched(frontier.values(), CHUNK, strict=False)], strict=True)):
            count.histories += found.histories
            count.wrong = count.wrong or found.wrong
            following |= {known: node for known, node in found.one.items() if known not in seen}
            later |= found.two
        if count.wrong:
            break
        frontier = following
        seen |= frontier.keys()
        count.states = len(seen)
        if say and level < depth:
            print(f"    {level + 1} steps: {len(frontier):,} more worlds, {count.histories:,} steps gone", flush=True)
        if not frontier:
            break
    return count


async def _roots(copies: tuple[Copy, ...]) -> list[tuple[bytes, Node]]:
    worlds = [(await World.of(copies, played=played), Step("all watched" if played else "none watched")) for played in (False, True)]
    return [(digest(world), Node(world.frozen(), (start,))) for world, start in worlds]


def expand(nodes: Iterable[Node], steps_left: int) -> Found:
    """Judge some worlds, and let happen in each whatever can."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(asyncio.eager_task_factory)  # model servers never wait, so nothing is ever put off
        return runner.run(_expand(nodes, steps_left))


async def _expand(nodes: Iterable[Node], steps_left: int) -> Found:
    one: dict[bytes, Node] = {}
    two: dict[bytes, Node] = {}
    histories = 0
    for node in nodes:
        path: Path = node.path
        try:
            world = _thaw(node.world)
            if world.is_new:
                await world.check()
            for step in world_steps(node.world) if steps_left else ():
                path = (*node.path, step)
                histories += 1
                world = _thaw(node.world)
                await world.do(step)
                if not world.is_new and (step.what not in CONDITIONS or steps_left == 1):
                    continue
                if steps_left > 1 and world.is_dirty:
                    crashed = _thaw(world.frozen())
                    await crashed.crash()
                    _keep(two, crashed, (*path, CRASH))
                await world.rest()
                _keep(one, world, path)
        except Wrong as wrong:
            return Found(one, two, histories, (path, str(wrong)))
    return Found(one, two, histories)


def _keep(nodes: dict[bytes, Node], world: World, path: Path) -> None:
    known = digest(world)
    if known not in nodes:
        nodes[known] = Node(world.frozen(), path)


def world_steps(frozen: bytes) -> Iterator[Step]:
    """List what can happen in a world."""
    return iter(list(_thaw(frozen).steps()))


def _thaw(frozen: bytes) -> World:
    world: World = pickle.loads(frozen)  # noqa: S301 - pickled by this process
    return world


def main() -> int:
    """Run it for every stage; 0 when nothing was lost or invented."""
    parser = argparse.ArgumentParser(prog="scripts/exhaust", description=__doc__)
    parser.add_argument("--depth", type=int, default=4, metavar="N", help="how many steps (4)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="how many processes (2)")
    chosen = parser.parse_args()
    with ProcessPoolExecutor(chosen.workers, get_context("spawn")) as pool:
        for name, copies in STAGES.items():
            print(f"  {name}", flush=True)
            began = time.perf_counter()
            count = explore(copies, chosen.depth, pool, say=True)
            print(f"    {count.states:,} worlds, {count.histories:,} steps, {time.perf_counter() - began:.0f} s", flush=True)
            if count.wrong:
                print(tell(copies, *count.wrong))
                return 1
    print(f"\nIn no history of up to {chosen.depth} steps was a watch state lost or invented.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
