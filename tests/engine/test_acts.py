"""What is said by action is agreed on and written everywhere, as if it had been done at a server."""

from datetime import timedelta

import pytest

from custom_components.plex_watchsync.engine.acts import HERE, Acts
from custom_components.plex_watchsync.engine.ignores import Rule
from custom_components.plex_watchsync.engine.listing import ReportKind, covered, find, page, report, search
from custom_components.plex_watchsync.engine.report import ChangeKind, Report
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.ports import ServerUnavailable, StoreError
from custom_components.plex_watchsync.sync.acts import Act, ActKind
from custom_components.plex_watchsync.sync.model import WatchState
from custom_components.plex_watchsync.sync.selection import Selection, of_title

from .conftest import House

FILM = Selection(frozenset({"movie/imdb/tt1"}))


async def act(house: House, kind: ActKind, position: int = 0, selection: Selection = FILM, rating: float | None = None) -> Report:
    house.clock.pass_by(minutes=1)
    return await house.viewer.run(Run(explicit=True), Acts(selection, Act(kind, house.clock(), position, rating)))


async def test_marked_watched_everywhere(house: House) -> None:
    """One act, one event, dated now, on every server."""
    report_ = await act(house, ActKind.MARK_WATCHED)
    assert house.played("tt1") == {"plex": True, "jellyfin": True, "emby": True}
    assert house.played("tt2") == {"plex": False, "jellyfin": False, "emby": False}
    assert house.servers["emby"].records["tt1"].last_played == house.clock()
    assert [(change.kind, change.account, change.reason) for change in house.changes] == [(ChangeKind.WATCHED, HERE, "mark_watched by action")]
    assert sum(counts.written for counts in report_.counts.values()) == 3
    assert house.viewer.last_watched is not None
    house.writes()
    await house.sync()
    assert house.writes() == {"plex": 0, "jellyfin": 0, "emby": 0}


async def test_marked_unwatched_everywhere(house: House) -> None:
    house.servers["plex"].watch("tt1")
    await house.sync()
    await act(house, ActKind.MARK_UNWATCHED)
    assert house.played("tt1") == {"plex": False, "jellyfin": False, "emby": False}
    await house.sync()
    assert house.played("tt1") == {"plex": False, "jellyfin": False, "emby": False}


async def test_said_again_is_no_second_view_but_wins(house: House) -> None:
    """M5: what was marked twice was seen once; an older unwatch that turns up later does not undo it."""
    await act(house, ActKind.MARK_WATCHED)
    seen, down = house.clock(), house.servers["jellyfin"]
    down.error = ServerUnavailable("off")
    house.clock.pass_by(days=1)
    await act(house, ActKind.MARK_WATCHED)
    assert len(house.changes) == 1
    down.error = None
    down.unwatch("tt1")  # undated: it is taken for as old as the last reading that did not show it
    await house.sync()
    assert house.played("tt1") == {"plex": True, "jellyfin": True, "emby": True}
    item = (await find(house.viewer.baseline, FILM))[0]
    assert item.claims.view is not None
    assert item.claims.view.last_played == seen
    assert item.claims.view.play_count == 1


@pytest.mark.parametrize(("position", "shown"), [(1200, 1200), (30, 0), (0, 0)])
async def test_progress(house: House, position: int, shown: int) -> None:
    """W3: a position too near the start is none."""
    await act(house, ActKind.SET_PROGRESS, 600)
    await act(house, ActKind.SET_PROGRESS, position)
    assert {server.records["tt1"].position for server in house.servers.values()} == {shown}
    assert {server.records["tt1"].played for server in house.servers.values()} == {False}


async def test_rating(house: House) -> None:
    """M4: rated on every server, taken back on every server; told once each."""
    await act(house, ActKind.SET_RATING, rating=8.0)
    assert {server.records["tt1"].rating for server in house.servers.values()} >= {8.0}
    assert [change.kind for change in house.changes] == [ChangeKind.RATED]
    assert house.played("tt1") == {"plex": False, "jellyfin": False, "emby": False}
    await act(house, ActKind.SET_RATING)
    assert house.servers["plex"].records["tt1"].rating is None
    assert [change.after.rating for change in house.changes] == [8.0, None]


async def test_a_server_that_is_down_hears_of_it_later(house: House) -> None:
    """M2, W5: the act is agreed on and waits."""
    house.servers["emby"].error = ServerUnavailable("off")
    await act(house, ActKind.MARK_WATCHED)
    assert house.viewer.pending("emby") == 1
    assert house.viewer.counts("emby").owed == 1
    await house.restart()
    house.servers["emby"].error = None
    await house.sync()
    assert house.played("tt1")["emby"]
    assert house.viewer.counts("emby").owed == 0


async def test_a_title_that_no_server_has_any_more(house: House) -> None:
    """R4: the act is kept for a copy that comes back."""
    for server in house.servers.values():
        del server.records["tt1"]
    await house.sync()
    await house.sync()
    await act(house, ActKind.MARK_WATCHED)
    house.servers["emby"].stock("new", "movie/imdb/tt1")
    await house.sync()
    assert house.servers["emby"].records["new"].played


async def test_nothing_is_concluded_from_an_ambiguous_title(house: House) -> None:
    """I3: it is left alone, by action too."""
    house.servers["plex"].stock("a", "movie/imdb/tt8", "movie/tmdb/8")
    house.servers["plex"].stock("b", "movie/imdb/tt8", "movie/tmdb/9")
    await house.sync()
    await act(house, ActKind.MARK_WATCHED, selection=of_title({"imdb": "tt8"}))
    assert not house.servers["plex"].records["a"].played
    assert len(await report(house.viewer.baseline, ReportKind.AMBIGUOUS, ["plex"])) == 2
    assert not await report(house.viewer.baseline, ReportKind.AMBIGUOUS, ["emby"])


async def test_of_two_titles_with_one_id_the_better_named_is_meant(house: House) -> None:
    house.servers["plex"].stock("a", "movie/imdb/tt0000008", "movie/tmdb/8")
    house.servers["plex"].stock("b", "movie/imdb/tt0000008", "movie/tmdb/9")
    await house.sync()
    found = await find(house.viewer.baseline, of_title({"imdb": "tt8", "tmdb": "9"}))
    assert [item.media.title for item in found] == ["b"]


async def ignore(house: House, selection: Selection = FILM) -> None:
    await house.viewer.ignore((*house.viewer.ignores.rules, Rule("a film", selection)))


async def test_ignored_on_every_way_in(house: House) -> None:
    """I8, pitfall 15: poll, hint and action; never written to either; also after a restart."""
    await ignore(house)
    await house.restart()
    house.servers["plex"].watch("tt1")
    await house.sync()
    await house.hint("plex", "tt1")
    await act(house, ActKind.MARK_WATCHED)
    await house.viewer.run(Run(kind=Run().kind, full=True))
    assert house.played("tt1") == {"plex": True, "jellyfin": False, "emby": False}
    assert not house.changes
    assert [item.media.title for item in await report(house.viewer.baseline, ReportKind.IGNORED, ["plex"])] == ["tt1"]
    await house.viewer.ignore(())
    await house.sync()
    assert house.played("tt1") == {"plex": True, "jellyfin": True, "emby": True}


async def test_what_waits_for_an_ignored_title_is_dropped(house: House) -> None:
    """I8: nothing of it is written, and it is not owed."""
    house.servers["emby"].error = ServerUnavailable("off")
    await act(house, ActKind.MARK_WATCHED)
    assert (house.viewer.pending("emby"), house.viewer.counts("emby").owed) == (1, 1)
    await ignore(house)
    assert (house.viewer.pending("emby"), house.viewer.counts("emby").owed) == (0, 0)
    house.servers["emby"].error = None
    await house.sync()
    assert not house.played("tt1")["emby"]
    await house.viewer.ignore(())
    assert house.viewer.counts("emby").owed == 1
    await house.sync()
    assert house.played("tt1")["emby"]


async def test_a_broken_list_of_ignored_titles_stops_the_viewer(house: House) -> None:
    """G3: what is to be left alone is not written for want of that list."""
    await ignore(house)
    house.documents.content["anna/ignored"] = '[["no rule"]]'
    with pytest.raises(StoreError):
        await house.restart()
    await house.viewer.remove()
    assert not house.documents.content


async def test_a_show_is_found_by_its_ids(house: House) -> None:
    """All episodes below it, none of another."""
    house.servers["emby"].stock("e1", "show/tvdb/1/1/1")
    house.servers["emby"].stock("e2", "show/tvdb/1/2/1")
    house.servers["emby"].stock("e3", "show/tvdb/11/1/1")
    await house.sync()
    found = await covered(house.viewer.baseline, Selection(groups=frozenset({"show/tvdb/1"})))
    assert {item.media.title for item in found} == {"e1", "e2"}
    assert found == await find(house.viewer.baseline, Selection(groups=frozenset({"show/tvdb/1"})))


async def test_reports(house: House) -> None:
    """Partial, duplicates (I4), disagreeing; titles without ids are counted from the listings."""
    house.servers["plex"].stock("copy", "movie/imdb/tt1")
    house.servers["plex"].stock("only", "movie/imdb/tt3", state=WatchState(True, 0, 1, house.clock() - timedelta(days=1)))
    house.servers["plex"].stock("home video")
    house.servers["plex"].parts["home video"] = (
        house.servers["plex"].parts["home video"][0].__class__(house.servers["plex"].parts["tt1"][0].media, frozenset()),
    )
    await house.sync()
    baseline = house.viewer.baseline

    async def titles(kind: ReportKind, *accounts: str) -> list[str]:
        return [item.media.title for item in await report(baseline, kind, accounts)]

    assert await titles(ReportKind.PARTIAL, "plex", "emby") == ["only"]
    assert await titles(ReportKind.PARTIAL, "plex") == []
    assert await titles(ReportKind.DUPLICATES, "plex") == ["tt1"]
    assert await titles(ReportKind.DUPLICATES, "emby") == []
    assert await titles(ReportKind.WEAK, "plex") == []
    assert await titles(ReportKind.UNMATCHED, "plex") == []
    assert [one.item_id for one in house.viewer.unmatched["plex"].rows] == ["home video"]
    assert (house.viewer.unnamed("plex"), house.viewer.unnamed("nobody")) == (1, 0)
    house.servers["emby"].error = ServerUnavailable("off")
    house.servers["plex"].watch("tt2")
    await house.sync()
    assert await titles(ReportKind.DISAGREEING, "emby") == ["tt2"]
    assert await titles(ReportKind.DISAGREEING, "plex") == []
    del house.servers["plex"].records["home video"]
    await house.sync()
    assert house.viewer.unnamed("plex") == 0


async def test_search(house: House) -> None:
    baseline = house.viewer.baseline
    assert [item.media.title for item in await search(baseline, "TT1", frozenset({"plex"}))] == ["tt1"]
    assert len(await search(baseline, "", frozenset({"plex"}))) == 2
    assert not await search(baseline, "tt", frozenset())
    assert not await search(baseline, "tt other", frozenset({"plex"}))


def test_pages() -> None:
    first = page("abcde", 2, None)
    assert (first.rows, first.total, first.next_cursor) == ("ab", 5, "2")
    assert page("abcde", 3, "2").next_cursor is None
    for cursor in ("-1", "x"):
        with pytest.raises(ValueError, match=cursor):
            page("abcde", 2, cursor)
