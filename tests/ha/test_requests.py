"""What each server is asked when something happens: one table per scenario, ids left out; whoever changes a number changes what a household pays."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from homeassistant.config_entries import ConfigEntry

from custom_components.plex_watchsync.engine.run import Run, RunKind
from custom_components.plex_watchsync.hub import hub_of
from custom_components.plex_watchsync.ports import Hint
from custom_components.plex_watchsync.servers.http import MOST_AT_ONCE, WRITERS
from simulators.base import Act, Faults
from simulators.catalogue import Title

from .conftest import FILM, TITLES, House, Place
from .flows import joined

type Costs = dict[str, int]

POLL: dict[str, Costs] = {  # whoever is read or written says first who it is
    "plex": {  # of films and of episodes: what was ever opened, what was added
        "GET /identity": 1,
        "GET /status/sessions": 1,
        "GET /library/sections": 1,
        "GET /library/sections/{id}/all": 4,
    },
    "jellyfin": {  # what is played, what is begun, the newest
        "GET /System/Info/Public": 1,
        "GET /Sessions": 1,
        "GET /UserViews": 1,
        "GET /Items": 6,
    },
    "emby": {  # and what was saved for the user
        "GET /System/Info/Public": 1,
        "GET /emby/Sessions": 1,
        "GET /emby/Users/{id}/Views": 1,
        "GET /emby/Users/{id}/Items": 8,
    },
}
LISTING: dict[str, Costs] = {  # films, shows, episodes: a page of each
    "plex": {"GET /identity": 1, "GET /status/sessions": 1, "GET /library/sections": 1, "GET /library/sections/{id}/all": 3},
    "jellyfin": {"GET /System/Info/Public": 1, "GET /Sessions": 1, "GET /UserViews": 1, "GET /Items": 3},
    "emby": {"GET /System/Info/Public": 1, "GET /emby/Sessions": 1, "GET /emby/Users/{id}/Views": 1, "GET /emby/Users/{id}/Items": 3},
}
LOOK: dict[str, Costs] = {
    "plex": {"GET /identity": 1, "GET /status/sessions": 1, "GET /library/metadata/{id}": 1},
    "jellyfin": {"GET /System/Info/Public": 1, "GET /Sessions": 1, "GET /Items": 1},
    "emby": {"GET /System/Info/Public": 1, "GET /emby/Sessions": 1, "GET /emby/Users/{id}/Items": 1},
}
BATCH: dict[str, Costs] = {  # what plays, the titles together before the writes, and together after them
    "plex": {"GET /identity": 1, "GET /status/sessions": 1, "GET /library/metadata/{id}": 2},
    "jellyfin": {"GET /System/Info/Public": 1, "GET /Sessions": 1, "GET /Items": 2},
    "emby": {"GET /System/Info/Public": 1, "GET /emby/Sessions": 1, "GET /emby/Users/{id}/Items": 2},
}
MARK: dict[str, Costs] = {  # per title
    "plex": {"PUT /:/scrobble": 1},
    "jellyfin": {"POST /UserItems/{id}/UserData": 1},
    "emby": {"GET /emby/Users/{id}/Items/{id}": 1, "POST /emby/Users/{id}/PlayedItems/{id}": 1},
}


class Till:
    """Counts what the servers of a house are asked."""

    def __init__(self, house: House, entries: dict[str, ConfigEntry]) -> None:
        """Start at nothing."""
        self.house, self.entries = house, entries
        self.hub = hub_of(house.hass)
        self.accounts = {kind: next(iter(entry.runtime_data.accounts)) for kind, entry in entries.items()}
        self.clear()

    def clear(self) -> None:
        """Start at nothing again."""
        for place in self.house.places.values():
            place.simulator.requests.clear()

    async def poll(self, *kinds: str) -> None:
        """Let the time come at which servers are polled."""
        for kind in kinds:
            await self.entries[kind].runtime_data.async_refresh()
        await self.house.settle()

    async def hint(self, kind: str, title: Title = FILM) -> None:
        """Let a server tell of a title."""
        (viewer_id,) = self.hub.viewers
        self.hub.following.hint(viewer_id, [Hint(self.accounts[kind], self.house.places[kind].shown(title).item_id, self.house.clock())])
        await self.house.settle()

    def costs(self) -> dict[str, Costs]:
        """Count what was asked since, by server."""
        return {kind: asked(place) for kind, place in self.house.places.items()}


def asked(place: Place) -> Costs:
    """Count what a server was asked."""
    return dict(Counter(map(_without_ids, place.simulator.requests)))


def _without_ids(request: str) -> str:
    return re.sub(r"(?<=/)([0-9a-f]{32}|[\d,]+)(?=/|$)", "{id}", request)


def summed(*parts: Costs) -> Costs:
    """Add tables up."""
    return dict(sum(map(Counter[str], parts), Counter[str]()))


def times(count: int, table: Costs) -> Costs:
    """Return a table for so many of the same."""
    return {request: count * number for request, number in table.items()}


@pytest.fixture
async def till(house: House) -> AsyncIterator[Till]:
    """Return a till in a house whose servers are in step, and see to it that none is ever asked too much at once."""
    entries = await house.add_all()
    yield Till(house, entries)
    for place in house.places.values():
        assert 0 < place.simulator.load.requests <= MOST_AT_ONCE
        assert place.simulator.load.writes <= WRITERS


async def test_an_idle_poll(till: Till) -> None:
    """Nobody watched anything."""
    await till.poll("plex", "jellyfin", "emby")
    assert till.costs() == POLL


@pytest.mark.parametrize("kind", ["plex", "jellyfin", "emby"])
async def test_a_mark_that_was_told_of(till: Till, kind: str) -> None:
    """One read where it was marked; where it is written one before, one after, and what the write takes (M3, W2)."""
    await till.house.places[kind].act(Act.MARK_WATCHED)
    await till.hint(kind)
    others = {other: summed(BATCH[other], MARK[other]) for other in till.entries if other != kind}
    assert till.costs() == {kind: LOOK[kind]} | others


async def test_an_echo(till: Till) -> None:
    """M3: a server that tells of our own write is looked at, and nobody else is asked."""
    await till.house.places["plex"].act(Act.MARK_WATCHED)
    await till.hint("plex")
    till.clear()
    await till.hint("emby")
    assert till.costs() == {"plex": {}, "jellyfin": {}, "emby": LOOK["emby"]}


async def test_a_full_import(till: Till) -> None:
    """Films, shows and episodes are listed once each."""
    await till.hub.sync(Run(kind=RunKind.IMPORT))
    assert till.costs() == LISTING


async def test_catching_up_after_an_outage(till: Till) -> None:
    """M2, pitfall 14: a server that was away is polled as ever, and gets what it missed."""
    jellyfin = till.house.places["jellyfin"]
    jellyfin.simulator.faults = Faults(offline=True)
    await till.house.places["plex"].act(Act.MARK_WATCHED)
    await till.hint("plex")
    await till.poll("jellyfin")
    till.clear()
    jellyfin.simulator.faults = Faults()
    await till.poll("jellyfin")
    assert till.costs() == {"plex": {}, "jellyfin": summed(POLL["jellyfin"], BATCH["jellyfin"], MARK["jellyfin"]), "emby": {}}


@pytest.mark.parametrize("count", [1, 5])
async def test_an_export(till: Till, count: int) -> None:
    """Many titles are read together; only the writes go one by one."""
    for title in TITLES[:count]:
        await till.house.places["plex"].act(Act.MARK_WATCHED, title)
    await till.hub.sync(Run(kind=RunKind.IMPORT, accounts=frozenset({till.accounts["plex"]})))
    till.clear()
    await till.hub.sync(Run(kind=RunKind.EXPORT))
    written = {kind: summed(BATCH[kind], times(count, MARK[kind])) for kind in ("jellyfin", "emby")}
    assert till.costs() == {"plex": {}} | written


FIRST_SYNC: dict[str, Costs] = {
    "plex": {
        "GET /identity": 1,
        "GET /": 3,
        "GET /accounts": 2,
        "GET /library/sections": 1,
    },
    "jellyfin": {
        "GET /System/Info/Public": 2,  # and by the webhook: which version it is
        "POST /Users/AuthenticateByName": 1,
        "GET /Users/Me": 2,
        "GET /Users": 2,
        "GET /UserViews": 1,
        "GET /Plugins/{id}/Configuration": 1,  # the webhook: read, registered, tried out by a write that changes nothing
        "POST /Plugins/{id}/Configuration": 1,
        "GET /Items": 1,
        "POST /UserItems/{id}/UserData": 1,
    },
    "emby": {
        "GET /System/Info/Public": 1,
        "POST /emby/Users/AuthenticateByName": 1,
        "GET /emby/Users/Query": 2,
        "GET /emby/Users/{id}/Views": 1,
        "GET /emby/Notifications/Services/Configured": 2,
        "POST /emby/Notifications/Services/Configured": 1,
        "POST /emby/Notifications/Services/Test": 1,
    },
}


@pytest.mark.parametrize("kind", ["plex", "jellyfin", "emby"])
async def test_a_first_sync(house: House, kind: str) -> None:
    """Signing in, and three listings: for the preview, for whether it still holds when it is submitted (G1), for the sync itself."""
    await house.add(kind)
    assert asked(house.places[kind]) == summed(FIRST_SYNC[kind], times(3, LISTING[kind]))


async def test_no_server_is_asked_too_much_at_once(house: House) -> None:
    """Server-apis §3.1, §4.2: not for two people whose libraries are read while their titles are written."""
    entries = await house.add_all()
    for kind in ("jellyfin", "emby"):
        await joined(house.hass, entries[kind])
    till = Till(house, entries)
    for place in house.places.values():
        place.simulator.faults = Faults(slow=0.2)  # long enough to meet on a busy machine too
    for kind, title in zip([*house.places] * 2, TITLES, strict=False):
        for user in ("anna", "ben"):
            await house.places[kind].simulator.act(user, title.key, Act.MARK_WATCHED)
    await asyncio.gather(*(till.hub.sync_viewer(viewer, Run()) for viewer in till.hub.viewers.values() for _ in range(2)))
    await house.settle()
    assert all(place.shown(title).played for place in house.places.values() for title in TITLES[:6])
    for place in house.places.values():
        assert place.simulator.load.writes == WRITERS
        assert WRITERS <= place.simulator.load.requests <= MOST_AT_ONCE
