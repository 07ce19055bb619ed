"""How many rows Jellyfin and Emby are asked for at once: more when a page is slow whatever its size, fewer after a failure, and as before when all is well."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, override

import pytest

from custom_components.plex_watchsync.ports import RateLimited, ServerError, ServerKind, ServerUnavailable
from custom_components.plex_watchsync.servers.mediabrowser import client
from custom_components.plex_watchsync.servers.mediabrowser.emby import EmbyServer
from custom_components.plex_watchsync.servers.mediabrowser.jellyfin import JellyfinServer

from .test_mediabrowser_client import ANNA, FILMS, NOW, Script, connection, film, listed, paged

ROWS = paged([film(number) for number in range(1, 33)])


class Slow(Script):
    """A server whose pages take so many seconds, or fail."""

    def __init__(self) -> None:
        """Have 32 films, and be quick."""
        library = {"Items": [FILMS]}
        super().__init__({"GET /UserViews": library, f"GET /emby/Users/{ANNA}/Views": library})
        self.seconds, self.now = 0.0, NOW
        self.failures: list[ServerError] = []
        self.limits: list[int] = []

    @override
    async def json(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None, **_: Any) -> Any:
        """Answer, and let time pass."""
        if not path.endswith("/Items"):
            return await super().json(method, path, params=params, body=body)
        asked = {name.lower(): value for name, value in (params or {}).items()}
        self.limits.append(int(asked["limit"]))
        if self.failures:
            raise self.failures.pop(0)
        self.now += timedelta(seconds=self.seconds)
        return ROWS(asked, None)

    def asked(self) -> list[int]:
        """Return the sizes of pages that were asked for since the last time."""
        found = list(self.limits)
        self.limits.clear()
        return found


@pytest.fixture(params=[JellyfinServer, EmbyServer])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> JellyfinServer | EmbyServer:
    """Return a client that asks for 8 rows, for 2 at the least and 16 at the most."""
    monkeypatch.setattr(client, "_SMALLEST_PAGE", 2)
    monkeypatch.setattr(client, "_LARGEST_PAGE", 16)
    monkeypatch.setattr(request.param, "page_size", 8)
    kind = ServerKind.EMBY if request.param is EmbyServer else ServerKind.JELLYFIN
    script = Slow()
    made: JellyfinServer | EmbyServer = request.param(script, connection(kind), lambda: script.now)
    return made


@pytest.fixture
def script(server: JellyfinServer | EmbyServer) -> Slow:
    """Return what the client speaks with."""
    spoken: Any = server._http
    assert isinstance(spoken, Slow)
    return spoken


async def test_a_quick_server(server: JellyfinServer, script: Slow) -> None:
    """Is asked for what it usually is."""
    for _ in range(2):
        assert len(await listed(server, {"films"})) == 32
        assert script.asked() == [8, 8, 8, 8]
    assert not server.slow_pages


async def test_pages_grow_on_a_slow_server(server: JellyfinServer, script: Slow) -> None:
    """Pitfall 50: a server whose every page takes a minute, whatever its size, is asked for fewer, larger ones, and told from a quick one."""
    script.seconds = 60
    assert len(await listed(server, {"films"})) == 32
    assert script.asked() == [8, 16, 16]
    assert server.slow_pages
    script.seconds = 1
    assert len(await listed(server, {"films"})) == 32
    assert script.asked() == [16, 16]
    assert not server.slow_pages


async def test_pages_shrink_when_one_fails(server: JellyfinServer, script: Slow) -> None:
    """Server-apis §3.2: on a time-out or 5xx; down to what is worth a request. What failed is not tried while pages stay slow."""
    script.seconds = 60
    for sizes in ([8], [4], [2], [2]):
        script.failures = [ServerUnavailable("504")]
        with pytest.raises(ServerUnavailable):
            await listed(server, {"films"})
        assert script.asked() == sizes
    assert len(await listed(server, {"films"})) == 32
    assert script.asked() == [2] * 16


async def test_pages_grow_back_when_all_is_well(server: JellyfinServer, script: Slow) -> None:
    """A server that was restarted is not read in crumbs for ever; each quick listing doubles them, up to what they were."""
    script.failures = [ServerUnavailable("503")] * 2
    for _ in range(2):
        with pytest.raises(ServerUnavailable):
            await listed(server, {"films"})
    script.asked()
    for size in (2, 4, 8, 8):
        assert len(await listed(server, {"films"})) == 32
        assert script.asked() == [size] * (32 // size)
    script.seconds = 60
    assert len(await listed(server, {"films"})) == 32
    assert script.asked() == [8, 16, 16]


async def test_a_pause_that_was_asked_for_changes_nothing(server: JellyfinServer, script: Slow) -> None:
    """429 is no word about pages."""
    script.failures = [RateLimited("429", 5)]
    with pytest.raises(RateLimited):
        await listed(server, {"films"})
    assert script.asked() == [8]
    assert len(await listed(server, {"films"})) == 32
    assert script.asked() == [8, 8, 8, 8]
