"""What is on disk: small shards, written when they changed, refused when they are broken."""

from asyncio import CancelledError

import pytest

from custom_components.plex_watchsync.engine.holds import Hold
from custom_components.plex_watchsync.engine.ignores import Rule
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.engine.shards import SHARDS, shard_of
from custom_components.plex_watchsync.ports import ServerUnavailable, StoreError
from custom_components.plex_watchsync.sync.guard import Trip
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Part
from custom_components.plex_watchsync.sync.selection import Selection

from .conftest import House
from .fakes import START


async def test_all_is_there_again(house: House) -> None:
    """A restart finds the same items, claims and acknowledged readings."""
    house.servers["plex"].watch("tt1")
    house.servers["jellyfin"].stop_at("tt2", 600)
    house.servers["emby"].parts["tt1"] = tuple(
        Part(Media(MediaKind.EPISODE, "Pilot", None, "Show", 1, number), frozenset({f"show/tvdb/7/1/{number}"})) for number in (1, 2)
    )
    await house.sync()
    before = sorted(house.viewer.baseline, key=lambda item: item.item_id)
    last = house.viewer.last_watched
    await house.restart()
    assert sorted(house.viewer.baseline, key=lambda item: item.item_id) == before
    assert last is not None
    assert house.viewer.last_watched is not None
    assert (house.viewer.last_watched.item_id, house.viewer.last_watched.at) == (last.item_id, last.at)
    house.writes()
    await house.sync()
    assert not any(house.writes().values())


async def test_one_change_rewrites_one_shard(house: House) -> None:
    """An SD card is not worn out by a library of 100,000."""
    for number in range(300):
        for server in house.servers.values():
            server.stock(f"tt9{number}")
    await house.sync()
    house.documents.saves.clear()
    house.servers["plex"].watch("tt9123")
    await house.hint("plex", "tt9123")
    await house.viewer.flush()
    shards = {name for name in house.documents.saves if "items" in name}
    assert shards == {f"anna/items_{shard_of('movie/imdb/tt9123'):02}"}
    assert 0 <= shard_of("movie/imdb/tt9123") < SHARDS


async def test_an_idle_run_writes_nothing_to_disk(house: House) -> None:
    """Polling costs no disk."""
    await house.sync()
    house.documents.saves.clear()
    await house.sync()
    assert not house.documents.saves


DOCUMENTS = ("anna/ignored", f"anna/items_{shard_of('movie/imdb/tt77'):02}", "anna/viewer", "anna/held", "anna/outbox")
"""In the order in which they are written."""


async def much_happens(house: House) -> None:
    """Change all that is on disk: something is agreed on, owed, held and ignored."""
    house.servers["emby"].write_error = ServerUnavailable("away")
    house.servers["jellyfin"].stock("tt77")
    house.servers["jellyfin"].watch("tt77")
    house.servers["plex"].watch("tt1")
    await house.viewer.ignore((Rule("Film", Selection(frozenset({"movie/imdb/tt2"}))),))
    house.viewer.holds.add(Hold("run", "garage", START, Trip.UNWATCHES, frozenset({"tt99"})))
    report = await house.sync()
    assert {change.media.title for change in report.changes} == {"tt1", "tt77"}


async def all_is_written(house: House) -> None:
    """Expect that the next flush writes what is not on disk, once, and that a restart finds it."""
    house.documents.failing.clear()
    known = house.viewer
    await known.flush()
    await house.restart()
    assert {item.item_id: item.claims for item in house.viewer.baseline} == {item.item_id: item.claims for item in known.baseline}
    assert house.viewer.ignores.rules == known.ignores.rules != ()
    assert house.viewer.holds.held == known.holds.held != []
    assert house.viewer.outbox.entries.keys() == known.outbox.entries.keys() != set()
    house.documents.saves.clear()
    await known.flush()
    assert not house.documents.saves


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_what_could_not_be_written_is_written_the_next_time(house: House, name: str) -> None:
    """G3, M2: a disk that is full for a moment loses nothing and stops no run; what comes after what failed waits for it, as after a crash there."""
    later = DOCUMENTS[DOCUMENTS.index(name) :]
    before = [house.documents.content.get(one) for one in later]
    house.documents.failing[name] = StoreError
    await much_happens(house)
    assert [house.documents.content.get(one) for one in later] == before
    await all_is_written(house)


@pytest.mark.parametrize("name", DOCUMENTS[1:])
async def test_a_write_that_was_cut_off_is_made_up_for(house: House, name: str) -> None:
    """G3: before a backup nobody waits for long; that a write was begun does not make it done."""
    house.documents.failing[name] = CancelledError
    with pytest.raises(CancelledError):
        await much_happens(house)
    await all_is_written(house)


async def test_a_first_sync_that_is_not_on_disk_is_not_said_to_be(house: House) -> None:
    """G3: else the next start would take it for lost."""
    house.viewer = house.new_viewer()
    house.documents.content.clear()
    house.documents.failing["anna/viewer"] = StoreError
    await house.sync()
    assert not house.viewer.is_stored
    house.documents.failing.clear()
    await house.viewer.flush()
    assert house.viewer.is_stored


@pytest.mark.parametrize("damage", ["gone", "unreadable", "nonsense"])
async def test_a_lost_shard_is_no_first_run(house: House, damage: str) -> None:
    """G3: what was there and is lost stops the viewer."""
    name = f"anna/items_{shard_of('movie/imdb/tt1'):02}"
    assert name in house.documents.content
    if damage == "gone":
        del house.documents.content[name]
    elif damage == "unreadable":
        house.documents.broken.add(name)
    else:
        house.documents.content[name] = '[["only a name"]]'
    with pytest.raises(StoreError):
        await house.restart()


async def test_a_broken_index_is_no_first_run(house: House) -> None:
    """G3."""
    house.documents.content["anna/viewer"] = "{}"
    with pytest.raises(StoreError):
        await house.restart()


async def test_forgetting_an_account_keeps_what_was_agreed(house: House) -> None:
    """A server that is removed takes nobody's history with it."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    await house.viewer.forget("plex")
    assert house.viewer.baseline.counts("plex").items == 0
    await house.restart()
    house.servers["plex"].unwatch("tt1")
    await house.sync()
    assert house.servers["plex"].records["tt1"].played


async def test_removing_a_viewer_leaves_nothing(house: House) -> None:
    """Unload and removal leave nothing behind."""
    await house.viewer.remove()
    assert not house.documents.content


async def test_a_dry_run_on_an_empty_viewer(house: House) -> None:
    """The first server has nothing to compare with."""
    viewer = house.new_viewer()
    report = await viewer.run(Run(dry_run=True))
    assert not report.planned
