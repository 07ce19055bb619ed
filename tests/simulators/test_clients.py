"""Clients that others wrote find in the simulated servers what they find in real ones."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from queue import Queue
from time import sleep
from typing import Any

import pytest
from jellyfin_apiclient_python import JellyfinClient
from plexapi.exceptions import Unauthorized
from plexapi.server import PlexServer as PlexServerClient

from simulators.base import Shown, Simulator, serving
from simulators.catalogue import generate
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator

type Json = Any

PlexServer: Any = PlexServerClient  # without types
TITLES = generate(7, films=3, shows=1)
FILM, EPISODE = TITLES[0], TITLES[3]
WHEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("socket_enabled")


async def in_thread[T](work: Callable[[], T]) -> T:
    """Let a client that blocks run beside the server."""
    return await asyncio.to_thread(work)


def shown(simulator: Simulator, key: str) -> Shown:
    return next(row for row in simulator.shown("anna") if row.key == key)


async def test_plexapi() -> None:
    """Signs in with a token, lists by XML, filters, marks, sets a position, rates."""
    plex = PlexSimulator("study", TITLES, {"anna": "token-anna", "ben": "token-ben"})
    plex.stock("anna", EPISODE.key, played=True, count=2, date=WHEN)

    def work(url: str) -> None:
        with pytest.raises(Unauthorized):
            PlexServer(url, "wrong")
        server = PlexServer(url, "token-anna")
        assert (server.friendlyName, server.machineIdentifier) == ("study", plex.machine_identifier)
        films = server.library.section("Movies").all()
        assert {film.title for film in films} == {title.name for title in TITLES[:3]}
        assert {guid.id for guid in films[0].guids} == {f"{kind}://{value}" for kind, value in TITLES[0].ids.items()}
        [show] = server.library.section("Shows").all()
        assert [episode.seasonEpisode for episode in show.episodes()][:2] == ["s01e01", "s01e02"]
        [watched] = [episode for episode in show.episodes() if episode.isPlayed]
        assert (watched.viewCount, watched.lastViewedAt.astimezone(UTC)) == (2, WHEN)
        watched.markUnplayed()
        film = server.library.section("Movies").get(FILM.name)
        film.markPlayed()
        film.updateTimeline(600_000, state="stopped", duration=film.duration)
        film.rate(7.5)
        assert film.reload().viewCount == 1
        assert film.viewOffset == 600_000
        assert server.history() == []  # marks by hand write no history
        assert [account.name for account in server.systemAccounts()] == ["", "anna", "ben"]
        assert server.sessions() == []

    async with serving(plex) as url:
        await in_thread(lambda: work(url))
    assert not shown(plex, EPISODE.key).played
    assert shown(plex, FILM.key).played
    assert (shown(plex, FILM.key).position, shown(plex, FILM.key).rating) == (600, 7.5)


async def test_plexapi_marks_rates_and_reads_the_history() -> None:
    """Films, seasons and shows; positions by progress and by timeline, seen as a session; what was played is history, by account, title, time and library."""
    plex = PlexSimulator("study", TITLES, {"anna": "token-anna", "ben": "token-ben"})

    def work(url: str) -> None:
        server, own = PlexServer(url, "token-anna"), PlexServer(url, "token-ben")
        [show] = server.library.section("Shows").all()
        film = server.library.section("Movies").get(FILM.name)
        show.season(1).markPlayed()
        assert (show.reload().viewedLeafCount, show.leafCount, show.isPlayed) == (4, 8, False)
        show.markPlayed()
        assert show.reload().isPlayed
        assert {episode.viewCount for episode in show.episodes()} == {1, 2}
        show.markUnplayed()
        assert (show.reload().viewedLeafCount, [episode.title for episode in show.watched()]) == (0, [])
        film.updateProgress(300_000)
        assert (film.reload().viewOffset, film.viewCount, film.isPlayed) == (300_000, 0, False)
        for item in (film, show):
            assert (item.rate(9).reload().userRating, item.rate(None).reload().userRating) == (9, None)
        marked = len(server.history())
        film.updateTimeline(600_000, state="playing", duration=film.duration)
        assert [(one.title, one.viewOffset, one.usernames) for one in server.sessions()] == [(FILM.name, 600_000, ["anna"])]
        film.updateTimeline(film.duration, state="stopped", duration=film.duration)
        other = own.library.section("Movies").get(TITLES[1].name)
        other.updateTimeline(other.duration, state="stopped", duration=other.duration)
        assert [view.title for view in server.history()][: -marked or None] == [TITLES[1].name, FILM.name]
        assert [view.title for view in own.history()] == [TITLES[1].name]
        assert [view.title for view in film.history()] == [FILM.name]
        assert [view.accountID for view in server.history(accountID=1, librarySectionID=1)] == [1]
        assert len(show.history()) == marked == 12  # of shows and seasons that were marked
        assert len(server.history(maxresults=1)) == 1
        assert server.history(mindate=datetime(2100, 1, 1, tzinfo=UTC)) == []

    async with serving(plex) as url:
        await in_thread(lambda: work(url))


async def test_plexapi_hears_alerts() -> None:
    """The activity of a mark, what plays, and a title that comes."""
    plex, heard = PlexSimulator("study", TITLES, {"anna": "token-anna"}), Queue[Json]()

    def work(url: str) -> None:
        listener = PlexServer(url, "token-anna").startAlertListener(heard.put)
        film = PlexServer(url, "token-anna").library.section("Movies").get(FILM.name)
        while "GET /:/websockets/notifications" not in plex.requests:
            sleep(0.01)
        film.reload().markPlayed()
        activity = [heard.get(timeout=10) for _ in range(5)][-1]["ActivityNotification"][0]
        assert (activity["event"], activity["Activity"]["Context"]["key"]) == ("ended", film.key)
        film.updateTimeline(600_000, state="playing", duration=film.duration)
        [session] = heard.get(timeout=10)["PlaySessionStateNotification"]
        assert (session["ratingKey"], session["state"], session["viewOffset"]) == (str(film.ratingKey), "playing", 600_000)
        listener.stop()
        listener.join()

    async with serving(plex) as url:
        await in_thread(lambda: work(url))


def jellyfin_client(url: str) -> Any:
    client = JellyfinClient()
    client.config.app("Tests", "1.0", "shelf", "shelf-id")
    client.config.data["auth.ssl"] = False
    client.auth.connect_to_address(url)
    client.auth.login(url, "anna", "secret-anna")
    return client


async def test_jellyfin_apiclient_writes_records_and_asks_what_is_next() -> None:
    """User data whole and by parts, a mark with a date, hearts, what is begun, which episode is next."""
    jellyfin = JellyfinSimulator("attic", TITLES, {"anna": "secret-anna"})

    def work(url: str) -> None:
        api = jellyfin_client(url).jellyfin
        rows = api.user_items(params={"Recursive": True, "IncludeItemTypes": "Movie,Episode"})["Items"]
        film, other, _, *episodes = (row["Id"] for row in rows)
        api.update_userdata_for_item(film, {"Played": False, "PlayCount": 1, "PlaybackPositionTicks": 6_000_000_000, "LastPlayedDate": "2024-05-06T07:08:09Z"})
        found = api.get_userdata_for_item(film)
        assert (found["PlaybackPositionTicks"], found["LastPlayedDate"], found["ItemId"]) == (6_000_000_000, "2024-05-06T07:08:09Z", film)
        assert api.update_userdata_for_item(film, {"Rating": 7})["PlaybackPositionTicks"] == 6_000_000_000  # what is left out stays
        api.item_played(other, watched=True, date="2024-05-06T07:08:09Z")
        assert api.get_item(other)["UserData"]["LastPlayedDate"] == "2024-05-06T07:08:09Z"
        api.favorite(other)
        assert api.get_userdata_for_item(other)["IsFavorite"]
        assert [row["Id"] for row in api.get_resume_items()["Items"]] == [film]
        assert api.get_next()["Items"] == []
        for number, expected in ((0, 1), (3, 4), (6, 7)):
            api.item_played(episodes[number], watched=True)
            assert [row["Id"] for row in api.get_next()["Items"]] == [episodes[expected]]
        api.item_played(episodes[7], watched=True)
        assert api.get_next()["TotalRecordCount"] == 0

    async with serving(jellyfin) as url:
        await in_thread(lambda: work(url))


async def test_jellyfin_apiclient_hears_its_user() -> None:
    """By its socket, which it keeps alive as it is told to."""
    jellyfin, heard = JellyfinSimulator("attic", TITLES, {"anna": "secret-anna"}), Queue[tuple[str, Json]]()
    jellyfin.sockets.delay = 0.02

    def work(url: str) -> None:
        client = jellyfin_client(url)
        client.callback = lambda kind, data: heard.put((kind, data))
        client.wsc.start()
        assert heard.get(timeout=10)[0] == "WebSocketConnect"
        film = client.jellyfin.user_items(params={"Recursive": True, "IncludeItemTypes": "Movie"})["Items"][0]
        client.jellyfin.item_played(film["Id"], watched=True)
        kind, data = heard.get(timeout=10)
        assert (kind, data["UserId"]) == ("UserDataChanged", client.jellyfin.get_user()["Id"])
        assert [(row["Played"], row["PlayCount"]) for row in data["UserDataList"] if row["ItemId"] == film["Id"]] == [(True, 1)]
        client.wsc.stop_client()
        client.wsc.join(timeout=10)

    async with serving(jellyfin) as url:
        await in_thread(lambda: work(url))


async def test_jellyfin_apiclient() -> None:
    """Signs in with a password, lists, reads, marks, sets a position."""
    jellyfin = JellyfinSimulator("attic", TITLES, {"anna": "secret-anna", "ben": "secret-ben"})
    jellyfin.stock("anna", EPISODE.key, played=True, count=2, date=WHEN)

    def work(url: str) -> None:
        client = JellyfinClient()
        client.config.app("Tests", "1.0", "shelf", "shelf-id")
        client.config.data["auth.ssl"] = False
        assert client.auth.connect_to_address(url)["Servers"][0]["Id"] == jellyfin.server_id
        assert "AccessToken" not in client.auth.login(url, "anna", "wrong")
        assert client.auth.login(url, "anna", "secret-anna")["AccessToken"]
        api = client.jellyfin
        assert api.get_user()["Name"] == "anna"
        assert {view["Name"] for view in api.get_views()["Items"]} == {"Movies", "Shows"}
        listing = {"Recursive": True, "IncludeItemTypes": "Movie,Episode", "Fields": "ProviderIds"}
        rows = api.user_items(params=listing)
        assert rows["TotalRecordCount"] == len(TITLES)
        by_name = {row["Name"]: row for row in rows["Items"]}
        film = by_name[FILM.name]
        assert film["ProviderIds"] == {"Imdb": FILM.ids["imdb"], "Tmdb": FILM.ids["tmdb"]}
        [watched] = api.user_items(params=listing | {"Filters": "IsPlayed"})["Items"]
        assert watched["UserData"]["PlayCount"] == 2
        api.item_played(watched["Id"], watched=False)
        api.item_played(film["Id"], watched=True)
        assert api.get_item(film["Id"])["UserData"]["Played"]
        api.session_playing({"ItemId": film["Id"], "PositionTicks": 0})
        api.session_progress({"ItemId": film["Id"], "PositionTicks": 18_000_000_000})
        assert [one["NowPlayingItem"]["Name"] for one in api.sessions() if "NowPlayingItem" in one] == [FILM.name]
        api.session_stop({"ItemId": film["Id"], "PositionTicks": 18_000_000_000})

    async with serving(jellyfin) as url:
        await in_thread(lambda: work(url))
    assert not shown(jellyfin, EPISODE.key).played
    assert shown(jellyfin, FILM.key).position == 1800
