"""G5: a run or one change of it is undone by a new act, where nobody changed it since."""

from dataclasses import replace

import pytest

from custom_components.plex_watchsync.engine.acts import Acts
from custom_components.plex_watchsync.engine.journal import NoteKind, Query
from custom_components.plex_watchsync.engine.report import ChangeKind
from custom_components.plex_watchsync.engine.restore import Restore
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.engine.undo import Undoing
from custom_components.plex_watchsync.sync.acts import Act, ActKind
from custom_components.plex_watchsync.sync.guard import Trip
from custom_components.plex_watchsync.sync.merge import Claims, View
from custom_components.plex_watchsync.sync.model import Media, MediaKind, WatchState
from custom_components.plex_watchsync.sync.portable import Entry
from custom_components.plex_watchsync.sync.selection import Selection

from .conftest import FILMS, House
from .fakes import START


async def undo(house: House, *, run_id: str | None = None, change_id: str | None = None) -> Undoing:
    """Undo what the journal says of a run or a change, a minute later."""
    house.clock.pass_by(minutes=1)
    page = await house.viewer.journal.find(Query(kind=NoteKind.CHANGE, run_id=run_id, change_id=change_id), 500)
    undoing = Undoing([note for _, note in page.notes])
    await house.viewer.run(Run(explicit=True, run_id="undo"), undoing)
    return undoing


async def test_a_run_is_undone_everywhere(house: House) -> None:
    """Whoever had it first, too: the act itself is taken back."""
    house.servers["plex"].watch("tt1")
    house.servers["emby"].stop_at("tt2", 900)
    report = await house.sync()
    undoing = await undo(house, run_id=report.run_id)
    assert (undoing.undone, undoing.left) == (2, [])
    assert not any(house.played("tt1").values())
    assert [server.records["tt2"].position for server in house.servers.values()] == [0, 0, 0]
    house.writes()
    await house.sync()
    assert not any(house.writes().values())


async def test_an_unwatch_gets_its_date_back(house: House) -> None:
    house.servers["emby"].watch("tt1")
    await house.sync()
    last = house.servers["jellyfin"].records["tt1"].last_played
    house.servers["jellyfin"].unwatch("tt1")
    report = await house.sync()
    assert not any(house.played("tt1").values())
    await undo(house, run_id=report.run_id)
    assert all(house.played("tt1").values())
    assert house.servers["jellyfin"].records["tt1"].last_played == last


async def test_one_change_of_a_run(house: House) -> None:
    house.servers["plex"].watch("tt1")
    house.servers["plex"].watch("tt2")
    report = await house.sync()
    first = next(change for change in report.changes if change.item_id.endswith("tt1"))
    await undo(house, change_id=first.change_id)
    assert not any(house.played("tt1").values())
    assert all(house.played("tt2").values())


async def test_what_changed_since_is_left(house: House) -> None:
    """And so is what is ambiguous or gone; each with its reason."""
    house.servers["plex"].watch("tt1")
    report = await house.sync()
    house.servers["emby"].stop_at("tt1", 1200)
    await house.sync()
    undoing = await undo(house, run_id=report.run_id)
    assert (undoing.undone, undoing.left) == (0, [("tt1", "it was changed since")])
    assert all(house.played("tt1").values())


async def test_what_became_so_once_more_is_left(house: House) -> None:
    """G5, M5: it looks as the run left it, but the last act is another, and it wins."""
    for server in house.servers.values():
        server.watch("tt1")
    await house.sync()
    house.servers["plex"].unwatch("tt1")
    first = await house.sync()
    house.servers["emby"].watch("tt1")
    await house.sync()
    house.servers["emby"].unwatch("tt1")
    last = await house.sync()
    undoing = await undo(house, run_id=first.run_id)
    assert (undoing.undone, undoing.left) == (0, [("tt1", "it was changed since")])
    assert not any(house.played("tt1").values())
    assert (await undo(house, run_id=last.run_id)).undone == 1
    assert all(house.played("tt1").values())


@pytest.mark.parametrize(("dated", "left"), [(True, [("tt1", "it was changed since")]), (False, [])])
async def test_what_was_said_again_is_left(house: House, *, dated: bool, left: list[tuple[str, str]]) -> None:
    """G5, M5: whoever marks again as watched what a run found so is not undone with it; lines of a journal from before they had dates go by what it looks like."""
    house.servers["plex"].watch("tt1")
    report = await house.sync()
    said = Acts(Selection(frozenset({"movie/imdb/tt1"})), Act(ActKind.MARK_WATCHED, house.clock()))
    await house.viewer.run(Run(explicit=True), said)
    for notes in house.viewer.journal._segments.values():
        notes[:] = [note if dated else replace(note, dates=()) for note in notes]
    undoing = await undo(house, run_id=report.run_id)
    assert undoing.left == left
    assert set(house.played("tt1").values()) == {dated}


async def test_an_undo_is_undone(house: House) -> None:
    """It is journalled as any other act."""
    house.servers["plex"].watch("tt1")
    report = await house.sync()
    await undo(house, run_id=report.run_id)
    await undo(house, run_id="undo")
    assert all(house.played("tt1").values())


async def test_a_first_merge_takes_nothing_from_whoever_had_it() -> None:
    """G1: what a server had before it was known here is not taken away from it."""
    house = House()
    house.servers["plex"].stock("tt1", state=WatchState(played=True, play_count=1, last_played=START))
    report = await house.sync()
    undoing = await undo(house, run_id=report.run_id)
    assert undoing.left == [("tt1", "it was so before it was known here")]
    assert all(house.played("tt1").values())


async def test_an_ambiguous_title_is_left(house: House) -> None:
    """I3: it is left alone here too."""
    house.servers["plex"].watch("tt1")
    report = await house.sync()
    house.servers["emby"].stock("other", "movie/imdb/tt1", "movie/tmdb/5")
    house.servers["emby"].stock("tt1", "movie/imdb/tt1", "movie/tmdb/6", state=house.servers["emby"].records["tt1"])
    await house.sync()
    undoing = await undo(house, run_id=report.run_id)
    assert undoing.left == [("tt1", "it is left alone")]


@pytest.mark.parametrize("approved", [True, False])
async def test_an_undo_that_unwatches_many_is_held(house: House, *, approved: bool) -> None:
    """G2, G5: all else of the run is undone; the rest is when somebody says that it was meant, but for what was watched since."""
    films = [f"tt{number}" for number in range(100, 130)]
    for film in films:
        for server in house.servers.values():
            server.stock(film)
        house.servers["plex"].watch(film)
    house.servers["emby"].stop_at("tt2", 900)
    report = await house.sync()
    undoing = await undo(house, run_id=report.run_id)
    assert (undoing.undone, undoing.held, undoing.left) == (1, 30, [])
    assert house.servers["plex"].records["tt2"].position == 0
    (hold,) = house.viewer.holds.held
    assert (hold.account, hold.trip, len(hold.items)) == ("", Trip.UNDO, 30)
    assert all(all(house.played(film).values()) for film in films)
    house.clock.pass_by(minutes=1)
    house.servers["jellyfin"].watch(films[0])
    await house.sync()
    house.changes.clear()
    if approved:
        await house.viewer.approve([hold])
    else:
        await house.viewer.discard([hold])
    assert not house.viewer.holds.held
    assert [set(house.played(film).values()) for film in films] == [{True}] + [{not approved}] * 29
    assert [change.kind for change in house.changes] == [ChangeKind.UNWATCHED] * (29 if approved else 0)
    house.writes()
    await house.sync()
    assert not any(house.writes().values())


async def test_an_undo_is_held_by_itself(stocked: House) -> None:
    """G2, G5, M1: what was said here before and is held too is another thing, decided by itself and as of another moment."""
    before = [Entry(Media(MediaKind.MOVIE, film), frozenset({f"movie/imdb/{film}"}), Claims(View(stocked.clock(), played=False))) for film in FILMS[:20]]
    await stocked.viewer.run(Run(run_id="restore"), Restore(before, stocked.clock(), overwrite=True))
    films = [f"tt{number}" for number in range(200, 230)]
    for film in films:
        for server in stocked.servers.values():
            server.stock(film)
    await stocked.sync()
    for film in films:
        stocked.servers["plex"].watch(film)
    report = await stocked.sync()
    await undo(stocked, run_id=report.run_id)
    restored, undone = stocked.viewer.holds.held
    assert (len(restored.items), len(undone.items)) == (20, 30)
    await stocked.viewer.approve(stocked.viewer.holds.of(undone.run_id))
    assert stocked.viewer.holds.held == [restored]
    assert not any(any(stocked.played(film).values()) for film in films)
    assert all(all(stocked.played(film).values()) for film in FILMS)
