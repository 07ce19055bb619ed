"""What Emby pushes to clients that listen (server-apis §5.6)."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiohttp import WSMsgType, web

from .auth import Caller

type Json = dict[str, Any]

_LOOK = 0.25
"""Seconds between two looks at whether a listener has been silent for too long or the server is unplugged."""


@dataclass(slots=True, eq=False)
class _Listener:
    """One open socket; a bad token opens one too, but nothing comes through it."""

    socket: web.WebSocketResponse
    caller: Caller | None
    sessions: bool = False

    async def send(self, message: Json) -> None:
        if not self.socket.closed:
            await self.socket.send_json(message)


class Sockets:
    """Every listener of the server; a listener that is silent for `silence` seconds is cut off."""

    def __init__(self, unplugged: Callable[[], bool], record: Callable[[str, str], Json | None], sessions: Callable[[Caller], list[Json]]) -> None:
        """Push records, as `record` writes them for a user and an item, `delay` seconds after they changed."""
        self.delay = 0.5
        self.silence = 30.0
        self._unplugged = unplugged
        self._record = record
        self._sessions = sessions
        self._listeners: set[_Listener] = set()
        self._changed: dict[str, dict[str, None]] = defaultdict(dict)
        self._playing_changed = False
        self._flush: asyncio.Task[None] | None = None

    async def accept(self, request: web.Request, caller: Caller | None) -> web.WebSocketResponse:
        """Serve one listener until it or the server goes."""
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        listener = _Listener(socket, caller)
        self._listeners.add(listener)
        try:
            await self._listen(listener)
        finally:
            self._listeners.discard(listener)
            if self._unplugged() and request.transport is not None:
                request.transport.abort()
            await socket.close()
        return socket

    def changed(self, user_id: str, item_id: str) -> None:
        """Note a changed record; its user hears of it soon."""
        if self._listeners:  # nothing is replayed to who comes later
            self._changed[user_id][item_id] = None
            self._schedule()

    def playing_changed(self) -> None:
        """Note that a session plays something else."""
        if self._listeners:
            self._playing_changed = True
            self._schedule()

    async def library_changed(self, added: Iterable[str] = (), removed: Iterable[str] = ()) -> None:
        """Tell everybody with a good token of items that came or went."""
        names = ("FoldersAddedTo", "FoldersRemovedFrom", "ItemsUpdated", "CollectionFolders")
        data = {**{name: [] for name in names}, "ItemsAdded": [*added], "ItemsRemoved": [*removed], "IsEmpty": False}
        for listener in [one for one in self._listeners if one.caller]:
            await listener.send(_message("LibraryChanged", data))

    async def say(self, text: str) -> None:
        """Send everybody a text that may be anything."""
        for listener in list(self._listeners):
            await listener.socket.send_str(text)

    async def close(self, _app: web.Application | None = None) -> None:
        """Let every listener go, as the server ends."""
        for listener in list(self._listeners):
            await listener.socket.close()

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Drop what was not pushed yet when the server ends."""
        yield
        if self._flush is not None:
            self._flush.cancel()

    async def _listen(self, listener: _Listener) -> None:
        """Read what a listener sends; a frame that cannot be understood ends it."""
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while not self._unplugged() and loop.time() - heard < self.silence:
            try:
                message = await listener.socket.receive(timeout=_LOOK)
            except TimeoutError:
                continue
            heard = loop.time()
            if message.type is WSMsgType.PING:
                await listener.socket.pong(message.data)
            elif message.type is not WSMsgType.TEXT or not await self._understand(listener, message.data):
                return

    async def _understand(self, listener: _Listener, text: str) -> bool:
        try:
            kind = json.loads(text)["MessageType"]
        except ValueError, KeyError, TypeError:
            return False
        if kind in {"SessionsStart", "SessionsStop"}:
            listener.sessions = kind == "SessionsStart"
            await self._send_sessions(listener)
        return True

    async def _send_sessions(self, listener: _Listener) -> None:
        """Send the sessions to who asked for them; the only frame without a MessageId."""
        if listener.sessions and listener.caller is not None:
            await listener.send({"MessageType": "Sessions", "Data": self._sessions(listener.caller)})

    def _schedule(self) -> None:
        if self._flush is None or self._flush.done():
            self._flush = asyncio.get_running_loop().create_task(self._push())

    async def _push(self) -> None:
        while self._changed or self._playing_changed:
            await asyncio.sleep(self.delay)
            await self._push_changes()

    async def _push_changes(self) -> None:
        changed, self._changed = self._changed, defaultdict(dict)
        playing, self._playing_changed = self._playing_changed, False
        for listener in list(self._listeners):
            if playing:
                await self._send_sessions(listener)
            user_id = listener.caller and listener.caller.account and listener.caller.account.account_id
            if user_id in changed:
                data = {"UserId": user_id, "UserDataList": self._written(user_id, changed[user_id])}
                await listener.send(_message("UserDataChanged", data))

    def _written(self, user_id: str, item_ids: Iterable[str]) -> list[Json]:
        records = ((item_id, self._record(user_id, item_id)) for item_id in item_ids)
        return [{**record, "ItemId": item_id} for item_id, record in records if record is not None]


def _message(kind: str, data: Json) -> Json:
    return {"MessageType": kind, "MessageId": uuid4().hex, "Data": data}
