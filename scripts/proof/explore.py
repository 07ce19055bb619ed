"""Goes through everything that can happen in so many steps.

What happens in a world never depends on what the judge thinks of it, and what he thinks depends on nothing but what he is told. So each world goes each
step once, each judge hears each sequence of events once, and only the pairs of a world and a judge that belong together, which are many times more, are
followed from one to the next: as numbers. Nothing is left out by that, it is the same graph.
"""

import asyncio
import time
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import batched, count

from .canon import name_of
from .graph import DISTURBANCES, End, Events, Found, Move, Node, Path, Waiting, Which, ended, expand, sort_of
from .judge import Judge, Wrong
from .stage import Stage, Step
from .world import World

CHUNK = 50
JUDGE_BITS = 24
NOBODY = -1
SAID_EVERY = 60  # seconds
MOST_WRONG = 20

_NOTHING: Mapping[int, int] = {}
_names = count()


@dataclass(slots=True)
class Count:
    """What was gone through.

    `states` are pairs of a world and a judge, `histories` the steps from pair to pair; really run were `ran` steps of `worlds`, and heard by `judges`.
    `wrong` counts the wrong ends among the shortest histories that have any; of the first `MOST_WRONG` the `stories` tell how they came about.
    """

    states: int = 0
    histories: int = 0
    worlds: int = 0
    ran: int = 0
    judges: int = 0
    wrong: int = 0
    stories: list[tuple[Path, str]] = field(default_factory=list)


@dataclass(slots=True)
class Worlds:
    """All worlds by number: how each ends, and where it leads; what has not gone its steps yet is waiting.

    Moves are the numbers of a path, a world and events, three by three; what is wrong whoever judges it is a number below `NOBODY` instead of a world or an end.
    """

    numbers: dict[bytes, int] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    waiting: dict[int, Waiting] = field(default_factory=dict)
    calm: dict[int, array[int]] = field(default_factory=dict)
    disturbed: dict[int, array[int]] = field(default_factory=dict)
    paths: dict[Path, int] = field(default_factory=dict)
    events: dict[Events, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, known: bytes, node: Node) -> int:
        """Give a world a number."""
        number = self.numbers.setdefault(known, self.numbers.get(node.also, len(self.ends)))
        if number == len(self.ends):
            self.ends.append(self._end(node.end))
        if node.waiting and number not in self.disturbed:
            self.waiting[number] = node.waiting
        return number

    def take(self, found: Found, which: Which) -> int:
        """Keep what can follow from some worlds; return how many steps that are."""
        for known, node in found.nodes.items():
            self.add(known, node)
        for known, moves in found.moves.items():
            number = self.numbers[known]
            for sort, kept in ((Which.CALM, self.calm), (Which.DISTURBED, self.disturbed)):
                if sort in which:
                    kept[number] = array("q", [part for move in moves if sort_of(move.path) is sort for part in self._flat(move)])
            if Which.DISTURBED in which:
                self.waiting.pop(number, None)
        return sum(map(len, found.moves.values()))

    def _flat(self, move: Move) -> tuple[int, int, int]:
        target = self._object(move.wrong) if move.wrong else self.numbers[move.target]
        return self.paths.setdefault(move.path, len(self.paths)), target, self._heard(move.events)

    def _end(self, end: End) -> int:
        return self._object(end.wrong) if end.wrong else NOBODY if end.events is None else self._heard(end.events)

    def _heard(self, events: Events) -> int:
        return self.events.setdefault(events, len(self.events))

    def _object(self, wrong: str) -> int:
        self.wrong.append(wrong)
        return NOBODY - len(self.wrong)


@dataclass(slots=True)
class Judges:
    """All judges by number, and what each became by which events, or, below `NOBODY`, what he objected to."""

    numbers: dict[object, int] = field(default_factory=dict)
    judges: list[Judge] = field(default_factory=list)
    became: dict[int, dict[int, int]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, judge: Judge) -> int:
        """Give a judge a number."""
        number = self.numbers.setdefault(judge.settled().key, len(self.judges))
        if number == len(self.judges):
            self.judges.append(judge)
        return number

    def hear(self, judge: int, number: int, events: Events, *, last: bool = False) -> int:
        """Let a judge hear events that he has not heard before; return who he is then."""
        after = self.judges[judge].copy()
        try:
            after.follow(events)
            became = judge if last else self.add(after)
        except Wrong as wrong:
            self.wrong.append(str(wrong))
            became = NOBODY - len(self.wrong)
        self.became.setdefault(number, {})[judge] = became
        return became


@dataclass(slots=True)
class Exploration:
    """Pairs of a world and a judge, each as one number, with the pair that it came from, and how few disturbances led there."""

    depth: int
    pool: Executor
    disturbances: int | None
    say: bool
    name: str = field(default_factory=lambda: str(next(_names)))
    worlds: Worlds = field(default_factory=Worlds)
    judges: Judges = field(default_factory=Judges)
    starts: dict[int, Step] = field(default_factory=dict)
    origins: dict[int, int] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)
    count: Count = field(default_factory=Count)
    _said: float = field(default_factory=time.monotonic)

    def begin(self, start: Step, known: bytes, node: Node, judge: Judge) -> None:
        """Add a pair to begin with."""
        self.starts[self.worlds.add(known, node) << JUDGE_BITS | self.judges.add(judge)] = start

    def run(self) -> Count:
        """Go through all; of what can be reached by more and by fewer disturbances, the latter first."""
        levels = [[dict[int, int]() for _ in range((self.disturbances or 0) + 1)] for _ in range(self.depth + 3)]
        levels[0][0] = dict.fromkeys(self.starts, NOBODY)
        for level in range(self.depth + 1):
            reached, levels[level] = levels[level], []
            fresh = [self._fresh(pairs, used) for used, pairs in enumerate(reached)]
            for pairs in fresh:
                self._judge(pairs)
            if level < self.depth and not self.count.wrong:
                self._expand(fresh, self.depth - level)
                for used, pairs in enumerate(fresh):
                    self._go(pairs, used, levels[level + 1 :])
            if level:
                self._tell(f"{level} steps: {sum(map(len, fresh)):,} more, of {len(self.worlds.ends):,} worlds and {len(self.judges.judges):,} judges")
            if self.count.wrong:
                break
        self.count.states, self.count.worlds, self.count.judges = len(self.origins), len(self.worlds.ends), len(self.judges.judges)
        return self.count

    def _tell(self, news: str) -> None:
        if self.say:
            print(f"    {news}", flush=True)
        self._said = time.monotonic()

    def _fresh(self, pairs: Mapping[int, int], used: int) -> list[int]:
        """Leave out what was reached before by no more steps and disturbances."""
        fresh = [pair for pair in pairs if self.used.get(pair, used + 1) > used]
        for pair in fresh:
            self.used[pair] = used
            self.origins.setdefault(pair, pairs[pair])
        return fresh

    def _judge(self, pairs: Iterable[int]) -> None:
        """Let every judge say whether the end of his world is right."""
        events, became, ends = [*self.worlds.events], self.judges.became, self.worlds.ends
        for pair in pairs:
            world, judge = _parts(pair)
            number = ends[world]
            if number < NOBODY:
                self._object(pair, (), self.worlds.wrong[NOBODY - number - 1])
            elif number != NOBODY:
                after = became.get(number, _NOTHING).get(judge)
                after = self.judges.hear(judge, number, events[number], last=True) if after is None else after
                if after < NOBODY:
                    self._object(pair, (), self.judges.wrong[NOBODY - after - 1])

    def _expand(self, fresh: Iterable[Iterable[int]], steps_left: int) -> None:
        """Let worlds that never went their steps go them, in all processes."""
        wanted: dict[int, Which] = {}
        for used, pairs in enumerate(fresh):
            calm, disturbed = Which.CALM, Which.DISTURBED if used != self.disturbances else Which(0)
            for world in {pair >> JUDGE_BITS for pair in pairs}:
                news = (calm if world not in self.worlds.calm else Which(0)) | (disturbed if world not in self.worlds.disturbed else Which(0))
                wanted[world] = wanted.get(world, Which(0)) | news
        for which in (Which.ALL, Which.CALM, Which.DISTURBED):
            waiting = [self.worlds.waiting[world] for world, asked in wanted.items() if asked == which]
            chunks = [*batched(waiting, CHUNK, strict=False)]
            expanded = self.pool.map(expand, [self.name] * len(chunks), chunks, [steps_left] * len(chunks), [which] * len(chunks))
            for number, found in enumerate(expanded, 1):
                self.count.ran += self.worlds.take(found, which)
                if time.monotonic() > self._said + SAID_EVERY:
                    self._tell(f"  {number * 100 // len(chunks)} % of {len(waiting):,} worlds went the next step")

    def _go(self, pairs: Iterable[int], used: int, following: list[list[dict[int, int]]]) -> None:
        """Go every step from every pair; a kill in the middle of one is a second step."""
        paths, events, became = [*self.worlds.paths], [*self.worlds.events], self.judges.became
        costs = [0 if self.disturbances is None else sum(step.what in DISTURBANCES for step in path) for path in paths]
        for pair in pairs:
            world, judge = _parts(pair)
            for path, target, number in self._moves(world, disturbed=used != self.disturbances):
                if used + costs[path] > (self.disturbances or 0):
                    continue
                self.count.histories += 1
                after = became.get(number, _NOTHING).get(judge)
                after = self.judges.hear(judge, number, events[number]) if after is None else after
                if target < NOBODY or after < NOBODY:
                    self._object(pair, paths[path], self.worlds.wrong[NOBODY - target - 1] if target < NOBODY else self.judges.wrong[NOBODY - after - 1])
                else:
                    following[len(paths[path]) - 1][used + costs[path]].setdefault(target << JUDGE_BITS | after, pair)

    def _moves(self, world: int, *, disturbed: bool) -> Iterator[tuple[int, ...]]:
        yield from batched(self.worlds.calm[world], 3, strict=True)
        if disturbed and world in self.worlds.disturbed:
            yield from batched(self.worlds.disturbed[world], 3, strict=True)

    def _object(self, pair: int, path: Path, wrong: str) -> None:
        """Count a wrong end, and keep the first ones with their histories."""
        self.count.wrong += 1
        if len(self.count.stories) < MOST_WRONG:
            self.count.stories.append(((*self._history(pair), *path), wrong))

    def _history(self, pair: int) -> Path:
        origin = self.origins[pair]
        return (self.starts[pair],) if origin == NOBODY else (*self._history(origin), *self._between(origin, pair))

    def _between(self, origin: int, pair: int) -> Path:
        """Find the step that led from a pair to another."""
        world, judge = _parts(origin)
        target, after = _parts(pair)
        paths, moves = [*self.worlds.paths], self._moves(world, disturbed=True)
        return next(paths[path] for path, known, number in moves if known == target and self.judges.became[number].get(judge) == after)


def explore(stage: Stage, depth: int, pool: Executor, *, disturbances: int | None = None, say: bool = False) -> Count:
    """Go through everything that can happen in `depth` steps, from servers that agree on *unwatched* and from such that agree on *watched*.

    `disturbances`: so many of the steps may be other than people's acts, replaced files, polls and servers that come back; None for any number.
    """
    exploration = Exploration(depth, pool, disturbances, say)
    for played in (False, True):
        known, node, judge = asyncio.run(_root(stage, played=played))
        exploration.begin(Step("all watched" if played else "none watched"), known, node, judge)
    return exploration.run()


async def _root(stage: Stage, *, played: bool) -> tuple[bytes, Node, Judge]:
    world = await World.of(stage, played=played)
    known = name_of(world)
    waiting = Waiting(known, zlib.compress(world.frozen()))
    return known, Node(await ended(world), waiting), Judge.of(world.copies, played=played)


def _parts(pair: int) -> tuple[int, int]:
    return pair >> JUDGE_BITS, pair & ((1 << JUDGE_BITS) - 1)
