"""The contract, on Plex."""

from typing import override

import pytest

from custom_components.plex_watchsync.ports import ServerKind
from custom_components.plex_watchsync.servers import Connection, open_server
from custom_components.plex_watchsync.servers.plex import client
from simulators.base import Act, Simulator
from simulators.plex import PlexSimulator

from .contract import WatchServerContract
from .place import FILM, SECRET, TITLES, Place, clock


class TestPlex(WatchServerContract):
    """Plex by the owner's token."""

    kind = ServerKind.PLEX

    @classmethod
    @override
    def make(cls) -> Simulator:
        """Make the simulator."""
        return PlexSimulator("Plex Study", TITLES, {"anna": SECRET, "ben": "ben-secret"})

    @override
    def shrink_pages(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "PAGE", 5)

    async def test_the_owner_knows_what_others_play(self, place: Place) -> None:
        """W2: a member of the home may not ask; the credentials that the server was set up with may, and tell whose session it is; they are asked first from then on."""
        assert isinstance(place.simulator, PlexSimulator)
        owner, ben = place.simulator.accounts["anna"], place.simulator.accounts["ben"]
        await place.simulator.act("ben", FILM.key, Act.PLAY)
        await place.simulator.act("anna", TITLES[1].key, Act.PLAY)
        for owner_token, played, asked in ((owner.token, {place.item_id()}, 1), (None, set(), 1), (ben.token, set(), 1), ("dead", set(), 2)):
            connection = Connection(ServerKind.PLEX, place.url, ben.token, "device-ben", str(ben.account_id), owner_token=owner_token)
            server = open_server(place.session, connection, clock=clock)
            assert await server.playing() == played
            place.simulator.requests.clear()
            assert await server.playing() == played
            assert len(place.simulator.requests) == asked
