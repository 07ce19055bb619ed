"""The webhook plugin: where it sends what, and in which words; JSON that calls itself plain text (server-apis §5.3)."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..post import Letter
from .auth import User
from .library import TICKS, Item
from .playback import Session
from .userdata import Record, time_text

type Json = dict[str, Any]

PLUGIN_ID = "71552a5a5c5c4350a2aeebe451a30173"
KINDS = (
    "None",
    "ItemAdded",
    "Generic",
    "PlaybackStart",
    "PlaybackProgress",
    "PlaybackStop",
    "SubtitleDownloadFailure",
    "AuthenticationFailure",
    "AuthenticationSuccess",
    "SessionStart",
    "PendingRestart",
    "TaskCompleted",
    "PluginInstallationCancelled",
    "PluginInstallationFailed",
    "PluginInstalled",
    "PluginInstalling",
    "PluginUninstalled",
    "PluginUpdated",
    "UserCreated",
    "UserDeleted",
    "UserLockedOut",
    "UserPasswordChanged",
    "UserUpdated",
    "UserDataSaved",
    "ItemDeleted",
)
"""In a configuration a kind may be a name or its number here; it is stored as the name."""

SERVICES = ("DiscordOptions", "GenericOptions", "GenericFormOptions", "GotifyOptions", "PushbulletOptions", "PushoverOptions", "SlackOptions")
SWITCHES = ("EnableMovies", "EnableEpisodes", "EnableSeries", "EnableSeasons", "EnableAlbums", "EnableSongs", "EnableVideos")
SWITCH_OF = {"Movie": "EnableMovies", "Episode": "EnableEpisodes", "Series": "EnableSeries", "Season": "EnableSeasons"}
NEVER = "0001-01-01T00:00:00.0000000Z"
_DASHED = ("ItemId", "SeriesId", "SeasonId", "UserId")


@dataclass(slots=True)
class WebhookPlugin:
    """What the plugin was told; `installed` False: it is not there."""

    installed: bool = True
    configuration: Json = field(default_factory=lambda: {"ServerUrl": "", **{name: [] for name in SERVICES}})

    def configure(self, body: Json) -> None:
        """Take a whole configuration; raises ValueError, TypeError or LookupError for what cannot be read."""
        self.configuration = {
            "ServerUrl": body.get("ServerUrl") or "",
            **{name: [_destination(one) if name == "GenericOptions" else one for one in body.get(name) or ()] for name in SERVICES},
        }

    def destinations(self, urls: Iterable[str]) -> Iterator[Json]:
        """Iterate over where messages go: what is configured, and simple addresses that get everything."""
        if self.installed:
            yield from self.configuration.get("GenericOptions", ())
        yield from (
            _destination({"WebhookUri": url, "NotificationTypes": list(KINDS), "SendAllProperties": True} | dict.fromkeys(SWITCHES, True)) for url in urls
        )


def _destination(given: Json) -> Json:
    """Fill in what a destination leaves out, in the order in which it is stored; a template that was left out stays so."""
    found: Json = {"Headers": given.get("Headers") or [], "Fields": given.get("Fields") or []}
    found |= {"NotificationTypes": [_kind(one) for one in given.get("NotificationTypes") or ()]}
    found |= {name: given[name] for name in ("WebhookName", "WebhookUri") if given.get(name) is not None}
    found |= {name: bool(given.get(name, False)) for name in (*SWITCHES, "SendAllProperties", "TrimWhitespace", "SkipEmptyMessageBody")}
    found |= {"EnableWebhook": bool(given.get("EnableWebhook", True))}
    found |= {"Template": given["Template"]} if given.get("Template") is not None else {}
    return found | {"UserFilter": given.get("UserFilter") or []}


def _kind(given: str | int) -> str:
    return KINDS[given] if isinstance(given, int) else KINDS[KINDS.index(given)]


def takes(destination: Json, message: Json) -> bool:
    """Tell whether a destination wants a message."""
    if not destination["EnableWebhook"] or message["NotificationType"] not in destination["NotificationTypes"]:
        return False
    if (switch := SWITCH_OF.get(message.get("ItemType", ""))) and not destination[switch]:
        return False
    return not destination["UserFilter"] or message.get("UserId") in [one.replace("-", "").lower() for one in destination["UserFilter"]]


def body_of(destination: Json, message: Json) -> str:
    """Write a message as JSON, or as the template has it: other spellings of ids, truth and text."""
    if destination["SendAllProperties"]:
        return json.dumps(message, separators=(",", ":"))
    template = base64.b64decode(destination.get("Template") or "").decode()
    return re.sub(r"{{\s*(\w+)\s*}}", lambda found: _templated(found[1], message.get(found[1])), template)


def _templated(name: str, value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    if name in _DASHED:
        text = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    return html.escape(text)


def about_server(server_id: str, name: str, version: str, url: str, kind: str) -> Json:
    """Begin a message."""
    return {"ServerId": server_id, "ServerName": name, "ServerVersion": version, "ServerUrl": url, "NotificationType": kind}


def about_item(item: Item, now: datetime) -> Json:
    """Describe an item; an episode's year is its series', and only its own ids are given."""
    found: Json = {
        "Timestamp": now.astimezone(UTC).isoformat(),
        "UtcTimestamp": time_text(now),
        "Name": item.name,
        "Overview": "",
        "Tagline": "",
        "ItemId": item.item_id,
        "ItemType": item.kind,
        "RunTimeTicks": item.ticks,
        "RunTime": _clock(item.ticks),
    }
    found |= {} if item.year is None else {"Year": item.year}
    found |= {"PremiereDate": item.title.premiere} if item.title and item.title.premiere else {}
    if item.kind == "Episode" and item.title and item.parent and item.parent.parent:
        found |= {"SeriesName": item.parent.parent.name, "SeriesId": item.parent.parent.item_id, "SeasonId": item.parent.item_id}
        numbers = {"SeasonNumber": item.title.season, "EpisodeNumber": item.title.episode, "EpisodeNumberEnd": item.title.last_episode}
        for name, number in numbers.items():
            found |= {} if number is None else {name: number, f"{name}00": f"{number:02}", f"{name}000": f"{number:03}"}
    return found | {f"Provider_{kind}": value for kind, value in item.ids.items()}


def about_playback(session: Session, user: User, now: datetime, *, automated: bool = False, stopped: bool = False) -> Json:
    """Describe what a player does; how it played is not said when it stopped."""
    return {
        "PlaybackPositionTicks": session.ticks,
        "PlaybackPosition": _clock(session.ticks),
        "MediaSourceId": session.source,
        "IsPaused": session.paused,
        "IsAutomated": automated,
        "DeviceId": session.device.device_id,
        "DeviceName": session.device.name,
        "ClientName": session.device.client,
        **({} if stopped else {"PlayMethod": "DirectPlay"}),
        "Id": session.session_id,
        "UserId": user.user_id,
        "NotificationUsername": user.name,
        "Client": session.device.client,
        "LastActivityDate": time_text(now),
        "LastPlaybackCheckIn": time_text(now),
        "RemoteEndPoint": "127.0.0.1",
    }


def about_session(session: Session) -> Json:
    """Describe a session that begins."""
    user = session.user
    return {
        "Id": session.session_id,
        "UserId": user.user_id if user else "0" * 32,
        "NotificationUsername": user.name if user else "",
        "Client": session.device.client,
        "LastActivityDate": NEVER,
        "LastPlaybackCheckIn": NEVER,
        "DeviceName": session.device.name,
        "DeviceId": session.device.device_id,
        "RemoteEndPoint": "127.0.0.1",
    }


def about_record(record: Record, reason: str, user: User) -> Json:
    """Describe a record that was saved; no rating is sent as 0, no thumb as false."""
    found: Json = {
        "Likes": bool(record.rating and record.rating >= 6.5),
        "Rating": record.rating or 0,
        "PlaybackPositionTicks": record.ticks,
        "PlaybackPosition": _clock(record.ticks),
        "PlayCount": record.count,
        "Favorite": record.favourite,
        "Played": record.played,
        "AudioStreamIndex": -1,
        "SubtitleStreamIndex": -1,
    }
    found |= {} if record.date is None else {"LastPlayedDate": time_text(record.date)}
    return found | {"SaveReason": reason, "NotificationUsername": user.name, "UserId": user.user_id}


def _clock(ticks: int) -> str:
    """Write a time as hours, minutes and seconds."""
    minutes, seconds = divmod(ticks // TICKS, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def letters(destinations: Iterable[Json], message: Json, version: str) -> Iterator[Letter]:
    """Write a message to every destination that takes it."""
    for destination in destinations:
        if takes(destination, message):
            body = body_of(destination, message)
            if body.strip() or not destination["SkipEmptyMessageBody"]:
                yield _letter(destination, body, version)


def _letter(destination: Json, body: str, version: str) -> Letter:
    headers = {"User-Agent": f"Jellyfin-Server/{version}", "Content-Type": "text/plain; charset=utf-8"}
    headers |= {one["Key"]: f"{one['Value']}; charset=utf-8" if one["Key"].lower() == "content-type" else one["Value"] for one in destination["Headers"]}
    return lambda: {"url": destination["WebhookUri"], "data": body.encode(), "headers": headers}
