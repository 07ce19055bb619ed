"""Notifications to the outside (server-apis §5.5): multipart with a field `data` up to 4.8, JSON by choice from 4.9 on.

The bodies of playback.* are in the recorded shape. Of item.markplayed, item.markunplayed and item.rate no recording was found anywhere:
their shape here, with the record in Item.UserData, is an assumption.
"""

import json
from datetime import datetime
from typing import Any

from aiohttp import FormData

from ..post import Letter
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


def letter(url: str, body: Json, version: str, *, as_json: bool) -> Letter:
    """Write a notification to an address; JSON is a choice that 4.9 offers."""
    headers = {"User-Agent": f"Emby Server/{version}"}

    def write() -> Json:
        if as_json and numbers(version) >= (4, 9):
            return {"url": url, "json": body, "headers": headers}
        form = FormData(default_to_multipart=True)
        form.add_field("data", json.dumps(body))
        return {"url": url, "data": form, "headers": headers}

    return write
