"""Webhooks of Plex, and of Tautulli on its behalf (server-apis §5.1)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ...ports import InboundError, InboundEvent, InboundRequest, Playback, ServerKind
from ..inbound import form_fields, json_object
from .normalise import KINDS, MILLISECONDS, OWNER

_PLAYBACK = {
    "media.play": Playback.STARTED,
    "media.pause": Playback.PAUSED,
    "media.resume": Playback.RESUMED,
    "media.stop": Playback.STOPPED,
}
_CHANGES = frozenset({"media.pause", "media.stop", "media.scrobble", "media.rate", "library.new"})
EVENTS = tuple(sorted({*_PLAYBACK, *_CHANGES}))
"""What Plex tells us, by its own names."""

_TAUTULLI = {
    "play": "media.play",
    "pause": "media.pause",
    "resume": "media.resume",
    "stop": "media.stop",
    "watched": "media.scrobble",
    "created": "library.new",
}

_END = datetime.max.replace(tzinfo=UTC).timestamp()

type _Values = Mapping[str, Any]


def parse_plex(request: InboundRequest) -> InboundEvent:
    """Read a webhook: multipart with a JSON field `payload`; or Tautulli's JSON; raises InboundError.

    Tautulli's webhook agent sends what its user writes; these names are understood: `action`, `server_id`, `user_id`, `user`, `rating_key`.
    """
    payload = form_fields(request).get("payload")
    values = json_object(request if payload is None else InboundRequest("application/json", payload.encode()))
    if "event" in values:
        return _plex(values)
    if "action" in values:
        return _tautulli(values)
    message = "the message names no event"
    raise InboundError(message)


def _plex(values: _Values) -> InboundEvent:
    """Read Plex's own; some events are about no item, the owner's account has the number 1 or plex.tv's."""
    event, item, account = str(values["event"]), _part(values, "Metadata"), _part(values, "Account")
    own = values.get("user") is True and values.get("owner") is True
    watchable = item.get("type") in KINDS
    return InboundEvent(
        kind=ServerKind.PLEX,
        event=event,
        server_id=_text(_part(values, "Server").get("uuid")),
        user_id=OWNER.user_id if own else _text(account.get("id")),
        user_name=_text(account.get("title")),
        item_id=_text(item.get("ratingKey")),
        library=_text(item.get("librarySectionID")),  # a number in real payloads (pitfall 15)
        playback=_PLAYBACK.get(event) if watchable else None,
        position=_seconds(item.get("viewOffset")),
        may_have_changed=watchable and event in _CHANGES,
        at=_time(item.get("lastViewedAt")) if event == "media.scrobble" else None,
    )


def _tautulli(values: _Values) -> InboundEvent:
    event = _TAUTULLI.get(str(values["action"]), str(values["action"]))
    item_id = _text(values.get("rating_key"))
    return InboundEvent(
        kind=ServerKind.PLEX,
        event=event,
        server_id=_text(values.get("server_id")),
        user_id=_text(values.get("user_id")),
        user_name=_text(values.get("user")),
        item_id=item_id,
        playback=_PLAYBACK.get(event),
        may_have_changed=item_id is not None and event in _CHANGES,
    )


def _part(values: _Values, name: str) -> _Values:
    part = values.get(name)
    return part if isinstance(part, Mapping) else {}


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and str(value) else None


def _seconds(milliseconds: object) -> int | None:
    return milliseconds // MILLISECONDS if isinstance(milliseconds, int) else None


def _time(seconds: object) -> datetime | None:
    """Return a time, none where it lies beyond what a calendar has."""
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) and 0 < seconds < _END else None
