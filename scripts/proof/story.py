"""A history as people tell it: step by step what happened, what each server showed, and what all agreed on."""

import asyncio

from custom_components.plex_watchsync.sync.model import WatchState

from .judge import Judge, Wrong
from .stage import Stage, Step
from .world import World

WORDS = {
    "none watched": "All servers agree: unwatched.",
    "all watched": "All servers agree: watched.",
    "watch": "{where}: somebody watches it to the end",
    "unwatch": "{where}: somebody marks it unwatched",
    "seek": "{where}: somebody stops half-way",
    "open": "{where}: somebody opens it by mistake and stops at once",
    "drop": "{where}: a tool takes the flag and leaves all else",
    "replace": "{where}: the file is replaced, and has a new id and no record",
    "outage": "{where} goes off the network",
    "return": "{where} is back",
    "cut": "{where} will take the next write, and be gone before it answers",
    "reject": "{where} will refuse the next write",
    "poll": "An hour passes; all libraries are read",
    "lose": "The next hint will be lost",
    "hint": "A hint comes for {where}, doubled, late or by mistake",
    "again": "The last word of an unwatch comes (once more)",
    "restart": "Home Assistant is killed at once, and started again",
}


def tell(stage: Stage, path: tuple[Step, ...], wrong: str) -> str:
    """Tell a history that went wrong."""
    return asyncio.run(_tell(stage, path, wrong))


def in_one_line(path: tuple[Step, ...]) -> str:
    """Name a history in one line."""
    return " · ".join(" ".join(step).strip() for step in path)


async def _tell(stage: Stage, path: tuple[Step, ...], wrong: str) -> str:
    start, *steps = path
    world = await World.of(stage, played=start.what == "all watched")
    judge = Judge.of(world.copies, played=start.what == "all watched")
    lines = ["", f"  0. {WORDS[start.what]}", *_shown(world)]
    try:
        for number, step in enumerate(steps, 1):
            lines.append(f"  {number}. {WORDS[step.what].format(where=step.where)}")
            crashes = steps[number : number + 1] == [Step("restart")]
            await _go(world, step, crashes=crashes)
            judge.follow(() if crashes else world.log.take())
            lines += _shown(world)
        lines.append("  Then all is well with the network, and an hour passes.")
        await world.check()
        judge.follow(world.log.take())
    except Wrong:
        lines += _shown(world)
    return "\n".join([*lines, f"  WRONG: {wrong}"])


async def _go(world: World, step: Step, *, crashes: bool) -> None:
    if step.what == "restart":
        await world.crash()
        return
    await world.do(step)
    if not crashes:
        await world.rest()


def _shown(world: World) -> list[str]:
    copies = [f"{name} {_state(world.servers[copy.server].records[copy.item_id])}" for name, copy in world.copies.items()]
    agreed = [f"{item} {_state(world.agreed(item))}" for item in world.items]
    return [f"       {'; '.join(copies)}", f"       agreed: {'; '.join(agreed)}"]


def _state(state: WatchState) -> str:
    date = f" {state.last_played:%d. %H:%M}" if state.last_played else ""
    return f"{'watched' if state.played else 'unwatched'} x{state.play_count}{date}{f' at {state.position} s' if state.position else ''}"
