"""What Jellyfin and Emby rows, records and times mean."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from custom_components.plex_watchsync.ports import Library, ServerIdentity, ServerKind, ServerTooOld, ServerUnavailable, UnexpectedAnswer
from custom_components.plex_watchsync.servers.mediabrowser.normalise import (
    Times,
    compact_id,
    external_ids,
    instant,
    is_watchable,
    observation,
    server_identity,
    understood,
    watch_state,
    watchable_libraries,
)
from custom_components.plex_watchsync.sync.identity import episode_keys, movie_keys
from custom_components.plex_watchsync.sync.model import MediaKind, WatchState
from tests.recordings import PAYLOADS, needs_recordings

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 11, 3, 20, 0, tzinfo=UTC)
TIMES = Times(NOW)
SHOWS = {"50000000000000000000000000000001": frozenset({"tvdb:600000"})}


def rows(name: str) -> list[Any]:
    """Return the rows of a page in the fixtures."""
    items: list[Any] = json.loads((FIXTURES / name).read_text())["Items"]
    return items


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-10-03T19:20:21.1234567Z", datetime(2026, 10, 3, 19, 20, 21, 123456, UTC)),
        ("2026-10-03T19:20:21.12Z", datetime(2026, 10, 3, 19, 20, 21, 120000, UTC)),
        ("2026-10-03T21:20:21+02:00", datetime(2026, 10, 3, 19, 20, 21, tzinfo=UTC)),
        ("2026-10-03T19:20:21", datetime(2026, 10, 3, 19, 20, 21, tzinfo=UTC)),
        ("0001-01-01T00:00:00.0000000Z", None),
        ("0001-01-01T00:00:00.0000000+01:00", None),
        ("9999-12-31T23:59:59-05:00", None),
        ("", None),
        (None, None),
    ],
)
def test_instant(text: str | None, at: datetime | None) -> None:
    """Times have up to seven digits and any offset, and are kept in UTC (pitfall 23); the year 1 is none (server-apis §6)."""
    assert instant(text) == at


def test_times_correct_skew_and_future() -> None:
    """A clock that is two minutes ahead is set back; a time in the future stays the same at every reading, and none is written (R7, W8)."""
    ahead = Times(NOW, timedelta(minutes=2))
    assert ahead.read("2026-11-03T19:00:00.9Z") == datetime(2026, 11, 3, 18, 58, tzinfo=UTC)
    assert ahead.read("2031-01-01T00:00:00Z") == datetime(2030, 12, 31, 23, 58, tzinfo=UTC)
    assert ahead.write(datetime(2031, 1, 1, tzinfo=UTC)) == NOW + timedelta(minutes=2)


def test_a_written_time_reads_back_the_same() -> None:
    """What is written by the server's clock comes back as it was meant (M3)."""
    behind, at = Times(NOW, timedelta(hours=-1)), datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    assert behind.read(behind.write(at).isoformat()) == at


def test_episode_while_watched_again() -> None:
    """Played with a position stays both; the record's own id, zeros on 10.10, plays no part."""
    seen = observation(rows("jellyfin_episodes.json")[0], "shows", SHOWS, TIMES)
    assert seen.item_id == "e0000000000000000000000000000101"
    assert seen.state == WatchState(played=True, position=660, play_count=2, last_played=datetime(2026, 10, 3, 19, 20, 21, tzinfo=UTC))
    assert seen.runtime == 2640
    assert [part.keys for part in seen.parts] == [episode_keys({"imdb:tt7000001", "tvdb:5000001"}, {"tvdb:600000"}, 1, 1)]
    assert str(seen.parts[0].media) == "Harbour Street S01E01 Part 1"


def test_a_file_of_two_episodes_has_no_episode_ids() -> None:
    """Whose the file's id is nobody knows: only show, season and episode count (I5)."""
    seen = observation(rows("jellyfin_episodes.json")[1], "shows", SHOWS, TIMES)
    assert [part.keys for part in seen.parts] == [episode_keys((), {"tvdb:600000"}, 1, number) for number in (2, 3)]
    assert all(part.keys for part in seen.parts)


@pytest.mark.parametrize(("first", "last"), [(4, 4), (4, 2), (4, 2019), (None, 5)])
def test_a_range_that_is_none_is_one_episode(first: int | None, last: int) -> None:
    """A last number that is not later, or absurdly late, comes from a misread file name."""
    row = rows("jellyfin_episodes.json")[1] | {"IndexNumber": first, "IndexNumberEnd": last}
    parts = observation(row, "shows", SHOWS, TIMES).parts
    assert [part.media.episode for part in parts] == [first]
    assert episode_keys({"tvdb:5000002"}, (), None, None) <= parts[0].keys


def test_a_shows_id_on_an_episode_marks_no_episode() -> None:
    """Pitfall 19: a tool that writes the show's id into every episode must not make them one item."""
    row = rows("jellyfin_episodes.json")[0] | {"ProviderIds": {"Tvdb": "600000"}}
    assert observation(row, "shows", SHOWS, TIMES).parts[0].keys == episode_keys((), {"tvdb:600000"}, 1, 1)


def test_virtual_rows_are_not_watchable() -> None:
    """A gap in a series can be marked but not watched (server-apis §3.2)."""
    assert [is_watchable(row) for row in rows("jellyfin_episodes.json")] == [True, True, False, True]


def test_dateless_negative_and_unmatched() -> None:
    """The year 1 is no date, a negative position is none, a row without ids is kept to be counted."""
    seen = observation(rows("jellyfin_episodes.json")[3], "shows", SHOWS, TIMES)
    assert seen.state == WatchState(play_count=1)
    assert [part.keys for part in seen.parts] == [frozenset()]


def test_ids_that_many_titles_share_are_no_keys() -> None:
    """A collection's id would make one item of a whole film series, a website is no id (I1, I3)."""
    film, unmatched = rows("emby_movies.json")
    assert external_ids(film) == {"imdb:tt9000028", "tmdb:800028"}
    assert observation(film, "films", {}, TIMES).parts[0].keys == movie_keys({"imdb:tt9000028", "tmdb:800028"})
    assert observation(unmatched, "films", {}, TIMES).parts[0].keys == frozenset()


def test_a_row_without_a_record_is_not_unplayed() -> None:
    """An API key without a user gets rows without UserData: an error, never an empty state (R2)."""
    row: Any = {name: value for name, value in rows("emby_movies.json")[0].items() if name != "UserData"}
    with pytest.raises(UnexpectedAnswer, match="KeyError"), understood("a row"):
        observation(row, "films", {}, TIMES)


def test_a_record_of_wrong_types_is_an_error() -> None:
    """What is not of the documented shape is told without its values."""
    with pytest.raises(UnexpectedAnswer) as raised, understood("a record"):
        watch_state({"Played": True, "LastPlayedDate": "secret"}, TIMES)
    assert "secret" not in str(raised.value)


def test_compact_id() -> None:
    """Dashed and upper-case ids are accepted (server-apis §3.2)."""
    assert compact_id("0FD35E3E-44D1-A583-596F-D5302F7927F4") == "0fd35e3e44d1a583596fd5302f7927f4"
    assert compact_id("28") == "28"


@pytest.mark.parametrize(
    ("view", "kinds"),
    [
        ({"Type": "CollectionFolder", "CollectionType": "movies"}, {MediaKind.MOVIE}),
        ({"Type": "CollectionFolder", "CollectionType": "tvshows"}, {MediaKind.EPISODE}),
        ({"Type": "CollectionFolder"}, {MediaKind.MOVIE, MediaKind.EPISODE}),
        ({"Type": "CollectionFolder", "CollectionType": "music"}, None),
        ({"Type": "CollectionFolder", "CollectionType": "boxsets"}, None),
        ({"Type": "Channel"}, None),
    ],
)
def test_libraries(view: Any, kinds: set[MediaKind] | None) -> None:
    """Libraries of films and shows are taken; one without a type is mixed, a channel is no library."""
    expected = () if kinds is None else (Library("v1", "Attic", frozenset(kinds)),)
    assert watchable_libraries([{"Id": "v1", "Name": "Attic"} | view]) == expected


JELLYFIN: Any = {
    "ServerName": "attic",
    "Version": "10.11.11",
    "ProductName": "Jellyfin Server",
    "Id": "ab12",
    "StartupWizardCompleted": True,
}
EMBY: Any = {"ServerName": "attic", "Version": "4.9.5.0", "Id": "cd34", "LocalAddresses": [], "RemoteAddresses": []}


def test_identities() -> None:
    """Only Jellyfin names its product (server-apis §2)."""
    assert server_identity(JELLYFIN) == ServerIdentity(ServerKind.JELLYFIN, "ab12", "attic", "10.11.11")
    assert server_identity(EMBY) == ServerIdentity(ServerKind.EMBY, "cd34", "attic", "4.9.5.0")
    assert server_identity(JELLYFIN | {"Version": "12.0.0-rc5"}) == ServerIdentity(ServerKind.JELLYFIN, "ab12", "attic", "12.0.0-rc5")
    assert server_identity({"ServerName": "something else"}) is None


@pytest.mark.parametrize(
    "info",
    [
        {"localAddress": "http://a.test", "serverName": "attic", "version": "10.11.11", "id": "ab12", "startupWizardCompleted": False},
        JELLYFIN | {"StartupWizardCompleted": False},
    ],
)
def test_a_starting_server_is_unavailable(info: Any) -> None:
    """Pitfall 40: the answer of a server that starts is neither another server's nor a new one's."""
    with pytest.raises(ServerUnavailable):
        server_identity(info)


@pytest.mark.parametrize("info", [JELLYFIN | {"Version": "10.8.13"}, EMBY | {"Version": "4.6.7.0"}])
def test_too_old(info: Any) -> None:
    """Jellyfin has the route for whole records since 10.9."""
    with pytest.raises(ServerTooOld) as raised:
        server_identity(info)
    assert raised.value.version == info["Version"]


@needs_recordings
@pytest.mark.parametrize("version", ["10.10.7", "10.11.11", "12.0-rc5"])
def test_recorded_listings(version: str) -> None:
    """Every row that a real server listed can be read, the double episode as two parts."""
    [listing] = (PAYLOADS / f"jellyfin-{version}-recorded" / "basic").glob("*-list-all.json")
    [shows] = (PAYLOADS / f"jellyfin-{version}-recorded" / "basic").glob("*-series.json")
    series = {row["Id"]: external_ids(row) for row in json.loads(shows.read_text())["body"]["Items"]}
    body = json.loads(listing.read_text())["body"]
    seen = [observation(row, "all", series, TIMES) for row in body["Items"] if is_watchable(row)]
    assert len(seen) == body["TotalRecordCount"] == 16
    assert sorted(len(one.parts) for one in seen)[-2:] == [1, 2]
    assert sum(1 for one in seen if any(part.keys for part in one.parts)) >= 12
    assert {one.runtime for one in seen} <= {1320, 5400, 200}


@needs_recordings
@pytest.mark.parametrize("version", ["10.10.7", "10.11.11", "12.0-rc5"])
def test_recorded_records(version: str) -> None:
    """Whatever people and tools did to a record, negative positions and dates in 2031 included, it reads as one that can be (W8)."""
    files = (PAYLOADS / f"jellyfin-{version}-recorded").glob("*/*.json")
    states = [watch_state(data, TIMES) for file in files for data in records(json.loads(file.read_text()).get("body"))]
    assert any(state.played and state.position for state in states)
    assert all(state.position >= 0 for state in states)
    assert any(state.last_played and state.last_played > NOW for state in states)  # kept as they are; cut where they count


def records(body: Any) -> list[Any]:
    """Find every record in an answer, however deep."""
    if isinstance(body, list):
        return [found for one in body for found in records(one)]
    if not isinstance(body, dict):
        return []
    own = [body] if {"Played", "PlaybackPositionTicks"} <= body.keys() else []
    return own + records(list(body.values()))
