"""The simulated Emby behaves as the real one was seen to (server-apis §1.3, §2, §3.3, §4.3, §4.4)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession, ServerDisconnectedError

from simulators.base import Act, Faults, serving
from simulators.catalogue import Title, generate
from simulators.emby import EmbySimulator

type Json = Any

pytestmark = pytest.mark.usefixtures("socket_enabled")

NOW = datetime(2026, 11, 3, 19, 4, 5, 123456, tzinfo=UTC)
CLIENT = {"X-Emby-Authorization": 'MediaBrowser Client="Test", Device="Shelf", DeviceId="d-1", Version="1"'}
TITLES = generate(7, films=12, shows=2)
FILM, OTHER_FILM = TITLES[0], TITLES[1]
EPISODE = TITLES[12]
TRUE_FIELDS = {"Fields": "UserDataPlayCount,UserDataLastPlayedDate"}


class Emby:
    """A simulator, its address and a client of it that holds the API key."""

    def __init__(self, simulator: EmbySimulator, session: ClientSession, url: str) -> None:
        """Speak with this server."""
        self.simulator = simulator
        self.session = session
        self.url = url
        self.headers = {"X-Emby-Token": simulator.accounts.api_key}
        self.now = NOW

    @property
    def anna(self) -> str:
        return self.simulator.accounts.by_name["anna"].account_id

    def item(self, title: Title) -> str:
        return self.simulator.library.by_key[title.key].item_id

    async def send(self, method: str, path: str, **options: Json) -> tuple[int, Json]:
        options.setdefault("headers", self.headers)
        async with self.session.request(method, f"{self.url}/emby{path}", **options) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else await answer.text()

    async def get(self, path: str, **parameters: str) -> Json:
        status, answer = await self.send("GET", path, params=parameters)
        assert status == 200, answer
        return answer

    async def listing(self, **parameters: str) -> Json:
        return await self.get(f"/Users/{self.anna}/Items", Recursive="true", **parameters)

    async def truth(self, title: Title) -> Json:
        return (await self.get(f"/Users/{self.anna}/Items/{self.item(title)}"))["UserData"]

    async def mark(self, title: Title, **parameters: str) -> Json:
        status, answer = await self.send("POST", f"/Users/{self.anna}/PlayedItems/{self.item(title)}", params=parameters)
        assert status == 200, answer
        return answer

    async def user_data(self, title: Title, **body: Json) -> int:
        return (await self.send("POST", f"/Users/{self.anna}/Items/{self.item(title)}/UserData", json=body))[0]


@pytest.fixture
async def emby() -> AsyncIterator[Emby]:
    simulator = EmbySimulator("attic", TITLES, {"anna": "secret-anna", "bob": "secret-bob"})
    async with serving(simulator) as url, ClientSession() as session:
        client = Emby(simulator, session, url)
        simulator.clock = lambda: client.now
        yield client


@pytest.mark.parametrize(
    ("version", "addresses"),
    [
        ("4.7.14.0", {"LocalAddress", "WanAddress"}),
        ("4.8.11.0", {"LocalAddress", "WanAddress"}),
        ("4.9.5.0", {"LocalAddresses", "RemoteAddresses"}),
    ],
)
async def test_public_info_names_no_product_and_its_addresses_differ_by_version(emby: Emby, version: str, addresses: set[str]) -> None:
    emby.simulator.version = version
    info = await emby.get("/System/Info/Public")
    assert info.keys() == addresses | {"ServerName", "Version", "Id"}
    assert len(info["Id"]) == 32
    assert await emby.get("/System/Ping") == "Emby Server"


async def test_the_prefix_is_optional(emby: Emby) -> None:
    async with emby.session.get(f"{emby.url}/System/Info/Public") as answer:
        assert await answer.json() == await emby.get("/System/Info/Public")


async def log_in(emby: Emby, headers: dict[str, str], password: str = "secret-anna") -> tuple[int, Json]:
    return await emby.send("POST", "/Users/AuthenticateByName", json={"Username": "anna", "Pw": password}, headers=headers)


@pytest.mark.parametrize(
    ("headers", "password", "status", "text"),
    [
        ({}, "secret-anna", 400, "appName"),
        ({"X-Emby-Client": "Test"}, "secret-anna", 400, "reportedDeviceId"),
        (CLIENT, "wrong", 401, "Invalid username or password"),
    ],
)
async def test_a_log_in_that_fails_says_why(emby: Emby, headers: dict[str, str], password: str, status: int, text: str) -> None:
    answered, body = await log_in(emby, headers, password)
    assert (answered, text in body) == (status, True)


async def test_a_token_counts_wherever_it_stands(emby: Emby) -> None:
    status, answer = await log_in(emby, CLIENT)
    assert (status, answer.keys()) == (200, {"User", "SessionInfo", "AccessToken", "ServerId"})
    token, path = answer["AccessToken"], f"/Users/{answer['User']['Id']}"
    for headers in ({"X-Emby-Token": token}, {"X-MediaBrowser-Token": token}, {"Authorization": f'Emby Token="{token}"'}):
        assert (await emby.send("GET", path, headers=headers))[0] == 200
    assert (await emby.send("GET", path, headers={}, params={"api_key": token}))[0] == 200
    assert await emby.send("GET", path, headers={}) == (401, "Access token is invalid or expired.")
    emby.simulator.accounts.revoke("anna")
    assert (await emby.send("GET", path, headers={"X-Emby-Token": token}))[0] == 401


async def test_a_token_does_not_reveal_its_user(emby: Emby) -> None:
    assert (await emby.send("GET", "/Users/Me"))[0] == 500


async def test_only_an_administrator_may_see_or_act_for_others(emby: Emby) -> None:
    _, answer = await emby.send("POST", "/Users/AuthenticateByName", json={"Username": "bob", "Pw": "secret-bob"}, headers=CLIENT)
    bob = {"X-Emby-Token": answer["AccessToken"]}
    assert (await emby.send("GET", "/Users/Query", headers=bob))[0] == 403
    assert (await emby.send("GET", f"/Users/{emby.anna}/Views", headers=bob))[0] == 403
    assert [user["Name"] for user in (await emby.get("/Users/Query"))["Items"]] == ["anna", "bob"]


async def test_rows_lie_about_count_and_date_unless_asked_twice(emby: Emby) -> None:
    emby.simulator.stock("anna", FILM.key, played=True, count=3, date=NOW)
    plain = (await emby.listing(Ids=emby.item(FILM)))["Items"][0]["UserData"]
    assert plain == {"PlaybackPositionTicks": 0, "PlayCount": 0, "IsFavorite": False, "Played": True}
    asked = (await emby.listing(Ids=emby.item(FILM), **TRUE_FIELDS))["Items"][0]["UserData"]
    assert asked == await emby.truth(FILM) == {**plain, "PlayCount": 3, "LastPlayedDate": "2026-11-03T19:04:05.0000000Z"}


async def test_rows_lack_what_fields_do_not_name(emby: Emby) -> None:
    lacking = {"ProviderIds", "Path", "ProductionYear", "DateCreated", "PremiereDate"}
    row = (await emby.listing(Ids=emby.item(EPISODE)))["Items"][0]
    assert not lacking & row.keys()
    asked = (await emby.listing(Ids=emby.item(EPISODE), Fields=",".join(lacking)))["Items"][0]
    assert asked.keys() == row.keys() | lacking
    assert asked["ProviderIds"] == {"Tvdb": EPISODE.ids["tvdb"], "Imdb": EPISODE.ids["imdb"]}


async def test_a_listing_in_pages_has_every_row_once_and_no_start_index(emby: Emby) -> None:
    seen: list[str] = []
    for start in range(0, 28, 10):
        page = await emby.listing(IncludeItemTypes="Movie,Episode", StartIndex=str(start), Limit="10", SortBy="DateCreated,SortName")
        assert page.keys() == {"Items", "TotalRecordCount"}
        assert page["TotalRecordCount"] == 28
        seen += [row["Id"] for row in page["Items"]]
    assert sorted(seen) == sorted(emby.item(title) for title in TITLES)
    assert await emby.listing(IncludeItemTypes="Movie", Limit="0") == {"Items": [], "TotalRecordCount": 12}


async def test_a_library_and_a_series_can_be_listed_alone(emby: Emby) -> None:
    views = {view["CollectionType"]: view for view in (await emby.get(f"/Users/{emby.anna}/Views"))["Items"]}
    assert {view["Type"] for view in views.values()} == {"CollectionFolder"}
    series = (await emby.listing(ParentId=views["tvshows"]["Id"], IncludeItemTypes="Series", Fields="ProviderIds"))["Items"]
    assert EPISODE.show is not None
    assert {row["ProviderIds"]["Imdb"]: row["Name"] for row in series}[EPISODE.show.ids["imdb"]] == EPISODE.show.name
    episodes = await emby.listing(ParentId=series[0]["Id"], IncludeItemTypes="Episode")
    assert (episodes["TotalRecordCount"], {row["SeriesId"] for row in episodes["Items"]}) == (8, {series[0]["Id"]})
    assert (await emby.get(f"/Users/{emby.anna}/Items", ParentId=views["tvshows"]["Id"]))["TotalRecordCount"] == 2


async def test_what_a_query_does_not_know_is_ignored(emby: Emby) -> None:
    assert (await emby.listing(IncludeItemTypes="Movie", NeverHeardOf="1"))["TotalRecordCount"] == 12


async def test_filters(emby: Emby) -> None:
    emby.simulator.stock("anna", FILM.key, played=True)
    emby.simulator.stock("anna", OTHER_FILM.key, played=False, position=600)
    played = [await emby.listing(IncludeItemTypes="Movie", **one) for one in ({"IsPlayed": "true"}, {"Filters": "IsPlayed"})]
    assert [[row["Id"] for row in answer["Items"]] for answer in played] == [[emby.item(FILM)]] * 2
    assert (await emby.listing(IncludeItemTypes="Movie", IsPlayed="false"))["TotalRecordCount"] == 11
    assert [row["Id"] for row in (await emby.get(f"/Users/{emby.anna}/Items/Resume"))["Items"]] == [emby.item(OTHER_FILM)]
    found = await emby.listing(AnyProviderIdEquals=f"imdb.{FILM.ids['imdb']},tmdb.1")
    assert [row["Id"] for row in found["Items"]] == [emby.item(FILM)]


async def test_the_date_last_saved_for_the_user_moves_when_he_watches_or_unwatches(emby: Emby) -> None:
    emby.simulator.stock("anna", FILM.key, played=True)
    since = (emby.now - timedelta(minutes=1)).isoformat()
    assert (await emby.listing(MinDateLastSavedForUser=since))["TotalRecordCount"] == 0
    await emby.simulator.act("anna", FILM.key, Act.MARK_UNWATCHED)
    assert [row["Id"] for row in (await emby.listing(MinDateLastSavedForUser=since))["Items"]] == [emby.item(FILM)]
    assert (await emby.listing(MinDateLastSaved=since))["TotalRecordCount"] == 0


async def test_a_mark_without_a_date_happens_once(emby: Emby) -> None:
    emby.simulator.stock("anna", FILM.key, played=False, position=600)
    first = await emby.mark(FILM)
    assert first == {
        "PlaybackPositionTicks": 0,
        "PlayCount": 1,
        "IsFavorite": False,
        "LastPlayedDate": "2026-11-03T19:04:05.0000000Z",
        "Played": True,
    }
    emby.now += timedelta(hours=1)
    assert await emby.mark(FILM) == first


async def test_a_mark_takes_an_older_date_as_utc(emby: Emby) -> None:
    await emby.mark(FILM)
    assert (await emby.mark(FILM, DatePlayed="20240229120000"))["LastPlayedDate"] == "2024-02-29T12:00:00.0000000Z"
    assert (await emby.send("POST", f"/Users/{emby.anna}/PlayedItems/{emby.item(FILM)}", params={"DatePlayed": "soon"}))[0] == 400


@pytest.mark.parametrize(("method", "suffix"), [("DELETE", ""), ("POST", "/Delete")])
async def test_an_unmark_leaves_nothing_and_may_be_repeated(emby: Emby, method: str, suffix: str) -> None:
    emby.simulator.stock("anna", FILM.key, played=True, position=60, count=3, date=NOW)
    for _ in range(2):
        answer = await emby.send(method, f"/Users/{emby.anna}/PlayedItems/{emby.item(FILM)}{suffix}")
        assert answer == (200, {"PlaybackPositionTicks": 0, "PlayCount": 0, "IsFavorite": False, "Played": False})


async def test_a_mark_of_a_series_marks_its_episodes(emby: Emby) -> None:
    series = (await emby.listing(Ids=emby.item(EPISODE)))["Items"][0]["SeriesId"]
    status, answer = await emby.send("POST", f"/Users/{emby.anna}/PlayedItems/{series}")
    assert (status, answer) == (
        200,
        {"UnplayedItemCount": 0, "PlaybackPositionTicks": 0, "PlayCount": 0, "IsFavorite": False, "Played": True},
    )
    episodes = await emby.get(f"/Shows/{series}/Episodes", UserId=emby.anna)
    assert [row["UserData"]["Played"] for row in episodes["Items"]] == [True] * 8


async def test_user_data_resets_what_it_leaves_out_but_the_count_and_the_date(emby: Emby) -> None:
    emby.simulator.stock("anna", FILM.key, played=True, count=2, date=NOW)
    assert await emby.user_data(FILM, PlaybackPositionTicks=6000000000) == 204
    left = await emby.truth(FILM)
    assert (left["Played"], left["PlayCount"], left["LastPlayedDate"]) == (False, 2, "2026-11-03T19:04:05.0000000Z")
    assert await emby.user_data(FILM, Played=True, PlaybackPositionTicks=0, PlayCount=5, LastPlayedDate="2025-01-02T03:04:05Z") == 204
    left = await emby.truth(FILM)
    assert (left["Played"], left["PlayCount"], left["LastPlayedDate"]) == (True, 5, "2025-01-02T03:04:05.0000000Z")
    assert await emby.user_data(FILM, PlaybackPositionTicks="half") == 400


async def test_a_favourite_is_kept_only_when_it_is_sent_along(emby: Emby) -> None:
    await emby.send("POST", f"/Users/{emby.anna}/FavoriteItems/{emby.item(FILM)}")
    assert (await emby.mark(FILM))["IsFavorite"] is True
    await emby.user_data(FILM, Played=True)
    assert (await emby.truth(FILM))["IsFavorite"] is False


@pytest.mark.parametrize(("share", "played", "kept"), [(0.01, False, False), (0.5, False, True), (0.89, False, True), (0.91, True, False), (1.0, True, False)])
async def test_where_a_player_stops_decides(emby: Emby, share: float, played: bool, kept: bool) -> None:
    at = int(FILM.runtime * share)
    await emby.simulator.act("anna", FILM.key, Act.STOP, at)
    shown = emby.simulator.shown("anna")[0]
    assert (shown.played, shown.position, shown.count, shown.date) == (played, at if kept else 0, 1, NOW.replace(microsecond=0))


async def test_a_clip_is_played_after_a_moment(emby: Emby) -> None:
    clip = replace(FILM, name="Clip", runtime=100)
    await emby.simulator.add(clip)
    await emby.simulator.act("anna", clip.key, Act.STOP, 10)
    shown = next(row for row in emby.simulator.shown("anna") if row.key == clip.key)
    assert (shown.played, shown.position) == (True, 0)


async def test_a_film_that_was_played_stays_so_while_it_is_watched_again(emby: Emby) -> None:
    emby.simulator.stock("anna", FILM.key, played=True, count=1, date=NOW - timedelta(days=9))
    await emby.simulator.act("anna", FILM.key, Act.STOP, FILM.runtime // 2)
    shown = emby.simulator.shown("anna")[0]
    assert (shown.played, shown.position, shown.count) == (True, FILM.runtime // 2, 2)


async def test_a_player_reports_through_its_session(emby: Emby) -> None:
    _, login = await log_in(emby, CLIENT)
    headers, item = {"X-Emby-Token": login["AccessToken"]}, {"ItemId": emby.item(FILM)}
    report = {**item, "PositionTicks": 6000000000}
    assert (await emby.send("POST", "/Sessions/Playing/Progress", json=report, headers=headers))[0] == 400
    assert (await emby.send("POST", "/Sessions/Playing", json=item, headers=headers))[0] == 204
    assert (await emby.truth(FILM))["PlayCount"] == 1
    assert (await emby.send("POST", "/Sessions/Playing/Progress", json=report, headers=headers))[0] == 204
    playing = [session["NowPlayingItem"]["Id"] for session in await emby.get("/Sessions") if "NowPlayingItem" in session]
    assert playing == [emby.item(FILM)]
    assert (await emby.send("POST", "/Sessions/Playing/Stopped", json=report, headers=headers))[0] == 204
    assert (await emby.truth(FILM))["PlaybackPositionTicks"] == 6000000000
    assert not [session for session in await emby.get("/Sessions") if "NowPlayingItem" in session]


async def test_another_title_ends_the_one_before(emby: Emby) -> None:
    await emby.simulator.act("anna", FILM.key, Act.PLAY, FILM.runtime // 2)
    await emby.simulator.act("anna", OTHER_FILM.key, Act.PLAY)
    first, second, *_ = emby.simulator.shown("anna")
    assert (first.playing, first.position, second.playing) == (False, FILM.runtime // 2, True)


async def test_several_episodes_in_one_file_are_one_row(emby: Emby) -> None:
    await emby.simulator.add(replace(EPISODE, episode=7, last_episode=8, path="Shows/double.mkv"))
    row = (await emby.listing(IncludeItemTypes="Episode", SortBy="DateCreated", SortOrder="Descending"))["Items"][0]
    assert (row["ParentIndexNumber"], row["IndexNumber"], row["IndexNumberEnd"]) == (EPISODE.season, 7, 8)


async def test_a_file_that_returns_has_a_new_id_and_its_old_record(emby: Emby) -> None:
    emby.simulator.stock("anna", FILM.key, played=True, count=1)
    before = emby.item(FILM)
    await emby.simulator.remove(FILM.key)
    assert (await emby.send("GET", f"/Users/{emby.anna}/Items/{before}"))[0] == 404
    after = await emby.simulator.add(FILM)
    assert after != before
    assert (await emby.truth(FILM))["Played"] is True


async def test_a_hidden_library_hides_its_items(emby: Emby) -> None:
    emby.simulator.accounts.by_name["anna"].hidden.add("Movies")
    assert [view["Name"] for view in (await emby.get(f"/Users/{emby.anna}/Views"))["Items"]] == ["Shows"]
    assert (await emby.listing(IncludeItemTypes="Movie"))["TotalRecordCount"] == 0
    assert (await emby.send("POST", f"/Users/{emby.anna}/PlayedItems/{emby.item(FILM)}"))[0] == 404


async def test_ancestors_lead_up_to_the_library(emby: Emby) -> None:
    above = await emby.get(f"/Items/{emby.item(EPISODE)}/Ancestors", UserId=emby.anna)
    assert [folder["Type"] for folder in above] == ["Season", "Series", "CollectionFolder"]


async def test_a_read_only_server_accepts_writes_and_forgets_them(emby: Emby) -> None:
    emby.simulator.faults = Faults(read_only=True)
    assert (await emby.mark(FILM))["Played"] is False
    assert await emby.user_data(FILM, Played=True) == 204
    _, login = await log_in(emby, CLIENT)
    headers, report = {"X-Emby-Token": login["AccessToken"]}, {"ItemId": emby.item(FILM), "PositionTicks": 6000000000}
    for call in ("", "/Progress", "/Stopped"):
        assert (await emby.send("POST", f"/Sessions/Playing{call}", json=report, headers=headers))[0] == 204
    assert emby.simulator.shown("anna") == EmbySimulator("attic", TITLES, {"anna": "x"}).shown("anna")


async def test_a_truncated_page_tells_the_whole_total(emby: Emby) -> None:
    emby.simulator.faults = Faults(truncate=True)
    page = await emby.listing(IncludeItemTypes="Movie")
    assert (len(page["Items"]), page["TotalRecordCount"]) == (11, 12)


async def test_an_unplugged_server_hangs_up(emby: Emby) -> None:
    emby.simulator.faults = Faults(offline=True)
    with pytest.raises(ServerDisconnectedError):
        await emby.get("/System/Info/Public")


async def test_answers_carry_the_time_of_the_servers_own_clock(emby: Emby) -> None:
    async with emby.session.get(f"{emby.url}/System/Ping") as answer:
        assert answer.headers["Date"] == "Tue, 03 Nov 2026 19:04:05 GMT"


def test_the_same_titles_get_the_same_ids_on_every_start() -> None:
    first, second = (EmbySimulator("attic", TITLES, {"anna": "x"}) for _ in range(2))
    assert first.shown("anna") == second.shown("anna")
    assert (first.server_id, first.accounts.by_id.keys()) == (second.server_id, second.accounts.by_id.keys())
    assert all(row.item_id.isdecimal() for row in first.shown("anna"))


async def test_credentials_open_the_door(emby: Emby) -> None:
    typed = emby.simulator.credentials()
    assert (await log_in(emby, CLIENT, typed["password"]))[0] == 200
    assert (await emby.send("GET", "/Users/Query", headers={"X-Emby-Token": typed["api_key"]}))[0] == 200
    with pytest.raises(KeyError):
        await emby.simulator.act("carl", FILM.key, Act.PLAY)
