"""The writes: when they wait, when they are tried again, when they are given up."""

import asyncio
from datetime import timedelta

import pytest

from custom_components.plex_watchsync.engine.executor import STRIKES
from custom_components.plex_watchsync.engine.outbox import FIRST_DELAY
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.ports import AuthFailed, Forbidden, RateLimited, ServerError, ServerUnavailable, StoreError
from custom_components.plex_watchsync.sync.merge import NO_CLAIMS
from custom_components.plex_watchsync.sync.model import ReplicaId, WatchState

from .conftest import House


async def test_a_title_that_plays_is_not_written(house: House) -> None:
    """W2: the write waits until nothing plays there."""
    house.servers["emby"].plays.add("tt1")
    house.servers["plex"].watch("tt1")
    report = await house.sync()
    assert not house.servers["emby"].records["tt1"].played
    assert report.counts["emby"].skipped == 1
    assert house.viewer.pending("emby") == 1
    house.servers["emby"].plays.clear()
    house.clock.pass_by(minutes=1)
    await house.viewer.retry()
    assert house.servers["emby"].records["tt1"].played


async def test_an_id_that_another_title_has_by_now_is_not_written(house: House) -> None:
    """R4: the write is dropped and said so; the new title is met like any new one, and the old one keeps what was agreed."""
    emby = house.servers["emby"]
    emby.error = ServerUnavailable("down")
    house.servers["plex"].watch("tt1")
    house.servers["plex"].watch("tt2")
    await house.sync()
    emby.error = None
    house.writes()
    emby.stock("tt1", "movie/imdb/tt9")
    house.clock.pass_by(minutes=2)
    await house.viewer.retry()
    assert (emby.records["tt1"].played, emby.records["tt2"].played) == (False, True)
    assert [note.reason for note in house.viewer.journal if note.outcome == "dropped"] == ["R4 the server has another title under this id"]
    assert house.viewer.pending("emby") == 0
    (item,) = house.viewer.baseline.of_replica(ReplicaId("emby", "tt1"))
    assert (item.keys, item.claims) == (frozenset({"movie/imdb/tt9"}), NO_CLAIMS)
    emby.stock("new", "movie/imdb/tt1")
    await house.sync()
    assert emby.records["new"].played
    assert house.played("tt1") == {"plex": True, "jellyfin": True, "emby": False}


@pytest.mark.parametrize("error", [ServerUnavailable("500"), AuthFailed("401"), RateLimited("429", 90)])
async def test_a_write_that_fails_is_tried_again(house: House, error: ServerError) -> None:
    """W5: later, not at once, and never lost."""
    house.servers["emby"].write_error = error
    house.servers["plex"].watch("tt1")
    report = await house.sync()
    assert report.counts["emby"].failed == 1
    assert report.errors["emby"] is error
    house.servers["emby"].write_error = None
    await house.viewer.retry()
    assert house.viewer.pending("emby") == 1
    house.clock.pass_by(minutes=2)
    await house.viewer.retry()
    assert house.servers["emby"].records["tt1"].played
    assert house.viewer.next_retry is None


async def test_a_server_says_when_to_come_back(house: House) -> None:
    """W5: Retry-After is kept to."""
    house.servers["emby"].write_error = RateLimited("429", 300)
    house.servers["plex"].watch("tt1")
    await house.sync()
    assert house.viewer.next_retry == house.clock() + timedelta(seconds=300)


async def test_the_pause_grows(house: House) -> None:
    """W5: a server that stays away is asked less and less often."""
    house.servers["emby"].error = ServerUnavailable("down")
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    waits = []
    for _ in range(8):
        due = house.viewer.next_retry
        assert due is not None
        waits.append(due - house.clock())
        house.clock.now = due
        await house.viewer.retry()
    assert waits[0] < 2 * FIRST_DELAY
    assert waits[4] > 8 * waits[0]
    assert max(waits) <= timedelta(minutes=12)


async def test_what_a_user_may_not_see_is_not_tried_for_ever(house: House) -> None:
    """Pitfall 44, W5: a final refusal ends the operation."""
    house.servers["emby"].write_error = Forbidden("hidden")
    house.servers["plex"].watch("tt1")
    report = await house.sync()
    assert report.counts["emby"].failed == 1
    assert house.viewer.pending("emby") == 0


async def test_an_item_that_is_gone_is_dropped(house: House) -> None:
    """W5: 404 is final."""
    house.servers["plex"].watch("tt1")
    del house.servers["emby"].records["tt1"]
    await house.hint("plex", "tt1")
    assert house.viewer.pending("emby") == 0
    assert [note.outcome for note in house.viewer.journal if (note.kind, note.account) == ("operation", "emby")] == ["dropped"]


async def test_a_person_may_be_faster(house: House) -> None:
    """What changed on the server since the plan is agreed on first: the later act wins, here as everywhere."""
    house.servers["plex"].stop_at("tt1", 600)
    house.clock.pass_by(minutes=1)
    house.servers["emby"].watch("tt1")
    await house.hint("plex", "tt1")
    assert {server.records["tt1"].played for server in house.servers.values()} == {True}
    await house.sync()
    house.writes()
    await house.sync()
    assert not any(house.writes().values())


async def test_a_write_that_does_not_show_is_not_acknowledged(house: House) -> None:
    """M3: a server that says yes and does nothing is told again."""
    house.servers["emby"].deaf = True
    house.servers["plex"].watch("tt1")
    await house.sync()
    assert house.viewer.pending("emby") == 1
    house.servers["emby"].deaf = False
    await house.sync()
    assert house.servers["emby"].records["tt1"].played
    assert house.viewer.pending("emby") == 0


async def test_a_position_that_a_server_cannot_keep_is_given_up(house: House) -> None:
    """M3: a floor is not fought for ever; the flag still is."""
    house.servers["emby"].floor = 500
    house.servers["plex"].stop_at("tt1", 300)
    for _ in range(12):
        await house.sync()
    house.writes()
    await house.sync()
    assert house.writes()["emby"] == 0
    assert house.viewer.pending("emby") == 0


async def test_the_outbox_survives_a_restart(house: House) -> None:
    """W5: what was owed is written by the next process, even if nothing is read."""
    house.servers["emby"].error = ServerUnavailable("down")
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    await house.restart()
    assert house.viewer.pending("emby") == 1
    house.servers["emby"].error = None
    await house.viewer.retry()
    assert house.servers["emby"].records["tt1"].played


async def test_a_newer_act_takes_the_place_of_an_older_one(house: House) -> None:
    """W5: merged per item."""
    house.servers["emby"].error = ServerUnavailable("down")
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    house.servers["plex"].unwatch("tt1")
    await house.hint("plex", "tt1", unplayed=True)
    assert house.viewer.pending("emby") == 0
    house.servers["emby"].error = None
    await house.sync()
    assert house.servers["emby"].records["tt1"] == WatchState()


async def test_what_somebody_did_already_is_not_written(house: House) -> None:
    """W6: the same act on the other server needs no write, and no date of now (W4)."""
    house.servers["plex"].watch("tt1")
    house.servers["emby"].watch("tt1")
    await house.hint("plex", "tt1")
    assert house.writes() == {"plex": 0, "jellyfin": 1, "emby": 0}


async def test_a_broken_outbox_is_not_an_empty_one(house: House) -> None:
    """G3: a document that cannot be read stops the viewer."""
    house.servers["emby"].error = ServerUnavailable("down")
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    house.documents.content["anna/outbox"] = "[[1, 2]]"
    with pytest.raises(StoreError):
        await house.restart()


async def test_two_runs_at_once_take_turns(house: House) -> None:
    """Single flight: nothing is written twice."""
    house.servers["plex"].watch("tt1")
    await asyncio.gather(house.viewer.run(Run()), house.viewer.run(Run()))
    assert house.writes() == {"plex": 0, "jellyfin": 1, "emby": 1}


async def test_a_view_anew_is_not_written_over(house: House) -> None:
    """M5: a copy that was to be unwatched, and was watched again meanwhile with nobody to tell of it, looks played before and after."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    house.servers["emby"].error = ServerUnavailable("unplugged")
    house.servers["jellyfin"].unwatch("tt1")
    await house.hint("jellyfin", "tt1", unplayed=True)
    house.clock.pass_by(minutes=5)
    house.servers["emby"].watch("tt1")
    house.servers["emby"].error = None
    house.clock.pass_by(hours=1)
    await house.viewer.retry()
    assert all(house.played("tt1").values())


def stock(house: House, count: int) -> list[str]:
    """Put films on all shelves, and watch them on Plex."""
    names = [f"tt{number}" for number in range(100, 100 + count)]
    for name in names:
        for server in house.servers.values():
            server.stock(name)
        house.servers["plex"].watch(name)
    return names


async def test_who_follows_a_hint_need_not_wait_for_a_long_export(house: House) -> None:
    """W5: writes take turns of fifty; what somebody does meanwhile is known and written after the first, not after the last."""
    stock(house, 180)
    run = asyncio.create_task(house.viewer.run(Run()))
    await asyncio.sleep(0)
    house.servers["jellyfin"].watch("tt1")
    await house.hint("jellyfin", "tt1")
    written = [item for item, _ in house.servers["emby"].writes]
    assert "tt1" in written
    assert not run.done()
    await run
    assert len(house.servers["emby"].writes) == 181
    assert all(all(house.played(item).values()) for item in house.servers["plex"].records if item != "tt2")


async def test_an_account_that_leaves_during_an_export_gets_no_more(house: House) -> None:
    """W5: a server that is unloaded is not written to any more; what it is owed waits."""
    stock(house, 180)

    def unload(viewer: ViewerSync) -> None:
        viewer.accounts.pop("emby", None)

    house.viewer.on_progress = unload
    await house.sync()
    assert len(house.servers["emby"].writes) == 50
    assert house.viewer.pending("emby") == 130
    assert len(house.servers["jellyfin"].writes) == 180


async def test_a_server_that_fails_is_left_alone_as_a_whole(house: House) -> None:
    """W5: a circuit; a few writes fail before it opens, one that succeeds closes it, and nothing is lost."""
    stock(house, 100)
    emby = house.servers["emby"]
    emby.write_error = ServerUnavailable("disk full")
    report = await house.sync()
    assert report.counts["emby"].failed == STRIKES
    assert house.viewer.outbox.is_paused("emby")
    assert house.viewer.pending("emby") == 100
    emby.write_error = None
    await house.viewer.retry()
    assert not emby.writes
    house.clock.pass_by(minutes=1)
    await house.viewer.retry()
    assert (house.viewer.pending("emby"), house.viewer.outbox.circuits) == (0, {})


async def test_one_title_that_cannot_be_written_holds_nothing_up(house: House) -> None:
    """W5: it waits for itself alone."""
    stock(house, 5)
    house.servers["emby"].refused = {"tt100"}
    await house.sync()
    assert [entry.operation.replica.item for entry in house.viewer.outbox.entries.values()] == ["tt100"]
    assert not house.viewer.outbox.is_paused("emby")


@pytest.mark.parametrize("error", [RateLimited("429", 300), RateLimited("429"), ServerUnavailable("503", 300)])
async def test_a_pause_that_a_server_asks_for_is_for_all(house: House, error: ServerUnavailable) -> None:
    """W5: Retry-After counts for all that waits, also when something else has the server read meanwhile."""
    stock(house, 20)
    house.servers["emby"].write_error = error
    await house.sync()
    pause = timedelta(seconds=error.retry_after or 30)
    assert house.viewer.next_retry == house.clock() + pause
    house.servers["emby"].write_error = None
    house.clock.pass_by(seconds=20)
    await house.viewer.run(Run())
    assert not house.servers["emby"].writes
    house.clock.pass_by(seconds=pause.seconds - 20)
    await house.viewer.retry()
    assert house.viewer.pending("emby") == 0


async def test_what_became_ambiguous_meanwhile_is_not_written(house: House) -> None:
    """I3: Emby shows a second film with one of the ids, and another that contradicts, while a write waits for Plex; it is made up for when the rival is gone."""
    house.servers["emby"].stock("film", "movie/imdb/tt9", "movie/tmdb/1")
    house.servers["plex"].stock("film", "movie/imdb/tt9")
    await house.sync()
    house.servers["plex"].error = ServerUnavailable("away")
    house.servers["emby"].watch("film")
    await house.sync()
    house.servers["emby"].stock("rival", "movie/imdb/tt9", "movie/tmdb/2")
    await house.sync()
    house.servers["plex"].error = None
    house.clock.pass_by(hours=1)
    await house.viewer.retry()
    assert not house.played("film")["plex"]
    del house.servers["emby"].records["rival"]
    for _read in range(3):
        await house.sync(Run(gone=frozenset({ReplicaId("emby", "rival")})))
    assert house.played("film") == {"plex": True, "emby": True}


async def test_an_outage_after_a_pause_that_was_asked_for(house: House) -> None:
    """M5: one cycle after a server's return all agree, though it asked for a pause long ago."""
    emby = house.servers["emby"]
    emby.write_error = RateLimited("429", 5)
    house.servers["plex"].watch("tt1")
    await house.sync()
    emby.write_error, emby.error = None, ServerUnavailable("off")
    for _ in range(8):
        house.clock.pass_by(minutes=12)
        await house.viewer.retry()
    emby.error = None
    await house.hint("plex", "tt2")
    assert not house.played("tt1")["emby"]
    house.clock.pass_by(seconds=5)
    await house.viewer.run(Run())
    assert house.played("tt1")["emby"]
