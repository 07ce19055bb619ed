"""Notifications to the outside (server-apis §5.5): multipart with a field `data` up to 4.8, JSON by choice from 4.9 on.

The bodies of playback.* are in the recorded shape. Of item.markplayed, item.markunplayed and item.rate no recording was found anywhere:
their shape here, with the record in Item.UserData, is an assumption.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, FormData, web

from .playback import Happening, Session
from .userdata import time_text

type Json = dict[str, Any]

_WORDS = {
    "playback.start": "has started playing",
    "playback.pause": "has paused",
    "playback.unpause": "has resumed",
    "playback.stop": "has stopped playing",
    "item.markplayed": "has marked as played:",
    "item.markunplayed": "has marked as unplayed:",
    "item.rate": "has rated",
}


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as comparable numbers."""
    return tuple(int(part) for part in version.split("."))


def payload(happening: Happening, item: Json, server: Json, now: datetime) -> Json:
    """Write the body of a notification; `server` has Name, Id and Version."""
    session, recent = happening.session, numbers(server["Version"])
    device = f" on {session.client.device}" if session else ""
    return {
        "Title": f"{happening.account.name} {_WORDS[happening.event]} {happening.item.name}{device}",
        **({"Description": happening.item.name} if recent >= (4, 9) else {}),
        "Date": time_text(now),
        "Event": happening.event,
        **({"Severity": "Info"} if recent >= (4, 8) else {}),
        "User": {"Name": happening.account.name, "Id": happening.account.account_id},
        "Item": item,
        "Server": server,
        **(_played(session, happening) if session else {}),
    }


def test_message(server: Json, now: datetime) -> Json:
    """Write the body of a test; up to 4.9.0.36 it is said to be empty (server-apis §5.5)."""
    if numbers(server["Version"]) < (4, 9, 0, 37):
        return {}
    about = {"Title": "Test Notification", "Description": "Test Notification", "Date": time_text(now), "Event": "system.notificationtest"}
    return {**about, "Severity": "Info", "Server": server}


def _played(session: Session, happening: Happening) -> Json:
    client = session.client
    completed = {} if happening.completed is None else {"PlayedToCompletion": happening.completed}
    return {
        "Session": {
            "RemoteEndPoint": "127.0.0.1",
            "Client": client.name,
            "DeviceName": client.device,
            "DeviceId": client.device_id,
            "ApplicationVersion": client.version,
            "Id": session.session_id,
        },
        "PlaybackInfo": {**completed, "PositionTicks": session.ticks, "PlaylistIndex": 0, "PlaylistLength": 1},
    }


class Sender:
    """Delivers notifications in the order of their events, without making anybody wait; what fails is lost."""

    def __init__(self, version: str) -> None:
        """Send in the way of this version; `as_json` is the choice that 4.9 offers."""
        self.as_json = False
        self._version = version
        self._queue: asyncio.Queue[tuple[str, Json, bool]] = asyncio.Queue()

    def send(self, urls: Iterable[str], body: Json, *, as_json: bool | None = None) -> None:
        """Queue one notification for each address."""
        for url in urls:
            self._queue.put_nowait((url, body, self.as_json if as_json is None else as_json))

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Deliver as long as the server runs."""
        headers = {"User-Agent": f"Emby Server/{self._version}"}
        async with ClientSession(headers=headers, timeout=ClientTimeout(total=10)) as session:
            worker = asyncio.create_task(self._work(session))
            yield
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker

    async def _work(self, session: ClientSession) -> None:
        while True:
            url, body, as_json = await self._queue.get()
            with suppress(ClientError, TimeoutError):
                await self._deliver(session, url, body, as_json=as_json)

    async def _deliver(self, session: ClientSession, url: str, body: Json, *, as_json: bool) -> None:
        if as_json and numbers(self._version) >= (4, 9):
            async with session.post(url, json=body):
                return
        form = FormData(default_to_multipart=True)
        form.add_field("data", json.dumps(body))
        async with session.post(url, data=form):
            return
