"""The contract, on Emby of three versions."""

from typing import override

import pytest

from custom_components.plex_watchsync.ports import ServerKind
from custom_components.plex_watchsync.servers.mediabrowser.emby import EmbyServer
from simulators.base import Simulator
from simulators.emby import EmbySimulator

from .contract import WatchServerContract
from .place import SECRET, TITLES, Place


class TestEmby49(WatchServerContract):
    """Emby 4.9 by user name and password."""

    kind = ServerKind.EMBY
    version = "4.9.5.0"

    @classmethod
    @override
    def make(cls) -> Simulator:
        """Make the simulator."""
        return EmbySimulator("Emby Cellar", TITLES, {"anna": SECRET, "ben": "ben-secret"}, version=cls.version)

    @override
    def shrink_pages(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(EmbyServer, "page_size", 5)


class TestEmby48(TestEmby49):
    """Emby 4.8."""

    version = "4.8.11.0"


class TestEmby47(TestEmby49):
    """Emby 4.7."""

    version = "4.7.14.0"
