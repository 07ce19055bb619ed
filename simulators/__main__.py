"""Run a household of three simulated servers, a plex.tv and a control page; one line of JSON tells where they are."""

import argparse
import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web

from .base import Simulator, serving
from .control import Control, Place
from .house import OTHER, VIEWER, household, plex_tv_of


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m simulators", description=__doc__)
    for name in ("plex", "jellyfin", "emby", "plex-tv", "control"):
        parser.add_argument(f"--{name}-port", type=int, default=0, metavar="PORT", help="default: any that is free")
    parser.add_argument("--films", type=int, default=300, help="films that exist; each server has about three in four (300)")
    parser.add_argument("--shows", type=int, default=100, help="shows of 8 episodes that exist (100); 1440 of both at most")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same titles (1)")
    return parser.parse_args()


async def run(chosen: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    servers = household(chosen.seed, chosen.films, chosen.shows, datetime.now(UTC))
    async with AsyncExitStack() as stack:
        urls = {server.kind: await stack.enter_async_context(serving(server, getattr(chosen, f"{server.kind}_port"))) for server in servers}
        control = await stack.enter_async_context(controlled(servers, urls, chosen.control_port))
        plex_tv = await stack.enter_async_context(serving(plex_tv_of(servers, urls), chosen.plex_tv_port))
        ready = {server.kind: {"name": server.name, "url": urls[server.kind], "credentials": server.credentials()} for server in servers}
        print(json.dumps({"servers": ready, "plex_tv": plex_tv, "control": control}), flush=True)  # noqa: T201 - this line is what a starter waits for
        await stop.wait()


@asynccontextmanager
async def controlled(servers: tuple[Simulator, ...], urls: dict[str, str], port: int) -> AsyncIterator[str]:
    """Serve the control page on 127.0.0.1 and yield its address."""
    places = [Place(server.kind, server.name, urls[server.kind]) for server in servers]
    runtimes = {title.key: title.runtime for server in servers for title in server.titles}
    runner = web.AppRunner(Control(places, runtimes, (VIEWER, OTHER)).application(), shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(run(arguments()))
