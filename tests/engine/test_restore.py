"""A backup is one more voice: newer acts win over it, unless it is told to win."""

import pytest

from custom_components.plex_watchsync.engine.ignores import Rule
from custom_components.plex_watchsync.engine.report import Report
from custom_components.plex_watchsync.engine.restore import Restore, entries_of
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.sync.merge import NO_CLAIMS, Claims, View
from custom_components.plex_watchsync.sync.model import Media, MediaKind
from custom_components.plex_watchsync.sync.portable import Entry
from custom_components.plex_watchsync.sync.selection import Selection

from .conftest import House


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
