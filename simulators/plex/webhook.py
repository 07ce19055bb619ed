"""Webhooks as Plex sends them: a form with the text in `payload` and, for some events, a poster beside it (server-apis §5.1)."""

import json
from typing import Any

from aiohttp import FormData

from ..post import Letter

WITH_POSTER = frozenset({"media.play", "media.rate", "library.new", "library.on.deck", "playback.started"})
POSTER = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8 + b"\xff\xd9"

type Json = dict[str, Any]


def letter(url: str, payload: Json, version: str) -> Letter:
    """Write a webhook to an address."""

    def write() -> Json:
        form = FormData(default_to_multipart=True)
        form.add_field("payload", json.dumps(payload), content_type="application/json")
        if payload["event"] in WITH_POSTER:
            form.add_field("thumb", POSTER, filename="thumb.jpg", content_type="image/jpeg")
        return {"url": url, "data": form, "headers": {"User-Agent": f"PlexMediaServer/{version}"}}

    return write
