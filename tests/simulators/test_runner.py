"""`python -m simulators`: a household of three servers in a process of its own."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from simulators.house import OTHER, VIEWER, household

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 3, 19, 4, 5, tzinfo=UTC)

type Json = Any

pytestmark = pytest.mark.usefixtures("socket_enabled")


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "simulators", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE)


@pytest.fixture
async def runner() -> AsyncIterator[tuple[asyncio.subprocess.Process, Json]]:
    process = await start("--films", "20", "--shows", "5")
    assert process.stdout is not None
    ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
    yield process, ready
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_one_line_tells_all_and_sigterm_ends_it(runner: tuple[asyncio.subprocess.Process, Json]) -> None:
    process, ready = runner
    async with ClientSession() as session:
        for kind, server in ready["servers"].items():
            async with session.get(f"{server['url']}/_simulator/state") as answer:
                state = await answer.json()
            assert (state["kind"], state["name"], list(state["users"])) == (kind, server["name"], [VIEWER, OTHER])
        async with session.get(ready["control"]) as answer:
            assert answer.content_type == "text/html"
        async with session.get(f"{ready['control']}titles") as answer:
            assert (await answer.json())["differing"] > 0
    assert list(ready["servers"]) == ["plex", "jellyfin", "emby"]
    assert "token" in ready["servers"]["plex"]["credentials"]
    assert {"username", "password"} <= ready["servers"]["jellyfin"]["credentials"].keys() & ready["servers"]["emby"]["credentials"].keys()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_help_tells_the_options() -> None:
    process = await start("--help")
    told, _ = await process.communicate()
    assert process.returncode == 0
    assert b"--control-port" in told


def test_the_servers_overlap_and_remember_different_things() -> None:
    servers = household(1, 300, 100, NOW)
    shown = {server.kind: {row.key: row for row in server.shown(VIEWER)} for server in servers}
    everything = {key for rows in shown.values() for key in rows}
    shares = [len(rows) / 1100 for rows in shown.values()]
    assert all(0.65 < share < 0.85 for share in shares), shares
    common = set.intersection(*(set(rows) for rows in shown.values()))
    assert 0.3 < len(common) / len(everything) < 0.6
    for rows in shown.values():
        watched = [row for row in rows.values() if row.played]
        assert 0.1 < len(watched) / len(rows) < 0.4
        assert all(row.date is not None and row.date < NOW and row.count > 0 for row in watched)
        assert len({row.date.year for row in watched if row.date}) > 3
        assert any(row.position > 0 and not row.played for row in rows.values())
    assert sum(len({rows[key].played for rows in shown.values()}) > 1 for key in common) > 20
    assert sum(not any(rows[key].played or rows[key].position for rows in shown.values()) for key in common) > 50


def test_the_same_seed_makes_the_same_household() -> None:
    first, second = (household(5, 20, 5, NOW) for _ in range(2))
    assert [server.shown(VIEWER) for server in first] == [server.shown(VIEWER) for server in second]
    assert not any(row.played or row.position for server in first for row in server.shown(OTHER))
