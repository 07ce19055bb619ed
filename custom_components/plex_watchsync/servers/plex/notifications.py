"""What Plex's notifications say (server-apis §5.2); no request in here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...ports import Playback
from . import wire
from .normalise import KINDS, MILLISECONDS, is_rating_key

LIBRARY = "com.plexapp.plugins.library"
DONE = 5
_WATCHABLE = {1, 4}  # Plex's numbers of films and episodes
_PATH = "/library/metadata/"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """An item was marked by hand, or its page was opened, or it is new."""

    event: str
    item_id: str


@dataclass(frozen=True, slots=True)
class Played:
    """A player's state; `user_id` is not told."""

    session: str
    item_id: str
    state: str
    position: int | None


@dataclass(frozen=True, slots=True)
class Playing:
    """A session that is known; `user_id` None for one that plays neither a film nor an episode."""

    user_id: str | None
    item_id: str
    state: str


def understand(message: Any) -> Iterator[Refreshed | Played]:
    """Read a socket's message, or an event's data, which has one entry and no container; raises what a wrong shape raises."""
    content = message.get("NotificationContainer", message)
    for entry in _entries(content, "ActivityNotification"):
        yield from _activity(entry)
    for entry in _entries(content, "TimelineEntry"):
        yield from _timeline(entry)
    for entry in _entries(content, "PlaySessionStateNotification"):
        yield Played(str(entry["sessionKey"]), str(entry["ratingKey"]), entry["state"], int(entry.get("viewOffset", 0)) // MILLISECONDS)


def session(row: wire.Row) -> tuple[str, Playing]:
    """Read a row of the list of sessions."""
    user = row.get("User", {}).get("id")
    return str(row["sessionKey"]), Playing(str(user) if row.get("type") in KINDS and user is not None else None, row["ratingKey"], row["Player"]["state"])


def playback(before: str | None, after: str) -> Playback | None:
    """Name a change of a player's state, which is told every few seconds while it goes on; `before` None for a session that is new."""
    if after == "stopped":
        return Playback.STOPPED
    if before is None:
        return Playback.STARTED
    if after == "paused":
        return None if before == "paused" else Playback.PAUSED
    return Playback.RESUMED if before == "paused" and after == "playing" else None


def _activity(entry: Any) -> Iterator[Refreshed]:
    """Read the end of a refresh; while a library is scanned there are thousands of other activities."""
    activity = entry["Activity"]
    if entry["event"] == "ended" and activity["type"] == "library.refresh.items":
        item_id = activity.get("Context", {}).get("key", "").removeprefix(_PATH)
        if is_rating_key(item_id):
            yield Refreshed("library.refresh.items", item_id)


def _timeline(entry: Any) -> Iterator[Refreshed]:
    """Read that an item is done, told once more while it is still analysed; that one is gone only listings can tell (G4)."""
    if entry.get("identifier") == LIBRARY and int(entry["state"]) == DONE and int(entry["type"]) in _WATCHABLE and not entry.get("mediaState"):
        yield Refreshed("timeline", str(entry["itemID"]))


def _entries(content: Any, name: str) -> list[Any]:
    found = content.get(name, [])
    return found if isinstance(found, list) else [found]
