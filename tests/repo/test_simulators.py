"""docs/simulators.md tells of every control route, fault and switch; neither it nor docs/unsettled.md tells of a test that there is not."""

import re
from dataclasses import fields

from aiohttp import web

from simulators.base import Act
from simulators.emby import EmbySimulator
from simulators.faults import Faults, Phase
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator
from simulators.plex_tv import PlexTvSimulator
from simulators.switching import CONTROL, Switched

from .code import PACKAGE

ROOT = PACKAGE.parents[1]
TEXT = (ROOT / "docs" / "simulators.md").read_text()
SERVERS = (PlexSimulator, JellyfinSimulator, EmbySimulator)


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading."""
    _, _, section = TEXT.partition(f"\n## {heading}\n")
    lines = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names(cell: str) -> list[str]:
    """Return what a cell names."""
    return re.findall(r"`([^`]+)`", cell)


def routes(app: web.Application) -> set[str]:
    """Return the control routes of an application."""
    found = ((route.method, route.resource.canonical) for route in app.router.routes() if route.resource)
    return {f"{method} {path.removeprefix(f'{CONTROL}/')}" for method, path in found if method != "HEAD" and path.startswith(CONTROL)}


def test_control_routes() -> None:
    told: dict[str, set[str]] = {"servers": set(), "plex.tv": set()}
    for cell, where, _ in rows("Control routes"):
        for place in told if where == "all" else (where,):
            told[place] |= set(names(cell))
    for kind in SERVERS:
        assert routes(kind("attic", (), {"anna": "secret"}).application()) == told["servers"]
    assert routes(PlexTvSimulator().application()) == told["plex.tv"]


def test_acts_and_phases() -> None:
    acts, phases = (" ".join(row[2] for row in rows("Control routes") if route in row[0]) for route in ("act", "restart"))
    assert set(Act) <= set(names(acts))
    assert set(Phase) <= set(names(phases))


def test_faults() -> None:
    assert {name for row in rows("Faults") for name in names(row[0])} == {one.name for one in fields(Faults)}


def test_switches() -> None:
    told = {(kind, name) for cell, kinds, _ in rows("Switches") for kind in kinds.split(", ") for name in names(cell)}
    having: dict[str, type[Switched]] = {**{kind.kind: kind for kind in SERVERS}, "plex.tv": PlexTvSimulator}
    assert told == {(name, switch) for name, kind in having.items() for switch in kind.switches}


def test_every_test_that_is_named_exists() -> None:
    there = {name for file in (ROOT / "tests").rglob("*.py") for name in re.findall(r"def (test_\w+)", file.read_text())}
    told = [name for row in rows("What shows it") for name in names(row[1])]
    assert len(told) > 50
    told += re.findall(r"`(test_\w+)`", (ROOT / "docs" / "unsettled.md").read_text())
    assert set(told) <= there, set(told) - there
