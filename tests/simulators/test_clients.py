"""Clients that others wrote find in the simulated servers what they find in real ones."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from jellyfin_apiclient_python import JellyfinClient
from plexapi.exceptions import Unauthorized
from plexapi.server import PlexServer as PlexServerClient

from simulators.base import Shown, Simulator, serving
from simulators.catalogue import generate
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator

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
