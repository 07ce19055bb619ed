"""The sockets of Jellyfin and Emby: one for each account, on a device of its own (server-apis §1.2, §5.4, §5.6; pitfalls 39, 45, 49)."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Self

from aiohttp import ClientSession

from ...ports import Forbidden, Gap, ServerKind, Told, UnexpectedAnswer
from ..connection import Connection
from ..frames import Frames
from ..http import HttpClient, parsed
from . import wire
from .client import headers
from .frames import Ear
from .normalise import understood

KEEP_ALIVE = 15.0
"""Seconds between two signs of life: Emby hangs up after 30 of silence, Jellyfin after those that it names, 60 (server-apis §5.4, §5.6)."""
_PREFIXES = {ServerKind.JELLYFIN: "", ServerKind.EMBY: "/emby"}


class MediaBrowserPush:
    """A Jellyfin's or Emby's socket as one of its users hears it; implements `ports.PushStream`."""

    def __init__(self, http: HttpClient, connection: Connection, user_id: str) -> None:
        """Listen with the token that `http` carries, which is this user's own."""
        self._http, self._connection = http, connection
        self._ear = Ear(connection.kind, user_id, connection.device_id)

    @classmethod
    def open(cls, session: ClientSession, connection: Connection, clock: Callable[[], datetime]) -> Self | None:
        """Make a stream of a connection, None where it has none: an API key and an administrator's token hear nothing of others; sends nothing."""
        if not connection.own or connection.user_id is None:
            return None
        sent = headers(connection.kind, connection.device_id, connection.token)
        http = HttpClient(session, connection.url, headers=sent, verify_ssl=connection.verify_ssl, clock=clock)
        return cls(http, connection, connection.user_id)

    async def listen(self) -> AsyncGenerator[Told]:
        """Open the socket; nothing is replayed of what was said before (server-apis §5.4)."""
        await self._begin()
        async with self._http.socket(*self._address()) as frames:
            # It counts as speaking, and of all sockets with this device id only the one that spoke last hears anything (pitfall 39).
            await frames.send({"MessageType": "SessionsStart", "Data": "0,1500"})
            yield Gap("connected")
            loop = asyncio.get_running_loop()
            speak_at = loop.time() + KEEP_ALIVE
            while True:
                for told in await self._heard(frames, speak_at - loop.time()):
                    yield told
                if loop.time() >= speak_at:
                    await frames.send({"MessageType": "KeepAlive"})
                    speak_at = loop.time() + KEEP_ALIVE

    async def _begin(self) -> None:
        """See what is played already, and that the token is good, which Emby's handshake does not tell."""
        try:
            sessions: list[wire.Session] = await self._http.json("GET", f"{_PREFIXES[self._connection.kind]}/Sessions")
        except Forbidden:
            sessions = []
        with understood("the list of sessions"):
            self._ear.begin(sessions)

    def _address(self) -> tuple[str, dict[str, str]]:
        """Return where the socket is; only Emby wants the token in the address."""
        if self._connection.kind is ServerKind.JELLYFIN:
            return "/socket", {"deviceId": self._connection.device_id}
        return "/embywebsocket", {"api_key": self._connection.token, "deviceId": self._connection.device_id}

    async def _heard(self, frames: Frames, seconds: float) -> list[Told]:
        """Return what the next frame tells; one that nobody understands tells nothing."""
        text = await frames.receive(seconds)
        if text is None:
            return []
        try:
            with understood("a frame"):
                message = await parsed(text)
                return list(self._ear.hear(message["MessageType"], message.get("Data")))
        except UnexpectedAnswer, RecursionError:
            return []
