"""What Plex tells clients that listen, by socket or as an event stream (server-apis §5.2)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aiohttp import web

from .library import Item

if TYPE_CHECKING:
    from .server import Account, PlexSimulator, Session

type Json = dict[str, Any]

OWNER = 1
DONE, GONE = 5, 9
PING = 10.0
"""Seconds between two signs of life of an event stream (two clients that read one: 10 to 15)."""
_LOOK = 0.25
_STEPS = ((None, 0, False), ("Checking files", 0, True), ("Refreshing local metadata", 33, True), ("Refreshing media analysis", 66, True))


@dataclass(slots=True, eq=False)
class _Listener:
    """One open connection and what waits to be sent through it."""

    account: Account
    queue: asyncio.Queue[Json | str]


class Notifications:
    """Every listener of the server.

    An owner hears everything; others hear of their own sessions, and of activities only if `activities_for_all`: nobody showed which. `refreshes_on_read`: a
    plain read of an item by id makes Plex refresh it, as opening its page in Plex Web does; nobody showed that either. `tells_of_ratings`: a rating makes
    it refresh the item, as a mark by hand does; nobody showed that or the contrary.
    """

    def __init__(self, server: PlexSimulator) -> None:
        """Start without anybody listening; an activity takes `duration` seconds."""
        self.duration = 0.02
        self.sockets_allowed = True
        self.activities_for_all = self.refreshes_on_read = self.tells_of_ratings = False
        self._server = server
        self._listeners: set[_Listener] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def socket(self, request: web.Request, account: Account) -> web.StreamResponse:
        """Serve a socket until its client or the server goes."""
        if not self.sockets_allowed:  # as behind a proxy that knows none
            return web.Response(status=400)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        reader = asyncio.create_task(_read(socket))
        with suppress(ConnectionError):
            async for told in self._told(account, lambda: reader.done() or self._unplugged(request)):
                await socket.send_str(told if isinstance(told, str) else json.dumps(_contained(told)))
        reader.cancel()
        await socket.close()
        return socket

    async def stream(self, request: web.Request, account: Account) -> web.StreamResponse:
        """Serve an event stream: the name of the event, then one entry without a container."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with suppress(ConnectionError):
            async for told in self._told(account, lambda: self._unplugged(request), pings=True):
                name, content = ("message", told) if isinstance(told, str) else (told["type"], json.dumps(_content(told)))
                await response.write(f"event: {name}\ndata: {content}\n\n".encode())
        return response

    def refreshed(self, account: Account, item: Item) -> None:
        """Run the activity that Plex runs when an item is marked by hand or its page is opened; the last message says `ended`."""
        if self._listeners:
            self._start(self._refresh(account, item))

    def played(self, session: Session) -> None:
        """Tell that a player's state or position changed; who plays is not said."""
        entry = {
            "sessionKey": session.key,
            "clientIdentifier": session.player,
            "guid": "",
            "ratingKey": str(session.item.key),
            "url": "",
            "key": f"/library/metadata/{session.item.key}",
            "viewOffset": session.offset,
            "playQueueItemID": session.item.key,
            "playQueueID": session.item.key,
            "state": session.state,
        }
        self._tell({"type": "playing", "PlaySessionStateNotification": entry}, session.account, for_all=False)

    def changed(self, item: Item, state: int) -> None:
        """Tell that an item is done, twice as Plex does, or gone."""
        entry: Json = {
            "identifier": "com.plexapp.plugins.library",
            "sectionID": str(item.section.key),
            "itemID": str(item.key),
            "type": item.kind,
            "title": item.title,
            "state": state,
            "updatedAt": self._server.now(),
        }
        for more in ({"mediaState": "analyzing"}, {}) if state == DONE else ({"metadataState": "deleted"},):
            self._tell({"type": "timeline", "TimelineEntry": entry | more}, None, for_all=True)

    def say(self, text: str) -> None:
        """Send everybody a text that may be anything."""
        for listener in self._listeners:
            listener.queue.put_nowait(text)

    async def close(self, _app: web.Application | None = None) -> None:
        """Cut everybody off."""
        for listener in self._listeners:
            listener.queue.put_nowait({})

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Stop what runs when the server ends."""
        yield
        for task in self._tasks:
            task.cancel()

    async def _refresh(self, account: Account, item: Item) -> None:
        activity: Json = {"uuid": str(uuid4()), "type": "library.refresh.items", "cancellable": False, "userID": account.account_id, "title": "Refreshing"}
        context: Json = {"key": f"/library/metadata/{item.key}"}
        for number, (subtitle, progress, named) in enumerate(_STEPS):
            step = activity | {"subtitle": subtitle or "", "progress": progress} | ({"Context": context} if named else {})
            self._tell_activity(account, "updated" if number else "started", step)
            await asyncio.sleep(self.duration / len(_STEPS))
        ended = {"subtitle": "Refreshing media analysis", "progress": 100, "Context": context | {"accessible": True, "exists": True, "refreshed": False}}
        self._tell_activity(account, "ended", activity | ended)

    def _tell_activity(self, account: Account, event: str, activity: Json) -> None:
        entry = {"event": event, "uuid": activity["uuid"], "Activity": activity}
        self._tell({"type": "activity", "ActivityNotification": entry}, account, for_all=self.activities_for_all)

    def _tell(self, told: Json, account: Account | None, *, for_all: bool) -> None:
        own_only = told["type"] == "playing"
        for listener in self._listeners:
            if for_all or listener.account.account_id == OWNER or (own_only and listener.account is account):
                listener.queue.put_nowait(told)

    async def _told(self, account: Account, gone: Callable[[], bool], *, pings: bool = False) -> AsyncIterator[Json | str]:
        listener = _Listener(account, asyncio.Queue())
        self._listeners.add(listener)
        quiet = 0.0
        try:
            while not gone():
                try:
                    told = await asyncio.wait_for(listener.queue.get(), _LOOK)
                except TimeoutError:
                    quiet += _LOOK
                    if pings and quiet >= PING:
                        quiet = 0.0
                        yield {"type": "ping"}
                    continue
                if not told:
                    return
                yield told
        finally:
            self._listeners.discard(listener)

    def _unplugged(self, request: web.Request) -> bool:
        if self._server.faults.offline and request.transport is not None:
            request.transport.abort()
        return self._server.faults.offline or request.transport is None

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _content(told: Json) -> Json:
    return {name: value for name, value in told.items() if name != "type"}


def _contained(told: Json) -> Json:
    return {"NotificationContainer": {"type": told["type"], "size": 1, **{name: [entry] for name, entry in _content(told).items()}}}


async def _read(socket: web.WebSocketResponse) -> None:
    """Read until the client goes: it says nothing that matters."""
    async for _message in socket:
        pass
