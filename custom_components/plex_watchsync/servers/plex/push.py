"""Plex's notifications: by socket, or as an event stream where no socket gets through (server-apis §5.2)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import Self

from aiohttp import ClientSession

from ...ports import AuthFailed, Forbidden, Gap, InboundEvent, Playback, ServerError, ServerKind, Told, UnexpectedAnswer
from ..connection import Connection
from ..frames import Frames
from ..http import HttpClient, parsed
from . import wire
from .calm import Calm
from .client import headers
from .normalise import KINDS, OWNER, understood
from .notifications import Played, Playing, Refreshed, playback, session, understand

SOCKET, STREAM = "/:/websockets/notifications", "/:/eventsource/notifications"
FILTERS = {"filters": "playing,activity,timeline"}
MOST_NAMED = 500
"""Items that are looked at one by one; of more at once all is read."""
_CHANGES = frozenset({Playback.PAUSED, Playback.STOPPED})


class PlexPush:
    """A Plex server's notifications as one of its users hears them; implements `ports.PushStream`.

    The owner hears everybody's: who plays stands in the list of sessions, and a mark by hand may be anybody's. What others hear beside their own sessions is not
    known; it is taken for their own.
    """

    def __init__(self, http: HttpClient, user_id: str | None) -> None:
        """Listen with the token that `http` carries."""
        self._http, self._user_id = http, user_id or OWNER.user_id
        self._owner = False
        self._sessions: dict[str, Playing] = {}
        self._calm = Calm()

    @classmethod
    def open(cls, session: ClientSession, connection: Connection, clock: Callable[[], datetime]) -> Self:
        """Make a stream of a connection; sends nothing."""
        http = HttpClient(session, connection.url, headers=headers(connection.device_id, connection.token), verify_ssl=connection.verify_ssl, clock=clock)
        return cls(http, connection.user_id)

    async def listen(self) -> AsyncGenerator[Told]:
        """Open the socket or the stream; nothing is replayed of what was told before."""
        await self._begin()
        async with AsyncExitStack() as stack:
            frames = await self._open(stack)
            yield Gap("connected")
            now = asyncio.get_running_loop().time
            while True:
                if (text := await frames.receive(self._calm.wait(now()))) is not None:
                    async for event in self._heard(text, now()):
                        yield event
                for told in self._released(now()):
                    yield told

    async def _begin(self) -> None:
        """See who we are, what is played already, and that the token is good."""
        try:
            self._sessions, self._owner = await self._playing(), True
        except AuthFailed, Forbidden:  # only the owner may ask; a dead token fails at the next question too
            self._sessions, self._owner = {}, False
            await self._http.json("GET", "/library/sections")

    async def _open(self, stack: AsyncExitStack) -> Frames:
        try:
            return await stack.enter_async_context(self._http.socket(SOCKET, FILTERS))
        except AuthFailed:
            raise
        except ServerError:  # a proxy that knows no sockets
            return await stack.enter_async_context(self._http.events(STREAM, FILTERS))

    async def _heard(self, text: bytes, now: float) -> AsyncIterator[InboundEvent]:
        """Tell what a message means; one that nobody understands means nothing."""
        try:
            with understood("a message"):
                found = list(understand(await parsed(text)))
        except UnexpectedAnswer, RecursionError:
            return
        for one in found:
            if isinstance(one, Refreshed):
                self._calm.hear(one.item_id, now)
                continue
            for event in await self._played(one):
                yield event

    def _released(self, now: float) -> list[Told]:
        items = self._calm.due(now)
        if len(items) > MOST_NAMED:
            return [Gap("the library changed")]
        user = None if self._owner else self._user_id
        return [InboundEvent(ServerKind.PLEX, "refreshed", user_id=user, item_id=item, may_have_changed=True) for item in items]

    async def _played(self, told: Played) -> list[InboundEvent]:
        """Tell of a change of state, and whose it is; a session that the list does not have yet is told of by its next message."""
        known, events = self._sessions.pop(told.session, None), []
        if known is not None and known.item_id != told.item_id:  # the next episode in a queue
            events, known = self._told(replace(told, item_id=known.item_id, position=None), Playback.STOPPED, known), None
        before = known.state if known else None
        known = known or await self._look_up(told)
        if known is not None and told.state != "stopped":
            self._sessions[told.session] = Playing(known.user_id, told.item_id, told.state)
        if known is not None and (what := playback(before, told.state)):
            return events + self._told(told, what, known)
        if known is None and told.state == "stopped":  # whoever it was, it may have changed
            events.append(self._event(told, None, None if self._owner else self._user_id))
        return events

    def _told(self, told: Played, what: Playback, known: Playing) -> list[InboundEvent]:
        return [self._event(told, what, known.user_id)] if known.user_id else []

    def _event(self, told: Played, what: Playback | None, user_id: str | None) -> InboundEvent:
        return InboundEvent(
            ServerKind.PLEX,
            f"playing {told.state}",
            user_id=user_id,
            item_id=told.item_id,
            playback=what,
            position=told.position,
            may_have_changed=what is None or what in _CHANGES,
        )

    async def _look_up(self, told: Played) -> Playing | None:
        """Find out who plays, and whether it is a film or an episode at all."""
        try:
            if self._owner:
                return (await self._playing()).get(told.session)
            with understood("the answer"):
                (row,) = (await self._container(f"/library/metadata/{told.item_id}"))["Metadata"]
            return Playing(self._user_id if row.get("type") in KINDS else None, told.item_id, told.state)
        except ServerError:
            return None

    async def _playing(self) -> dict[str, Playing]:
        container = await self._container("/status/sessions")
        with understood("the list of sessions"):
            return dict(session(row) for row in container.get("Metadata", ()))

    async def _container(self, path: str) -> wire.Container:
        answer = await self._http.json("GET", path)
        with understood("the answer"):
            container: wire.Container = answer["MediaContainer"]
            return container
