"""Titles without ids through the engine (I6): when what has their name is found, and what becomes of writes."""

from dataclasses import replace

import pytest

from custom_components.plex_watchsync.engine.run import Account, Run
from custom_components.plex_watchsync.ports import ServerUnavailable
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Part, ReplicaId
from custom_components.plex_watchsync.sync.policy import AccountPolicy

from .conftest import House
from .fakes import LIBRARY

HOLIDAYS = Media(MediaKind.MOVIE, "Holidays", 2015)
ITEM = "holidays"


def allow(house: House, name: str, *, by_title: bool) -> None:
    """Switch an account's option."""
    server = house.servers[name]
    house.viewer.accounts[name] = Account(server, AccountPolicy(server.traits, match_by_title=by_title), frozenset({LIBRARY}))


@pytest.fixture
async def known(house: House) -> House:
    """Return a house that is in step, with a film on Jellyfin and Emby that has ids; all may match by title."""
    for name in house.servers:
        allow(house, name, by_title=True)
        if name != "plex":
            stock(house, name, "movie/tmdb/1")
    await house.sync()
    return house


def stock(house: House, name: str, *keys: str) -> None:
    """Put the film on a shelf."""
    house.servers[name].stock(ITEM)
    house.servers[name].parts[ITEM] = (Part(HOLIDAYS, frozenset(keys)),)


async def test_a_new_title_without_ids_has_libraries_read_whole_again(known: House) -> None:
    """I6: those with ids are known by ids alone until somebody waits for their name; the next read is a whole one then, and the one after that is not."""
    stock(known, "plex")
    known.servers["plex"].watch(ITEM)
    listings = []
    for _hour in range(3):
        await known.sync(Run(recent=True))
        listings.append([server.listings.pop() for server in known.servers.values()])
    assert listings == [["recent"] * 3, ["whole"] * 3, ["recent"] * 3]
    assert known.played(ITEM) == {"plex": True, "jellyfin": True, "emby": True}
    assert (await known.sync()).planned == []


async def test_a_write_that_waits_is_dropped_when_the_name_holds_no_more(known: House) -> None:
    """I6, W5: switched off while the server was away, nothing is written to it, by whom ever it was watched."""
    stock(known, "plex")
    for _read in range(2):
        await known.sync()
    known.servers["plex"].write_error = ServerUnavailable("away")
    known.servers["emby"].watch(ITEM)
    await known.sync()
    assert known.viewer.pending("plex") == 1
    known.servers["plex"].write_error = None
    allow(known, "plex", by_title=False)
    known.clock.pass_by(hours=1)
    await known.viewer.retry()
    assert (known.viewer.pending("plex"), known.played(ITEM)["plex"]) == (0, False)
    await known.sync()
    assert known.viewer.unnamed("plex") == 1
    assert known.servers["plex"].writes == []


async def test_who_is_written_to_when_the_names_of_two_are_alike(known: House) -> None:
    """I3, I6: a second film of that name comes to Jellyfin; the title without ids is left alone from then on, whatever is watched."""
    stock(known, "plex")
    for _read in range(2):
        await known.sync()
    known.servers["jellyfin"].stock("other")
    known.servers["jellyfin"].parts["other"] = (Part(replace(HOLIDAYS), frozenset({"movie/tmdb/2"})),)
    await known.sync()
    known.servers["jellyfin"].watch("other")
    known.servers["emby"].watch(ITEM)
    await known.sync()
    assert known.played(ITEM) == {"plex": False, "jellyfin": True, "emby": True}


async def test_what_waits_to_be_written_is_not_once_nobody_knows_to_what(house: House) -> None:
    """I3, I6: a second title of that name comes to Emby, while what was watched there waits for Plex; it is told when the second is gone."""
    for name in ("plex", "emby"):
        allow(house, name, by_title=True)
        stock(house, name)
    await house.sync()
    house.servers["plex"].error = ServerUnavailable("away")
    house.servers["emby"].watch(ITEM)
    await house.sync()
    house.servers["emby"].stock("twin")
    house.servers["emby"].parts["twin"] = (Part(HOLIDAYS, frozenset()),)
    await house.sync()
    house.servers["plex"].error = None
    house.clock.pass_by(hours=1)
    await house.viewer.retry()
    assert (house.viewer.pending("plex"), house.servers["plex"].writes) == (0, [])
    del house.servers["emby"].records["twin"]
    for _read in range(3):
        await house.sync(Run(gone=frozenset({ReplicaId("emby", "twin")})))
    assert house.played(ITEM) == {"plex": True, "emby": True}
