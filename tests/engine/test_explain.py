"""Why a title is as it is, with the rule's number, and what would happen next; explaining changes nothing."""

import pytest

from custom_components.plex_watchsync.engine.explain import Copy, Explanation
from custom_components.plex_watchsync.engine.ignores import Rule
from custom_components.plex_watchsync.ports import ServerUnavailable
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Part, WatchState
from custom_components.plex_watchsync.sync.plan import WriteKind
from custom_components.plex_watchsync.sync.policy import Direction
from custom_components.plex_watchsync.sync.selection import Selection

from .conftest import FILMS, House


async def explain(house: House, key: str = "movie/imdb/tt1", number: int = 0) -> Explanation:
    return await house.viewer.explain(house.viewer.baseline.sharing([key])[number])


def copies(found: Explanation) -> dict[str, Copy]:
    return {copy.replica_id.account: copy for copy in found.copies}


async def test_at_rest(house: House) -> None:
    """R1, W6: each shows what was acknowledged, and nothing is to be written."""
    found = await explain(house)
    assert {(copy.rule, copy.why_not, copy.next, copy.in_step) for copy in found.copies} == {
        ("R1 as acknowledged", "W6 it stands for what is agreed", None, True)
    }
    assert {copy.shown for copy in found.copies} == {WatchState()}
    assert not found.rivals


async def test_what_would_follow(house: House) -> None:
    """G6: a change that no run has seen yet is told with the writes that it will lead to; nothing of it is kept."""
    house.servers["plex"].watch("tt1")
    house.servers["plex"].plays.add("tt1")
    before = dict(house.documents.content)
    found = await explain(house)
    assert not found.item.claims.state.played
    assert found.then.played
    plex, emby = copies(found)["plex"], copies(found)["emby"]
    assert (plex.rule, plex.playing, plex.next) == ("R1 watched", True, None)
    assert emby.next is not None
    assert emby.next.kind is WriteKind.MARK_WATCHED
    assert house.documents.content == before
    assert house.played("tt1") == {"plex": True, "jellyfin": False, "emby": False}
    assert not house.changes


async def test_a_server_that_is_away(house: House) -> None:
    """R2, W5: its error is told, and what waits for it."""
    house.servers["emby"].error = ServerUnavailable("off")
    house.servers["plex"].watch("tt1")
    await house.sync()
    emby = copies(await explain(house))["emby"]
    assert (emby.shown, emby.error, emby.why_not, emby.in_step) == (None, "off", "R2 its server does not show it", False)
    assert emby.waiting is not None
    assert emby.waiting.operation.kind is WriteKind.MARK_WATCHED
    del house.servers["jellyfin"].records["tt1"]
    assert copies(await explain(house))["jellyfin"].shown is None


async def test_why_nothing_is_written(house: House) -> None:
    """W1, I8."""
    house.set_direction("jellyfin", Direction.IMPORT_ONLY)
    house.servers["plex"].watch("tt1")
    assert copies(await explain(house))["jellyfin"].why_not == "W1 its account is not written to"
    await house.viewer.ignore((Rule("film", Selection(frozenset({"movie/imdb/tt1"}))),))
    found = await explain(house)
    assert found.ignored
    assert not found.then.played
    assert {copy.why_not for copy in found.copies} == {"I8 ignored"}


async def test_what_is_held(stocked: House) -> None:
    """G2, G6: nothing follows from it until somebody decides, so nothing else is told; what is approved follows."""
    for film in FILMS[:20]:
        stocked.servers["plex"].unwatch(film)
    report = await stocked.sync()
    found = await explain(stocked, f"movie/imdb/{FILMS[0]}")
    assert found.then.played
    plex = copies(found)["plex"]
    assert plex.shown is not None
    assert (plex.shown.played, plex.rule, plex.why_not) == (False, "G2 held", "G2 held until somebody approves or discards it")
    assert [copy.next for copy in found.copies] == [None, None, None]
    assert copies(found)["emby"].why_not == "W6 it stands for what is agreed"
    await stocked.viewer.approve(stocked.viewer.holds.of(report.run_id))
    found = await explain(stocked, f"movie/imdb/{FILMS[0]}")
    assert (found.then.played, {copy.why_not for copy in found.copies}) == (False, {"W6 it stands for what is agreed"})


async def test_ids_that_contradict_each_other(house: House) -> None:
    """I3: the rival is named, and neither is touched."""
    house.servers["plex"].stock("a", "movie/imdb/tt8", "movie/tmdb/8")
    house.servers["plex"].stock("b", "movie/imdb/tt8", "movie/tmdb/9")
    await house.sync()
    found = await explain(house, "movie/tmdb/8")
    assert [rival.media.title for rival in found.rivals] == ["b"]
    assert copies(found)["plex"].why_not == "I3 its ids contradict those of another title"


@pytest.mark.parametrize("other", [True, False])
async def test_a_file_of_two_episodes(house: House, *, other: bool) -> None:
    """I5: it is written when both agree."""
    parts = tuple(Part(Media(MediaKind.EPISODE, f"part {number}"), frozenset({f"show/tvdb/1/1/{number}"})) for number in (1, 2))
    house.servers["plex"].stock("double")
    house.servers["plex"].parts["double"] = parts
    for number in (1, 2):
        house.servers["emby"].stock(f"e{number}")
        house.servers["emby"].parts[f"e{number}"] = parts[number - 1 : number]
    house.servers["plex"].stock("tt1")
    await house.sync()
    house.servers["plex"].error = ServerUnavailable("off")
    house.servers["emby"].watch("e1")
    if other:
        house.servers["emby"].watch("e2")
    await house.sync()
    house.servers["plex"].error = None
    found = copies(await explain(house, "show/tvdb/1/1/1"))["plex"]
    assert (found.next is not None) == other
    assert found.why_not == ("" if other else "I5 the episodes in its file do not agree")
