"""The Emby client against the simulated server of each version."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import ClientSession

from custom_components.plex_watchsync.ports import (
    AuthFailed,
    Forbidden,
    ItemNotFound,
    RateLimited,
    ServerError,
    ServerKind,
    ServerUnavailable,
    UnexpectedAnswer,
)
from custom_components.plex_watchsync.servers import Connection, log_in, open_server, probe
from custom_components.plex_watchsync.servers.mediabrowser import EmbyServer
from custom_components.plex_watchsync.sync.model import MediaKind, Observation, WatchState
from simulators.base import Act, Faults, serving
from simulators.catalogue import generate
from simulators.emby import EmbySimulator

pytestmark = pytest.mark.usefixtures("socket_enabled")

VERSIONS = ("4.7.14.0", "4.8.11.0", "4.9.5.0")
SEEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
UNWATCHED = WatchState()


@pytest.fixture(params=VERSIONS)
def simulator(request: pytest.FixtureRequest) -> EmbySimulator:
    """Return a server with films and shows; anna is its administrator, bob is not."""
    return EmbySimulator("attic", generate(1, 12, 2), {"anna": "pa", "bob": "pb"}, version=request.param)


@asynccontextmanager
async def signed_in(simulator: EmbySimulator, name: str = "bob", password: str = "pb") -> AsyncGenerator[EmbyServer]:
    """Open the server as one of its users, with pages so small that every listing has several."""
    async with serving(simulator) as url, ClientSession() as session:
        given = await log_in(session, ServerKind.EMBY, url, name, password, device_id=f"device-{name}", verify_ssl=True)
        connection = Connection(ServerKind.EMBY, url, given.token, f"device-{name}", given.user.user_id)
        server = open_server(session, connection, clock=lambda: datetime.now(UTC))
        assert isinstance(server, EmbyServer)
        server.page_size = 5
        yield server


async def listed(server: EmbyServer) -> list[Observation]:
    """Return everything that the user sees."""
    libraries = [library.library_id for library in await server.libraries()]
    return [one async for page in server.list_items(libraries) for one in page]


async def test_who_is_there(simulator: EmbySimulator) -> None:
    """The server, its users as far as one may act for them, and its libraries (server-apis §2)."""
    async with signed_in(simulator) as server:
        identity = await server.identity()
        assert (identity.kind, identity.server_id, identity.version) == (ServerKind.EMBY, simulator.server_id, simulator.version)
        assert [user.name for user in await server.users()] == ["bob"]
        assert {library.kinds for library in await server.libraries()} == {frozenset({MediaKind.MOVIE}), frozenset({MediaKind.EPISODE})}
    async with signed_in(simulator, "anna", "pa") as server:
        assert [user.name for user in await server.users()] == ["anna", "bob"]


async def test_probe(simulator: EmbySimulator) -> None:
    """Emby is found without a log-in."""
    async with serving(simulator) as url, ClientSession() as session:
        assert (await probe(session, url, ServerKind.EMBY, verify_ssl=True)).server_id == simulator.server_id


async def test_listing(simulator: EmbySimulator) -> None:
    """Every title once, with keys, and with the true count and date that rows hide unless asked (server-apis §3.3)."""
    film = simulator.titles[0]
    simulator.stock("bob", film.key, played=True, count=3, date=SEEN)
    async with signed_in(simulator) as server:
        found = await listed(server)
    assert {one.item_id for one in found} == {row.item_id for row in simulator.shown("bob")}
    assert len(found) == len(simulator.titles)
    assert all(part.keys for one in found for part in one.parts)
    [seen] = [one for one in found if one.parts[0].media.title == film.name]
    assert seen.state == WatchState(played=True, play_count=3, last_played=SEEN)
    assert seen.runtime == film.runtime


async def test_a_cut_listing_is_an_error(simulator: EmbySimulator) -> None:
    """R2, pitfall 1: rows are missing, and nothing says which."""
    async with signed_in(simulator) as server:
        simulator.faults.truncate = True
        with pytest.raises(UnexpectedAnswer, match="R2"):
            await listed(server)


async def test_writes_are_read_back(simulator: EmbySimulator) -> None:
    """Whatever is shown, what is wanted is shown after it, and once more changes nothing (W4, W6, W7)."""
    async with signed_in(simulator) as server:
        item = simulator.shown("bob")[0].item_id
        shown = UNWATCHED
        for wanted in (
            WatchState(played=True, play_count=1, last_played=SEEN),
            WatchState(played=True, position=600, play_count=2, last_played=SEEN),
            WatchState(played=True, play_count=2, last_played=SEEN),
            UNWATCHED,
            WatchState(position=700),
            WatchState(played=True, play_count=1, last_played=SEEN),
            WatchState(position=300),
        ):
            for _ in range(2):
                await server.write(item, wanted, shown)
                [found] = await server.read_items([item, "999999"])
                assert found.state == wanted
            shown = wanted


async def test_a_favourite_stays_one(simulator: EmbySimulator) -> None:
    """The record's route would take the flag away if it were not sent along (server-apis §4.3)."""
    account, item = simulator.accounts.by_name["bob"], next(iter(simulator.library.by_key.values()))
    simulator.favour(account, item, favourite=True)
    async with signed_in(simulator) as server:
        await server.write(item.item_id, WatchState(position=700), UNWATCHED)
    assert simulator.records.of(account.account_id, item).favourite


async def test_playing(simulator: EmbySimulator) -> None:
    """What bob plays, not what anna plays (W2)."""
    first, second = simulator.titles[0].key, simulator.titles[1].key
    async with signed_in(simulator) as server:
        await simulator.act("anna", second, Act.PLAY, 100)
        assert await server.playing() == frozenset()
        await simulator.act("bob", first, Act.PLAY, 100)
        assert await server.playing() == {simulator.library.by_key[first].item_id}
        await simulator.act("bob", first, Act.STOP, 200)
        assert await server.playing() == frozenset()


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (Faults(offline=True), ServerUnavailable),
        (Faults(status=401), AuthFailed),
        (Faults(status=403), Forbidden),
        (Faults(status=429, retry_after=7), RateLimited),
        (Faults(status=500), ServerUnavailable),
        (Faults(status=503, retry_after=7), ServerUnavailable),
        (Faults(status=200), UnexpectedAnswer),
    ],
)
async def test_faults(faults: Faults, error: type[ServerError]) -> None:
    """Every failure is one of the tree, tells what the server asked for, and names no token."""
    simulator = EmbySimulator("attic", generate(1, 3, 1), {"anna": "pa", "bob": "pb"})
    async with signed_in(simulator) as server:
        libraries = [library.library_id for library in await server.libraries()]
        token = server._http._headers["X-Emby-Token"]
        simulator.faults = faults
        with pytest.raises(error) as raised:
            [page async for page in server.list_items(libraries)]
    assert token not in repr(raised.value)
    if faults.retry_after is not None:
        assert getattr(raised.value, "retry_after", None) == faults.retry_after


async def test_what_bob_may_not_see() -> None:
    """A hidden item is unknown for good (pitfall 44), a hidden library is forbidden, another's records too."""
    simulator = EmbySimulator("attic", generate(1, 3, 1), {"anna": "pa", "bob": "pb"})
    item = next(row.item_id for row in simulator.shown("bob") if simulator.library.items[row.item_id].library.name == "Movies")
    async with signed_in(simulator) as server:
        movies = next(library.library_id for library in await server.libraries() if library.name == "Movies")
        simulator.accounts.by_name["bob"].hidden.add("Movies")
        with pytest.raises(ItemNotFound):
            await server.write(item, WatchState(played=True), UNWATCHED)
        with pytest.raises(Forbidden):
            [page async for page in server.list_items([movies])]
        assert await server.read_items([item]) == ()
        server._user_id = simulator.accounts.by_name["anna"].account_id
        with pytest.raises(Forbidden):
            await server.libraries()


async def test_an_api_key_acts_for_whoever_is_chosen(simulator: EmbySimulator) -> None:
    """A key has no user: the connection names him (server-apis §1.3)."""
    async with serving(simulator) as url, ClientSession() as session:
        bob = simulator.accounts.by_name["bob"].account_id
        connection = Connection(ServerKind.EMBY, url, simulator.accounts.api_key, "device-key", bob)
        server = open_server(session, connection, clock=lambda: datetime.now(UTC))
        assert [user.name for user in await server.users()] == ["anna", "bob"]
        item = simulator.shown("bob")[0].item_id
        await server.write(item, WatchState(played=True, play_count=1, last_played=SEEN), UNWATCHED)
    assert simulator.shown("bob")[0].date == SEEN
    assert not simulator.shown("anna")[0].played
