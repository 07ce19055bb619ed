"""A server that came back as another one: its ids mean other titles, so that it is neither read nor written (G3)."""

import pytest

from custom_components.plex_watchsync.engine.run import Run, RunKind
from custom_components.plex_watchsync.ports import AuthFailed, Hint, NotAMediaServer, OtherServer, ServerError, ServerIdentity
from custom_components.plex_watchsync.sync.model import WatchState

from .conftest import House

PLAYED = WatchState(played=True, play_count=1)


@pytest.fixture
async def replaced(house: House) -> House:
    """Return a house whose Plex was installed anew: under the old ids are other titles, watched and not."""
    for server in house.servers.values():
        server.watch("tt1")
    await house.sync()
    house.writes()
    plex = house.servers["plex"]
    plex.server_id = "another"
    plex.stock("tt1")
    plex.stock("tt2", "movie/imdb/tt8", state=PLAYED)
    plex.stock("tt9", state=PLAYED)
    return house


@pytest.mark.parametrize(
    "run",
    [
        Run(),
        Run(recent=True),
        Run(RunKind.IMPORT, metadata_only=True),
        Run(RunKind.EXPORT, full=True, ignore_date=True),
        Run(hints=(Hint("plex", "tt1", House().clock(), unplayed=True), Hint("plex", "tt9", House().clock()))),
    ],
    ids=["all", "recent", "ids", "export", "hints"],
)
async def test_nothing_is_read(replaced: House, run: Run) -> None:
    """G3, R2, pitfall 1: whatever is asked for; the others go on."""
    before = {item.item_id: item for item in replaced.viewer.baseline}
    report = await replaced.sync(run)
    assert isinstance(report.errors["plex"], OtherServer)
    assert not report.changes
    assert {item.item_id: item.claims for item in replaced.viewer.baseline} == {item_id: item.claims for item_id, item in before.items()}
    assert set(replaced.viewer.baseline.of_account("plex")) == {replica for item in before.values() for replica in item.replicas if replica.account == "plex"}
    assert not any(replaced.writes().values())
    assert replaced.servers["emby"].records["tt1"].played


async def test_nothing_is_written(replaced: House) -> None:
    """G3, M2: what it is owed waits for the server that it was, and is written then."""
    replaced.servers["emby"].watch("tt2")
    replaced.servers["emby"].unwatch("tt1")
    report = await replaced.sync(Run(accounts=frozenset({"emby"})))
    assert isinstance(report.errors["plex"], OtherServer)
    for _ in range(3):
        replaced.clock.pass_by(hours=1)
        await replaced.viewer.retry()
    assert (replaced.writes()["plex"], replaced.viewer.pending("plex")) == (0, 2)
    plex = replaced.servers["plex"]
    plex.server_id = "plex"
    plex.stock("tt1", state=PLAYED)
    plex.stock("tt2")
    replaced.clock.pass_by(hours=1)
    await replaced.viewer.retry()
    assert (plex.records["tt1"].played, plex.records["tt2"].played) == (False, True)
    assert replaced.viewer.pending("plex") == 0


@pytest.mark.parametrize("told", [AuthFailed("401"), None])
async def test_who_does_not_say_who_he_is(house: House, monkeypatch: pytest.MonkeyPatch, told: ServerError | None) -> None:
    """G3: nothing is read from him either; if he lets nobody in, that is what is said."""
    plex, unknown = house.servers["plex"], NotAMediaServer("a page of a proxy")

    async def hidden(_self: object) -> ServerIdentity:
        plex.error = told
        raise unknown

    monkeypatch.setattr(type(plex), "identity", hidden)
    plex.watch("tt1")
    report = await house.sync(Run(accounts=frozenset({"plex"})))
    assert report.errors["plex"] is (told or unknown)
    assert not report.changes
