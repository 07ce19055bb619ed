"""What every media server's client must do, whichever server it is: one class, run against each simulator."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import override

import aiohttp
import pytest

from custom_components.plex_watchsync.ports import (
    AuthFailed,
    CertificateInvalid,
    Forbidden,
    NotAMediaServer,
    OtherServerKind,
    RateLimited,
    ServerError,
    ServerKind,
    ServerUnavailable,
    UnexpectedAnswer,
    WatchServer,
)
from custom_components.plex_watchsync.servers import Connection, log_in, open_server, probe
from custom_components.plex_watchsync.sync.model import MediaKind, WatchState
from custom_components.plex_watchsync.sync.policy import Policy
from custom_components.plex_watchsync.sync.rating import DISLIKE, LIKE
from custom_components.plex_watchsync.sync.reconcile import shows
from simulators.base import Act, Faults, Simulator, serving

from .place import FILM, SECRET, SEEN, TITLES, Place, clock
from .reading import ReadingContract


class WatchServerContract(ReadingContract):
    """Subclasses say how to make the simulator."""

    @classmethod
    def make(cls) -> Simulator:
        """Make the simulator."""
        raise NotImplementedError

    @pytest.fixture
    async def place(self, socket_enabled: None) -> AsyncIterator[Place]:
        """Serve the simulator and sign in as anna."""
        async with self.placed() as place:
            yield place

    @asynccontextmanager
    async def placed(self, *, files: bool = False) -> AsyncIterator[Place]:
        """Serve the simulator and sign in as anna."""
        simulator = self.make()
        async with serving(simulator) as url, aiohttp.ClientSession() as session:
            yield Place(simulator, url, session, await self.sign_in(simulator, url, session, files=files))

    @override
    async def sign_in(
        self, simulator: Simulator, url: str, session: aiohttp.ClientSession, clock: Callable[[], datetime] = clock, *, files: bool = False
    ) -> WatchServer:
        """Sign in by what the server has."""
        credentials = simulator.credentials()
        if "token" in credentials:
            return open_server(session, Connection(self.kind, url, credentials["token"], "device-anna", "1", files=files), clock=clock)
        entered = await log_in(session, self.kind, url, "anna", SECRET, device_id="device-anna", verify_ssl=True)
        return open_server(session, Connection(self.kind, url, entered.token, "device-anna", entered.user.user_id, files=files), clock=clock)

    async def test_identity(self, place: Place) -> None:
        """The server says who it is, to strangers too."""
        identity = await place.server.identity()
        probed = await probe(place.session, place.url, self.kind, verify_ssl=True)
        assert (identity.kind, identity.name) == (self.kind, place.simulator.name)
        assert (probed.kind, probed.server_id) == (self.kind, identity.server_id)
        assert identity.server_id

    async def test_another_kind_of_server_is_named(self, place: Place) -> None:
        """Whoever expects another kind is told which one answers."""
        for other in set(ServerKind) - {self.kind}:
            with pytest.raises(OtherServerKind) as raised:
                await probe(place.session, place.url, other, verify_ssl=True)
            assert raised.value.found is self.kind

    async def test_users(self, place: Place) -> None:
        """Anna is among those that she may act for."""
        assert "anna" in [user.name for user in await place.server.users()]

    async def test_libraries(self, place: Place) -> None:
        """Films and shows are told apart."""
        libraries = {library.name: library.kinds for library in await place.server.libraries()}
        assert libraries == {"Movies": {MediaKind.MOVIE}, "Shows": {MediaKind.EPISODE}}

    async def test_everything_is_listed_once_with_its_ids(self, place: Place) -> None:
        """I1: a film by its ids, an episode by its own and by its show's with its number."""
        rows = await place.everything()
        assert len(rows) == len(TITLES)
        keys = {key for row in rows.values() for part in row.parts for key in part.keys}
        episode = next(title for title in TITLES if title.show)
        assert episode.show is not None
        assert f"movie/imdb/{FILM.ids['imdb']}" in keys
        assert f"movie/tmdb/{FILM.ids['tmdb']}" in keys
        assert f"episode/tvdb/{episode.ids['tvdb']}" in keys
        assert f"show/tvdb/{episode.show.ids['tvdb']}/{episode.season}/{episode.episode}" in keys
        assert not any(key.startswith("show/") and key.count("/") != 4 for key in keys)
        film = rows[place.item_id()]
        assert (film.parts[0].media.title, film.parts[0].media.year, film.runtime) == (FILM.name, FILM.year, FILM.runtime)

    async def test_paths_are_read_where_files_may_match(self, place: Place) -> None:
        """I6: and nowhere else, for they make listings larger."""
        assert {row.file for row in (await place.everything()).values()} == {None}
        async with self.placed(files=True) as other:
            [read] = await other.server.read_items([other.item_id()])
            rows = await other.everything()
            assert {read.file, rows[other.item_id()].file} == {read.file}
            assert read.file is not None
            assert read.file.endswith(FILM.path)

    async def test_reading_by_id(self, place: Place) -> None:
        """W7: the same row as in the listing; unknown ids are left out (I7)."""
        rows = await place.everything()
        some = sorted(rows)[:5]
        found = await place.server.read_items([*some, "999999"])
        assert {one.item_id: one for one in found} == {item_id: rows[item_id] for item_id in some}
        assert await place.server.read_items(["999999"]) == ()

    async def test_a_fresh_client_reads_an_episode_whole(self, place: Place) -> None:
        """An item that no listing had has its show's ids and its library too (I1, I8)."""
        rows = await place.everything()
        episode = next(row for row in rows.values() if row.parts[0].media.kind is MediaKind.EPISODE)
        fresh = await self.sign_in(place.simulator, place.url, place.session)
        assert await fresh.read_items([episode.item_id]) == (episode,)

    async def test_mark_watched(self, place: Place) -> None:
        """W4: with the date, where it is taken."""
        read = await place.write(WatchState(played=True, play_count=1, last_played=SEEN))
        assert read.played
        assert read.position == 0
        assert read.last_played is not None
        assert not place.server.traits.writes_date or read.last_played == SEEN
        assert next(row for row in place.simulator.shown("anna") if row.key == FILM.key).played

    async def test_mark_watched_twice(self, place: Place) -> None:
        """W6: a second write of the same changes nothing."""
        once = await place.write(WatchState(played=True, play_count=1, last_played=SEEN))
        assert await place.write(WatchState(played=True, play_count=1, last_played=once.last_played)) == once

    async def test_mark_unwatched(self, place: Place) -> None:
        """Nothing is left of a view that was taken away."""
        await place.write(WatchState(played=True, play_count=1, last_played=SEEN))
        assert await place.write(WatchState()) == WatchState()

    async def test_position(self, place: Place) -> None:
        """W3: forwards, backwards and away."""
        for position in (1500, 600, 0):
            wanted = WatchState(position=position, last_played=SEEN if position else None)
            assert shows(await place.write(wanted), wanted, Policy())

    async def test_position_of_a_rewatch(self, place: Place) -> None:
        """R5: watched, and somewhere in it again; then to its end."""
        wanted = WatchState(played=True, position=900, play_count=1, last_played=SEEN)
        assert shows(await place.write(wanted), wanted, Policy())
        wanted = WatchState(played=True, play_count=2, last_played=SEEN)
        assert shows(await place.write(wanted), wanted, Policy())

    async def test_a_position_goes_with_the_view(self, place: Place) -> None:
        """W3: half-way, then watched."""
        await place.write(WatchState(position=900, last_played=SEEN))
        wanted = WatchState(played=True, play_count=1, last_played=SEEN)
        assert shows(await place.write(wanted), wanted, Policy())

    async def test_rating(self, place: Place) -> None:
        """M4: up, down and taken back, beside a view that stays as it is; a server of thumbs shows thumbs."""
        view = WatchState(played=True, play_count=1, last_played=SEEN)
        shown = await place.write(view)
        for rating, thumb in ((8.0, LIKE), (3.0, DISLIKE), (None, None)):
            wanted = replace(shown, rating=thumb if place.server.traits.thumbs else rating)
            assert await place.write(wanted) == wanted

    async def test_a_rating_outlives_other_writes(self, place: Place) -> None:
        """M4, W7: no mark, no position and no unwatch sweeps it away."""
        rated = LIKE if place.server.traits.thumbs else 7.0
        for wanted in (WatchState(rating=rated), WatchState(position=900, last_played=SEEN, rating=rated), WatchState(True, 0, 1, SEEN, rated), WatchState()):
            shown = await place.write(replace(wanted, rating=rated))
            assert shows(shown, replace(wanted, rating=rated), Policy())
            assert shown.rating == rated

    async def test_what_a_person_rates_shows(self, place: Place) -> None:
        """M4: and what nobody rated has no rating."""
        assert (await place.read(place.item_id())).rating is None
        await place.simulator.rate_title("anna", FILM.key, 9)
        assert (await place.read(place.item_id())).rating == (LIKE if place.server.traits.thumbs else 9)
        assert (await place.everything())[place.item_id()].state.rating is not None
        await place.simulator.rate_title("anna", FILM.key, None)
        assert (await place.read(place.item_id())).rating is None

    async def test_what_a_person_does_shows(self, place: Place) -> None:
        """R1: played to its end, with a date of now."""
        before = clock() - timedelta(seconds=5)
        await place.simulator.act("anna", FILM.key, Act.PLAY)
        await place.simulator.act("anna", FILM.key, Act.FINISH)
        state = await place.read(place.item_id())
        assert state.played
        assert state.last_played is not None
        assert before <= state.last_played <= clock()

    async def test_playing(self, place: Place) -> None:
        """W2: what anna plays, and nothing once she stopped."""
        await place.simulator.act("anna", FILM.key, Act.PLAY)
        assert await place.server.playing() == {place.item_id()}
        await place.simulator.act("anna", FILM.key, Act.STOP, 300)
        assert await place.server.playing() == frozenset()

    @pytest.mark.parametrize(
        ("faults", "error"),
        [
            (Faults(offline=True), ServerUnavailable),
            (Faults(status=500), ServerUnavailable),
            (Faults(status=503, retry_after=7), ServerUnavailable),
            (Faults(status=429, retry_after=9), RateLimited),
            (Faults(status=401), AuthFailed),
            (Faults(status=403), Forbidden),
            (Faults(status=418), UnexpectedAnswer),
        ],
    )
    async def test_faults(self, place: Place, faults: Faults, error: type[ServerError]) -> None:
        """R2: every failure is an error of the right kind, of reads and of writes alike, without a secret in it."""
        place.simulator.faults = faults
        for call in (place.everything(), place.server.write(place.item_id(), WatchState(played=True), WatchState())):
            with pytest.raises(error) as raised:
                await call
            assert not {*place.simulator.credentials().values(), SECRET} & set(str(raised.value).split())
            if isinstance(raised.value, ServerUnavailable):
                assert raised.value.retry_after == faults.retry_after

    async def test_a_dead_token(self, place: Place) -> None:
        """Withdrawn credentials are told from a server that is away."""
        dead = open_server(place.session, Connection(self.kind, place.url, "0" * 32, "device-x", "1" * 32), clock=clock)
        with pytest.raises(AuthFailed):
            await dead.libraries()

    async def test_html_is_no_media_server(self, socket_enabled: None) -> None:
        """A router's page, for example."""
        async with page("<html>hello</html>") as url, aiohttp.ClientSession() as session:
            with pytest.raises(NotAMediaServer):
                await probe(session, url, self.kind, verify_ssl=True)

    async def test_nobody_there(self, socket_enabled: None) -> None:
        """A wrong port."""
        async with aiohttp.ClientSession() as session:
            with pytest.raises(ServerUnavailable):
                await probe(session, "http://127.0.0.1:9", self.kind, verify_ssl=True)

    async def test_plain_text_where_tls_is_expected(self, place: Place) -> None:
        """TLS at a port that speaks none."""
        with pytest.raises((CertificateInvalid, ServerUnavailable)):
            await probe(place.session, place.url.replace("http:", "https:"), self.kind, verify_ssl=True)

    async def test_a_read_only_server_is_seen_through(self, place: Place) -> None:
        """M3: a write that is accepted and ignored does not show."""
        place.simulator.faults = Faults(read_only=True)
        assert not (await place.write(WatchState(played=True, play_count=1, last_played=SEEN))).played


@asynccontextmanager
async def page(text: str) -> AsyncIterator[str]:
    """Serve one page on every path."""
    from aiohttp import web  # noqa: PLC0415 - only here

    async def show(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", show)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
