"""A backup is one more voice: newer acts win over it, unless it is told to win."""

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.plex_watchsync.engine.ignores import Rule
from custom_components.plex_watchsync.engine.journal import NoteKind, Query
from custom_components.plex_watchsync.engine.report import Report
from custom_components.plex_watchsync.engine.restore import Restore, entries_of
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.engine.undo import Undoing
from custom_components.plex_watchsync.ports import ServerUnavailable
from custom_components.plex_watchsync.sync.guard import Trip
from custom_components.plex_watchsync.sync.merge import NO_CLAIMS, Claims, Rating, Spot, View
from custom_components.plex_watchsync.sync.model import Media, MediaKind
from custom_components.plex_watchsync.sync.portable import Entry
from custom_components.plex_watchsync.sync.selection import Selection

from .conftest import FILMS, House, watched


async def saved(house: House) -> tuple[Entry, ...]:
    """Save what anybody has an opinion on; the ids of these films are none that a document would keep."""
    return tuple(entry for entry in entries_of(await house.viewer.snapshot()) if entry.claims != NO_CLAIMS)


async def restore(house: House, entries: tuple[Entry, ...], *, overwrite: bool = False, dry_run: bool = False) -> tuple[Restore, Report]:
    house.clock.pass_by(minutes=1)
    step = Restore(entries, house.clock(), overwrite)
    return step, await house.viewer.run(Run(dry_run=dry_run), step)


def counts(step: Restore) -> tuple[int, int, int, int]:
    return step.restored, step.unchanged, step.older, step.left_alone


async def test_saved_wiped_restored(house: House) -> None:
    """All is lost, here and on the servers; the backup brings it back everywhere, with dates and positions, and tells of no news."""
    seen = house.clock()
    house.servers["emby"].watch("tt1")
    await house.sync()
    house.servers["emby"].stop_at("tt2", 1200)
    await house.sync()
    entries = await saved(house)
    await house.viewer.remove()
    for server in house.servers.values():
        server.stock("tt1")
        server.stock("tt2")
    house.viewer = house.new_viewer()
    house.changes.clear()
    await house.sync()
    step, _report = await restore(house, entries)
    assert counts(step) == (2, 0, 0, 0)
    assert house.played("tt1") == {"plex": True, "jellyfin": True, "emby": True}
    assert {server.records["tt2"].position for server in house.servers.values()} == {1200}
    assert house.servers["emby"].records["tt1"].last_played == seen
    assert not house.changes
    assert await saved(house) == entries
    assert counts((await restore(house, entries))[0]) == (0, 2, 0, 0)


async def test_before_any_server_is_there(house: House) -> None:
    """R4: what is restored waits for copies that come later."""
    house.servers["emby"].watch("tt1")
    await house.sync()
    entries = await saved(house)
    empty = House()
    for server in empty.servers.values():
        del server.records["tt1"]
    await empty.sync()
    await restore(empty, entries)
    await empty.restart()
    empty.servers["plex"].stock("new", "movie/imdb/tt1", "movie/tmdb/1")
    await empty.sync()
    assert empty.servers["plex"].records["new"].played


async def test_a_newer_act_wins_unless_the_backup_is_told_to(house: House) -> None:
    """M1 by default; with `ignore_date` the backup is as good as an act of now."""
    house.servers["emby"].watch("tt1")
    await house.sync()
    entries = await saved(house)
    house.servers["emby"].unwatch("tt1")
    await house.hint("emby", "tt1", unplayed=True)
    assert counts((await restore(house, entries))[0]) == (0, 0, 1, 0)
    assert house.played("tt1") == {"plex": False, "jellyfin": False, "emby": False}
    step, report = await restore(house, entries, overwrite=True, dry_run=True)
    assert counts(step) == (1, 0, 0, 0)
    assert len(report.planned) == 3
    assert house.played("tt1") == {"plex": False, "jellyfin": False, "emby": False}
    await restore(house, entries, overwrite=True)
    assert house.played("tt1") == {"plex": True, "jellyfin": True, "emby": True}
    assert counts((await restore(house, entries, overwrite=True))[0]) == (0, 1, 0, 0)


async def test_what_is_left_alone(house: House) -> None:
    """I3, I8."""
    film = frozenset({"movie/imdb/tt1"})
    entry = Entry(Media(MediaKind.MOVIE, "tt1"), film, Claims(View(house.clock(), True)))
    await house.viewer.ignore((Rule("film", Selection(film)),))
    assert counts((await restore(house, (entry,)))[0]) == (0, 0, 0, 1)
    assert not house.played("tt1")["plex"]


@pytest.mark.parametrize("overwrite", [True, False])
async def test_registers_that_the_backup_knows_nothing_of_stay(house: House, *, overwrite: bool) -> None:
    house.servers["emby"].stop_at("tt1", 1200)
    await house.sync()
    entry = Entry(Media(MediaKind.MOVIE, "tt1"), frozenset({"movie/imdb/tt1"}), Claims(View(house.clock(), True, house.clock(), 1)))
    await restore(house, (entry,), overwrite=overwrite)
    assert {(server.records["tt1"].played, server.records["tt1"].position) for server in house.servers.values()} == {(True, 1200)}


def unwatched(house: House, count: int) -> tuple[Entry, ...]:
    """Make a backup in which so many of the films are unwatched."""
    view = View(house.clock(), played=False)
    return tuple(Entry(Media(MediaKind.MOVIE, film), frozenset({f"movie/imdb/{film}"}), Claims(view)) for film in FILMS[:count])


async def test_a_restore_may_unwatch_some(stocked: House) -> None:
    """G2: as many as a person may."""
    step, report = await restore(stocked, unwatched(stocked, 10))
    assert (step.restored, step.held, report.held) == (10, 0, [])
    assert set(watched(stocked).values()) == {30}


@pytest.mark.parametrize("overwrite", [True, False])
async def test_a_restore_that_unwatches_more_is_held(stocked: House, *, overwrite: bool) -> None:
    """G2: all else is restored; what is held survives a restart, and once it is approved all servers follow, but for what was watched since."""
    seen = Entry(Media(MediaKind.MOVIE, "tt1"), frozenset({"movie/imdb/tt1"}), Claims(View(stocked.clock(), True, stocked.clock(), 1)))
    entries = (*unwatched(stocked, 30), seen)
    step, _report = await restore(stocked, entries, overwrite=overwrite, dry_run=True)
    assert (step.held, stocked.viewer.holds.held) == (30, [])
    step, report = await restore(stocked, entries, overwrite=overwrite)
    assert (step.restored, step.held, step.older) == (1, 30, 0)
    assert set(watched(stocked).values()) == {41}
    (hold,) = report.held
    assert (hold.account, hold.trip, len(hold.items)) == ("", Trip.RESTORE, 30)
    await stocked.restart()
    await stocked.sync()
    assert set(watched(stocked).values()) == {41}
    stocked.servers["emby"].watch(FILMS[0])
    await stocked.sync()
    (report,) = await stocked.viewer.approve(stocked.viewer.holds.of(report.run_id), "approval")
    assert not stocked.viewer.holds.held
    assert set(watched(stocked).values()) == {12}
    assert {change.reason for change in report.changes} == {"restore, approved"}
    assert stocked.played(FILMS[0]) == {"plex": True, "jellyfin": True, "emby": True}


@pytest.mark.parametrize("overwrite", [True, False])
async def test_a_held_restore_is_approved_wholly(stocked: House, *, overwrite: bool) -> None:
    """G2, M1: position and rating come with it, after a restart too; but not where somebody watched it since, or rated it."""
    stocked.clock.pass_by(minutes=1)
    at = stocked.clock()
    claims = Claims(View(at, played=False), Spot(at, 1200), Rating(at, 10.0))
    await restore(stocked, tuple(replace(entry, claims=claims) for entry in unwatched(stocked, 20)), overwrite=overwrite)
    await stocked.restart()
    await stocked.sync()
    stocked.servers["emby"].watch(FILMS[0])
    stocked.servers["plex"].rate(FILMS[1], 2.0)
    await stocked.sync()
    await stocked.viewer.approve(stocked.viewer.holds.held)
    await stocked.sync()
    shown = [[(one.played, one.position, one.rating) for one in (server.records[film] for film in FILMS[:3])] for server in stocked.servers.values()]
    assert shown[:2] == [[(True, 0, 10.0), (False, 1200, 2.0), (False, 1200, 10.0)]] * 2


async def test_a_held_restore_that_is_discarded(stocked: House) -> None:
    """G2: nothing followed from it, so nothing is to be written; not even a server that is away keeps it."""
    await restore(stocked, unwatched(stocked, 30))
    stocked.servers["emby"].error = ServerUnavailable("away")
    stocked.writes()
    report = await stocked.viewer.discard(stocked.viewer.holds.held)
    assert not stocked.viewer.holds.held
    assert (report.counts, report.errors) == ({}, {})
    assert set(watched(stocked).values()) == {40}
    assert not any(stocked.writes().values())


async def test_what_a_held_restore_names_may_be_gone(stocked: House) -> None:
    """I8: or ignored meanwhile; then it stays as it is."""
    await restore(stocked, unwatched(stocked, 30))
    await stocked.viewer.ignore((Rule("film", Selection(frozenset({f"movie/imdb/{FILMS[0]}"}))),))
    stocked.viewer.baseline.drop(f"movie/imdb/{FILMS[1]}")
    await stocked.viewer.approve(stocked.viewer.holds.held)
    assert set(watched(stocked).values()) == {12}


async def test_a_restore_is_undone(house: House) -> None:
    """G5: watched, unwatched, position and rating are again what they were before, everywhere."""
    house.servers["emby"].watch("tt1")
    house.servers["emby"].stop_at("tt2", 1200)
    await house.sync()
    house.clock.pass_by(hours=1)
    before = [dict(server.records) for server in house.servers.values()]
    at = house.clock()
    entries = (
        Entry(Media(MediaKind.MOVIE, "tt1"), frozenset({"movie/imdb/tt1"}), Claims(View(at, False), rating=Rating(at, 4.0))),
        Entry(Media(MediaKind.MOVIE, "tt2"), frozenset({"movie/imdb/tt2"}), Claims(View(at, True, at, 1), Spot(at, 0))),
    )
    _step, report = await restore(house, entries)
    assert (set(house.played("tt1").values()), set(house.played("tt2").values())) == ({False}, {True})
    house.clock.pass_by(hours=1)
    page = await house.viewer.journal.find(Query(kind=NoteKind.CHANGE, run_id=report.run_id), 500)
    undoing = Undoing([note for _, note in page.notes])
    await house.viewer.run(Run(explicit=True, run_id="undo"), undoing)
    assert (undoing.undone, undoing.left) == (2, [])
    after = [dict(server.records) for server in house.servers.values()]
    assert [[(film.played, film.position, film.rating) for film in records.values()] for records in after] == [
        [(film.played, film.position, film.rating) for film in records.values()] for records in before
    ]
    assert after[1]["tt1"].last_played == before[1]["tt1"].last_played
    house.writes()
    await house.sync()
    assert not any(house.writes().values())


async def test_a_date_that_is_yet_to_come_is_now(house: House) -> None:
    """R7, M5: else what people do is in vain until then."""
    ahead = house.clock() + timedelta(days=999)
    said = Claims(View(ahead, True, ahead, 1), Spot(ahead, 600), Rating(ahead, 8.0))
    await restore(house, (Entry(Media(MediaKind.MOVIE, "tt1"), frozenset({"movie/imdb/tt1"}), said),))
    assert house.played("tt1") == {"plex": True, "jellyfin": True, "emby": True}
    assert house.servers["emby"].records["tt1"].last_played == house.clock()
    house.clock.pass_by(hours=1)
    house.servers["emby"].unwatch("tt1")
    await house.sync()
    assert not any(house.played("tt1").values())
