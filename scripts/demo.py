"""Start three simulated servers and a real Home Assistant that keeps them in step; with `--check`, prove it and end 0 or 1."""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import check
from .home import PASSWORD, USER, Flow, Home, running, webhook_of
from .media import Media, Server

WAYS = {"plex": "signed in at plex.tv", "jellyfin": "by Quick Connect", "emby": "with a password"}
DASHBOARD = "/watch-together"

type Json = Any


@dataclass(frozen=True, slots=True)
class Demo:
    """Everything that runs."""

    home: Home
    media: Media


def say(text: str) -> None:
    """Show progress with the seconds since the start."""
    print(f"[{time.perf_counter() - STARTED:5.1f} s] {text}", flush=True)


STARTED = time.perf_counter()


@asynccontextmanager
async def demo(folder: Path, port: int) -> AsyncIterator[Demo]:
    """Run everything, set up through the integration's own config flow."""
    say("starting the simulated servers")
    async with Media.running() as media:
        say("starting Home Assistant")
        async with running(folder, port, PLEX_TV_URL=media.plex_tv) as home:
            entries = await home.entries()
            for server in media.servers.values():
                if server.name not in entries:
                    await add(home, media, server)
            await connect(home, media)
            await settled(home)
            await furnish(home, media)
            yield Demo(home, media)


async def add(home: Home, media: Media, server: Server) -> None:
    """Add a server as a person would."""
    started = time.perf_counter()
    flow = await sign_in(home, media, server)
    await flow.fill(account=flow.default("account"), viewer=flow.default("viewer"))
    await flow.fill(**{name: flow.default(name) for name in ("libraries", "direction", "initial_sync")})
    await flow.fill()
    say(f"added {server.name} ({WAYS[server.kind]}) in {time.perf_counter() - started:.1f} s")


async def sign_in(home: Home, media: Media, server: Server) -> Flow:
    """Sign in, on each kind of server in another way."""
    flow = await (await home.flow()).choose(server.kind)
    if server.kind == "plex":
        shown = await flow.begin("plex_sign_in")
        await media.sign_in_at_plex_tv(shown["url"])
        return await flow.done()
    if server.kind == "jellyfin":
        shown = await flow.begin("jellyfin_quick_connect", url=server.url, verify_ssl=True)
        await server.type_code(shown["description_placeholders"]["code"])
        return await flow.done()
    await flow.choose("emby_password")
    credentials = {name: server.credentials[name] for name in ("username", "password")}
    return await flow.fill(url=server.url, verify_ssl=True, **credentials)


async def connect(home: Home, media: Media) -> None:
    """Paste the webhook's address into each server that it did not enter itself into."""
    entries = await home.entries()
    for server in media.servers.values():
        webhook = await webhook_of(home, entries[server.name]["entry_id"])
        if webhook["state"] == "manual":
            await server.send_webhooks_to(webhook["url"])


async def furnish(home: Home, media: Media) -> None:
    """Put the integration's entities on a dashboard of their own, unless a kept folder has it."""
    path = DASHBOARD.strip("/")
    if any(one["url_path"] == path for one in await home.command("lovelace/dashboards/list")):
        return
    states = sorted(await home.states())
    people = [one for one in states if one.endswith("_last_watched") or (one.startswith("event.") and one.endswith("_watch"))]
    cards: list[Json] = [{"type": "tile", "entity": one} for one in people]
    for server in media.servers.values():
        prefix = f"sensor.{server.name.lower().replace(' ', '_')}_"
        cards.append({"type": "entities", "title": server.name, "entities": [one for one in states if one.startswith(prefix)]})
    await home.command("lovelace/dashboards/create", url_path=path, title="Watching", icon="mdi:movie-check", mode="storage")
    await home.command("lovelace/config/save", url_path=path, config={"views": [{"title": "Watching", "cards": cards}]})


async def settled(home: Home) -> None:
    """Wait until every server was synced and is owed nothing."""
    async with asyncio.timeout(60):
        while not all(await _is_settled(home)):
            await asyncio.sleep(0.2)
    say("all servers are in step")


async def _is_settled(home: Home) -> list[bool]:
    states = await home.states()
    pending = [state["state"] == "0" for name, state in states.items() if name.endswith("_pending_writes")]
    synced = [state["state"] not in ("unknown", "unavailable") for name, state in states.items() if name.endswith("_last_sync")]
    return [*pending, *synced, len(pending) == len(WAYS)]


async def show(demo: Demo) -> None:
    """Tell what to try, and stay until interrupted."""
    print(
        f"\n  Home Assistant  {demo.home.url}{DASHBOARD}   user {USER}, password {PASSWORD}\n"
        f"  Control page    {demo.media.control}\n\n"
        "  Mark or play something on one server of the control page and watch the other two follow.\n"
        "  In Home Assistant: Settings > Devices & services > Plex WatchSync, or the viewer's 'Last watched'.\n"
        "  Ctrl+C ends everything.\n",
        flush=True,
    )
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    await stop.wait()


async def main() -> int:
    """Run the demo or its check."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8124, help="Home Assistant's port (8124)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep Home Assistant's folder, and go on with it the next time")
    parser.add_argument("--check", action="store_true", help="act on each server in turn, verify that all agree, end 0 or 1")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plex_watchsync-") as temporary:
        async with demo(chosen.keep or Path(temporary), chosen.port) as running_demo:
            if chosen.check:
                return await check.run(running_demo.home, running_demo.media)
            await show(running_demo)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
