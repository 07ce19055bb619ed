"""R5: the eight ways in which other tools came to unwatch what nobody unwatched (pitfalls 1-8). After each of them all is watched everywhere, and nobody is told otherwise."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest

from custom_components.plex_watchsync.engine import cycle
from custom_components.plex_watchsync.engine.report import ChangeKind
from custom_components.plex_watchsync.engine.run import Account, Run
from custom_components.plex_watchsync.ports import Hint, ServerError, ServerKind, ServerUnavailable
from custom_components.plex_watchsync.sync.model import WatchState
from custom_components.plex_watchsync.sync.policy import AccountPolicy, InitialSync

from .conftest import House
from .fakes import LIBRARY, ModelServer

FILMS = tuple(f"tt{number}" for number in range(1, 41))


@pytest.fixture
async def watched(house: House) -> AsyncIterator[House]:
    """Return a house whose forty films were watched long ago, and know in the end that they still are, on all servers that have them."""
    for server in house.servers.values():
        for film in FILMS[2:]:
            server.stock(film)
    for film in FILMS:
        house.servers["plex"].watch(film)
    await house.sync()
    house.clock.pass_by(days=100)
    house.changes.clear()
    yield house
    for _ in range(3):  # what a first poll holds back, a later one might let through
        await house.sync()
    for film in FILMS:
        assert set(house.played(film).values()) == {True}, film
    assert not [change for change in house.changes if change.kind is ChangeKind.UNWATCHED]
    assert not any(house.viewer.pending(name) for name in house.servers)


def blank(server: ModelServer, films: Iterable[str] = FILMS) -> None:
    """Let a server show films as never watched."""
    for film in films:
        server.records[film] = WatchState()


@pytest.mark.parametrize("name", ["plex", "jellyfin", "emby"])
@pytest.mark.parametrize("broken", ["no answer", "half an answer", "an empty answer"])
async def test_a_server_that_is_away_is_not_empty(watched: House, name: str, broken: str) -> None:
    """Pitfall 1: neither no answer nor half of one says that anything is gone, nor does a library that is not mounted (R2, G4)."""
    server = watched.servers[name]
    records = dict(server.records)
    if broken == "no answer":
        server.error = ServerUnavailable("unplugged")
    elif broken == "half an answer":
        server.cut = True
    else:
        server.records.clear()
    for _ in range(3):
        await watched.sync()
    server.error, server.cut = None, False
    server.records |= records


@pytest.mark.parametrize("choice", InitialSync)
async def test_a_first_sync_unwatches_nothing(watched: House, choice: InitialSync) -> None:
    """Pitfall 2: a server that comes new, with no history, empties no other, whatever is chosen (G1)."""
    new = watched.servers["attic"] = ModelServer(ServerKind.JELLYFIN, watched.clock)
    for film in FILMS:
        new.stock(film)
    watched.viewer.accounts["attic"] = Account(new, AccountPolicy(new.traits, initial_sync=choice), frozenset({LIBRARY}))
    await watched.sync()
    if choice is InitialSync.LEARN_FROM_SERVER:  # it is not written to at its first sync
        assert not new.writes
        del watched.servers["attic"]


async def test_a_baseline_that_is_lost_unwatches_nothing(watched: House) -> None:
    """Pitfall 2: who remembers nothing merges (G3)."""
    watched.documents.content.clear()
    await watched.restart()
    blank(watched.servers["emby"])
    await watched.sync()


async def test_a_rewatch_that_stops_half_way_on_emby(watched: House) -> None:
    """Pitfall 3: its stop says "not played to the end"; the flag is gone or not, the count is not."""
    emby = watched.servers["emby"]
    for film, played in (("tt1", True), ("tt2", False)):
        emby.records[film] = replace(emby.records[film], played=played, position=1800, last_played=watched.clock())
        await watched.hint("emby", film)
    assert {server.records["tt1"].position for server in watched.servers.values()} == {1800}


@pytest.mark.parametrize("position", [0, 20, 1800])
async def test_a_rewatch_that_begins_on_jellyfin(watched: House, position: int) -> None:
    """Pitfall 4: it takes the flag at once, with a higher count and a new date; while it plays nothing is written there, then the flag comes back."""
    jellyfin = watched.servers["jellyfin"]
    known = jellyfin.records["tt1"]
    jellyfin.plays.add("tt1")
    jellyfin.records["tt1"] = replace(known, played=False, play_count=known.play_count + 1, last_played=watched.clock(), position=position)
    await watched.hint("jellyfin", "tt1")
    await watched.sync()
    assert not jellyfin.records["tt1"].played
    jellyfin.plays.clear()


@pytest.mark.parametrize("name", ["plex", "jellyfin", "emby"])
async def test_a_file_that_is_replaced(watched: House, name: str) -> None:
    """Pitfall 5: another id, another date of adding, no history: a new copy, and it is told what is agreed (R3, R4)."""
    server = watched.servers[name]
    for film in FILMS[:3]:
        del server.records[film]
        server.stock(f"{film}-4k", f"movie/imdb/{film}")
    await watched.sync()
    assert all(server.records[f"{film}-4k"].played for film in FILMS[:3])


async def test_a_library_that_is_younger_than_what_was_watched(watched: House) -> None:
    """Pitfall 6: that a file came after the view makes its unwatched state no news: dates of adding order nothing (R3)."""
    new = watched.servers["attic"] = ModelServer(ServerKind.EMBY, watched.clock)
    for film in FILMS:
        new.stock(film)
    assert all(new.added[film] > watched.servers["plex"].records[film].last_played for film in FILMS)  # type: ignore[operator]
    watched.viewer.accounts["attic"] = Account(new, AccountPolicy(new.traits), frozenset({LIBRARY}))
    await watched.sync()
    assert all(new.records[film].played for film in FILMS)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_guard_that_is_on_and_fails_closed(watched: House, monkeypatch: pytest.MonkeyPatch, *, fails: bool) -> None:
    """Pitfall 7: a history that is gone all at once is held without being asked for, also when the guard itself breaks (G2)."""
    if fails:
        monkeypatch.setattr(cycle, "too_many", lambda *_: 1 / 0)
    blank(watched.servers["plex"])
    report = await watched.sync()
    assert report.counts["plex"].held == len(FILMS)
    assert all(server.records[film].played for server in (watched.servers["jellyfin"], watched.servers["emby"]) for film in FILMS)
    await watched.viewer.discard(watched.viewer.holds.held)


@pytest.mark.parametrize("error", [ServerUnavailable("a time-out"), ServerError("not what was asked for")])
async def test_what_cannot_be_looked_at_is_not_gone(watched: House, error: ServerError) -> None:
    """Pitfall 8: no error drops what is known of a title (R2, G4)."""
    server = watched.servers["jellyfin"]
    server.error = error
    for film in FILMS:
        await watched.hint("jellyfin", film)
    server.error = None
    assert watched.viewer.counts("jellyfin").items == len(FILMS)


async def test_a_late_word_of_an_unwatch_is_not_about_what_was_watched_since(house: House) -> None:
    """R5: doubled and late, it meets a title that somebody opened again on Jellyfin, which takes the flag away; `scripts/exhaust` found it in five steps."""
    jellyfin = house.servers["jellyfin"]
    jellyfin.watch("tt1")
    await house.hint("jellyfin", "tt1")
    jellyfin.unwatch("tt1")
    said = Hint("jellyfin", "tt1", house.clock(), unplayed=True)
    await house.viewer.run(Run(hints=(said,)))
    house.clock.pass_by(hours=1)
    jellyfin.watch("tt1")
    await house.hint("jellyfin", "tt1")
    house.clock.pass_by(hours=1)
    house.changes.clear()
    jellyfin.records["tt1"] = replace(jellyfin.records["tt1"], played=False, position=600, play_count=3, last_played=house.clock())
    await house.viewer.run(Run(hints=(said,)))
    assert house.played("tt1")["plex"]
    assert not [change for change in house.changes if change.kind is ChangeKind.UNWATCHED]
