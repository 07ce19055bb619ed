"""Connections that stay open, at the level of single texts; and what a request path makes of their beginnings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import ClientSession, web

from custom_components.plex_watchsync.ports import AuthFailed, CertificateInvalid, Forbidden, Gap, ItemNotFound, ServerError, ServerKind, ServerUnavailable
from custom_components.plex_watchsync.servers import Connection, frames, open_stream
from custom_components.plex_watchsync.servers import http as module
from custom_components.plex_watchsync.servers.http import HttpClient

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def client(handler: Handler) -> AsyncIterator[HttpClient]:
    """Ask a server that answers everything by this handler."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession() as session:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield HttpClient(session, url, headers={"X-Token": "secret"}, verify_ssl=True, clock=lambda: datetime.now(UTC))
    await runner.cleanup()


def streaming(*chunks: bytes, stay: float = 0.0) -> Handler:
    """Answer with an event stream in these pieces."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
            await asyncio.sleep(0.02)
        await asyncio.sleep(stay)
        return response

    return answer


def refusing(status: int) -> Handler:
    """Answer with this status."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    return answer


async def test_events_come_whole_however_they_are_cut() -> None:
    """With either end of line, over several reads; names, comments and events without data are passed over."""
    pieces = (b"event: play", b'ing\r\ndata: {"a":', b" 1}\r\n\r\n: comment\n\nevent: ping\n\nda", b"ta:2\ndata: 3\n\n", b"data: half")
    async with client(streaming(*pieces)) as http, http.events("/events") as stream:
        assert [await stream.receive(5), await stream.receive(5)] == [b'{"a": 1}', b"2\n3"]
        await stream.send({"nothing": "can be said"})
        with pytest.raises(ServerUnavailable):
            await stream.receive(5)


async def test_a_silent_stream_is_waited_for() -> None:
    """And nothing that came in part is lost by giving up."""
    async with client(streaming(b"data: 1", b"", stay=0.3)) as http, http.events("/events") as stream:
        assert await stream.receive(0.1) is None
        assert await stream.receive(0) is None


async def test_an_event_without_an_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is small."""
    monkeypatch.setattr(frames, "LONGEST_EVENT", 10)
    async with client(streaming(b"data: " + b"x" * 20, b"y", stay=0.3)) as http, http.events("/events") as stream:
        with pytest.raises(ServerUnavailable):
            await stream.receive(5)


async def test_a_socket_s_texts_may_be_bytes() -> None:
    """What comes is handed on; what is said to a socket that is closed is an error of ours."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_bytes(b"bytes")
        await socket.send_str("text")
        await socket.receive()
        return socket

    async with client(answer) as http:
        async with http.socket("/socket") as socket:
            assert [await socket.receive(5), await socket.receive(5), await socket.receive(0.01)] == [b"bytes", b"text", None]
        with pytest.raises(ServerUnavailable):
            await socket.receive(5)
        with pytest.raises(ServerUnavailable):
            await socket.send({})


async def test_a_silent_socket_is_waited_for_no_longer_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it shows all the while that it is still there: what is held back meanwhile must be told in time."""
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _message in socket:
            pass
        return socket

    async with client(answer) as http, http.socket("/socket") as socket, asyncio.timeout(10):
        assert await socket.receive(0.5) is None


@pytest.mark.parametrize(("status", "error"), [(401, AuthFailed), (403, Forbidden), (404, ItemNotFound), (302, ServerError), (503, ServerError)])
async def test_refusals_are_told_apart(status: int, error: type[ServerError]) -> None:
    """At the beginning of both kinds of connection, without a secret in the message."""
    async with client(refusing(status)) as http:
        for opening in (http.socket("/there"), http.events("/there")):
            with pytest.raises(error) as raised:
                async with opening:
                    pass
            assert "/there" in str(raised.value)
            assert "secret" not in str(raised.value)


async def test_nobody_there() -> None:
    """A wrong port, and TLS where there is none."""
    async with ClientSession() as session:
        for url in ("http://127.0.0.1:9", "https://127.0.0.1:9"):
            http = HttpClient(session, url, headers={}, verify_ssl=True, clock=lambda: datetime.now(UTC))
            for opening in (http.socket("/there"), http.events("/there")):
                with pytest.raises((ServerUnavailable, CertificateInvalid)):
                    async with opening:
                        pass


@pytest.mark.parametrize("kind", [ServerKind.JELLYFIN, ServerKind.EMBY])
async def test_who_may_not_list_sessions_listens_all_the_same(kind: ServerKind) -> None:
    """What plays already is not known then."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/Sessions"):
            return web.Response(status=403)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _message in socket:
            pass
        return socket

    async with client(answer) as http:
        connection = Connection(kind, http._url, "token", "device", "user", own=True)
        stream = open_stream(http._session, connection, clock=lambda: datetime.now(UTC))
        assert stream is not None
        listening = stream.listen()
        assert isinstance(await anext(listening), Gap)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(listening), 0.05)


async def test_a_plex_token_that_only_the_socket_refuses() -> None:
    """It is not tried on the event stream."""
    asked = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=401) if "notifications" in request.path else web.json_response({"MediaContainer": {}})

    async with client(answer) as http:
        stream = open_stream(http._session, Connection(ServerKind.PLEX, http._url, "token", "device"), clock=lambda: datetime.now(UTC))
        assert stream is not None
        with pytest.raises(AuthFailed):
            await anext(stream.listen())
    assert asked == ["/status/sessions", "/:/websockets/notifications"]
