"""What Jellyfin pushes to clients that listen (server-apis §1.2, §5.4; pitfalls 39, 45, 49)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiohttp import WSMsgType, web

from .auth import Caller, User
from .library import Item
from .playback import Session, Sessions

type Json = dict[str, Any]

LONGEST_SILENCE = 60  # seconds; ForceKeepAlive names it
_LOOK = 0.25
"""Seconds between two looks at whether a listener has been silent for too long or the server is unplugged."""


@dataclass(slots=True, eq=False)
class _Listener:
    """One open socket of a session; `spoke` counts up with each sign of life on the whole server."""

    socket: web.WebSocketResponse
    caller: Caller
    session: Session
    spoke: int = 0
    sessions: bool = False

    async def send(self, message: Json) -> None:
        if not self.socket.closed:
            await self.socket.send_json(message)


class Sockets:
    """Every listener of the server."""

    def __init__(
        self,
        unplugged: Callable[[], bool],
        sessions: Sessions,
        records: Callable[[User, Iterable[Item]], list[Json]],
        described: Callable[[Caller], list[Json]],
    ) -> None:
        """Push what `records` writes of a user's changed items, after `delay` seconds without a change on the whole server."""
        self.delay, self.library_delay, self.silence = 0.5, 30.0, float(LONGEST_SILENCE)
        self._unplugged, self._sessions, self._records, self._described = unplugged, sessions, records, described
        self._listeners: set[_Listener] = set()
        self._changed: dict[str, tuple[User, dict[str, Item]]] = {}
        self._library: dict[str, set[str]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._signs = 0

    async def accept(self, request: web.Request, caller: Caller) -> web.WebSocketResponse:
        """Serve one listener until it or the server goes; its session is its token's user's again."""
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        session = self._sessions.of(caller)
        session.user = caller.user
        listener = _Listener(socket, caller, session)
        self._listeners.add(listener)
        try:
            await listener.send(_message("ForceKeepAlive", LONGEST_SILENCE))
            await self._listen(listener)
        finally:
            self._listeners.discard(listener)
            if self._unplugged() and request.transport is not None:
                request.transport.abort()
            await socket.close()
        return socket

    def changed(self, user: User, items: Iterable[Item]) -> None:
        """Note changed records; their user hears of them once the server has been silent for a while, nobody who comes later."""
        items = list(items)
        if not self._listeners or not items:
            return
        self._changed.setdefault(user.user_id, (user, {}))[1].update((item.item_id, item) for item in items)
        self._later("changed", self.delay, self._push_changes)

    def playing_changed(self) -> None:
        """Note that a session plays something else; who asked for sessions hears of it soon."""
        if self._listeners:
            self._later("sessions", 0.01, self._push_sessions)

    def library_changed(self, *, added: Iterable[str] = (), updated: Iterable[str] = (), removed: Iterable[str] = ()) -> None:
        """Note items that came or went; everybody hears of them when the library has been quiet."""
        if not self._listeners:
            return
        for name, ids in (("ItemsAdded", added), ("ItemsUpdated", updated), ("ItemsRemoved", removed)):
            self._library.setdefault(name, set()).update(ids)
        self._later("library", self.library_delay, self._push_library)

    async def cut(self, device_id: str) -> None:
        """Let the sockets of a device go: a log-in or log-out ended its sessions."""
        for listener in [one for one in self._listeners if one.caller.device.device_id == device_id]:
            await listener.socket.close()

    async def flush(self) -> None:
        """Push at once what waits for silence."""
        if "changed" in self._timers:
            self._timers["changed"].cancel()
        await self._push_changes()

    async def say(self, text: str) -> None:
        """Send everybody a text that may be anything."""
        for listener in self._heard():
            await listener.socket.send_str(text)

    async def shut_down(self, message: str = "ServerRestarting") -> None:
        """Say goodbye to everybody, as at a restart or, with `ServerShuttingDown`, at the end."""
        for listener in self._heard():
            await listener.send(_message(message, ""))
        for listener in list(self._listeners):
            await listener.socket.close(code=1000)

    async def close(self, _app: web.Application | None = None) -> None:
        """Let every listener go as the server ends."""
        await self.shut_down("ServerShuttingDown")

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Drop what was not pushed yet when the server ends."""
        yield
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()

    async def _listen(self, listener: _Listener) -> None:
        """Read what a listener sends; what cannot be understood is passed over."""
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while not self._unplugged() and loop.time() - heard < self.silence:
            try:
                message = await listener.socket.receive(timeout=_LOOK)
            except TimeoutError:
                continue
            if message.type is not WSMsgType.TEXT:
                return
            heard = loop.time()
            self._signs += 1
            listener.spoke = self._signs
            await self._understand(listener, message.data)

    async def _understand(self, listener: _Listener, text: str) -> None:
        try:
            kind = json.loads(text)["MessageType"]
        except ValueError, KeyError, TypeError:
            return
        if kind == "KeepAlive":
            await listener.send({"MessageId": uuid4().hex, "MessageType": "KeepAlive"})
        elif kind in {"SessionsStart", "SessionsStop"}:  # nothing comes before something changes (recorded)
            listener.sessions = kind == "SessionsStart"

    def _heard(self) -> list[_Listener]:
        """Return who hears anything: of the sockets of one session the one that spoke last (pitfall 39)."""
        newest: dict[int, _Listener] = {}
        for listener in self._listeners:
            known = newest.get(id(listener.session))
            if known is None or listener.spoke > known.spoke:
                newest[id(listener.session)] = listener
        return list(newest.values())

    def _later(self, what: str, delay: float, push: Callable[[], Any]) -> None:
        if what in self._timers:
            self._timers[what].cancel()
        loop = asyncio.get_running_loop()
        self._timers[what] = loop.call_later(delay, lambda: self._start(push))

    def _start(self, push: Callable[[], Any]) -> None:
        task = asyncio.get_running_loop().create_task(push())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _push_changes(self) -> None:
        """Send each user's records to the sessions that are his at this moment, whoever's token they were made with (pitfall 49)."""
        changed, self._changed = self._changed, {}
        for user, items in changed.values():
            message = _message("UserDataChanged", {"UserId": user.user_id, "UserDataList": self._records(user, items.values())})
            for listener in [one for one in self._heard() if one.session.user is user]:
                await listener.send(message)

    async def _push_sessions(self) -> None:
        for listener in [one for one in self._heard() if one.sessions]:
            await listener.send(_message("Sessions", self._described(listener.caller)))

    async def _push_library(self) -> None:
        changed, self._library = self._library, {}
        data: Json = {name: [] for name in ("FoldersAddedTo", "FoldersRemovedFrom", "CollectionFolders")}
        data |= {name: sorted(ids) for name, ids in changed.items()} | {"IsEmpty": False}
        for listener in self._heard():
            await listener.send(_message("LibraryChanged", data))


def _message(kind: str, data: Any) -> Json:
    return {"MessageId": uuid4().hex, "Data": data, "MessageType": kind}
