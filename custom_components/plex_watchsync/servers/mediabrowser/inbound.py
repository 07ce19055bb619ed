"""Webhooks of Jellyfin's plugin and of Emby (server-apis §5.3, §5.5)."""

import html
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ...ports import InboundError, InboundEvent, InboundRequest, Playback, ServerKind
from ..inbound import form_fields, json_object
from .normalise import KINDS, compact_id, instant, seconds

type _Values = Mapping[str, Any]

_ALIASES = {
    "notificationtype": ("notificationtype", "type", "event"),
    "itemid": ("itemid", "item"),
    "userid": ("userid",),
    "notificationusername": ("notificationusername", "username", "user"),
}
"""What people call the plugin's variables in templates of their own (recorded: `type`, `item`, `user`)."""

_JELLYFIN_PLAYBACK = {"PlaybackStart": Playback.STARTED, "PlaybackStop": Playback.STOPPED}
_JELLYFIN_CHANGES = frozenset({"PlaybackStop", "ItemAdded"})
_EMBY_PLAYBACK = {
    "playback.start": Playback.STARTED,
    "playback.pause": Playback.PAUSED,
    "playback.unpause": Playback.RESUMED,
    "playback.stop": Playback.STOPPED,
}
_EMBY_CHANGES = frozenset({"playback.pause", "playback.stop", "item.markplayed", "item.markunplayed", "item.rate", "library.new"})
JELLYFIN_EVENTS = ("ItemAdded", "PlaybackStart", "PlaybackStop", "UserDataSaved")
EMBY_EVENTS = tuple(sorted({*_EMBY_PLAYBACK, *_EMBY_CHANGES}))
"""What the senders tell us, by their own names; PlaybackProgress, which comes every second, is none of it (pitfall 48)."""


def parse_jellyfin(request: InboundRequest) -> InboundEvent:
    """Read a message of the webhook plugin, "send all properties" or a template; raises InboundError."""
    values = {name.lower().replace("_", ""): value for name, value in json_object(request).items()}
    event = _text(values, *_ALIASES["notificationtype"])
    if event is None:
        message = "the message names no NotificationType"
        raise InboundError(message)
    reason = _text(values, "savereason")
    watchable = _is_watchable(_text(values, "itemtype"))
    saved = event == "UserDataSaved" and reason != "PlaybackProgress"  # sent with every report of a player (pitfall 48)
    return InboundEvent(
        kind=ServerKind.JELLYFIN,
        event=event,
        server_id=_id(values, "serverid"),
        user_id=_id(values, *_ALIASES["userid"]),
        user_name=_text(values, *_ALIASES["notificationusername"]),
        item_id=_id(values, *_ALIASES["itemid"]),
        playback=_JELLYFIN_PLAYBACK.get(event) if watchable else None,
        position=_position(values.get("playbackpositionticks")),
        may_have_changed=watchable and (saved or event in _JELLYFIN_CHANGES),
        unplayed=watchable and saved and reason == "TogglePlayed" and _is_false(values.get("played")),  # R5
        at=_time(_text(values, "utctimestamp", "timestamp")),
    )


def parse_emby(request: InboundRequest) -> InboundEvent:
    """Read a notification: multipart or form field `data` up to 4.8, JSON by choice from 4.9 on; raises InboundError.

    The position is that of PlaybackInfo: the session may be at the next episode already when the stop arrives.
    """
    values = _emby_values(request)
    event = _text(values, "Event")
    if event is None:
        message = "the message names no Event"
        raise InboundError(message)
    item, user = _part(values, "Item"), _part(values, "User")
    watchable = _is_watchable(_text(item, "Type"))
    return InboundEvent(
        kind=ServerKind.EMBY,
        event=event,
        server_id=_id(_part(values, "Server"), "Id"),
        user_id=_id(user, "Id"),
        user_name=_text(user, "Name"),
        item_id=_id(item, "Id"),
        playback=_EMBY_PLAYBACK.get(event) if watchable else None,
        position=_position(_part(values, "PlaybackInfo").get("PositionTicks")),
        may_have_changed=watchable and event in _EMBY_CHANGES,
        unplayed=watchable and event == "item.markunplayed",  # R5
        at=_time(_text(values, "Date")),
    )


def _emby_values(request: InboundRequest) -> _Values:
    data = form_fields(request).get("data")
    return json_object(request if data is None else InboundRequest("application/json", data.encode()))


def _part(values: _Values, name: str) -> _Values:
    part = values.get(name)
    return part if isinstance(part, Mapping) else {}


def _text(values: _Values, *names: str) -> str | None:
    """Return the first text there is; templates escape it for HTML and leave absent fields empty."""
    found = (values.get(name) for name in names)
    return next((html.unescape(str(value)) for value in found if isinstance(value, str | int) and str(value)), None)


def _id(values: _Values, *names: str) -> str | None:
    text = _text(values, *names)
    return text and compact_id(text)


def _is_watchable(item_type: str | None) -> bool:
    """Whether the message is of a film or an episode; a template may leave the type out."""
    return item_type is None or item_type in KINDS


def _is_false(value: object) -> bool:
    """Whether a field says no: absent and empty ones say nothing."""
    return value is False or str(value).lower() == "false"


def _position(ticks: object) -> int | None:
    try:
        return seconds(int(str(ticks)))
    except ValueError:
        return None


def _time(text: str | None) -> datetime | None:
    """Return a time, none for one in the format of the server's language, which templates can ask for."""
    try:
        return instant(text)
    except ValueError:
        return None
