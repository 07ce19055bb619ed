"""Cheap polling: between whole reads only what may have changed is read, and nothing is missed or invented by that."""

from dataclasses import replace

import pytest

from custom_components.plex_watchsync.engine.reader import FEW_GONE
from custom_components.plex_watchsync.engine.report import ChangeKind
from custom_components.plex_watchsync.engine.run import Run, RunKind
from custom_components.plex_watchsync.ports import ServerUnavailable

from .conftest import House

POLL = Run(recent=True)


def listings(house: House, name: str = "plex") -> list[str]:
    """Return how a server was read since it was asked the last time."""
    found = list(house.servers[name].listings)
    house.servers[name].listings.clear()
    return found


async def test_the_first_read_is_whole() -> None:
    """R2: what was never read whole cannot be read in part, after a restart neither."""
    house = House()
    await house.sync(POLL)
    assert listings(house) == ["whole"]
    await house.sync(POLL)
    assert listings(house) == ["recent"]
    await house.restart()
    await house.sync(POLL)
    assert listings(house) == ["whole"]


async def test_an_idle_poll_reads_nothing_by_id(house: House) -> None:
    """What did not change is not asked for."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    for server in house.servers.values():
        server.reads.clear()
    report = await house.sync(POLL)
    assert [server.reads for server in house.servers.values()] == [[], [], []]
    assert report.counts["plex"].read == 1
    assert report.changes == []


async def test_a_mark_and_a_position_are_found(house: House) -> None:
    """R1: by the acknowledged reading, whatever dates say."""
    house.servers["plex"].watch("tt1")
    house.servers["emby"].stop_at("tt2", 600)
    await house.sync(POLL)
    assert set(house.played("tt1").values()) == {True}
    assert {server.records["tt2"].position for server in house.servers.values()} == {600}


async def test_an_unwatch_is_found_by_what_does_not_come(house: House) -> None:
    """R5, server-apis 0.3: no filter shows it; what was held as watched and does not come is read by id, and then once more."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    house.servers["plex"].reads.clear()
    house.servers["plex"].unwatch("tt1")
    await house.sync(POLL)
    assert [change.kind for change in house.changes] == [ChangeKind.WATCHED, ChangeKind.UNWATCHED]
    assert house.servers["plex"].reads == [("tt1",), ("tt1",)]
    assert set(house.played("tt1").values()) == {False}


async def test_a_filter_that_hides_what_is_watched_unwatches_nothing(house: House) -> None:
    """I7: what did not come is looked at before anything follows; it is as it was."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    plex = house.servers["plex"]
    plex.hides = True
    await house.sync(POLL)
    assert set(house.played("tt1").values()) == {True}
    assert plex.reads[-1] == ("tt1",)


async def test_a_filter_that_is_ignored_costs_and_breaks_nothing(house: House) -> None:
    """I7: rows are true by themselves."""
    house.servers["plex"].ignores_filters = True
    house.servers["plex"].watch("tt1")
    report = await house.sync(POLL)
    assert report.counts["plex"].read == 2
    assert [change.kind for change in house.changes] == [ChangeKind.WATCHED]


async def test_a_cleared_position_is_found(house: House) -> None:
    """W3: begun titles are held too."""
    house.servers["plex"].stop_at("tt1", 600)
    await house.sync()
    house.servers["plex"].unwatch("tt1")
    await house.sync(POLL)
    assert {server.records["tt1"].position for server in house.servers.values()} == {0}


async def test_a_new_title_is_told_what_was_agreed(house: House) -> None:
    """Pitfall 10, R3: a copy that came between two polls."""
    house.servers["plex"].stock("tt3")
    house.servers["plex"].watch("tt3")
    await house.sync()
    house.clock.pass_by(hours=5)
    house.servers["emby"].stock("tt3")
    await house.sync(POLL)
    assert house.servers["emby"].records["tt3"].played


async def test_nothing_is_forgotten_by_polls(house: House) -> None:
    """G4: only two whole listings without it do that; a watched title that vanished is not unwatched (pitfall 1)."""
    for other in ("tt3", "tt4", "tt5"):  # one of two would be a library that vanishes (G2)
        house.servers["plex"].stock(other)
    house.servers["plex"].watch("tt1")
    await house.sync()
    del house.servers["plex"].records["tt1"]
    for _ in range(3):
        await house.sync(POLL)
    assert house.viewer.counts("plex").items == 5
    assert set(house.played("tt1").values()) == {True}
    for _ in range(2):
        await house.sync()
    assert house.viewer.counts("plex").items == 4


async def test_too_much_missing_makes_a_whole_read(house: House) -> None:
    """R2: a library that is unmounted, or a filter that fails, is no reason to read thousands by id."""
    for number in range(FEW_GONE + 2):
        house.servers["plex"].stock(f"tt9{number}")
        house.servers["plex"].watch(f"tt9{number}")
    await house.sync()
    listings(house)
    house.servers["plex"].reads.clear()
    for number in range(FEW_GONE + 1):
        del house.servers["plex"].records[f"tt9{number}"]
    await house.sync(POLL)
    assert listings(house) == ["recent", "whole"]
    assert house.servers["plex"].reads == []


@pytest.mark.parametrize("fault", ["cut", "away"])
async def test_a_poll_that_failed_is_made_up_for(house: House, fault: str) -> None:
    """Pitfall 11, R2: the time of the last read moves only when every page came."""
    house.servers["emby"].stock("tt3")
    house.servers["emby"].watch("tt3")
    await house.sync()
    plex = house.servers["plex"]
    plex.watch("tt1")
    plex.cut, plex.error = fault == "cut", ServerUnavailable("away") if fault == "away" else None
    house.clock.pass_by(hours=5)
    plex.stock("tt3")
    report = await house.sync(POLL)
    assert "plex" in report.errors
    plex.cut, plex.error = False, None
    house.clock.pass_by(hours=5)
    await house.sync(POLL)
    assert plex.records["tt3"].played
    assert set(house.played("tt1").values()) == {True}


async def test_what_an_import_agreed_on_is_written_by_the_next_poll(house: House) -> None:
    """M2: an import writes nothing, so that the next poll reads all."""
    house.servers["plex"].watch("tt1")
    await house.sync(Run(RunKind.IMPORT))
    assert house.played("tt1") == {"plex": True, "jellyfin": False, "emby": False}
    await house.sync(POLL)
    assert set(house.played("tt1").values()) == {True}


async def test_a_dry_run_and_a_part_leave_the_time_alone(house: House) -> None:
    """G6: what was only looked at, or only in part, is read again."""
    listings(house)
    await house.sync(Run(dry_run=True))
    await house.sync(Run(libraries=frozenset({"films"})))
    await house.sync(Run(metadata_only=True))
    house.servers["plex"].stock("tt3")
    house.servers["emby"].stock("tt3")
    house.servers["emby"].watch("tt3")
    await house.sync(Run(libraries=frozenset({"other"}), recent=True))
    await house.sync(POLL)
    assert house.servers["plex"].records["tt3"].played
    assert listings(house) == ["whole", "whole", "whole", "recent", "recent"]


async def test_a_library_that_is_new_to_an_account_is_read_whole(house: House) -> None:
    """I8: what takes part since a moment ago was never read."""
    house.viewer.accounts["plex"] = replace(house.viewer.accounts["plex"], libraries=frozenset({"films", "more films"}))
    listings(house)
    await house.sync(POLL)
    await house.sync(POLL)
    assert listings(house) == ["whole", "recent"]


async def test_a_file_of_two_episodes_is_held_once(house: House) -> None:
    """I5: begun as long as one of its items is."""
    baseline = house.viewer.baseline
    house.servers["plex"].watch("tt1")
    await house.sync()
    assert baseline.begun("plex") == {"tt1"}
    assert baseline.begun("nobody") == frozenset()
    assert baseline.copy().begun("plex") == {"tt1"}
    house.servers["plex"].unwatch("tt1")
    await house.sync()
    assert baseline.begun("plex") == frozenset()
