"""Texts that come through a connection that stays open: a web socket, or an event stream."""

import asyncio
import json
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol, override

from aiohttp import ClientError, ClientWebSocketResponse, StreamReader, WSMsgType

from ..ports import ServerUnavailable

LONGEST_EVENT = 4 << 20  # bytes, as much as a socket's message may have


class Frames(Protocol):
    """What comes, one text at a time."""

    async def receive(self, seconds: float) -> bytes | None:
        """Return the next text, None when there was none for so long; raises ServerUnavailable when the connection ended."""

    async def send(self, message: Any) -> None:
        """Send JSON; raises ServerUnavailable when the connection ended."""


class SocketFrames(Frames):
    """Of a web socket."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        """Read from this socket; pings are answered by it."""
        self._socket = socket

    @override
    async def receive(self, seconds: float) -> bytes | None:
        try:
            async with asyncio.timeout(max(seconds, 0.001)):  # the socket's own begins anew with each pong
                message = await self._socket.receive()
        except TimeoutError:
            return None
        if message.type is WSMsgType.TEXT:
            return str(message.data).encode()
        if message.type is WSMsgType.BINARY:
            return bytes(message.data)
        raise _ended()

    @override
    async def send(self, message: Any) -> None:
        try:
            await self._socket.send_str(json.dumps(message))
        except ClientError, OSError:
            raise _ended() from None


class EventFrames(Frames):
    """Of an event stream: the data of each event; their names are in it too."""

    def __init__(self, content: StreamReader) -> None:
        """Read from this body."""
        self._content = content
        self._rest = b""
        self._events: deque[bytes] = deque()

    @override
    async def receive(self, seconds: float) -> bytes | None:
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                while not self._events:
                    await self._read()
        except ClientError:  # a time-out of the connection itself too
            raise _ended() from None
        except TimeoutError:
            return None
        return self._events.popleft()

    @override
    async def send(self, message: Any) -> None:
        """Nothing can be said to an event stream."""

    async def _read(self) -> None:
        chunk = await self._content.readany()  # gives up without losing anything, as reading a line does not
        if not chunk or len(self._rest) > LONGEST_EVENT:
            raise _ended()
        *events, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
        self._events.extend(data for event in events if (data := b"\n".join(_data(event))))


def _data(event: bytes) -> Iterator[bytes]:
    return (line.removeprefix(b"data:").strip() for line in event.split(b"\n") if line.startswith(b"data:"))


def _ended() -> ServerUnavailable:
    return ServerUnavailable("the connection ended")
