"""Asking the local network for Jellyfin and Emby (server-apis §7)."""

import asyncio

import pytest

from custom_components.plex_watchsync.ports import ServerKind
from custom_components.plex_watchsync.servers import Announced, discover
from custom_components.plex_watchsync.servers.mediabrowser import discovery
from custom_components.plex_watchsync.servers.mediabrowser.normalise import announced
from simulators.announce import announcing
from simulators.catalogue import generate
from simulators.emby import EmbySimulator
from simulators.jellyfin import JellyfinSimulator

TITLES = generate(3, films=1, shows=1, episodes_per_show=1)
PEOPLE = {"anna": "secret"}

pytestmark = pytest.mark.usefixtures("socket_enabled")


async def test_who_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind answers its own question, once, whatever number of addresses it is asked at; one that is away says nothing."""
    attic, cellar = JellyfinSimulator("Attic", TITLES, PEOPLE), EmbySimulator("Cellar", TITLES, PEOPLE)
    async with announcing({"http://attic:8096": attic, "http://cellar:8096/": cellar}, 0) as port:
        monkeypatch.setattr(discovery, "PORT", port)
        monkeypatch.setattr(discovery, "PATIENCE", 0.05)
        assert await discover(ServerKind.JELLYFIN, ["127.0.0.1", "127.0.0.1"]) == (Announced(attic.server_id, "Attic", "http://attic:8096"),)
        assert await discover(ServerKind.EMBY, ["127.0.0.1"]) == (Announced(cellar.server_id, "Cellar", "http://cellar:8096"),)
        cellar.faults.offline = True
        assert await discover(ServerKind.EMBY, ["127.0.0.1"]) == ()


async def test_where_one_may_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without a network finds nobody."""

    async def refuse(*_asked: object, **_more: object) -> None:
        raise PermissionError

    monkeypatch.setattr(asyncio.get_running_loop(), "create_datagram_endpoint", refuse)
    assert await discover(ServerKind.EMBY, ["127.0.0.1"]) == ()


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"Address": null, "Id": "1", "Name": "a"}',
        b'{"Address": "ftp://x", "Id": "1", "Name": "a"}',
        b"[" * 9999,
    ],
)
def test_anybody_may_say_anything(datagram: bytes) -> None:
    """What is no server's answer is passed over."""
    assert announced(datagram) is None
    ear = discovery._Ear()
    ear.datagram_received(datagram, ("127.0.0.1", 7359))
    assert ear.heard == {}
