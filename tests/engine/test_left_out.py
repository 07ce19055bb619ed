"""What is not written to any more: by its direction (W1), or as its library takes no part (I8)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.plex_watchsync.ports import ServerUnavailable
from custom_components.plex_watchsync.sync.policy import Direction

from .conftest import House
from .fakes import LIBRARY


def leave_out(house: House, way: str) -> None:
    """Have the emby not written to any more."""
    if way == "direction":
        house.set_direction("emby", Direction.IMPORT_ONLY)
    else:
        choose(house, "other")


def choose(house: House, library: str) -> None:
    """Have another library of the emby take part."""
    house.viewer.accounts["emby"] = replace(house.viewer.accounts["emby"], libraries=frozenset({library}))


def take_in(house: House) -> None:
    """Have the emby written to again."""
    house.set_direction("emby", Direction.TWO_WAY)
    choose(house, LIBRARY)


@pytest.mark.parametrize("way", ["direction", "library"])
async def test_what_waited_is_superseded(house: House, way: str) -> None:
    """W1, I8: a write that was owed before is not sent, the journal says so, nothing counts it, and once written to again all is caught up."""
    emby = house.servers["emby"]
    emby.error = ServerUnavailable("off")
    house.servers["plex"].watch("tt1")
    await house.sync()
    assert (house.viewer.pending("emby"), house.viewer.counts("emby").owed) == (1, 1)
    emby.error = None
    leave_out(house, way)
    house.clock.pass_by(hours=1)
    await house.viewer.retry()
    assert not emby.writes
    assert (house.viewer.pending("emby"), house.viewer.counts("emby").owed, house.viewer.next_retry) == (0, 0, None)
    assert [note.account for note in house.viewer.journal if note.outcome == "superseded"] == ["emby"]
    take_in(house)
    await house.sync()
    assert house.played("tt1")["emby"]


@pytest.mark.parametrize("way", ["direction", "library"])
async def test_nothing_is_planned(house: House, way: str) -> None:
    """W1, I8: what is agreed later is not written there either, and catches up later."""
    leave_out(house, way)
    house.servers["plex"].watch("tt1")
    await house.sync()
    assert not house.servers["emby"].writes
    assert (house.viewer.pending("emby"), house.viewer.counts("emby").owed) == (0, 0)
    take_in(house)
    await house.sync()
    assert house.played("tt1")["emby"]


@pytest.mark.parametrize("way", ["direction", "library"])
async def test_what_was_sent_before_is_nobodys_act(house: House, way: str) -> None:
    """M3: a write whose answer was lost is known for what it is, also when its library took no part for a while."""
    emby = house.servers["emby"]
    emby.lost_answers = 1
    house.servers["plex"].watch("tt1")
    await house.sync()
    assert emby.records["tt1"].played
    emby.error = None
    leave_out(house, way)
    house.writes()
    house.clock.pass_by(hours=1)
    house.servers["plex"].unwatch("tt1")
    await house.sync()
    await house.sync()
    assert not emby.writes
    assert house.viewer.pending("emby") == 0
    assert house.viewer.next_retry is None or house.viewer.next_retry > house.clock() + timedelta(minutes=1)
    take_in(house)
    await house.sync()
    assert house.played("tt1") == {"plex": False, "jellyfin": False, "emby": False}
