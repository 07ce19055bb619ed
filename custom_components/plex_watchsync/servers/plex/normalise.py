"""From what Plex sends to the words of the sync rules; no clock and no request in here."""

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ...ports import Library, ServerIdentity, ServerKind, ServerTooOld, ServerUser, UnexpectedAnswer
from ...sync.identity import Guid, episode_keys, movie_keys, parse_guid
from ...sync.model import Media, MediaKind, Observation, Part, WatchState
from ..http import Json
from . import wire

MILLISECONDS = 1000
OWNER = ServerUser("1", "Owner")
SHARED = ServerUser("shared", "Shared user")
"""Somebody whose token may not list the accounts; only plex.tv knows the name."""

KINDS = {"movie": MediaKind.MOVIE, "episode": MediaKind.EPISODE}
_OLDEST = (1, 19)
_LIBRARY_KINDS = {"movie": frozenset({MediaKind.MOVIE}), "show": frozenset({MediaKind.EPISODE})}

type Shows = Mapping[str, frozenset[str]]
"""External ids of shows by rating key."""


@dataclass(frozen=True, slots=True)
class Times:
    """How to read a server's times: `skew` is by how much its clock is ahead (R7); what lies in the future is cut where it counts, not here."""

    skew: timedelta = timedelta()

    def read(self, seconds: int | None) -> datetime | None:
        """Return the time on our clock."""
        return datetime.fromtimestamp(int(seconds), UTC) - self.skew if seconds else None


@contextmanager
def understood(what: str) -> Generator[None]:
    """Turn a shape that is not the documented one into `UnexpectedAnswer`; values never enter the message."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        message = f"{what} is not of the documented shape ({type(error).__name__})"
        raise UnexpectedAnswer(message) from None


def server_identity(answer: Json) -> ServerIdentity | None:
    """Tell who answers, None when it is no Plex; raises ServerTooOld. Its name is told elsewhere."""
    container = answer.get("MediaContainer") if isinstance(answer, dict) else None
    if not isinstance(container, dict):
        return None
    server_id, version = container.get("machineIdentifier"), container.get("version")
    if not isinstance(server_id, str) or not isinstance(version, str) or (found := re.match(r"(\d+)\.(\d+)", version)) is None:
        return None
    if (int(found[1]), int(found[2])) < _OLDEST:
        message = f"Plex {version} is too old"
        raise ServerTooOld(message, version)
    return ServerIdentity(ServerKind.PLEX, server_id, "Plex", version)


def is_rating_key(text: str) -> bool:
    """Tell an item's id from other text that a webhook may have brought: a whole number (server-apis §2)."""
    return text.isascii() and text.isdecimal()


def watch_state(row: wire.Row, times: Times) -> WatchState:
    """Read a record; a date alone is no view: partial plays set it too (server-apis 0.2)."""
    count, rating = int(row.get("viewCount", 0)), row.get("userRating")
    position = int(row.get("viewOffset", 0)) // MILLISECONDS
    return WatchState(count > 0, position, count, times.read(row.get("lastViewedAt")), None if rating is None else float(rating))


def observation(row: wire.Row, library: str, shows: Shows, times: Times) -> Observation:
    """Read a film or an episode."""
    runtime = row.get("duration")
    return Observation(row["ratingKey"], library, (_part(row, shows),), watch_state(row, times), runtime and int(runtime) // MILLISECONDS, _file(row))


def external_ids(row: wire.Row) -> frozenset[str]:
    """Return an item's own external ids: of the new agents' Guid list, and of its guid."""
    tags = [one for tag in row.get("Guid", ()) for one in parse_guid(tag["id"]).ids]
    return frozenset(tags) | parse_guid(row.get("guid", "")).ids


def libraries(container: wire.Container) -> tuple[Library, ...]:
    """Name the libraries with films or shows."""
    found = container.get("Directory", ())
    return tuple(Library(str(one["key"]), one["title"], _LIBRARY_KINDS[one["type"]]) for one in found if one["type"] in _LIBRARY_KINDS)


def owner(container: wire.Container) -> ServerUser:
    """Name the owner, whose account has the number 1 on every server (server-apis §2)."""
    names = [account.get("name") for account in container.get("Account", ()) if str(account.get("id")) == OWNER.user_id]
    return ServerUser(OWNER.user_id, names[0]) if names and names[0] else OWNER


def _file(row: wire.Row) -> str | None:
    """Return where the first of a row's files lies, if that was asked for; whoever is not the owner may not be told."""
    return next((part["file"] for medium in row.get("Media", ()) for part in medium.get("Part", ()) if "file" in part), None)


def _part(row: wire.Row, shows: Shows) -> Part:
    kind, own = KINDS[row["type"]], external_ids(row)
    if kind is MediaKind.MOVIE:
        return Part(Media(kind, row["title"], row.get("year")), movie_keys(own))
    season, episode = row.get("parentIndex"), row.get("index")
    legacy: Guid = parse_guid(row.get("guid", ""))  # names the show, and the numbers by which the agent counts
    named = parse_guid(row.get("grandparentGuid", "")).ids | shows.get(row.get("grandparentRatingKey", ""), frozenset())
    keys = episode_keys(own, named, season, episode) | episode_keys((), legacy.show_ids, legacy.season, legacy.episode)
    return Part(Media(kind, row["title"], row.get("year"), row.get("grandparentTitle"), season, episode), keys)
