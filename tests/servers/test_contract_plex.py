"""The contract, on Plex."""

from typing import override

import pytest

from custom_components.plex_watchsync.ports import ServerKind
from custom_components.plex_watchsync.servers.plex import client
from simulators.base import Simulator
from simulators.plex import PlexSimulator

from .contract import WatchServerContract
from .place import SECRET, TITLES, Place


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
