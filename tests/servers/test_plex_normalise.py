"""What Plex sends, in the words of the sync rules; recordings of real servers are read where they are at hand."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from custom_components.plex_watchsync.ports import ServerKind, ServerTooOld, UnexpectedAnswer
from custom_components.plex_watchsync.servers.plex.normalise import OWNER, Times, external_ids, libraries, observation, owner, server_identity, understood
from custom_components.plex_watchsync.sync.model import Media, MediaKind, WatchState
from tests.recordings import PAYLOADS, needs_recordings

FIXTURES = Path(__file__).parent / "fixtures"
TIMES = Times()


def container(path: Path) -> Any:
    """Return the content of an answer."""
    return json.loads(path.read_text())["MediaContainer"]


def test_episodes_and_films() -> None:
    """I1, I2: own ids, the show's with the number, a legacy agent's, none; M4: the rating."""
    rows = container(FIXTURES / "plex_episodes.json")["Metadata"]
    new, legacy, local, film = (observation(row, "2", {"100": frozenset({"tvdb:81189"})}, TIMES) for row in rows)
    assert new.parts[0].keys == {
        "episode/plex/episode/5f68aaaa",
        "episode/tvdb/349232",
        "episode/imdb/tt0959621",
        "show/tvdb/81189/1/1",
    }
    assert new.parts[0].media == Media(MediaKind.EPISODE, "New", None, "A Show", 1, 1)
    assert (new.item_id, new.library, new.runtime) == ("101", "2", 2700)
    assert new.state == WatchState(True, 65, 2, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), 8.0)
    assert legacy.parts[0].keys == {"show/tvdb/81189/1/2"}
    assert legacy.state == WatchState(last_played=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))
    assert local.parts[0].keys == frozenset()
    assert film.parts[0].keys == {"movie/plex/movie/5d77aaaa", "movie/tmdb/550"}
    assert film.runtime is None


def test_the_skew_is_taken_off() -> None:
    """R7: a server's clock that is ahead dates nothing ahead."""
    assert Times(timedelta(seconds=60)).read(1700000060) == datetime.fromtimestamp(1700000000, UTC)
    assert TIMES.read(None) is None


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, {"MediaContainer": 1}, {"MediaContainer": {"version": "1.40"}}, {"MediaContainer": {"machineIdentifier": "a", "version": "new"}}],
)
def test_what_is_no_plex(answer: Any) -> None:
    """Anything else is None, to be told from a Plex that is too old."""
    assert server_identity(answer) is None


def test_a_server_names_itself() -> None:
    """By the id that stays, and a version that is known."""
    found = server_identity({"MediaContainer": {"machineIdentifier": "abc", "version": "1.41.9.1-a"}})
    assert found is not None
    assert (found.kind, found.server_id, found.version) == (ServerKind.PLEX, "abc", "1.41.9.1-a")
    with pytest.raises(ServerTooOld) as raised:
        server_identity({"MediaContainer": {"machineIdentifier": "abc", "version": "0.9.12"}})
    assert raised.value.version == "0.9.12"


def test_libraries_that_hold_nothing_to_watch_are_left_out() -> None:
    """Music and photos are none of ours."""
    directories: Any = [{"key": key, "type": kind, "title": kind} for key, kind in (("1", "movie"), ("2", "show"), ("3", "artist"), ("4", "photo"))]
    assert [(one.library_id, one.kinds) for one in libraries({"Directory": directories})] == [
        ("1", frozenset({MediaKind.MOVIE})),
        ("2", frozenset({MediaKind.EPISODE})),
    ]
    assert libraries({}) == ()


def test_the_owner_has_the_number_one() -> None:
    """Server-apis §2: whatever number plex.tv knows him by."""
    assert owner({"Account": [{"id": 0, "name": ""}, {"id": 1, "name": "anna"}, {"id": 7, "name": "ben"}]}).name == "anna"
    assert owner({"Account": [{"id": 1, "name": ""}]}) == OWNER
    assert owner({}) == OWNER


def test_values_never_enter_the_message() -> None:
    """No secret in a log: a shape that is not understood is named by its error only."""
    nothing: dict[str, str] = {}
    with pytest.raises(UnexpectedAnswer, match="KeyError") as raised, understood("a row"):
        assert nothing["token-secret"]
    assert "secret" not in str(raised.value)


@needs_recordings
def test_recorded_films() -> None:
    """Server-apis 0.2, §3.1: of 341 recorded films 48 rows show views, 13 show a date without one."""
    rows = container(PAYLOADS / "LukeHagar__plex-api-spec" / "section_all_type1_includeGuids_341_movies.json")["Metadata"]
    films = [observation(row, "1", {}, TIMES) for row in rows]
    dated = [film for film in films if film.state.last_played]
    assert len(films) == 341
    assert sum(not film.state.played for film in dated) == 13
    assert sum(film.state.rating is not None for film in films) == 2
    assert all(film.state.last_played for film in films if film.state.played)
    assert all(key.startswith("movie/") for film in films for key in film.parts[0].keys)
    assert sum(bool(film.parts[0].keys) for film in films) > 330


@needs_recordings
def test_recorded_episodes_have_no_ids_of_their_show() -> None:
    """Server-apis §3.1: an episode's Guid list is its own, so that shows are listed first."""
    rows = container(PAYLOADS / "LukeHagar__plex-api-spec" / "section_all_type4_includeGuids_10_of_3438.json")["Metadata"]
    episodes = [observation(row, "2", {}, TIMES) for row in rows]
    keys = {key for one in episodes for key in one.parts[0].keys}
    assert {key.split("/")[0] for key in keys} == {"episode"}
    named = [observation(row, "2", {row["grandparentRatingKey"]: frozenset({"tvdb:7"})}, TIMES) for row in rows]
    assert all(any(key.startswith("show/tvdb/7/") for key in one.parts[0].keys) for one in named)


@needs_recordings
def test_recorded_shows_of_legacy_agents() -> None:
    """I1: thetvdb and hama name a show, `none` names nothing."""
    rows = container(PAYLOADS / "LukeHagar__plex-api-spec" / "section_all_type2_legacy_agents_26_shows.json")["Metadata"]
    ids = [external_ids(row) for row in rows]
    assert sum(not one for one in ids) == 1
    assert {"anidb:2127"} in ids
    assert {"tvdb:347734"} in ids


@needs_recordings
def test_a_recorded_film_from_half_way_to_unwatched() -> None:
    """Server-apis §4.1: stopped, stopped later, scrobbled, unscrobbled, as one server answered."""
    folder = PAYLOADS / "andrey-yantsen__plex-api.rs" / "timeline"
    states = [observation(container(folder / f"metadata_182_{step}.json")["Metadata"][0], "1", {}, TIMES).state for step in "1234"]
    assert [(state.played, state.position, state.play_count) for state in states] == [(False, 70, 0), (False, 75, 0), (True, 0, 1), (False, 0, 0)]
    assert states[3] == WatchState()


@needs_recordings
def test_an_unmatched_film_has_no_ids() -> None:
    """I1: `local://` is none."""
    (row,) = container(PAYLOADS / "LukeHagar__plex-api-spec" / "metadata_movie_unmatched.json")["Metadata"]
    assert observation(row, "1", {}, TIMES).parts[0].keys == frozenset()
