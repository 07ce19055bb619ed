"""The contract, on Jellyfin of three versions."""

from typing import override

import pytest

from custom_components.plex_watchsync.ports import ServerKind
from custom_components.plex_watchsync.servers.mediabrowser.jellyfin import JellyfinServer
from simulators.base import Simulator
from simulators.jellyfin import JellyfinSimulator

from .contract import WatchServerContract
from .place import SECRET, TITLES, Place


class TestJellyfin1011(WatchServerContract):
    """Jellyfin 10.11 by user name and password."""

    kind = ServerKind.JELLYFIN
    version = "10.11.11"

    @classmethod
    @override
    def make(cls) -> Simulator:
        """Make the simulator."""
        return JellyfinSimulator("Jellyfin Attic", TITLES, {"anna": SECRET, "ben": "ben-secret"}, version=cls.version)

    @override
    def shrink_pages(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(JellyfinServer, "page_size", 5)


class TestJellyfin1010(TestJellyfin1011):
    """Jellyfin 10.10."""

    version = "10.10.7"


class TestJellyfin12(TestJellyfin1011):
    """Jellyfin 12.0."""

    version = "12.0.0"
