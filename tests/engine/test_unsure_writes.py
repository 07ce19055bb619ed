"""M3: a write whose answer was lost, or that a crash came after, is nobody's act when it shows later."""

from dataclasses import replace

import pytest

from custom_components.plex_watchsync.engine.report import ChangeKind
from custom_components.plex_watchsync.ports import ServerUnavailable

from .conftest import House


async def _watch_and_unwatch(house: House) -> None:
    """Watch on Jellyfin and take it back."""
    house.servers["jellyfin"].watch("tt1")
    await house.hint("jellyfin", "tt1")
    house.servers["jellyfin"].unwatch("tt1")
    await house.hint("jellyfin", "tt1", unplayed=True)


async def _unsure(house: House, name: str) -> None:
    """Let a server take a mark and vanish before it answers; the title is unwatched elsewhere meanwhile."""
    house.servers[name].lost_answers = 1
    await _watch_and_unwatch(house)
    assert house.servers[name].records["tt1"].played is not house.servers[name].deaf
    house.servers[name].error = None
    house.changes.clear()


async def test_a_lost_answer_is_no_view_when_polled(house: House) -> None:
    """M3, M5: what was written before the answer was lost does not beat the unwatch that came after it."""
    await _unsure(house, "emby")
    await house.sync()
    assert not any(house.played("tt1").values())
    assert not house.changes
    assert house.viewer.next_retry is None


async def test_a_lost_answer_is_no_view_when_tried_again(house: House) -> None:
    """M3: nor when the outbox comes first; on Plex, which dates the write by now, just as little."""
    await _unsure(house, "plex")
    house.clock.pass_by(hours=1)
    await house.viewer.retry()
    assert not any(house.played("tt1").values())
    assert not house.changes
    assert house.viewer.next_retry is None


async def test_a_lost_answer_survives_a_restart(house: House) -> None:
    """M3, W5: the outbox on disk knows what may have been sent."""
    await _unsure(house, "emby")
    await house.restart()
    await house.sync()
    assert not any(house.played("tt1").values())
    assert not house.changes


async def test_what_was_refused_is_not_taken_for_written(house: House) -> None:
    """M3: the server is asked at once; a person who then watches there is believed."""
    house.servers["plex"].write_error = ServerUnavailable("503")
    await _watch_and_unwatch(house)
    house.servers["plex"].write_error = None
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    assert all(house.played("tt1").values())
    assert house.changes[-1].kind is ChangeKind.WATCHED
    assert house.changes[-1].account == "plex"


async def test_an_answer_that_was_lost_and_a_server_that_stayed_is_read_back(house: House) -> None:
    """M3: what shows is acknowledged, answer or not."""
    house.servers["emby"].lost_answers = 1
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    house.servers["emby"].error = None
    house.clock.pass_by(minutes=10)
    house.writes()
    await house.viewer.retry()
    assert house.writes()["emby"] == 0
    assert house.viewer.next_retry is None


async def test_a_write_that_never_showed_and_is_wanted_no_more_is_dropped(house: House) -> None:
    """W5: looked at once more, then forgotten."""
    await _unsure(house, "emby")
    house.servers["emby"].unwatch("tt1")
    house.clock.pass_by(hours=1)
    house.writes()
    await house.viewer.retry()
    assert house.viewer.next_retry is None
    assert not any(house.writes().values())


async def test_a_crash_after_a_write_invents_no_view(house: House) -> None:
    """M3: the outbox on disk is never ahead of the baseline."""
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    await house.restart()
    house.changes.clear()
    house.servers["emby"].stop_at("tt1", 900)
    await house.hint("emby", "tt1")
    assert [change.kind for change in house.changes] == [ChangeKind.PROGRESS]
    assert {server.records["tt1"].position for server in house.servers.values()} == {900}


async def test_a_view_after_an_unwatch_that_a_crash_followed(house: House) -> None:
    """M5: Plex was unmarked, nobody remembers it, and its count began anew: what it shows then is a view, not what was there before."""
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    house.servers["jellyfin"].unwatch("tt1")
    await house.hint("jellyfin", "tt1", unplayed=True)
    assert not any(house.played("tt1").values())
    await house.restart()
    house.clock.pass_by(minutes=7)
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    await house.sync()
    assert all(house.played("tt1").values())


async def test_a_view_after_an_unwatch_that_a_crash_followed_and_that_was_opened_again(house: House) -> None:
    """M5: what shows as watched, with a position, was watched since: the unwatch may have been there in between."""
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    house.servers["plex"].unwatch("tt1")
    await house.hint("plex", "tt1", unplayed=True)
    await house.restart()
    house.clock.pass_by(minutes=7)
    house.servers["jellyfin"].watch("tt1")
    house.clock.pass_by(minutes=3)
    house.servers["jellyfin"].stop_at("tt1", 100)
    await house.sync()
    assert all(house.played("tt1").values())


async def test_a_view_where_a_mark_was_owed_and_never_sent(house: House) -> None:
    """M3, M5: Plex was away when its mark was planned and taken back; killed then, Home Assistant takes what was watched there for no mark of its own."""
    house.servers["plex"].error = ServerUnavailable("unplugged")
    await _watch_and_unwatch(house)
    house.clock.pass_by(minutes=5)
    house.servers["plex"].watch("tt1")
    house.clock.pass_by(minutes=5)
    await house.restart()
    house.servers["plex"].error = None
    await house.sync()
    assert all(house.played("tt1").values())


@pytest.mark.parametrize("killed", [False, True])
async def test_a_view_later_than_a_mark_that_was_lost(house: House, *, killed: bool) -> None:
    """M3, M5: a mark that never came to Plex shows no later date there than that of its sending; what does was watched."""
    house.servers["plex"].deaf = True
    await _unsure(house, "plex")
    house.servers["plex"].deaf = False
    house.clock.pass_by(minutes=5)
    house.servers["plex"].watch("tt1")
    if killed:
        house.clock.pass_by(minutes=5)
        await house.restart()
    await house.sync()
    assert all(house.played("tt1").values())
    assert (house.changes[-1].kind, house.changes[-1].account) == (ChangeKind.WATCHED, "plex")


async def test_a_view_where_the_same_was_owed_is_the_later_view(house: House) -> None:
    """M1, M3: Plex was away, and somebody watched there what it was to be marked as; a position that somebody left elsewhere before that is over."""
    house.servers["plex"].error = ServerUnavailable("unplugged")
    house.servers["emby"].watch("tt1")
    await house.hint("emby", "tt1")
    house.servers["emby"].error = ServerUnavailable("unplugged")
    house.clock.pass_by(minutes=10)
    house.servers["emby"].stop_at("tt1", 600)
    house.clock.pass_by(minutes=10)
    house.servers["plex"].watch("tt1")
    house.servers["plex"].error = house.servers["emby"].error = None
    await house.sync()
    assert all(house.played("tt1").values())
    assert {server.records["tt1"].position for server in house.servers.values()} == {0}


async def test_a_position_that_we_wrote_is_nobody_s_when_the_flag_is_taken(house: House) -> None:
    """M3, R5: Jellyfin took a position and was gone before it answered; a tool then takes the flag alone there, and nobody watches again."""
    for server in house.servers.values():
        server.watch("tt1")
    await house.sync()
    house.servers["plex"].stop_at("tt1", 600)
    await house.hint("plex", "tt1")
    jellyfin = house.servers["jellyfin"]
    jellyfin.lost_answers = 1
    jellyfin.records["tt1"] = replace(jellyfin.records["tt1"], played=False, position=0, play_count=2, last_played=house.clock())  # opened by mistake
    await house.hint("jellyfin", "tt1")
    assert jellyfin.records["tt1"].position == 600
    house.servers["plex"].unwatch("tt1")
    await house.hint("plex", "tt1")
    jellyfin.records["tt1"] = replace(jellyfin.records["tt1"], played=False)
    jellyfin.error = None
    await house.sync()
    assert not any(house.played("tt1").values())
    assert {server.records["tt1"].position for server in house.servers.values()} == {0}


async def test_a_position_that_we_may_have_written_is_a_person_s_when_it_is_later(house: House) -> None:
    """M3, W3: Plex was away when a position was to be written; a person who stops there at that very position later is believed, also after a crash."""
    plex, jellyfin = house.servers["plex"], house.servers["jellyfin"]
    plex.error = ServerUnavailable("unplugged")
    jellyfin.stop_at("tt1", 600)
    await house.hint("jellyfin", "tt1")
    await house.restart()
    house.clock.pass_by(minutes=15)
    jellyfin.stop_at("tt1", 1200)
    await house.hint("jellyfin", "tt1")
    house.clock.pass_by(minutes=15)
    plex.stop_at("tt1", 600)
    plex.error = None
    await house.sync()
    assert {server.records["tt1"].position for server in house.servers.values()} == {600}


async def test_a_view_met_while_a_position_was_to_be_written_is_the_later_view(house: House) -> None:
    """M1, M3: watched to its end, Emby has no position any more, as is to be written there; an unwatch that was made before on a server that is away does not win."""
    plex, jellyfin, emby = house.servers.values()
    for server in house.servers.values():
        server.watch("tt1")
    await house.sync()
    plex.stop_at("tt1", 600)
    await house.hint("plex", "tt1")
    jellyfin.error = ServerUnavailable("unplugged")
    house.clock.pass_by(minutes=15)
    jellyfin.unwatch("tt1")
    house.clock.pass_by(minutes=15)
    emby.watch("tt1")
    house.clock.pass_by(minutes=15)
    plex.stop_at("tt1", 0)  # opened by mistake, and stopped at once
    await house.hint("plex", "tt1")
    jellyfin.error = None
    await house.sync()
    assert all(house.played("tt1").values())


async def test_an_unwatch_met_while_one_was_to_be_written_is_an_act(house: House) -> None:
    """R5, M3: Plex was watched once more while it was away; marked unwatched on Emby after that, of which no hint told, just before the same was to be written there."""
    plex, jellyfin, emby = house.servers.values()
    for server in house.servers.values():
        server.watch("tt1")
    await house.sync()
    plex.error = ServerUnavailable("unplugged")
    house.clock.pass_by(minutes=15)
    plex.watch("tt1")
    house.clock.pass_by(minutes=15)
    await house.hint("emby", "tt1")
    house.clock.pass_by(minutes=15)
    emby.unwatch("tt1")
    jellyfin.records["tt1"] = replace(jellyfin.records["tt1"], played=False)
    await house.hint("jellyfin", "tt1")
    plex.error = None
    await house.sync()
    assert not any(house.played("tt1").values())
