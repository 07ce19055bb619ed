"""The demo's proof: act on each server in turn, told by socket, webhook or poll alone, with one unplugged, and see on the servers that all agree."""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .home import Home, webhook_of
from .media import Media, Row, Server

LONGEST = 30.0  # seconds until a change counts as lost
POSITION_TOLERANCE = 10

type Json = Any


@dataclass(slots=True)
class Check:
    """The table that is printed, and what it says in the end."""

    home: Home
    media: Media
    entries: Mapping[str, Json]
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    failed: bool = False

    async def run(self) -> int:
        """Act, wait, verify, print."""
        titles = await unwatched_titles(self.media)
        await self.by_socket(titles)
        await self.without_sockets()
        for server in self.media.servers.values():
            await self.by_webhook(server, next(titles))
            await self.by_poll(server, next(titles), next(titles))
            await self.unplugged(server, next(titles), next(titles))
        await self.at_rest()
        self.print()
        return int(self.failed)

    async def by_socket(self, titles: Iterator[str]) -> None:
        """Mark by hand and stop half-way with webhooks off and without a sync: what each server tells by itself is all there is."""
        for server in self.media.servers.values():
            await self.set_up(server, webhook_enabled=False)
        seconds = []
        for server in self.media.servers.values():
            key, other = next(titles), next(titles)
            seconds += [
                await self.wait("marked watched (socket)", server, key, server.act(key, "mark_watched"), played=True),
                await self.wait("marked unwatched (socket)", server, key, server.act(key, "mark_unwatched"), played=False),
            ]
            await server.act(other, "play")
            await self.wait("stopped at 15 minutes (socket)", server, other, server.act(other, "stop", 900), position=900)
            await server.set_faults(offline=True)
            await asyncio.sleep(1)  # the server cuts its listeners off within a quarter of it: the mark is told to nobody
            await server.act(key, "mark_watched")
            await self.wait("marked while it was cut off (socket)", server, key, server.set_faults(), played=True)
        self.note("marks by hand (socket)", None, f"half of them within {statistics.median(seconds):.2f} s, all within {max(seconds):.2f} s")

    async def without_sockets(self) -> None:
        """Switch real time off and webhooks on: what follows is not to be found by a socket."""
        for server in self.media.servers.values():
            await self.set_up(server, realtime=False, webhook_enabled=True)

    async def by_webhook(self, server: Server, key: str) -> None:
        """Play a title to its end; nothing but the server's webhooks tells of it."""
        await server.act(key, "play")
        await self.wait("watched to the end (webhook)", server, key, server.act(key, "finish"), played=True)
        last = await self.last_watched()
        self.note("last_watched moved", server, "" if last and last in key else "no", failed=not (last and last in key))

    async def by_poll(self, server: Server, key: str, other: str) -> None:
        """Mark by hand, stop half-way and unmark with webhooks off; a sync finds it."""
        await self.set_up(server, webhook_enabled=False)
        await server.act(key, "mark_watched")
        await self.wait("marked watched (poll)", server, key, self.sync(server), played=True)
        await server.act(other, "play")
        await server.act(other, "stop", 900)
        await self.wait("stopped at 15 minutes (poll)", server, other, self.sync(server), position=900)
        await server.act(key, "mark_unwatched")
        await self.wait("marked unwatched (poll)", server, key, self.sync(server), played=False)
        await self.set_up(server, webhook_enabled=True)

    async def unplugged(self, server: Server, key: str, own: str) -> None:
        """Unplug the server, change things on both sides, plug it in again."""
        other = next(one for one in self.media.servers.values() if one is not server)
        await server.set_faults(offline=True)
        await other.act(key, "play")
        await other.act(key, "finish")
        await server.act(own, "mark_watched")
        third = next(one for one in self.media.servers.values() if one not in (server, other))
        await self.wait("watched while one is unplugged", other, key, asyncio.sleep(0), played=True, on=(third,))
        await server.set_faults()
        await self.wait("  the unplugged one after it returns", server, key, self.sync(server), played=True, on=(server,))
        await self.wait("  and what was marked on it meanwhile", server, own, asyncio.sleep(0), played=True)

    async def at_rest(self) -> None:
        """See that a whole sync of all writes nothing, and that the servers agree on every title."""
        answer = await self.home.act("sync", config_entry_id=self.entries["Household"]["entry_id"])
        written = sum(counts["written"] for counts in answer["servers"].values())
        self.note("a sync of all when nothing happened", None, f"{written} writes", failed=written > 0)
        differing = disagreeing(await self.media.states())
        self.note("titles that the servers disagree on", None, ", ".join(differing) or "none", failed=bool(differing))

    async def wait(
        self, act: str, server: Server, key: str, doing: Any, *, played: bool | None = None, position: int | None = None, on: tuple[Server, ...] = ()
    ) -> float:
        """Do something, and return how many seconds it took until the others, or those named, showed it."""
        others = on or tuple(one for one in self.media.servers.values() if one is not server)
        started = time.perf_counter()
        await doing
        try:
            async with asyncio.timeout(LONGEST):
                while not all([_shows((await one.rows())[key], played=played, position=position) for one in others]):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            self.note(act, server, f"not within {LONGEST:.0f} s: {key}", failed=True)
        else:
            self.note(act, server, f"{time.perf_counter() - started:.2f} s")
        return time.perf_counter() - started

    async def sync(self, server: Server) -> None:
        """Poll a server now; one that just returned may need to be set up again first."""
        async with asyncio.timeout(LONGEST):
            while (await self.home.entries())[server.name]["state"] != "loaded":
                await asyncio.sleep(0.2)
        await self.home.act("sync", config_entry_id=self.entries[server.name]["entry_id"])

    async def set_up(self, server: Server, **options: bool) -> None:
        """Change how a server is listened to, and wait until its webhook is seen to."""
        entry_id = self.entries[server.name]["entry_id"]
        await self.home.set_options(entry_id, **options)
        await webhook_of(self.home, entry_id)

    async def last_watched(self) -> str | None:
        """Return the title that the viewer's sensor shows."""
        states = await self.home.states()
        shown: Json = next((state["attributes"] for name, state in states.items() if name.endswith("_last_watched")), {})
        name: str | None = shown.get("show") or shown.get("title")
        return name

    def note(self, act: str, server: Server | None, outcome: str, *, failed: bool = False) -> None:
        """Add a line to the table."""
        self.rows.append((act, server.kind if server else "all", outcome or "yes"))
        self.failed |= failed

    def print(self) -> None:
        """Print the table."""
        widths = [max(len(row[column]) for row in self.rows) for column in (0, 1)]
        print()
        for act, server, outcome in self.rows:
            print(f"  {act:<{widths[0]}}  {server:<{widths[1]}}  {outcome}")
        print(f"\n{'FAILED' if self.failed else 'All agree.'}", flush=True)


async def unwatched_titles(media: Media) -> Iterator[str]:
    """Return titles that every server has and nobody has watched."""
    states = await media.states()
    common = set.intersection(*(set(rows) for rows in states.values()))
    return iter(sorted(key for key in common if not any(rows[key]["played"] or rows[key]["position"] for rows in states.values())))


def _shows(row: Row, *, played: bool | None, position: int | None) -> bool:
    return (played is None or row["played"] == played) and (position is None or abs(row["position"] - position) <= POSITION_TOLERANCE)


def disagreeing(states: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Return the titles that two servers show differently."""
    keys = {key for rows in states.values() for key in rows}
    found = []
    for key in sorted(keys):
        rows = [rows[key] for rows in states.values() if key in rows]
        positions = [row["position"] for row in rows]
        if len({row["played"] for row in rows}) > 1 or max(positions) - min(positions) > POSITION_TOLERANCE:
            found.append(key)
    return found


async def run(home: Home, media: Media) -> int:
    """Check a running demo; 0 when all agree."""
    return await Check(home, media, await home.entries()).run()
