"""Runs that do not import: an export lets the agreed state out, others learn ids; what people did stays for the next import."""

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.plex_watchsync.engine.ignores import Rule
from custom_components.plex_watchsync.engine.run import Account, Run, RunKind
from custom_components.plex_watchsync.sync.model import WatchState
from custom_components.plex_watchsync.sync.policy import AccountPolicy, InitialSync, Traits
from custom_components.plex_watchsync.sync.selection import Selection

from .conftest import WATCHED, House
from .fakes import LIBRARY, START, ModelServer

IDS = Run(RunKind.IMPORT, metadata_only=True)
FULL = Run(RunKind.EXPORT, full=True)
OVERWRITING = Run(RunKind.EXPORT, full=True, ignore_date=True)
EVERYWHERE = {"plex": True, "jellyfin": True, "emby": True}


@pytest.mark.parametrize("export", [FULL, OVERWRITING])
async def test_what_was_never_imported_is_not_swallowed(house: House, export: Run) -> None:
    """R3, M5: a title that is watched before it was ever read is an opinion after the export too, and so is a rating."""
    for server in house.servers.values():
        server.stock("tt9")
    house.servers["plex"].watch("tt9")
    house.servers["emby"].rate("tt9", 10.0)
    await house.sync(export)
    await house.sync()
    assert house.played("tt9") == EVERYWHERE
    assert house.servers["jellyfin"].records["tt9"].rating == 10.0


async def test_a_first_run_that_exports_swallows_nothing() -> None:
    """R3, G1: whatever the first run is, what was watched anywhere becomes watched everywhere."""
    house = House()
    house.servers["plex"].stock("tt9", state=WATCHED)
    house.servers["emby"].stock("tt9")
    await house.sync(FULL)
    await house.sync()
    assert house.played("tt9") == {"plex": True, "emby": True}


async def test_nothing_agreed_overwrites_nothing(house: House) -> None:
    """M2, M5: with ignore_date, too, there must be something to write over what a person did; a rating that is agreed says nothing of a view."""
    house.servers["plex"].rate("tt2", 10.0)
    await house.sync()
    house.servers["plex"].watch("tt1")
    house.servers["jellyfin"].watch("tt2")
    await house.sync(OVERWRITING)
    await house.sync()
    assert house.played("tt1") == EVERYWHERE
    assert house.played("tt2") == EVERYWHERE


async def test_a_server_that_is_filled_has_no_opinion() -> None:
    """G1: an export overwrites what it shows by the agreed state, as a sync would."""
    house = House()
    emby = house.viewer.accounts.pop("emby")
    for server in house.servers.values():
        server.watch("tt1")
    await house.sync()
    for server in house.servers.values():
        server.unwatch("tt1")
    await house.sync(Run(accounts=frozenset({"plex", "jellyfin"})))
    house.servers["emby"].watch("tt1")
    house.viewer.accounts["emby"] = replace(emby, policy=replace(emby.policy, initial_sync=InitialSync.FILL_SERVER))
    await house.sync(FULL)
    assert not house.servers["emby"].records["tt1"].played


@pytest.mark.parametrize("run", [IDS, FULL, Run(RunKind.EXPORT, accounts=frozenset({"plex"}), full=True)])
async def test_a_run_that_concludes_nothing_is_no_look(house: House, run: Run) -> None:
    """R1, R5, M5: an unwatch that it saw is not later than a view that came after it."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    house.clock.pass_by(hours=1)
    house.servers["plex"].unwatch("tt1")
    house.clock.pass_by(hours=1)
    house.servers["emby"].watch("tt1")
    await house.sync(run)
    await house.sync()
    assert house.played("tt1") == EVERYWHERE


async def test_what_is_ignored_is_not_looked_at(house: House) -> None:
    """I8, R1, M5: the same, of an unwatch that came while the title was ignored."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    await house.viewer.ignore((Rule("one", Selection(frozenset({"movie/imdb/tt1"}))),))
    house.clock.pass_by(hours=1)
    house.servers["plex"].unwatch("tt1")
    house.clock.pass_by(hours=1)
    house.servers["emby"].watch("tt1")
    await house.sync()
    await house.viewer.ignore(())
    await house.sync()
    assert house.played("tt1") == EVERYWHERE


@pytest.mark.parametrize("first", [IDS, FULL])
async def test_a_run_that_concludes_nothing_is_no_first_sync(house: House, first: Run) -> None:
    """G1: what a new account had watched is agreed on later, without an event each, and never loses to an unwatch."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    house.servers["plex"].unwatch("tt1")
    await house.sync()
    fresh = ModelServer(house.servers["emby"].kind, house.clock)
    fresh.stock("tt1", state=WatchState(played=True, play_count=1, last_played=START - timedelta(days=9)))
    house.viewer.accounts["new"] = Account(fresh, AccountPolicy(Traits()), frozenset({LIBRARY}))
    house.changes.clear()
    await house.sync(first)
    await house.sync()
    assert house.played("tt1") == EVERYWHERE
    assert not house.changes
