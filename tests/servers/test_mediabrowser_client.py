"""What is asked of Jellyfin and Emby, and what follows from each answer; the answers are scripted."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from custom_components.plex_watchsync.ports import (
    AuthFailed,
    Forbidden,
    ItemNotFound,
    NotAMediaServer,
    OtherServerKind,
    ServerError,
    ServerKind,
    ServerUnavailable,
    ServerUser,
    UnexpectedAnswer,
)
from custom_components.plex_watchsync.servers import Connection
from custom_components.plex_watchsync.servers.mediabrowser import jellyfin as jellyfin_module
from custom_components.plex_watchsync.servers.mediabrowser.client import headers, identify, log_in
from custom_components.plex_watchsync.servers.mediabrowser.emby import EmbyServer
from custom_components.plex_watchsync.servers.mediabrowser.jellyfin import JellyfinServer
from custom_components.plex_watchsync.sync.model import Observation, WatchState

NOW = datetime(2026, 11, 3, 20, 0, tzinfo=UTC)
SEEN = datetime(2026, 10, 1, 18, 30, tzinfo=UTC)
ANNA, BOB = "a" * 32, "b" * 32
FILMS = {"Id": "films", "Name": "Films", "Type": "CollectionFolder", "CollectionType": "movies"}
SHOWS = {"Id": "shows", "Name": "Shows", "Type": "CollectionFolder", "CollectionType": "tvshows"}
type Answer = Any | Callable[[dict[str, str], Any], Any]


@dataclass
class Request:
    """One request as it was sent."""

    method: str
    path: str
    params: dict[str, str]
    body: Any


class Script:
    """Stands where the HTTP client does; answers are values, errors to raise, or functions of parameters and body."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        """Answer by `METHOD /path`; what is not named is unknown."""
        self.answers = dict(answers)
        self.sent: list[Request] = []
        self.skew = timedelta()
        self.listing = asyncio.Lock()

    async def json(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None, **_: Any) -> Any:
        """Answer a request."""
        self.sent.append(Request(method, path, dict(params or {}), body))
        answer = self.answers.get(f"{method} {path}", ItemNotFound(path))
        if isinstance(answer, ServerError):
            raise answer
        return answer(dict(params or {}), body) if callable(answer) else answer

    def writes(self) -> list[tuple[str, str, Any]]:
        """Return what was sent to change something."""
        return [(one.method, one.path, one.body or one.params) for one in self.sent if one.method != "GET"]


def connection(kind: ServerKind, user_id: str | None = ANNA) -> Connection:
    """Return how to reach the scripted server."""
    return Connection(kind, "http://media.test", "token-1", "device-1", user_id)


def jellyfin(answers: Mapping[str, Answer], user_id: str | None = ANNA) -> tuple[JellyfinServer, Script]:
    """Return a Jellyfin that follows the script."""
    script = Script({"GET /UserViews": {"Items": [FILMS, SHOWS]}} | dict(answers))
    return JellyfinServer(script, connection(ServerKind.JELLYFIN, user_id), lambda: NOW), script  # type: ignore[arg-type]


def emby(answers: Mapping[str, Answer], user_id: str | None = ANNA) -> tuple[EmbyServer, Script]:
    """Return an Emby that follows the script."""
    script = Script({f"GET /emby/Users/{ANNA}/Views": {"Items": [FILMS, SHOWS]}} | dict(answers))
    return EmbyServer(script, connection(ServerKind.EMBY, user_id), lambda: NOW), script  # type: ignore[arg-type]


def film(number: int, **data: Any) -> dict[str, Any]:
    """Return a row of a film."""
    record = {"Played": False, "PlaybackPositionTicks": 0, "PlayCount": 0} | data
    return {
        "Id": f"{number:032x}",
        "Type": "Movie",
        "Name": f"Film {number}",
        "ProviderIds": {"Imdb": f"tt{number:07}"},
        "UserData": record,
    }


def episode(number: int, show: str) -> dict[str, Any]:
    """Return a row of an episode."""
    return film(number) | {"Type": "Episode", "ProviderIds": {}, "SeriesId": show, "ParentIndexNumber": 1, "IndexNumber": number}


def paged(rows: list[dict[str, Any]]) -> Callable[[dict[str, str], Any], Any]:
    """Answer listings as both servers do, whatever the case of the parameters' names."""

    def answer(params: dict[str, str], _body: Any) -> Any:
        asked = {name.lower(): value for name, value in params.items()}
        kinds, ids = asked.get("includeitemtypes", "").split(","), asked.get("ids")
        found = [row for row in rows if (row["Id"] in ids.split(",") if ids else row["Type"] in kinds)]
        start, limit = int(asked.get("startindex", 0)), int(asked.get("limit", 10**6))
        return {"Items": found[start : start + limit], "TotalRecordCount": len(found)}

    return answer


async def listed(server: JellyfinServer | EmbyServer, libraries: Collection[str]) -> list[Observation]:
    """Return a whole listing."""
    return [one async for page in server.list_items(libraries) for one in page]


def test_jellyfin_gets_one_header_with_encoded_values() -> None:
    """From 12.0 on every other header is ignored; a quote or comma in a value must not end it (server-apis §1.2)."""
    assert headers(ServerKind.JELLYFIN, 'a "b", c', "t/1") == {
        "Authorization": 'MediaBrowser Client="plex_watchsync", Device="plex_watchsync", DeviceId="a%20%22b%22%2C%20c", Version="1", Token="t%2F1"'
    }
    assert headers(ServerKind.EMBY, "d", "t")["X-Emby-Token"] == "t"
    assert "Token" not in headers(ServerKind.EMBY, "d")["X-Emby-Authorization"]


async def test_identify() -> None:
    """What is no server of this family is told apart from one that does not answer."""
    info = {"ServerName": "attic", "Version": "10.11.11", "ProductName": "Jellyfin Server", "Id": "ab12", "StartupWizardCompleted": True}
    found = await identify(Script({"GET /System/Info/Public": info}))  # type: ignore[arg-type]
    assert found is not None
    assert found.kind is ServerKind.JELLYFIN
    answers: list[Answer] = [[], {}, AuthFailed(""), UnexpectedAnswer(""), ItemNotFound("")]
    for answer in answers:
        assert await identify(Script({"GET /System/Info/Public": answer})) is None  # type: ignore[arg-type]
    with pytest.raises(ServerUnavailable):
        await identify(Script({"GET /System/Info/Public": ServerUnavailable("")}))  # type: ignore[arg-type]


async def test_identity_of_something_else() -> None:
    """A server that was replaced by another kind is told with what it is."""
    info = {"ServerName": "attic", "Version": "10.11.11", "ProductName": "Jellyfin Server", "Id": "ab12"}
    server, script = emby({"GET /System/Info/Public": info})
    with pytest.raises(OtherServerKind) as raised:
        await server.identity()
    assert raised.value.found is ServerKind.JELLYFIN
    script.answers["GET /System/Info/Public"] = {"hello": "world"}
    with pytest.raises(NotAMediaServer):
        await server.identity()


async def test_log_in() -> None:
    """The token and the user come back; an answer of another shape says nothing of the password."""
    script = Script({"POST /emby/Users/AuthenticateByName": {"AccessToken": "t-1", "User": {"Id": ANNA, "Name": "anna"}}})
    assert await log_in(script, ServerKind.EMBY, "anna", "pw") == ("t-1", ServerUser(ANNA, "anna"))  # type: ignore[arg-type]
    script.answers["POST /Users/AuthenticateByName"] = {"AccessToken": "t-1"}
    with pytest.raises(UnexpectedAnswer) as raised:
        await log_in(script, ServerKind.JELLYFIN, "anna", "pw")  # type: ignore[arg-type]
    assert "pw" not in str(raised.value)


async def test_jellyfin_users() -> None:
    """A plain user acts for himself; an administrator and an API key for all who are not switched off."""
    anna, bob = {"Id": ANNA, "Name": "anna"}, {"Id": BOB, "Name": "bob"}
    everyone = [anna, bob, {"Id": "c" * 32, "Name": "carl", "Policy": {"IsDisabled": True}}]
    both = (ServerUser(ANNA, "anna"), ServerUser(BOB, "bob"))
    server, script = jellyfin({"GET /Users/Me": bob, "GET /Users": everyone})
    assert await server.users() == (ServerUser(BOB, "bob"),)
    script.answers["GET /Users/Me"] = anna | {"Policy": {"IsAdministrator": True}}
    assert await server.users() == both
    script.answers["GET /Users/Me"] = UnexpectedAnswer("400")
    assert await server.users() == both
    script.answers["GET /Users/Me"] = AuthFailed("401")
    with pytest.raises(AuthFailed):
        await server.users()


async def test_jellyfin_without_a_chosen_user() -> None:
    """A user's token tells its own user; an API key has none."""
    server, script = jellyfin({"GET /Users/Me": {"Id": BOB, "Name": "bob"}}, None)
    await server.libraries()
    assert script.sent[-1].params == {"userId": BOB}
    server, _ = jellyfin({"GET /Users/Me": UnexpectedAnswer("400")}, None)
    with pytest.raises(UnexpectedAnswer):
        await server.libraries()


async def test_emby_users() -> None:
    """Only administrators and keys may list; others are asked for by the id that the log-in gave."""
    anna, bob = {"Id": ANNA, "Name": "anna"}, {"Id": BOB, "Name": "bob"}
    server, script = emby({"GET /emby/Users/Query": {"Items": [anna, bob]}, f"GET /emby/Users/{ANNA}": anna})
    assert await server.users() == (ServerUser(ANNA, "anna"), ServerUser(BOB, "bob"))
    script.answers["GET /emby/Users/Query"] = Forbidden("403")
    assert await server.users() == (ServerUser(ANNA, "anna"),)
    server, _ = emby({"GET /emby/Users/Query": AuthFailed("401")}, None)
    with pytest.raises(AuthFailed):
        await server.users()


async def test_jellyfin_listing() -> None:
    """Pages with an order, films and episodes apart, shows without user data and joined on (server-apis §3.2, pitfall 52)."""
    show = {"Id": "s1", "Type": "Series", "ProviderIds": {"Tvdb": "600000"}}
    server, script = jellyfin({"GET /Items": paged([film(number) for number in range(1, 6)] + [episode(7, "s1"), show])})
    server.page_size = 2
    found = await listed(server, {"films", "shows"})
    assert [one.library for one in found] == ["films"] * 5 + ["shows"]
    assert found[0].parts[0].keys
    assert found[5].parts[0].keys
    asked = [one.params for one in script.sent if one.path == "/Items"]
    assert [(one["includeItemTypes"], one["startIndex"]) for one in asked] == [
        ("Movie", "0"),
        ("Movie", "2"),
        ("Movie", "4"),
        ("Series", "0"),
        ("Episode", "0"),
    ]
    assert {one["enableUserData"] for one in asked if one["includeItemTypes"] == "Series"} == {"false"}
    assert all(one["sortBy"] and one["userId"] == ANNA and one["excludeLocationTypes"] == "Virtual" for one in asked)


async def test_emby_listing_asks_for_the_truth() -> None:
    """Rows lie about count and date unless two fields are named (server-apis §3.3)."""
    server, script = emby({f"GET /emby/Users/{ANNA}/Items": paged([film(1)])})
    assert len(await listed(server, {"films"})) == 1
    [asked] = [one.params for one in script.sent if one.path.endswith("/Items")]
    assert {"UserDataPlayCount", "UserDataLastPlayedDate", "ProviderIds"} <= set(asked["Fields"].split(","))
    assert asked["ParentId"] == "films"
    assert asked["SortBy"]


@pytest.mark.parametrize(
    "pages",
    [
        [([1, 2], 5), ([], 5)],  # cut off
        [([1, 2], 5), ([3, 4], 4), ([5], 5)],  # the total moved
        [([1, 2], 4), ([2, 3], 4)],  # a row came twice
        [([1, 1], 2)],
        [([1, 2], 1)],  # more rows than there are
        [([], 3)],
    ],
)
async def test_a_listing_that_does_not_add_up(pages: list[tuple[list[int], int]]) -> None:
    """R2, pitfalls 1, 11 and 41: nothing is concluded from it."""
    answers = iter([{"Items": [film(number) for number in numbers], "TotalRecordCount": total} for numbers, total in pages])
    server, _ = jellyfin({"GET /Items": lambda _params, _body: next(answers)})
    with pytest.raises(UnexpectedAnswer, match="R2"):
        await listed(server, {"films"})


@pytest.mark.parametrize("answer", [None, [], {}, {"Items": None}, {"Items": [{}], "TotalRecordCount": 1}, {"Items": [film(1)]}])
async def test_a_listing_of_another_shape(answer: Any) -> None:
    """Whatever comes, only errors of the tree leave."""
    server, _ = jellyfin({"GET /Items": answer})
    with pytest.raises(UnexpectedAnswer):
        await listed(server, {"films"})


async def test_an_error_on_a_later_page_ends_the_listing() -> None:
    """Pitfall 1: a page that fails is an error, not the end."""
    failure = ServerUnavailable("503")

    def answer(params: dict[str, str], _body: Any) -> Any:
        if params["startIndex"] != "0":
            raise failure
        return {"Items": [film(1)], "TotalRecordCount": 2}

    server, _ = jellyfin({"GET /Items": answer})
    with pytest.raises(ServerUnavailable):
        await listed(server, {"films"})


async def test_an_empty_library_is_complete() -> None:
    """No rows of none are all of them."""
    server, _ = jellyfin({"GET /Items": {"Items": [], "TotalRecordCount": 0}})
    assert await listed(server, {"films", "shows"}) == []


async def test_a_hidden_library_is_forbidden() -> None:
    """Jellyfin would answer 401 for it, which reads like a dead token."""
    server, script = jellyfin({"GET /Items": paged([])})
    with pytest.raises(Forbidden):
        await listed(server, {"films", "gone"})
    assert not [one for one in script.sent if one.path == "/Items"]


async def test_a_film_in_two_libraries_comes_once() -> None:
    """A folder can belong to two libraries; its items have one id."""
    more = FILMS | {"Id": "more"}
    server, _ = jellyfin({"GET /UserViews": {"Items": [FILMS, more]}, "GET /Items": paged([film(1)])})
    assert [one.library for one in await listed(server, {"films", "more"})] == ["films"]


async def test_read_by_id() -> None:
    """Through the listing's route, what is unknown left out, in requests that the server takes (W7, pitfalls 38, 44)."""
    known = [film(number) for number in range(1, 450)]
    server, script = jellyfin({"GET /Items": paged(known)})
    await listed(server, {"films"})
    script.sent.clear()
    found = await server.read_items([*(row["Id"].upper() for row in known), "d" * 32])
    assert {one.item_id for one in found} == {row["Id"] for row in known}
    assert [len(one.params["ids"].split(",")) for one in script.sent] == [200, 200, 50]
    assert {one.library for one in found} == {"films"}


async def test_read_by_id_of_an_item_that_no_listing_had() -> None:
    """Its library is asked for (I8), its show is read by id; one in no library is left out."""
    show = {"Id": "s1", "Type": "Series", "ProviderIds": {"Tvdb": "600000"}}
    row, lost = episode(3, "s1"), film(4)
    above = [{"Id": "s1", "Type": "Series"}, {"Id": "shows", "Type": "CollectionFolder"}, {"Id": "root", "Type": "AggregateFolder"}]
    script = {"GET /Items": paged([row, lost, show]), f"GET /Items/{row['Id']}/Ancestors": above, f"GET /Items/{lost['Id']}/Ancestors": []}
    server, _ = jellyfin(script)
    [found] = await server.read_items([row["Id"], lost["Id"], "e" * 32])
    assert (found.item_id, found.library) == (row["Id"], "shows")
    assert found.parts[0].keys


async def test_a_server_that_ignores_ids() -> None:
    """I7, pitfall 17: rows that nobody asked for are dropped."""
    server, _ = jellyfin({"GET /Items": {"Items": [film(1), film(2)], "TotalRecordCount": 2}, f"GET /Items/{2:032x}/Ancestors": [FILMS]})
    assert [one.item_id for one in await server.read_items([film(2)["Id"]])] == [film(2)["Id"]]


async def test_playing() -> None:
    """Own sessions of others' devices, also when watching along; our own device never plays (W2, R6)."""
    row = {"UserId": BOB, "DeviceId": "tv", "NowPlayingItem": {"Id": "i1", "Type": "Movie"}}
    sessions: list[Any] = [
        row,
        row | {"UserId": ANNA, "NowPlayingItem": {"Id": "i2", "Type": "Movie"}},
        row | {"AdditionalUsers": [{"UserId": ANNA}], "NowPlayingItem": {"Id": "i3", "Type": "Movie"}},
        row | {"UserId": ANNA, "DeviceId": "device-1", "NowPlayingItem": {"Id": "i4", "Type": "Movie"}},
        {"UserId": ANNA, "DeviceId": "phone"},
    ]
    server, script = jellyfin({"GET /Sessions": sessions})
    assert await server.playing() == {"i2", "i3"}
    script.answers["GET /Sessions"] = Forbidden("403")
    assert await server.playing() == frozenset()


WATCHED = WatchState(played=True, play_count=1, last_played=SEEN)


@pytest.mark.parametrize(
    ("wanted", "body"),
    [
        (WATCHED, {"Played": True, "PlayCount": 1, "LastPlayedDate": "2026-10-01T18:30:00Z", "PlaybackPositionTicks": 0}),
        (
            WatchState(played=True, position=600, play_count=2, last_played=SEEN),
            {"Played": True, "PlayCount": 2, "LastPlayedDate": "2026-10-01T18:30:00Z", "PlaybackPositionTicks": 6_000_000_000},
        ),
        (WatchState(position=600), {"Played": False, "PlayCount": 0, "LastPlayedDate": None, "PlaybackPositionTicks": 6_000_000_000}),
        (
            WatchState(played=True, play_count=1, last_played=datetime(2031, 1, 1, tzinfo=UTC)),
            {"Played": True, "PlayCount": 1, "LastPlayedDate": "2026-11-03T20:00:00Z", "PlaybackPositionTicks": 0},
        ),
    ],
)
async def test_jellyfin_writes_whole_records(wanted: WatchState, body: Any) -> None:
    """All four fields, cleaned, in one request that leaves the session alone (W7, W8, pitfalls 38, 49)."""
    server, script = jellyfin({"POST /UserItems/i1/UserData": {}})
    await server.write("i1", wanted, WatchState())
    assert script.writes() == [("POST", "/UserItems/i1/UserData", body)]
    assert script.sent[-1].params == {"userId": ANNA}


async def test_jellyfin_clears_by_delete() -> None:
    """UserData cannot take a date away (server-apis §4.2)."""
    server, script = jellyfin({"DELETE /UserPlayedItems/i1": {}})
    await server.write("i1", WatchState(), WATCHED)
    assert script.writes() == [("DELETE", "/UserPlayedItems/i1", {"userId": ANNA})]


async def test_jellyfin_clears_a_date_before_a_position() -> None:
    """Unwatched elsewhere and begun anew: neither the old date nor the old count stays."""
    server, script = jellyfin({"DELETE /UserPlayedItems/i1": {}, "POST /UserItems/i1/UserData": {}})
    await server.write("i1", WatchState(position=600), WATCHED)
    assert [(method, path) for method, path, _ in script.writes()] == [
        ("DELETE", "/UserPlayedItems/i1"),
        ("POST", "/UserItems/i1/UserData"),
    ]


async def test_jellyfin_cuts_a_position_at_the_run_time() -> None:
    """W8: servers store positions beyond the end as given; the run time is known from the listing."""
    row = film(1) | {"RunTimeTicks": 60_000_000_000}
    server, script = jellyfin({"GET /Items": paged([row]), f"POST /UserItems/{row['Id']}/UserData": {}})
    await listed(server, {"films"})
    await server.write(row["Id"], WatchState(position=9000), WatchState())
    assert script.sent[-1].body["PlaybackPositionTicks"] == 60_000_000_000


def emby_item(**data: Any) -> tuple[EmbyServer, Script]:
    """Return an Emby with one item that shows this record."""
    record = {"Played": False, "PlaybackPositionTicks": 0, "PlayCount": 0, "IsFavorite": True} | data
    item: Answer = {"Id": "28", "Type": "Movie", "RunTimeTicks": 60_000_000_000, "UserData": record}
    done: dict[str, Answer] = {
        f"POST /emby/Users/{ANNA}/PlayedItems/28": {},
        f"DELETE /emby/Users/{ANNA}/PlayedItems/28": {},
        f"POST /emby/Users/{ANNA}/Items/28/UserData": None,
    }
    return emby({f"GET /emby/Users/{ANNA}/Items/28": item} | done)


MARK, RECORD = f"/emby/Users/{ANNA}/PlayedItems/28", f"/emby/Users/{ANNA}/Items/28/UserData"
PLAYED: dict[str, Any] = {"Played": True, "PlayCount": 1, "LastPlayedDate": "2026-10-01T18:30:00.0000000Z"}
POSITION = {"PlaybackPositionTicks": 6_000_000_000, "IsFavorite": True}


@pytest.mark.parametrize(
    ("shown", "wanted", "writes"),
    [
        ({}, WATCHED, [("POST", MARK, {"DatePlayed": "20261001183000"})]),
        ({"PlaybackPositionTicks": 6_000_000_000}, WATCHED, [("POST", MARK, {"DatePlayed": "20261001183000"})]),
        ({}, WatchState(played=True, play_count=1), [("POST", MARK, {})]),
        (PLAYED, WATCHED, []),
        (PLAYED, WatchState(), [("DELETE", MARK, {})]),
        ({}, WatchState(position=600), [("POST", RECORD, POSITION | {"Played": False, "PlayCount": 0})]),
        (
            {"PlaybackPositionTicks": 6_000_000_000},
            WatchState(),
            [("POST", RECORD, POSITION | {"Played": False, "PlayCount": 0, "PlaybackPositionTicks": 0})],
        ),
        (
            {},
            WatchState(played=True, position=600, play_count=1, last_played=SEEN),
            [
                ("POST", MARK, {"DatePlayed": "20261001183000"}),
                ("POST", RECORD, POSITION | {"Played": True, "PlayCount": 1, "LastPlayedDate": "2026-10-01T18:30:00Z"}),
            ],
        ),
        (
            PLAYED,
            WatchState(played=True, position=600, play_count=1, last_played=SEEN),
            [("POST", RECORD, POSITION | {"Played": True, "PlayCount": 1, "LastPlayedDate": "2026-10-01T18:30:00Z"})],
        ),
        (PLAYED | {"PlayCount": 0, "LastPlayedDate": "2020-01-01T00:00:00Z"}, WATCHED, [("POST", MARK, {"DatePlayed": "20261001183000"})]),
        (PLAYED, WatchState(position=600), [("DELETE", MARK, {}), ("POST", RECORD, POSITION | {"Played": False, "PlayCount": 0})]),
    ],
)
async def test_emby_writes(shown: dict[str, Any], wanted: WatchState, writes: list[Any]) -> None:
    """A mark clears the position, so it goes first; the record's route resets what it is not told (server-apis §4.3, W4, W6)."""
    server, script = emby_item(**shown)
    await server.write("28", wanted, WatchState())
    assert script.writes() == writes


async def test_writing_to_an_item_that_is_gone() -> None:
    """Pitfall 44: final, not a fault to retry."""
    server, _ = emby({})
    with pytest.raises(ItemNotFound):
        await server.write("28", WATCHED, WatchState())
    other, _ = jellyfin({})
    with pytest.raises(ItemNotFound):
        await other.write("i1", WATCHED, WatchState())


def test_no_changes_are_asked_for_by_date() -> None:
    """Pitfall 16: Jellyfin's filters by date look at when the item was saved, not at who watched it."""
    sources = "".join(file.read_text() for file in Path(jellyfin_module.__file__).parent.glob("*.py") if file.name != "emby.py")
    assert "minDateLastSaved" not in sources
