"""G2: what is more than a person does is held, survives a restart, and is approved or discarded by a person."""

import json
from dataclasses import replace

import pytest

from custom_components.plex_watchsync.engine import cycle as cycle_module
from custom_components.plex_watchsync.engine.report import Report
from custom_components.plex_watchsync.engine.run import Run, RunKind
from custom_components.plex_watchsync.ports import Hint, ServerUnavailable, StoreError
from custom_components.plex_watchsync.sync.guard import MOST_IN_WINDOW, WINDOW, Trip
from custom_components.plex_watchsync.sync.model import ReplicaId
from custom_components.plex_watchsync.sync.policy import Limits

from .conftest import FILMS, House, watched


async def wiped(house: House, count: int, name: str = "plex") -> Report:
    """Let a server lose so many watch states without a word, and poll."""
    for film in FILMS[:count]:
        house.servers[name].unwatch(film)
    return await house.sync()


async def test_a_person_may_unwatch_some(stocked: House) -> None:
    report = await wiped(stocked, 10)
    assert not report.held
    assert set(watched(stocked).values()) == {30}


async def test_more_is_held(stocked: House) -> None:
    """Nothing of it is agreed or written; what else happened is."""
    stocked.servers["jellyfin"].watch("tt1")
    report = await wiped(stocked, 11)
    (hold,) = report.held
    assert (hold.account, hold.trip, hold.run_id, len(hold.items)) == ("plex", Trip.UNWATCHES, report.run_id, 11)
    assert report.of("plex").held == 11
    assert watched(stocked) == {"plex": 30, "jellyfin": 41, "emby": 41}
    assert all(stocked.viewer.baseline[f"movie/imdb/{film}"].claims.state.played for film in FILMS)
    held = [note for note in stocked.viewer.journal if note.outcome == "held"]
    assert [(note.account, note.run_id, note.more["items"]) for note in held] == [("plex", report.run_id, "11")]


async def test_the_share_is_of_what_takes_part(stocked: House) -> None:
    """G2, I8: a library that was left out since does not let more through, and is not counted any more."""
    stocked.viewer.policy = replace(stocked.viewer.policy, limits=Limits(breaker_percent=50))
    for film in FILMS[20:]:
        replica_id, item = ReplicaId("plex", film), stocked.viewer.baseline[f"movie/imdb/{film}"]
        stocked.viewer.baseline.put(item.with_replica(replica_id, replace(item.replicas[replica_id], library="left out")))
        del stocked.servers["plex"].records[film]
    assert (stocked.viewer.counts("plex").items, stocked.viewer.counts("plex").watched) == (22, 20)
    (hold,) = (await wiped(stocked, 11)).held
    assert (hold.trip, len(hold.items)) == (Trip.UNWATCHES, 11)


async def test_it_stays_held(stocked: House) -> None:
    """Polls, further unwatches, restarts and exports let nothing through, and it is reported once."""
    await wiped(stocked, 20)
    await stocked.restart()
    stocked.servers["plex"].unwatch(FILMS[30])
    report = await stocked.sync()
    assert not report.held
    await stocked.sync(Run(full=True))
    await stocked.hint("plex", FILMS[0])
    await stocked.viewer.retry()
    assert watched(stocked) == {"plex": 19, "jellyfin": 40, "emby": 40}
    (hold,) = stocked.viewer.holds.held
    assert hold.items == {*FILMS[:20], FILMS[30]}
    assert stocked.viewer.holds.has_any("plex")
    assert not stocked.viewer.holds.has_any("emby")


async def test_the_run_that_found_it_held_may_be_named(stocked: House) -> None:
    """G2: a later run answers that it is held, by its own name."""
    first, again = await wiped(stocked, 20), await stocked.sync()
    assert first.run_id != again.run_id
    assert again.of("plex").held == 20
    assert stocked.viewer.holds.of(again.run_id) == stocked.viewer.holds.of(first.run_id) == stocked.viewer.holds.held != []


async def test_two_servers_are_held_each(stocked: House) -> None:
    for film in FILMS[:12]:
        stocked.servers["emby"].unwatch(film)
    report = await wiped(stocked, 15)
    assert {(hold.account, len(hold.items)) for hold in report.held} == {("plex", 15), ("emby", 12)}
    assert watched(stocked)["jellyfin"] == 40


async def test_approved_it_travels(stocked: House) -> None:
    """A person says that it was meant."""
    report = await wiped(stocked, 20)
    await stocked.viewer.approve(stocked.viewer.holds.of(report.run_id))
    assert set(watched(stocked).values()) == {20}
    assert not stocked.viewer.holds.held
    stocked.writes()
    assert not (await stocked.sync()).held
    assert not any(stocked.writes().values())
    await stocked.restart()
    assert not stocked.viewer.holds.held


async def test_a_view_after_it_was_held_wins(stocked: House) -> None:
    """Approval is dated by when it was seen: what somebody watched since stays watched."""
    report = await wiped(stocked, 20)
    stocked.clock.pass_by(hours=1)
    stocked.servers["emby"].watch(FILMS[0])
    await stocked.hint("emby", FILMS[0])
    await stocked.viewer.approve(stocked.viewer.holds.of(report.run_id))
    await stocked.sync()
    assert stocked.played(FILMS[0]) == dict.fromkeys(stocked.servers, True)
    assert set(watched(stocked).values()) == {21}


async def test_discarded_the_server_gets_it_back(stocked: House) -> None:
    """R3: the held server shows the agreed state again."""
    report = await wiped(stocked, 20)
    await stocked.viewer.discard(stocked.viewer.holds.of(report.run_id))
    assert set(watched(stocked).values()) == {40}
    assert not stocked.viewer.holds.held
    stocked.writes()
    await stocked.sync()
    assert not any(stocked.writes().values())


async def test_what_came_meanwhile_outlives_a_discard(stocked: House) -> None:
    """M4, R5: a rating and a position of titles that are held reach all, and the titles are watched again."""
    plex = stocked.servers["plex"]
    await wiped(stocked, 20)
    plex.rate(FILMS[0], 10.0)
    plex.stop_at(FILMS[1], 1200)
    plex.stop_at(FILMS[2], 10)
    await stocked.sync()
    await stocked.viewer.discard(stocked.viewer.holds.held)
    await stocked.sync()
    shown = [[(one.played, one.position, one.rating) for one in (server.records[film] for film in FILMS[:3])] for server in stocked.servers.values()]
    assert [films[:2] for films in shown] == [[(True, 0, 10.0), (True, 1200, None)]] * 3
    assert set(watched(stocked).values()) == {40}


async def test_what_was_begun_meanwhile_outlives_an_approval(stocked: House) -> None:
    """R5: a position that came after a title was seen unwatched is not taken with the view."""
    report = await wiped(stocked, 20)
    stocked.clock.pass_by(hours=1)
    stocked.servers["plex"].stop_at(FILMS[0], 1200)
    await stocked.viewer.approve(stocked.viewer.holds.of(report.run_id))
    assert {(server.records[FILMS[0]].played, server.records[FILMS[0]].position) for server in stocked.servers.values()} == {(False, 1200)}
    assert set(watched(stocked).values()) == {20}


async def test_what_does_not_answer_stays_held(stocked: House) -> None:
    report = await wiped(stocked, 20)
    stocked.servers["plex"].error = ServerUnavailable("away")
    discarded = await stocked.viewer.discard(stocked.viewer.holds.of(report.run_id))
    assert "plex" in discarded.errors
    assert stocked.viewer.holds.of(report.run_id)
    del stocked.viewer.accounts["plex"]
    assert "plex" in (await stocked.viewer.discard(stocked.viewer.holds.of(report.run_id))).errors
    assert stocked.viewer.holds.of(report.run_id)


async def test_it_ends_by_itself(stocked: House) -> None:
    """A server that shows all as it was is held no longer."""
    before = {film: stocked.servers["plex"].records[film] for film in FILMS}
    await wiped(stocked, 20)
    stocked.servers["plex"].records |= before
    await stocked.sync()
    assert not stocked.viewer.holds.held


async def test_a_burst_from_polls_is_held(stocked: House) -> None:
    """The window: many small portions within five minutes are no person's; what comes later starts anew."""
    stocked.viewer.policy = stocked.viewer.policy.__class__(limits=Limits(breaker_items=100))
    for film in FILMS[: MOST_IN_WINDOW - 1]:
        stocked.servers["plex"].unwatch(film)
        stocked.clock.pass_by(seconds=10)
        assert not (await stocked.viewer.run(Run())).held
    stocked.servers["plex"].unwatch(FILMS[20])
    stocked.clock.pass_by(seconds=10)
    (hold,) = (await stocked.viewer.run(Run())).held
    assert (hold.trip, sorted(hold.items)) == (Trip.BURST, [FILMS[20]])
    await stocked.viewer.approve([hold])
    stocked.clock.pass_by(seconds=WINDOW.total_seconds() + 1)
    stocked.servers["plex"].unwatch(FILMS[21])
    assert not (await stocked.viewer.run(Run())).held


async def test_the_servers_own_word_is_no_poll(stocked: House) -> None:
    """A person who marks one after the other is heard."""
    for film in FILMS[: MOST_IN_WINDOW + 3]:
        stocked.servers["emby"].unwatch(film)
        stocked.clock.pass_by(seconds=1)
        report = await stocked.viewer.run(Run(hints=(Hint("emby", film, stocked.clock(), unplayed=True),)))
        assert not report.held
    assert set(watched(stocked).values()) == {40 - MOST_IN_WINDOW - 3}


async def test_who_fails_holds(stocked: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pitfall 7: an error in the guard lets nothing through."""

    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cycle_module, "too_many", broken)
    (hold,) = (await wiped(stocked, 1)).held
    assert hold.trip is Trip.FAILED
    assert watched(stocked)["jellyfin"] == 40
    monkeypatch.setattr(cycle_module, "vanished", broken)
    del stocked.servers["emby"].records[FILMS[5]]
    (gone,) = (await stocked.sync()).held
    assert (gone.account, gone.trip) == ("emby", Trip.VANISHED)


async def test_a_library_that_vanishes_is_not_forgotten(stocked: House) -> None:
    """A disk that is not mounted: every poll shows less, nobody is told, all is there when it returns."""
    kept = dict(stocked.servers["plex"].records)
    stocked.servers["plex"].records.clear()
    report = await stocked.sync()
    assert [(hold.account, hold.trip, len(hold.items)) for hold in report.held] == [("plex", Trip.VANISHED, 42)]
    for _poll in range(3):
        assert not (await stocked.sync()).held
    assert stocked.viewer.counts("plex").items == 42
    assert watched(stocked) == {"plex": 0, "jellyfin": 40, "emby": 40}
    stocked.servers["plex"].records |= kept
    stocked.writes()
    await stocked.sync()
    assert not stocked.viewer.holds.held
    assert not any(stocked.writes().values())


async def test_what_cannot_be_read_when_it_is_approved_stays_held(stocked: House) -> None:
    """G2: a person's word is not lost on a server that is away; said again, it counts."""
    await wiped(stocked, 20)
    holds = stocked.viewer.holds.held
    stocked.servers["plex"].error = ServerUnavailable("away")
    (report,) = await stocked.viewer.approve(holds)
    assert "plex" in report.errors
    assert stocked.viewer.holds.held == holds
    await stocked.restart()
    assert set(watched(stocked).values()) == {20, 40}
    stocked.servers["plex"].error = None
    await stocked.viewer.approve(stocked.viewer.holds.held)
    assert not stocked.viewer.holds.held
    assert set(watched(stocked).values()) == {20}
    await stocked.restart()
    assert not stocked.viewer.holds.held


async def test_what_joined_since_is_not_decided(stocked: House) -> None:
    """G2: a person decides on what was shown; what a poll added meanwhile stays held."""
    await wiped(stocked, 20)
    shown = stocked.viewer.holds.held
    await wiped(stocked, 21)
    await stocked.viewer.approve(shown)
    assert [hold.items for hold in stocked.viewer.holds.held] == [frozenset({FILMS[20]})]
    assert {name: record.records[FILMS[20]].played for name, record in stocked.servers.items()} == {"plex": False, "jellyfin": True, "emby": True}
    assert watched(stocked) == {"plex": 19, "jellyfin": 20, "emby": 20}


async def test_what_vanished_for_good_is_forgotten_when_approved(stocked: House) -> None:
    for film in FILMS[:10]:
        del stocked.servers["plex"].records[film]
    (hold,) = (await stocked.sync()).held
    await stocked.viewer.approve([hold])
    assert stocked.viewer.counts("plex").items == 32
    assert not stocked.viewer.holds.held
    assert not (await stocked.sync()).held
    assert watched(stocked)["emby"] == 40


async def test_nothing_but_what_vanished_is_approved(stocked: House) -> None:
    """G2, G4: what is back is kept, what is missing since is held anew, and so is what was unwatched since: the breaker stays on for everything else."""
    plex = stocked.servers["plex"]
    gone = {film: plex.records.pop(film) for film in FILMS[:10]}
    holds = (await stocked.sync()).held
    plex.records[FILMS[0]] = gone[FILMS[0]]
    for film in FILMS[10:20]:
        del plex.records[film]
    for film in FILMS[20:]:
        plex.unwatch(film)
    await stocked.viewer.approve(holds)
    assert stocked.viewer.counts("plex").items == 42 - 9
    assert {hold.trip: hold.items for hold in stocked.viewer.holds.held} == {Trip.VANISHED: {*FILMS[10:20]}, Trip.UNWATCHES: {*FILMS[20:]}}
    assert watched(stocked) == {"plex": 1, "jellyfin": 40, "emby": 40}


@pytest.mark.parametrize("run", [Run(RunKind.IMPORT, metadata_only=True), Run(RunKind.EXPORT, full=True), Run()])
async def test_it_does_not_end_unseen(stocked: House, run: Run) -> None:
    """G2, R2: a run that concludes nothing lets nothing go, nor does a listing that lacks the titles; forgotten they are let go (G4)."""
    plex = stocked.servers["plex"]
    stocked.viewer.policy = stocked.viewer.policy.__class__(limits=Limits(breaker_items=2))
    await wiped(stocked, 3)
    (hold,) = stocked.viewer.holds.held
    gone = {film: plex.records.pop(film) for film in FILMS[:3]} if run.kind is RunKind.SYNC else {}
    await stocked.sync(run)
    assert stocked.viewer.holds.held == [hold]
    if gone:
        await stocked.sync()
        assert not stocked.viewer.holds.held
    assert watched(stocked)["emby"] == 40


@pytest.mark.parametrize("count", [10, 20])
async def test_what_is_not_loaded_is_not_decided(stocked: House, count: int) -> None:
    """G2: a person's word on a server that is not loaded is refused, whether titles vanished or are unwatched, and said again it counts."""
    plex = stocked.servers["plex"]
    for film in FILMS[:count]:
        if count == 20:
            plex.unwatch(film)
        else:
            del plex.records[film]
    holds = (await stocked.sync()).held
    account = stocked.viewer.accounts.pop("plex")
    (report,) = await stocked.viewer.approve(holds)
    assert "plex" in report.errors
    assert stocked.viewer.holds.held == holds
    assert not [note for note in stocked.viewer.journal if note.outcome == "approved"]
    stocked.viewer.accounts["plex"] = account
    await stocked.viewer.approve(holds)
    assert not stocked.viewer.holds.held
    assert [note.account for note in stocked.viewer.journal if note.outcome == "approved"] == ["plex"]


async def test_what_vanished_stays_known_when_discarded(stocked: House) -> None:
    for film in FILMS[:10]:
        del stocked.servers["plex"].records[film]
    (hold,) = (await stocked.sync()).held
    await stocked.viewer.discard([hold])
    assert not stocked.viewer.holds.held
    assert stocked.viewer.counts("plex").items == 42


async def test_a_rebuilt_library_did_not_vanish(stocked: House) -> None:
    """R4: every id is new, the titles are there."""
    server = stocked.servers["plex"]
    for film in FILMS:
        del server.records[film]
        server.stock(f"new-{film}", f"movie/imdb/{film}")
    assert not (await stocked.sync()).held
    await stocked.sync()
    assert watched(stocked)["plex"] == 40
    assert stocked.viewer.counts("plex").items == 42


async def test_a_dry_run_holds_nothing_for_good(stocked: House) -> None:
    """G6: it says what would be held."""
    for film in FILMS[:20]:
        stocked.servers["plex"].unwatch(film)
    report = await stocked.sync(Run(dry_run=True))
    assert len(report.held) == 1
    assert not stocked.viewer.holds.held


async def test_holds_from_before_claims_were_held_are_read(stocked: House) -> None:
    """G2, G3: a document of an older version is as good as any."""
    at = stocked.clock().isoformat()
    stocked.documents.content["anna/held"] = json.dumps([["one", "plex", at, "unwatches", FILMS[:2]], ["two", "", at, "undo", [f"movie/imdb/{FILMS[3]}"]]])
    await stocked.restart()
    assert [(hold.run_id, len(hold.items)) for hold in stocked.viewer.holds.held] == [("one", 2), ("two", 1)]
    await stocked.viewer.approve(stocked.viewer.holds.of("two"))
    assert not any(stocked.played(FILMS[3]).values())


async def test_holds_that_cannot_be_read_stop_the_viewer(stocked: House) -> None:
    """G2: what is held must not go through for want of its document; and it goes with its viewer or account."""
    await wiped(stocked, 20)
    stocked.documents.content["anna/held"] = "[[1]]"
    with pytest.raises(StoreError):
        await stocked.restart()
    await stocked.viewer.forget("plex")


async def test_an_account_takes_its_holds_along(stocked: House) -> None:
    await wiped(stocked, 20)
    await stocked.viewer.forget("plex")
    assert not stocked.viewer.holds.held
    await stocked.viewer.remove()
    assert not [name for name in stocked.documents.content if name.startswith("anna/")]
