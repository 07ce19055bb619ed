"""Webhooks as Plex sends them: a form with the text in `payload` and, for some events, a poster beside it (server-apis §5.1)."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, FormData, web

WITH_POSTER = frozenset({"media.play", "media.rate", "library.new", "library.on.deck", "playback.started"})
POSTER = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8 + b"\xff\xd9"

type Json = dict[str, Any]


class Sender:
    """Delivers webhooks in order without making anybody wait; what fails is lost, as nobody ever saw a second try."""

    def __init__(self, version: str) -> None:
        """Send under the name of this version."""
        self._agent = f"PlexMediaServer/{version}"
        self._queue: asyncio.Queue[tuple[str, Json]] = asyncio.Queue()

    def send(self, urls: Iterable[str], payload: Json) -> None:
        """Queue a webhook for each address."""
        for url in urls:
            self._queue.put_nowait((url, payload))

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Deliver while the server runs."""
        async with ClientSession(timeout=ClientTimeout(total=10)) as session:
            task = asyncio.create_task(self._deliver(session))
            yield
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _deliver(self, session: ClientSession) -> None:
        while True:
            url, payload = await self._queue.get()
            form = FormData(default_to_multipart=True)
            form.add_field("payload", json.dumps(payload), content_type="application/json")
            if payload["event"] in WITH_POSTER:
                form.add_field("thumb", POSTER, filename="thumb.jpg", content_type="image/jpeg")
            with suppress(ClientError, TimeoutError, OSError):
                async with session.post(url, data=form, headers={"User-Agent": self._agent}) as response:
                    await response.read()
