"""Kill what keeps servers in step at random moments, many times, while people act on three simulated servers and networks fail; then judge.

Two things are killed with SIGKILL: a small process that is the engine with its real clients and files (`--rounds`, several times a second), and a real Home
Assistant (`--home-kills`, which takes seconds to start). Every few rounds all comes back, and then: all servers agree, every title is as the last act left it,
titles that nobody touched are as they were, and nothing is written any more. A corrupted file stops the sync and changes nothing anywhere.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from aiohttp.test_utils import unused_port

from .demo import add, connect
from .home import Home, HomeError, running
from .media import Media, Row, Server
from .proof.small import Door, doors, spawn

EPOCH = 10  # rounds until all is mended and judged
PATIENCE = 60.0
SAVED_AFTER = 3  # Home Assistant has written its config entries by then; what it forgets of itself is not ours
SPOT = 600
NEAR = 10
TITLES = ("--films", "90", "--shows", "6")
DAMAGES = ("cut in half", "emptied", "full of zeros", "of another kind")

type Wanted = dict[str, tuple[bool, int]]


class Wrong(RuntimeError):
    """A watch state was lost or invented."""


@dataclass(slots=True)
class People:
    """Somebody who acts on the servers, each title once until all was judged, and remembers what it must come to."""

    media: Media
    dice: Random
    wanted: Wanted = field(default_factory=dict)
    touched: dict[str, str] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)

    async def begin(self) -> None:
        """See where everything is."""
        self.wanted = {}
        self.touched.clear()
        for rows in (await self.media.states()).values():
            self.wanted |= {key: (row["played"], row["position"]) for key, row in rows.items()}

    async def act(self) -> None:
        """Do something somewhere."""
        server = self.dice.choice(list(self.media.servers.values()))
        rows = await server.rows()
        free = sorted(rows.keys() - self.touched)
        if free:
            key = self.dice.choice(free)
            await self._do(server, key, rows[key])

    async def _do(self, server: Server, key: str, row: Row) -> None:
        played, position = row["played"], row["position"]
        choices = ["stop half-way"] if abs(position - SPOT) > NEAR else []
        choices += ["mark unwatched"] if played else ["mark watched", "watch to the end"]
        choices += ["open by mistake"] if played and not position else []
        choice = self.dice.choice(choices)
        self.done[choice] += 1
        self.touched[key] = f"{choice} on {server.kind}"
        match choice:
            case "mark watched":
                await server.act(key, "mark_watched")
                self.wanted[key] = (True, 0)
            case "mark unwatched":
                await server.act(key, "mark_unwatched")
                self.wanted[key] = (False, 0)
            case "watch to the end":
                await self._play(server, key, None)
                self.wanted[key] = (True, 0)
            case "stop half-way":
                await self._play(server, key, SPOT)
                self.wanted[key] = (played, SPOT)
            case _:
                await self._play(server, key, 5)

    async def _play(self, server: Server, key: str, position: int | None) -> None:
        await server.act(key, "play")
        await (server.act(key, "finish") if position is None else server.act(key, "stop", position))

    def differing(self, states: Mapping[str, Mapping[str, Row]]) -> list[str]:
        """Name the titles that a server shows otherwise than the last act left them."""
        return [
            f"{key} on {kind} is {'watched' if row['played'] else 'unwatched'} at {row['position']} s and should be "
            f"{'watched' if self.wanted[key][0] else 'unwatched'} at {self.wanted[key][1]} s ({self.touched.get(key, 'nobody touched it')})"
            for kind, rows in states.items()
            for key, row in rows.items()
            if row["played"] != self.wanted[key][0] or abs(row["position"] - self.wanted[key][1]) > NEAR
        ]


@dataclass(slots=True)
class Chaos:
    """What runs, and what happened to it."""

    media: Media
    folder: Path
    dice: Random
    people: People
    ways: dict[str, Door] = field(default_factory=dict)
    kills: int = 0
    outages: int = 0
    judged: int = 0
    damaged: int = 0

    async def small(self, rounds: int) -> None:
        """Kill the small process so many times; raises `Wrong`."""
        self.ways = await doors(self.media.servers)
        await self._rest(judge=False)
        await self.people.begin()
        for number in range(1, rounds + 1):
            await self._round()
            if number % EPOCH == 0 or number == rounds:
                await self._rest(judge=True)
                await self._damage()
                say(f"{number} rounds: {self.kills} kills, {self.people.done.total()} acts, {self.outages} outages, all agree {self.judged} times")

    async def _round(self) -> None:
        """Start it, act meanwhile, kill it, act once more."""
        if self.dice.random() < 0.3:
            await self._outage(self.dice.choice(list(self.media.servers.values())))
        process, hear = spawn(self.folder, self.ways, self.dice.randrange(1 << 30))
        until = time.monotonic() + self.dice.uniform(0.02, 0.6)
        try:
            while time.monotonic() < until:
                if self.dice.random() < 0.4:
                    await self.people.act()
                await asyncio.sleep(self.dice.uniform(0, 0.05))
        finally:
            await _kill(process, hear)
        self.kills += 1
        if self.dice.random() < 0.5:
            await self.people.act()

    async def _outage(self, server: Server) -> None:
        """Let a server fail in one of the ways that servers fail in, or bring it back."""
        self.outages += 1
        await server.set_faults(**self.dice.choice(({}, {"offline": True}, {"status": 503}, {"status": 500}, {"truncate": True}, {"slow": 0.1})))

    async def _rest(self, *, judge: bool) -> None:
        """Bring all back and let it run; raises `Wrong` when that does not end as the last acts say."""
        for server in self.media.servers.values():
            await server.set_faults()
        process, hear = spawn(self.folder, self.ways, self.dice.randrange(1 << 30))
        try:
            await _beats(hear, 3)
            states = await self.media.states()
            await _beats(hear, 2)
            if judge and (wrong := self.people.differing(states)):
                raise Wrong("\n".join(wrong))
            if await self.media.states() != states:
                raise Wrong("nothing happened any more, and still something was written")
        finally:
            await _kill(process, hear)
        self.judged += judge
        self.people.touched.clear()

    async def _damage(self) -> None:
        """Corrupt a file: the next start must stop there and change nothing (G3); then put it back."""
        path = self.dice.choice(sorted(one for one in self.folder.rglob("*") if one.is_file() and not one.name.startswith("tmp")))  # left by killed writes
        kept, before = path.read_bytes(), await self.media.states()
        path.write_bytes(_damaged(kept, self.dice.choice(DAMAGES)))
        process, hear = spawn(self.folder, self.ways, 0)
        try:
            if await _heard(hear, PATIENCE) != b"!":
                raise Wrong(f"G3: it went on with a corrupted {path.name}")
        finally:
            await _kill(process, hear)
        if await self.media.states() != before:
            raise Wrong(f"G3: something was written with a corrupted {path.name}")
        path.write_bytes(kept)
        self.damaged += 1

    async def home(self, kills: int) -> None:
        """Kill a real Home Assistant so many times in storms of acts; raises `Wrong`."""
        async with running(self.folder / "home", unused_port(), PLEX_TV_URL=self.media.plex_tv) as home:
            for server in self.media.servers.values():
                await add(home, self.media, server)
            await connect(home, self.media)
            await self._home_rest(home)
            await self.people.begin()
            await asyncio.sleep(SAVED_AFTER)
            for number in range(1, kills + 1):
                await self._storm(home)
                await home.start()
                await self._home_rest(home)
                say(f"Home Assistant killed and started {number} times, {self.people.done.total()} acts, all agree")
            await self._home_damage(home)

    async def _storm(self, home: Home) -> None:
        """Act fast, and kill it in the middle."""
        acts, fatal = self.dice.randint(8, 16), self.dice.randint(2, 7)
        for number in range(acts):
            await self.people.act()
            await asyncio.sleep(self.dice.uniform(0, 0.15))
            if number == fatal:
                await home.kill()
                self.kills += 1

    async def _home_rest(self, home: Home) -> None:
        """Ask for one sync of all, and judge."""
        household = (await home.entries())["Household"]["entry_id"]
        until = time.monotonic() + PATIENCE
        while True:
            await home.act("sync", config_entry_id=household)
            states = await self.media.states()
            wrong = self.people.differing(states) if self.people.wanted else []
            if not wrong and await _is_complete(home):
                break
            if time.monotonic() > until:
                said = [await _said(home, line.partition(" on ")[0]) for line in wrong[:3]]
                raise Wrong("\n".join([*wrong, *said]) or "a server was not set up again")
            await asyncio.sleep(0.5)
        self.judged += 1
        self.people.touched.clear()

    async def _home_damage(self, home: Home) -> None:
        """Corrupt a shard under a Home Assistant that is down: started, it must leave every server alone until the file is back (G3)."""
        await home.kill()
        shards = sorted((home.folder / ".storage" / "plex_watchsync").rglob("items_*"))
        path = self.dice.choice(shards)
        kept = path.read_bytes()
        path.write_bytes(_damaged(kept, self.dice.choice(DAMAGES)))
        await home.start()
        before = await self.media.states()
        await self.people.act()
        touched = set(self.people.touched)
        for entry in (await home.entries()).values():
            try:
                await home.act("sync", config_entry_id=entry["entry_id"])
            except HomeError:
                continue
        after = await self.media.states()
        written = {key for kind, rows in after.items() for key, row in rows.items() if row != before[kind][key]} - touched
        others = [key for key in touched if sum(after[kind][key] != before[kind][key] for kind in after if key in after[kind]) > 1]
        if written or others:
            raise Wrong(f"G3: with a corrupted {path.name}, Home Assistant wrote {sorted(written) or others}")
        await home.kill()
        path.write_bytes(kept)
        await home.start()
        await self._home_rest(home)
        self.damaged += 1
        say("a corrupted shard stopped Home Assistant's sync; put back, all agree")


async def _said(home: Home, title: str) -> str:
    """Return what Home Assistant has to say of a title."""
    return json.dumps(await home.act("get_journal", text=title, limit=20), indent=1)


async def _is_complete(home: Home) -> bool:
    return all(entry["state"] == "loaded" for entry in (await home.entries()).values())


def _damaged(content: bytes, how: str) -> bytes:
    return {"cut in half": content[: len(content) // 2], "emptied": b"", "full of zeros": bytes(len(content))}.get(how, b'"nothing of the kind"')


async def _kill(process: int, hear: int) -> None:
    """Take a process away as a power failure would."""
    os.kill(process, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, process, 0)
    os.close(hear)


async def _beats(hear: int, number: int) -> None:
    """Wait for so many runs that are on disk."""
    for _ in range(number):
        if await _heard(hear, PATIENCE) != b".":
            raise Wrong("the engine ended by itself")


async def _heard(hear: int, patience: float) -> bytes:
    return await asyncio.wait_for(asyncio.to_thread(os.read, hear, 1), patience)


STARTED = time.perf_counter()


def say(text: str) -> None:
    """Show progress with the seconds since the start."""
    print(f"[{time.perf_counter() - STARTED:5.1f} s] {text}", flush=True)


async def run(rounds: int, home_kills: int, seed: int) -> int:
    """Do all of it; 0 when nothing was lost or invented."""
    print(f"seed {seed}: scripts/chaos --rounds {rounds} --home-kills {home_kills} --seed {seed}", flush=True)
    dice = Random(seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        async with Media.running(*TITLES, "--seed", str(seed % 1000)) as media:
            chaos = Chaos(media, Path(folder), dice, People(media, dice))
            try:
                await chaos.small(rounds)
                if home_kills:
                    await chaos.home(home_kills)
            except Wrong as wrong:
                print(f"\nWRONG\n{wrong}\nseed {seed}", flush=True)
                return 1
    print(
        f"\n  {chaos.kills} kills ({rounds} of the engine alone, {home_kills} of a whole Home Assistant), {chaos.damaged} corrupted files, {chaos.outages} faults"
    )
    print(f"  {chaos.people.done.total()} acts: {', '.join(f'{number} x {act}' for act, number in chaos.people.done.most_common())}")
    print(f"\nAll agreed {chaos.judged} times; no act was lost, none invented.", flush=True)
    return 0


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="how often the engine alone is killed (50)")
    parser.add_argument("--home-kills", type=int, default=None, help="how often a real Home Assistant is killed (one for every 25 rounds)")
    parser.add_argument("--seed", type=int, default=None, help="repeat what a seed chose; moments differ (any)")
    chosen = parser.parse_args()
    kills = max(1, chosen.rounds // 25) if chosen.home_kills is None else chosen.home_kills
    return asyncio.run(run(chosen.rounds, kills, secrets.randbelow(1_000_000) if chosen.seed is None else chosen.seed))


if __name__ == "__main__":
    sys.exit(main())
