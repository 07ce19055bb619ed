"""Recordings of real Jellyfin servers, where they are at hand beside this repository, and a simulator stocked as those were."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simulators.catalogue import Show, Title
from simulators.jellyfin import JellyfinSimulator
from tests.recordings import PAYLOADS, SHARED

type Json = Any

JUDGE = SHARED / "tools" / "jellyfin_replay.py"
VERSIONS = ("10.10.7", "10.11.11", "12.0-rc5")
TICKS = 10_000_000


def recording(version: str) -> Path:
    """Return where the recording of a version is."""
    return PAYLOADS / f"jellyfin-{version}-recorded"


def steps(folder: Path) -> Iterator[tuple[str, Json]]:
    """Iterate over the recorded steps by their names."""
    for file in sorted(folder.glob("[0-9]*.json")):
        yield file.stem, json.loads(file.read_text())


def lines(file: Path) -> list[Json]:
    """Return what a file has a line for each of."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def simulator(version: str) -> JellyfinSimulator:
    """Return a server with the recorded library, on which nobody has watched anything."""
    people = {"anna": "secret-anna", "bob": "secret-bob"}
    found = JellyfinSimulator("attic", _stock(version), people, version=version, ids=_item_ids(version))
    found.auth.keys.clear()
    return found


def _rows(version: str, step: str) -> Json:
    (file, *_) = sorted(recording(version).glob(step))
    return json.loads(file.read_text())["body"]["Items"]


def _stock(version: str) -> tuple[Title, ...]:
    """Make titles of the recorded listing, in its order."""
    files = {row["Id"]: [source["Path"] for source in row["MediaSources"]] for row in _rows(version, "edges/0*-list.json")}
    shows = {row["Id"]: row for row in _rows(version, "basic/*-series.json")}
    return tuple(_title(row, files.get(row["Id"], []), shows) for row in _rows(version, "basic/*-list-all.json"))


def _item_ids(version: str) -> dict[str, str]:
    """Return the real ids by path: the order of some listings follows them."""
    rows = _rows(version, "basic/*-list-all.json")
    sources = [source for row in _rows(version, "edges/0*-list.json") for source in row["MediaSources"]]
    series = _rows(version, "basic/*-series.json")
    seasons = {f"{below(row['Path']).rpartition('/Season')[0]}/{row.get('ParentIndexNumber')}": row["SeasonId"] for row in rows if "SeasonId" in row}
    return {below(row["Path"]): row["Id"] for row in (*sources, *rows, *series)} | seasons


def _title(row: Json, files: list[str], shows: dict[str, Json]) -> Title:
    path = below(row["Path"])
    show = shows.get(row.get("SeriesId", ""))
    return Title(
        row["Name"],
        row.get("ProductionYear"),
        _ids(row),
        row["RunTimeTicks"] // TICKS,
        path.split("/")[0],
        path,
        show and Show(show["Name"], show.get("ProductionYear"), _ids(show)),
        row.get("ParentIndexNumber"),
        row.get("IndexNumber"),
        row.get("IndexNumberEnd"),
        premiere=row["PremiereDate"][:10] if "PremiereDate" in row else None,
        versions=tuple(below(file) for file in files if below(file) != path),
    )


def _ids(row: Json) -> dict[str, str]:
    return {kind.lower(): value for kind, value in row["ProviderIds"].items()}


def below(path: str) -> str:
    """Return the part of a path below the library's root."""
    return re.sub(r"^/media/", "", path)
