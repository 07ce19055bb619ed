"""From what Jellyfin and Emby send to the words of the sync rules, and back; no clock and no request in here."""

import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta

from ...ports import Library, ServerIdentity, ServerKind, ServerTooOld, ServerUnavailable, ServerUser, UnexpectedAnswer
from ...sync.identity import episode_keys, external_id, movie_keys
from ...sync.model import Media, MediaKind, Observation, Part, WatchState
from ...sync.rating import DISLIKE, LIKE
from ..http import clean_url
from . import wire

TICKS = 10_000_000
"""Ticks in a second."""

KINDS = {"Movie": MediaKind.MOVIE, "Episode": MediaKind.EPISODE}

_OLDEST = {ServerKind.JELLYFIN: (10, 9), ServerKind.EMBY: (4, 7)}
_OWN_RECORDS = (10, 11)
"""Jellyfin's version from which each item has a record of its own."""
_LIBRARY_KINDS = {"movies": frozenset({MediaKind.MOVIE}), "tvshows": frozenset({MediaKind.EPISODE})}
_MIXED = frozenset(MediaKind)
_LONGEST_FILE = 50
"""Episodes; a wider range is a misread file name (a year, a resolution), no file that holds so many."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A server that told of itself."""

    server_id: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Times:
    """How to read a server's times: `skew` is by how much its clock is ahead, `now` ours (R7)."""

    now: datetime
    skew: timedelta = timedelta()

    def read(self, text: str | None) -> datetime | None:
        """Return the time on our clock in whole seconds: Emby and Plex know no finer ones (W6).

        A time in the future is left as it is: cut to now it would look like another view at each reading. It is cut where it counts (R7).
        """
        at = instant(text)
        return at and (at - self.skew).replace(microsecond=0)

    def write(self, at: datetime) -> datetime:
        """Return one of our times on the server's clock, never in its future (W8)."""
        return min(at, self.now) + self.skew


@contextmanager
def understood(what: str) -> Generator[None]:
    """Turn a shape that is not the documented one into `UnexpectedAnswer`; values never enter the message."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"{what} is not of the documented shape ({type(error).__name__})"
        raise UnexpectedAnswer(message) from None


def instant(text: str | None) -> datetime | None:
    """Read an ISO time with up to seven digits of a second; the first and last year stand for none (server-apis §6). Raises ValueError."""
    if not text:
        return None
    at = datetime.fromisoformat(text)
    if at.year in {MINYEAR, MAXYEAR}:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def seconds(ticks: int | None) -> int:
    """Return whole seconds; servers store negative positions when a tool writes them (server-apis §4.2)."""
    return max(0, int(ticks or 0) // TICKS)


def compact_id(text: str) -> str:
    """Return an id as answers have it: Jellyfin's templates write it with dashes, and tools in upper case."""
    return text.replace("-", "").lower()


def server_identity(info: wire.PublicInfo) -> ServerIdentity | None:
    """Tell who answers, None when it is no server of this family.

    Raises ServerUnavailable while it starts or is not set up yet (pitfall 40), ServerTooOld.
    """
    if "id" in info and "serverName" in info:
        message = "the server is still starting"
        raise ServerUnavailable(message)
    server_id, version = info.get("Id"), info.get("Version")
    if not isinstance(server_id, str) or not isinstance(version, str) or not _numbers(version):
        return None
    kind = ServerKind.JELLYFIN if _is_jellyfin(info, version) else ServerKind.EMBY
    if info.get("StartupWizardCompleted") is False:
        message = "the server is not set up yet"
        raise ServerUnavailable(message)
    if _numbers(version) < _OLDEST[kind]:
        message = f"{kind} {version} is too old"
        raise ServerTooOld(message, version)
    return ServerIdentity(kind, server_id, info.get("ServerName") or server_id, version)


def shares_records(info: wire.PublicInfo) -> bool:
    """Whether copies of a title share one record, which each of them caches, as before Jellyfin 10.11 (pitfall 51)."""
    return _numbers(info["Version"]) < _OWN_RECORDS


def announced(datagram: bytes) -> Announced | None:
    """Read what came after a broadcast, None when it is not from a server: anybody in the network may say anything."""
    try:
        told = json.loads(datagram)
        return Announced(str(told["Id"]), str(told["Name"]), clean_url(told["Address"]))
    except ValueError, TypeError, KeyError, AttributeError:
        return None


def _is_jellyfin(info: wire.PublicInfo, version: str) -> bool:
    """Emby never names its product and is at 4; Jellyfin began at 10 (server-apis §2)."""
    return "jellyfin" in str(info.get("ProductName")).lower() or _numbers(version) >= (10,)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = version.partition("-")[0].split(".")
    return tuple(int(number) for number in numbers if number.isdecimal())


def server_user(user: wire.User) -> ServerUser:
    """Name a user."""
    return ServerUser(compact_id(user["Id"]), user["Name"])


def is_administrator(user: wire.User) -> bool:
    """Whether a user may act for the others."""
    return user.get("Policy", {}).get("IsAdministrator", False)


def is_disabled(user: wire.User) -> bool:
    """Whether a user was switched off."""
    return user.get("Policy", {}).get("IsDisabled", False)


def watchable_libraries(views: Iterable[wire.Item]) -> tuple[Library, ...]:
    """Pick the libraries of films and shows; one without a collection type holds both."""
    found = ((view, _library_kinds(view)) for view in views)
    return tuple(Library(view["Id"], view.get("Name", ""), kinds) for view, kinds in found if kinds)


def _library_kinds(view: wire.Item) -> frozenset[MediaKind]:
    kind = view.get("CollectionType")
    if not kind or kind in {"mixed", "unknown"}:
        return _MIXED if view["Type"] == "CollectionFolder" else frozenset()
    return _LIBRARY_KINDS.get(kind, frozenset())


def external_ids(item: wire.Item) -> frozenset[str]:
    """Return an item's own external ids."""
    named = (item.get("ProviderIds") or {}).items()
    return frozenset(filter(None, (external_id(kind, value) for kind, value in named if value)))


def is_untouched(item: wire.Item) -> bool:
    """Whether nobody ever did anything to an item: nothing is lost when its record is written as it is."""
    record = item["UserData"]
    return not any(record.get(name) for name in ("Played", "PlayCount", "PlaybackPositionTicks", "LastPlayedDate", "IsFavorite"))


def is_watchable(item: wire.Item) -> bool:
    """Whether a row is a film or an episode that somebody can play; a virtual one is a gap in a series (server-apis §3.2)."""
    return item["Type"] in KINDS and item.get("LocationType") != "Virtual"


def observation(item: wire.Item, library: str, shows: Mapping[str, frozenset[str]], times: Times) -> Observation:
    """Read a row with the user's record in it; `shows` gives the external ids of series by their item id.

    Raises KeyError for a row without a record, which is what an API key gets that names no user.
    """
    runtime = seconds(item.get("RunTimeTicks")) or None
    return Observation(item["Id"], library, tuple(_parts(item, shows)), watch_state(item["UserData"], times), runtime, item.get("Path"))


def watch_state(data: wire.UserData, times: Times) -> WatchState:
    """Read a record; its own ItemId is left alone, being all zeros on Jellyfin 10.10 (server-apis §3.2)."""
    last_played, count = times.read(data.get("LastPlayedDate")), max(0, data.get("PlayCount") or 0)
    return WatchState(bool(data["Played"]), seconds(data.get("PlaybackPositionTicks")), count, last_played, _rating(data))


def _rating(data: wire.UserData) -> float | None:
    """Return the rating; a thumb is one as well, the same field on Jellyfin, and on Emby nobody recorded which of the two shows it (server-apis §4.2)."""
    rating, likes = data.get("Rating"), data.get("Likes")
    if rating is not None:
        return float(rating)
    return None if likes is None else LIKE if likes else DISLIKE


def _parts(item: wire.Item, shows: Mapping[str, frozenset[str]]) -> Iterator[Part]:
    ids = external_ids(item)
    if item["Type"] == "Movie":
        yield Part(Media(MediaKind.MOVIE, item.get("Name", ""), item.get("ProductionYear")), movie_keys(ids))
        return
    show_ids = shows.get(item.get("SeriesId") or "", frozenset())
    episodes = _episodes(item)
    # Of a file with several episodes nobody knows whose the ids are, and a show's id on an episode marks no episode (I5, pitfall 19).
    own = ids - show_ids if len(episodes) == 1 else frozenset[str]()
    season = item.get("ParentIndexNumber")
    for episode in episodes:
        media = Media(MediaKind.EPISODE, item.get("Name", ""), item.get("ProductionYear"), item.get("SeriesName"), season, episode)
        yield Part(media, episode_keys(own, show_ids, season, episode))


def _episodes(item: wire.Item) -> tuple[int | None, ...]:
    first, last = item.get("IndexNumber"), item.get("IndexNumberEnd")
    if first is None or last is None or not first < last < first + _LONGEST_FILE:
        return (first,)
    return tuple(range(first, last + 1))
