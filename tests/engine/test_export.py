"""Exports: the agreed state goes out, and what was never imported stays for the next import."""

from dataclasses import replace

import pytest

from custom_components.plex_watchsync.engine.run import Run, RunKind
from custom_components.plex_watchsync.sync.policy import InitialSync

from .conftest import WATCHED, House

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
