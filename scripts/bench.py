"""Measure what a Raspberry Pi would feel: time, memory, the event loop's longest hold, files written; and how fast acts travel."""

import argparse
import asyncio
import gc
import json
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import override

from homeassistant.core import HomeAssistant

from custom_components.plex_watchsync.engine.run import Account, Run
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.ports import Hint, ServerKind
from custom_components.plex_watchsync.store import StoredDocuments
from custom_components.plex_watchsync.sync.identity import episode_keys, movie_keys
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Observation, Part, WatchState
from custom_components.plex_watchsync.sync.policy import AccountPolicy
from tests.engine.fakes import LIBRARY, RUNTIME, Clock, ModelServer

from .check import unwatched_titles
from .demo import Demo, demo

PAGE = 1000
PULSE = 0.002
ALLOWED = 0.05  # seconds that the event loop may be held
EPISODES = 0.6
WATCHED = 0.35
PLAUSIBLE = 5.0  # seconds until an act counts as lost

type Files = dict[str, tuple[int, int]]


class Shelf(ModelServer):
    """A model server with pages of a real one's size."""

    @override
    async def list_items(self, libraries: Collection[str]) -> AsyncIterator[tuple[Observation, ...]]:
        for page in batched(self.records.items(), PAGE, strict=False):
            yield tuple(Observation(item_id, LIBRARY, self.parts[item_id], state, RUNTIME) for item_id, state in page)
            await asyncio.sleep(0)


@dataclass(slots=True)
class Pulse:
    """Another thread that asks the event loop to answer, again and again; the longest it had to wait is the longest hold.

    `where` is what the loop was doing then, when it took longer than it may.
    """

    longest: float = 0.0
    where: str = ""
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Measure while the block runs."""
        self.longest, self.where = 0.0, ""
        self._stop.clear()
        thread = threading.Thread(target=self._beat, args=(asyncio.get_running_loop(), threading.get_ident()))
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _beat(self, loop: asyncio.AbstractEventLoop, watched: int) -> None:
        while not self._stop.is_set():
            answered, asked, where = threading.Event(), time.perf_counter(), ""
            loop.call_soon_threadsafe(answered.set)
            while not answered.wait(ALLOWED) and not self._stop.is_set():
                where = where or _stack(watched)
            if answered.is_set() and (held := time.perf_counter() - asked) > self.longest:
                self.longest, self.where = held, where
            time.sleep(PULSE)


@dataclass(slots=True)
class Bench:
    """The table of the engine's figures."""

    folder: Path
    pulse: Pulse = field(default_factory=Pulse)

    async def measure(self, what: str, doing: Awaitable[object]) -> None:
        """Do something and print what it cost."""
        before, began = self._files(), time.perf_counter()
        with self.pulse.beating():
            await doing
        seconds, after = time.perf_counter() - began, self._files()
        written = [name for name, stamp in after.items() if before.get(name) != stamp]
        size = sum(after[name][1] for name in written) / 1e6
        print(
            f"  {what:<34} {seconds:8.2f} s  hold {self.pulse.longest * 1000:6.1f} ms  {len(written):3} files {size:7.2f} MB  memory {_memory():6.0f} MB",
            flush=True,
        )
        if self.pulse.where:
            print(f"      held in {self.pulse.where}", flush=True)

    def _files(self) -> Files:
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in self.folder.rglob("*") if path.is_file()}


def _stack(thread: int) -> str:
    frames = traceback.extract_stack(sys._current_frames()[thread])  # noqa: SLF001 - public in all but its name
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-6:]))


def _memory() -> float:
    """Return this process's memory in MB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def shelves(items: int) -> dict[str, Shelf]:
    """Stock three servers with films and episodes, a third of them watched, each knowing most of it."""
    dice, now = Random(1), datetime.now(UTC)
    servers = {kind.value: Shelf(kind, Clock(datetime.now(UTC))) for kind in ServerKind}
    for number in range(items):
        part = _part(number, dice)
        watched = WatchState(True, 0, 1, now - timedelta(hours=number % 40000)) if dice.random() < WATCHED else WatchState()
        for name, server in servers.items():
            server.parts[f"{name}{number}"] = (part,)
            server.records[f"{name}{number}"] = watched if dice.random() < 0.9 else WatchState()
    return servers


def _part(number: int, dice: Random) -> Part:
    if dice.random() < EPISODES:
        show, episode = divmod(number, 40)
        media = Media(MediaKind.EPISODE, f"Episode {episode}", None, f"Show {show}", 1, episode)
        return Part(media, episode_keys({f"tvdb:{number + 1}"}, {f"tvdb:{show + 1}", f"imdb:tt{show + 1:07}"}, 1, episode))
    return Part(Media(MediaKind.MOVIE, f"Film {number}", 2000), movie_keys({f"imdb:tt{number + 1:07}", f"tmdb:{number + 1}"}))


def viewer(hass: HomeAssistant, servers: dict[str, Shelf]) -> ViewerSync:
    """Make a viewer with an account on each."""
    found = ViewerSync("anna", StoredDocuments(hass), lambda: datetime.now(UTC))
    for name, server in servers.items():
        found.accounts[name] = Account(server, AccountPolicy(server.traits), frozenset({LIBRARY}))
    return found


async def engine(items: int) -> None:
    """Measure the engine with real files."""
    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        servers = shelves(items)
        gc.collect()
        gc.freeze()  # a real server's titles are in another process
        bench, anna = Bench(Path(folder)), viewer(hass, servers)
        print(f"{items} items on each of three servers; memory before {_memory():.0f} MB")
        await bench.measure("first import and what is written", anna.run(Run()))
        await bench.measure("whole sync when nothing happened", anna.run(Run()))
        await bench.measure("and once more", anna.run(Run()))
        one = next(item_id for item_id, state in servers["emby"].records.items() if not state.played)
        servers["emby"].watch(one)
        await bench.measure("one title watched, by hint", anna.run(Run(hints=(Hint("emby", one, datetime.now(UTC)),))))
        await bench.measure("what is left for the disk", anna.flush())
        again = viewer(hass, servers)
        del anna
        await bench.measure("restart", again.load())
        await bench.measure("whole sync after it", again.run(Run()))
        await hass.async_stop(force=True)


async def home(acts: int, port: int) -> None:
    """Measure in the demo how long acts take to the other servers."""
    with tempfile.TemporaryDirectory() as folder:
        async with demo(Path(folder), port) as running:
            titles = await unwatched_titles(running.media)
            took = [await _travel(running, title, number, "play", "finish") for number, title in zip(range(acts), titles, strict=False)]
            answered = [await _answer(running) for _ in range(acts)]
            entries = await running.home.entries()
            for server in running.media.servers.values():
                await running.home.set_options(entries[server.name]["entry_id"], webhook_enabled=False)
            marked = [await _travel(running, title, number, "mark_watched") for number, title in zip(range(acts), titles, strict=False)]
            report = await running.home.act("import_state", config_entry_id=(await running.home.entries())["Household"]["entry_id"], force_full=True)
    print()
    _percentiles("webhook to written on the two others", took)
    _percentiles("webhook answered", answered)
    _percentiles("mark by hand to written, by socket", marked)
    print(f"  {'full import of the three servers':<38} {sum(one['read'] for one in report['servers'].values())} rows, {report['duration'] * 1000:.0f} ms")


def _percentiles(what: str, seconds: Sequence[float]) -> None:
    cuts = quantiles(seconds, n=100, method="inclusive")
    print(f"  {what:<38} {len(seconds)} times, p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms")


async def _answer(running: Demo) -> float:
    """Measure how long a player would be kept waiting for an answer (pitfall 47)."""
    home = running.home
    url = (await home.act("get_webhook", config_entry_id=(await home.entries())["Plex Study"]["entry_id"]))["url"]
    payload = json.dumps({"event": "media.play", "Server": {"uuid": "another"}, "Account": {"id": 1}})
    began = time.perf_counter()
    async with home.session.post(url, data={"payload": payload}) as answer:
        answer.raise_for_status()
    return time.perf_counter() - began


async def _travel(running: Demo, title: str, number: int, *acts: str) -> float:
    """Act on one server, and measure from the last act on until the others show the title watched."""
    servers = list(running.media.servers.values())
    server = servers[number % len(servers)]
    others = [one for one in servers if one is not server]
    for act in acts[:-1]:
        await server.act(title, act)
    began = time.perf_counter()
    await server.act(title, acts[-1])
    async with asyncio.timeout(PLAUSIBLE):
        while not all([(await one.rows())[title]["played"] for one in others]):
            await asyncio.sleep(0.005)
    return time.perf_counter() - began


async def main() -> int:
    """Measure one of both."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("what", choices=("engine", "home"))
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--acts", type=int, default=60)
    parser.add_argument("--port", type=int, default=8126)
    chosen = parser.parse_args()
    await (engine(chosen.items) if chosen.what == "engine" else home(chosen.acts, chosen.port))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
