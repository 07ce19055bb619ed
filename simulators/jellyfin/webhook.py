"""Messages of the webhook plugin, "send all properties": JSON that calls itself plain text (server-apis §5.3)."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from .auth import User
from .library import Item
from .playback import Session
from .userdata import Record, time_text

type Json = dict[str, Any]


def about_server(server_id: str, name: str, version: str, kind: str) -> Json:
    """Begin a message."""
    return {"ServerId": server_id, "ServerName": name, "ServerVersion": version, "ServerUrl": "http://jellyfin.invalid", "NotificationType": kind}


def about_item(item: Item, now: datetime) -> Json:
    """Describe an item; an episode's year is its series', and only its own ids are given."""
    found: Json = {
        "Timestamp": now.isoformat(),
        "UtcTimestamp": time_text(now),
        "Name": item.name,
        "Overview": "",
        "Tagline": "",
        "ItemId": item.item_id,
        "ItemType": item.kind,
        "RunTimeTicks": item.ticks,
        "RunTime": str(item.ticks // 10_000_000),
        "Year": item.year,
    }
    if item.kind == "Episode" and item.title and item.parent and item.parent.parent:
        season, number = item.title.season or 0, item.title.episode or 0
        found |= {"SeriesName": item.parent.parent.name, "SeriesId": item.parent.parent.item_id, "SeasonId": item.parent.item_id}
        found |= {"SeasonNumber": season, "SeasonNumber00": f"{season:02}", "EpisodeNumber": number, "EpisodeNumber00": f"{number:02}"}
    return found | {f"Provider_{kind}": value for kind, value in item.ids.items()}


def about_playback(session: Session, user: User) -> Json:
    """Describe what a player does."""
    return {
        "PlaybackPositionTicks": session.ticks,
        "PlaybackPosition": str(session.ticks // 10_000_000),
        "MediaSourceId": session.source,
        "IsPaused": session.paused,
        "IsAutomated": False,
        "DeviceId": session.device.device_id,
        "DeviceName": session.device.name,
        "ClientName": session.device.client,
        "PlayMethod": "DirectPlay",
        "NotificationUsername": user.name,
        "UserId": user.user_id,
    }


def about_record(record: Record, reason: str, user: User) -> Json:
    """Describe a record that was saved; no rating is sent as 0, no thumb as false."""
    found: Json = {
        "Likes": bool(record.rating and record.rating >= 6.5),
        "Rating": record.rating or 0,
        "PlaybackPositionTicks": record.ticks,
        "PlaybackPosition": str(record.ticks // 10_000_000),
        "PlayCount": record.count,
        "Favorite": record.favourite,
        "Played": record.played,
        "SaveReason": reason,
        "NotificationUsername": user.name,
        "UserId": user.user_id,
    }
    return found | ({"LastPlayedDate": time_text(record.date)} if record.date else {})


class Sender:
    """Delivers messages in order; whoever plays waits for the receiver (pitfall 47), marks don't. What fails is lost."""

    def __init__(self, version: str) -> None:
        """Send under the name of this version."""
        self._agent = f"Jellyfin-Server/{version}"
        self._queue: asyncio.Queue[tuple[str, Json]] = asyncio.Queue()

    def send(self, urls: Iterable[str], message: Json) -> None:
        """Queue a message for each address."""
        for url in urls:
            self._queue.put_nowait((url, message))

    async def delivered(self) -> None:
        """Wait until all messages are out."""
        await self._queue.join()

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Deliver while the server runs."""
        async with ClientSession(timeout=ClientTimeout(total=30)) as session:
            task = asyncio.create_task(self._deliver(session))
            yield
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _deliver(self, session: ClientSession) -> None:
        headers = {"User-Agent": self._agent, "Content-Type": "text/plain; charset=utf-8"}
        while True:
            url, message = await self._queue.get()
            with suppress(ClientError, TimeoutError, OSError):
                async with session.post(url, data=json.dumps(message).encode(), headers=headers) as response:
                    await response.read()
            self._queue.task_done()
