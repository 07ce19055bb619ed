"""What is saved is read again as it was, and what is broken is refused as a whole."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.plex_watchsync.sync.identity import episode_keys, external_id, movie_keys
from custom_components.plex_watchsync.sync.merge import NEVER, Claims, Rating, Spot, View
from custom_components.plex_watchsync.sync.model import Media, MediaKind
from custom_components.plex_watchsync.sync.names import names_of
from custom_components.plex_watchsync.sync.portable import Entry, PortableError, dumped, entry_of, loaded, row_of

CREATED = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
FILM = {"type": "movie", "title": "Fight Club", "ids": {"imdb": "tt0137523"}, "watched": True, "watched_since": "2026-01-01T00:00:00+00:00"}

times = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy wants naive bounds
kinds = st.sampled_from(["imdb", "tmdb", "tvdb", "anidb", "youtube", "plex"])
numbers = st.integers(1, 99999)
external = st.builds(lambda kind, number: external_id(kind, {"imdb": f"tt{number}", "plex": f"movie/5d{number}"}.get(kind, str(number))), kinds, numbers)
ids = st.frozensets(external.filter(bool), max_size=3)
small = st.integers(0, 40)
text = st.text(max_size=12)
claims = st.builds(
    Claims,
    st.none() | st.builds(View, times, st.booleans(), st.none() | times, small),
    st.none() | st.builds(Spot, times, st.integers(0, 20000)),
    st.none() | st.builds(Rating, times, st.none() | st.floats(0, 10), st.booleans()),
)
films = st.builds(
    lambda one, title, year, said: Entry(Media(MediaKind.MOVIE, title, year), movie_keys(one), said), ids, text, st.none() | st.integers(1900, 2100), claims
)
episodes = st.builds(
    lambda own, shows, number, other, named, said: Entry(
        Media(MediaKind.EPISODE, "Part", None, named, *number),
        episode_keys(own, shows, *number) | episode_keys((), shows, *other),
        said,
    ),
    ids,
    ids,
    st.tuples(small, small) | st.just((None, None)),
    st.tuples(small, small),
    st.none() | text,
    claims,
)
entries = (films | episodes).filter(lambda entry: bool(entry.keys) and entry.claims != Claims())


def test_a_title_without_ids_keeps_its_names() -> None:
    """I6: it is found by them again; where there are ids, a name does not count."""
    names = names_of(Media(MediaKind.MOVIE, "Holidays", 2015), "Holidays.mkv", 1800, by_file=True, by_title=True)
    said = Claims(View(CREATED, played=True, last_played=None, play_count=1))
    saved = [Entry(Media(MediaKind.MOVIE, "Holidays", 2015), keys, said) for keys in (names, names | movie_keys(["imdb:tt0137523"]))]
    read = loaded("".join(dumped("Anna", CREATED, saved))).entries
    assert [entry.keys for entry in read] == [names, movie_keys(["imdb:tt0137523"])]


@given(st.lists(entries, max_size=5), text)
def test_saved_and_read_again_is_the_same(saved: list[Entry], viewer: str) -> None:
    """Export, then import, is identity; and so is the other way round."""
    written = "".join(dumped(viewer, CREATED, saved))
    read = loaded(written)
    assert read.entries == tuple(saved)
    assert (read.viewer, read.created) == (viewer, CREATED)
    assert "".join(dumped(read.viewer, read.created, read.entries)) == written


def test_what_nobody_has_an_opinion_on_is_left_out() -> None:
    entry = Entry(Media(MediaKind.MOVIE, "Nothing"), frozenset({"movie/imdb/tt1"}), Claims())
    assert not loaded("".join(dumped("Anna", CREATED, [entry]))).entries


def test_a_line_is_what_people_read() -> None:
    """Plain names and values; a metadata provider of one's own keeps its name (I2)."""
    entry = Entry(
        Media(MediaKind.EPISODE, "Cat's in the Bag...", 2008, "Breaking Bad", 1, 2),
        frozenset({"episode/tvdb/349232", "show/tvdb/81189/1/2", "show/tvdb/81189/0/7", "episode/tv.plex.agents.custom.me/x/1"}),
        Claims(View(CREATED, True, CREATED, 2), Spot(NEVER, 0), Rating(CREATED, 8.5, exact=False)),
    )
    assert row_of(entry) == {
        "type": "episode",
        "title": "Cat's in the Bag...",
        "year": 2008,
        "show": "Breaking Bad",
        "season": 1,
        "episode": 2,
        "ids": {"tvdb": ["349232"], "tv.plex.agents.custom.me": ["x/1"]},
        "show_ids": {"tvdb": ["81189"]},
        "other_numbers": [{"season": 0, "episode": 7, "show_ids": {"tvdb": ["81189"]}}],
        "watched": True,
        "watched_since": "2026-11-25T04:00:00+00:00",
        "last_watched": "2026-11-25T04:00:00+00:00",
        "play_count": 2,
        "position": 0,
        "position_since": "1970-01-01T00:00:00+00:00",
        "rating": 8.5,
        "rated_since": "2026-11-25T04:00:00+00:00",
        "thumb": True,
    }
    assert entry_of(row_of(entry)) == entry


def test_what_others_write_is_cleaned() -> None:
    """Ids are spelled as everywhere, numbers are cut to what can be, other time zones are understood (R7, W8)."""
    row = {**FILM, "ids": {"IMDb": "tt137523", "TheMovieDB": ["0550", "0"]}, "watched_since": "2026-01-01T02:00:00+02:00", "play_count": -1}
    row |= {"position": -5, "position_since": "2026-01-01T00:00:00Z", "rating": 10**400, "rated_since": "2026-01-01T00:00:00Z"}
    entry = entry_of(row)
    assert entry.keys == {"movie/imdb/tt0137523", "movie/tmdb/550"}
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert entry.claims == Claims(View(start, True, None, 0), Spot(start, 0), Rating(start, 10.0))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"type": "song"}, "type song"),
        ({"type": None}, "type is not a text"),
        ({"title": 7}, "title is not a text"),
        ({"year": "1999"}, "year is not a whole number"),
        ({"ids": {"imdb": "nonsense"}}, "no id that names it"),
        ({"ids": []}, "ids is not an object"),
        ({"ids": {}, "names": ["fight club"]}, "names has one that is none"),
        ({"ids": {}, "names": [7]}, "names has one that is none"),
        ({"ids": {"imdb": 137523}}, "ids has an id that is not a text"),
        ({"show_ids": {"tvdb": "1"}, "season": 1.5}, "season is not a whole number"),
        ({"other_numbers": {}}, "other_numbers is not a list"),
        ({"other_numbers": [1]}, "not an object"),
        ({"watched": "yes"}, "watched is neither"),
        ({"watched_since": "yesterday"}, "watched_since is not a time"),
        ({"watched_since": "2026-01-01T00:00:00"}, "time zone"),
        ({"play_count": True}, "play_count is not a whole number"),
        ({"position": 5}, "position_since is not a text"),
        ({"watched_since": "0001-01-01T00:00:00+14:00"}, "watched_since is not a time"),
        ({"last_watched": "9999-12-31T23:59:59-12:00"}, "last_watched is not a time"),
        ({"play_count": 10**30}, "play_count is larger than"),
        ({"position": -(10**30), "position_since": "2026-01-01T00:00:00Z"}, "position is larger than"),
        ({"title": "\ud83c"}, "title is not a text"),
        ({"ids": {"me.custom.agent": "\ud83c"}}, "an id or a name is not a text"),
        ({"rating": "good", "rated_since": "2026-01-01T00:00:00Z"}, "rating is not a number"),
    ],
)
def test_a_broken_line_is_named(change: dict[str, Any], why: str) -> None:
    """One broken line, and nothing of the file counts."""
    text = json.dumps({"format": "plex_watchsync", "version": 1, "created": CREATED.isoformat(), "viewer": "Anna", "items": [FILM, {**FILM, **change}]})
    with pytest.raises(PortableError, match=rf"item 2: .*{why}"):
        loaded(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ('{"format": "plex_watchsync", "version": 1, "items": [', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"rating": NaN}', "not JSON: NaN is not a number"),
        ('{"rating": -Infinity}', "not JSON: -Infinity is not a number"),
        ("[]", "not a backup"),
        ('{"format": "other", "version": 1, "items": []}', "not a backup"),
        ('{"format": "plex_watchsync", "version": 1}', "not a backup"),
        ('{"format": "plex_watchsync", "version": 2, "items": []}', "version 2 is not known"),
        ('{"format": "plex_watchsync", "version": 1, "items": [7]}', "item 1: not an object"),
        ('{"format": "plex_watchsync", "version": 1, "items": []}', "viewer is not a text"),
        ('{"format": "plex_watchsync", "version": 1, "items": [], "viewer": "a", "created": "9999-12-31T23:59:59-12:00"}', "created is not a time"),
    ],
)
def test_a_broken_file_is_refused(text: str, why: str) -> None:
    with pytest.raises(PortableError, match=why):
        loaded(text)
