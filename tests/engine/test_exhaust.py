"""M5 without luck: whatever can happen in a few steps does, through the real engine (`scripts/exhaust --depth N` goes further)."""

import asyncio
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, override

import pytest

from custom_components.plex_watchsync.engine.executor import Executor as WriteExecutor
from scripts.exhaust import STAGES
from scripts.proof import graph
from scripts.proof.explore import explore
from scripts.proof.graph import Path
from scripts.proof.judge import Event, Judge, Wrong
from scripts.proof.stage import Stage, Step
from scripts.proof.story import in_one_line, tell
from scripts.proof.world import World

FILM, DOUBLE, SPLIT, RECENT = STAGES.values()
DEPTHS = [(FILM, 4), (DOUBLE, 4), (SPLIT, 3), (RECENT, 3)]


@pytest.mark.parametrize(("stage", "depth"), DEPTHS, ids=STAGES)
def test_nothing_is_lost_or_invented(stage: Stage, depth: int) -> None:
    """M5, M2, M3, I5, R4, R5, W3, W5, W6: all agree, the last act wins, the next plan is empty, automations hear of each act once and of no other."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        count = explore(stage, depth, pool)
    assert not count.wrong, tell(stage, *count.stories[0])
    assert count.states > 1500
    assert count.histories > count.states


class _Here(Executor):
    """A pool that is this process, so that what is broken here is broken there."""

    @override
    def map[Result](self, fn: Callable[..., Result], *iterables: Iterable[Any], **_options: object) -> Iterator[Result]:
        return map(fn, *iterables, strict=True)


def test_a_core_that_writes_over_a_person_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """M3: whatever worlds are taken for equal and judges forget, an act that is written over is missed, in the fewest steps and by one disturbance."""
    monkeypatch.setattr(WriteExecutor, "_is_as_planned_on", lambda *_: True)
    count = explore(FILM, 3, _Here(), disturbances=1)
    assert count.wrong >= len(count.stories) > 1
    path, what = count.stories[0]
    assert [step.what for step in path] == ["none watched", "lose", "watch", "seek"]
    assert in_one_line(path).startswith("none watched · lose · watch ")
    assert "the last act left it watched" in what
    assert tell(FILM, path, what).endswith(f"WRONG: {what}")


async def _told(frozen: bytes, steps_left: int, monkeypatch: pytest.MonkeyPatch) -> dict[Path, tuple[bytes, Counter[Event]]]:
    """Return where each step leads from a world, and what the judge is told of it, in whichever order at one moment."""
    with monkeypatch.context() as patch:
        patch.setattr(graph._met, "worlds", {})
        expansion = graph.Expansion(graph.Found(), graph.Waiting(b"", zlib.compress(frozen)), steps_left, graph.Which.ALL)
        return {move.path: (move.target, Counter(move.events)) async for move in expansion.moves()}


@pytest.mark.parametrize("stage", [FILM, DOUBLE, RECENT], ids=["film", "double", "recent"])
def test_worlds_that_are_taken_for_equal_go_on_equally(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on from one of them stands for all; of worlds that only look alike, the proof would leave some out."""
    met: dict[tuple[bytes, int], list[bytes]] = {}
    keep = graph._keep

    async def _kept(found: graph.Found, world: World, steps_left: int, meets: bytes = b"") -> tuple[bytes, graph.Events]:
        seen = World.thawed(world.frozen())  # before it lives on to its end
        known, events = await keep(found, world, steps_left, meets)
        if steps_left:
            seen.log.take()
            met.setdefault((known, steps_left), []).append(seen.frozen())
        return known, events

    monkeypatch.setattr(graph, "_keep", _kept)
    explore(stage, 3, _Here())
    monkeypatch.setattr(graph, "_keep", keep)
    compared = 0
    for (_, steps_left), (first, *others) in met.items():
        for other in dict.fromkeys(others[:2]):
            if other != first:
                compared += 1
                one, two = (asyncio.run(_told(frozen, steps_left, monkeypatch)) for frozen in (first, other))
                assert one == two
    assert compared > 50


async def _end(*steps: Step) -> None:
    """Live through a history and judge it."""
    world = await World.of(FILM, played=False)
    for step in steps:
        await world.do(step)
        await world.rest()
    world.servers["emby"].deaf = True
    await world.check()


async def test_the_judge_sees_a_server_that_disagrees() -> None:
    """A check that could not fail would prove nothing."""
    with pytest.raises(Wrong, match="emby shows"):
        await _end(Step("outage", "emby"), Step("watch", "plex:film"))


def test_the_judge_sees_a_lost_act() -> None:
    """A later act that was read wins."""
    judge = Judge.of(("plex:film",), played=False)
    judge.follow((Event("acted", "plex:film", 900, played=True, position=0), Event("read", "plex:film", 900)))
    with pytest.raises(Wrong, match="the last act left it watched"):
        judge.follow((Event("ended", item="film", played=False, position=0),))
    judge.follow((Event("ended", item="film", played=True, position=0),))


def test_the_judge_leaves_open_what_nobody_can_know() -> None:
    """An unwatch that no server dates may have come before a view elsewhere, or after it."""
    judge = Judge.of(("plex:film", "jellyfin:film"), played=True)
    judge.follow((Event("acted", "jellyfin:film", 900, played=True, position=0),))
    judge.follow((Event("acted", "plex:film", 900, played=False, position=0, dated=False),))
    for played in (True, False):
        judge.follow((Event("ended", item="film", played=played, position=0),))


def test_the_judge_hears_of_an_act_that_nobody_did() -> None:
    """Automations are told of each act once."""
    judge, told = Judge.of(("plex:film",), played=False), Event("told", "plex", 900, "film", played=True)
    judge.follow((Event("acted", "plex:film", 900, played=True, position=0), told))
    with pytest.raises(Wrong, match="nobody did that there"):
        judge.follow((told,))


async def test_the_judge_lets_a_touch_be_taken_for_a_view_where_an_unwatch_may_have_been_sent() -> None:
    """M3: killed while Plex was away and owed an unwatch, Home Assistant rather takes what somebody began there for a view than to lose one."""
    world, judge = await World.of(FILM, played=True), Judge.of(("plex:film", "jellyfin:film", "emby:film"), played=True)
    for step in (Step("outage", "plex"), Step("seek", "plex:film"), Step("drop", "jellyfin:film")):
        await world.do(step)
        if step.what != "drop":
            await world.rest()
    await world.crash()
    await world.check()
    events = world.log.take()
    judge.copy().follow(events)
    with pytest.raises(Wrong, match="nobody did that there"):
        judge.follow(event for event in events if event.what != "unsure")


def test_a_story_is_told() -> None:
    """A wrong end is readable."""
    told = tell(FILM, (Step("none watched"), Step("watch", "plex:film"), Step("restart"), Step("outage", "emby")), "an example")
    assert "1. plex:film: somebody watches it to the end" in told
    assert "2. Home Assistant is killed at once" in told
    assert told.endswith("WRONG: an example")
