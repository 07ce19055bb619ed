"""While a library is read, which takes minutes, hints are followed, and what the listing showed before is not taken for news."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from custom_components.plex_watchsync.engine.report import ChangeKind, Report
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.ports import ServerUnavailable

from .conftest import House
from .fakes import RUNTIME


async def idle() -> None:
    """Let everybody go on as far as they can."""
    for _ in range(100):
        await asyncio.sleep(0)


@asynccontextmanager
async def listing(house: House, name: str = "plex") -> AsyncIterator[asyncio.Task[Report]]:
    """Have a server read that answers the first page only; the rest comes at the end."""
    server = house.servers[name]
    server.gate = asyncio.Event()
    house.clock.pass_by(hours=1)
    run = asyncio.create_task(house.viewer.run(Run()))
    await idle()
    yield run
    server.gate.set()
    await run
    server.gate = None


async def test_a_hint_is_followed_while_a_library_is_read(house: House) -> None:
    """M2: the other servers show the act before the listing ends, and the listing, which showed the title as it was before, undoes nothing."""
    async with listing(house) as run:
        house.servers["plex"].watch("tt1")
        await house.hint("plex", "tt1")
        assert set(house.played("tt1").values()) == {True}
        assert not run.done()
    assert set(house.played("tt1").values()) == {True}
    assert [change.kind for change in house.changes] == [ChangeKind.WATCHED]


async def test_what_a_listing_showed_before_a_write_is_read_anew(house: House) -> None:
    """R1, M3: a row that is older than what was acknowledged since is no act, whichever way it differs."""
    house.servers["jellyfin"].stop_at("tt1", RUNTIME // 2)
    async with listing(house):
        house.servers["jellyfin"].watch("tt1")
        await house.hint("jellyfin", "tt1")
        assert set(house.played("tt1").values()) == {True}
    assert set(house.played("tt1").values()) == {True}
    assert {server.records["tt1"].position for server in house.servers.values()} == {0}
    assert [change.kind for change in house.changes] == [ChangeKind.WATCHED]


async def test_an_act_that_the_listing_alone_shows_still_counts(house: House) -> None:
    """M5: what nobody hinted at is found by the listing, also for a title that was written meanwhile."""
    async with listing(house):
        house.servers["jellyfin"].watch("tt1")
        await house.hint("jellyfin", "tt1")
        house.servers["plex"].unwatch("tt1")  # the write was there, and somebody takes it back
        house.servers["plex"].watch("tt2")
    await house.sync()
    assert set(house.played("tt1").values()) == {False}
    assert set(house.played("tt2").values()) == {True}


async def test_a_title_that_came_meanwhile_is_not_missing(house: House) -> None:
    """G4: the listing passed its place before it was there."""
    for number in range(10, 20):
        house.servers["plex"].stock(f"tt{number}")
    await house.sync()
    async with listing(house):
        house.servers["plex"].stock("tt3")
        house.servers["plex"].watch("tt3")
        await house.hint("plex", "tt3")
        del house.servers["plex"].records["tt3"]  # the listing does not show it
    (item,) = house.viewer.baseline.sharing({"movie/imdb/tt3"})
    assert [replica.missing for replica in item.replicas.values()] == [0]


async def test_what_cannot_be_read_anew_is_left_for_the_next_run(house: House) -> None:
    """R2: nothing is concluded from a row that was overtaken."""
    house.servers["jellyfin"].stop_at("tt1", RUNTIME // 2)
    async with listing(house, "jellyfin"):
        house.servers["jellyfin"].watch("tt1")
        await house.hint("jellyfin", "tt1")
        house.servers["jellyfin"].unwatch("tt1")
        house.servers["jellyfin"].error = ServerUnavailable("unplugged")
    house.servers["jellyfin"].error = None
    assert house.played("tt1") == {"plex": True, "emby": True, "jellyfin": False}
    await house.sync()
    assert set(house.played("tt1").values()) == {False}


async def test_a_first_listing_is_not_overtaken() -> None:
    """G1: until a library was read once, nobody knows what it shows; a hint waits."""
    house = House()
    async with listing(house) as run:
        house.servers["jellyfin"].watch("tt1")
        hint = asyncio.create_task(house.hint("jellyfin", "tt1"))
        await idle()
        assert not hint.done()
    assert run.done()
    await hint
    assert set(house.played("tt1").values()) == {True}
