"""The simulated Jellyfin, asked what real ones were asked (recordings beside this repository), answers the same."""

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from simulators.base import serving
from simulators.catalogue import Show, Title
from simulators.jellyfin import JellyfinSimulator

SHARED = Path(__file__).parents[2].parent / "shared"
JUDGE = SHARED / "tools" / "jellyfin_replay.py"
TICKS = 10_000_000

pytestmark = pytest.mark.skipif(not JUDGE.exists(), reason="the recordings are not beside this repository")


def recorded(version: str, step: str) -> Any:
    """Return a recorded answer's rows."""
    (file, *_) = sorted((SHARED / "payloads" / f"jellyfin-{version}-recorded").glob(step))
    return json.loads(file.read_text())["body"]["Items"]


def stock(version: str) -> tuple[Title, ...]:
    """Make titles of the recorded listing, in its order."""
    files = {row["Id"]: [source["Path"] for source in row["MediaSources"]] for row in recorded(version, "edges/0*-list.json")}
    shows = {row["Id"]: row for row in recorded(version, "basic/*-series.json")}
    return tuple(title(row, files.get(row["Id"], []), shows) for row in recorded(version, "basic/*-list-all.json"))


def item_ids(version: str) -> dict[str, str]:
    """Return the real ids by path: the order of some listings follows them."""
    return {below(row["Path"]): row["Id"] for row in recorded(version, "basic/*-list-all.json")}


def title(row: Any, files: list[str], shows: dict[str, Any]) -> Title:
    """Make a title of a row."""
    path = below(row["Path"])
    show = shows.get(row.get("SeriesId", ""))
    return Title(
        row["Name"],
        row.get("ProductionYear"),
        ids(row),
        row["RunTimeTicks"] // TICKS,
        path.split("/")[0],
        path,
        show and Show(show["Name"], show.get("ProductionYear"), ids(show)),
        row.get("ParentIndexNumber"),
        row.get("IndexNumber"),
        row.get("IndexNumberEnd"),
        versions=tuple(below(file) for file in files if below(file) != path),
    )


def ids(row: Any) -> dict[str, str]:
    """Return the ids of a row."""
    return {kind.lower(): value for kind, value in row["ProviderIds"].items()}


def below(path: str) -> str:
    """Return the part of a path below the library's root."""
    return re.sub(r"^/media/", "", path)


@pytest.mark.parametrize("version", ["10.10.7", "10.11.11", "12.0-rc5"])
async def test_the_judge_finds_no_difference(version: str, socket_enabled: None) -> None:
    """Every basic step has the recorded status and, as far as watch state goes, the recorded content."""
    people = {"anna": "secret-anna", "bob": "secret-bob"}
    simulator = JellyfinSimulator("attic", stock(version), people, version=version, ids=item_ids(version))
    simulator.auth.keys.clear()
    async with serving(simulator) as url:
        recording = SHARED / "payloads" / f"jellyfin-{version}-recorded"
        command = (sys.executable, str(JUDGE), url, str(recording), "--part", "basic")
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert ", 0 differ," in output.decode().splitlines()[-1]
