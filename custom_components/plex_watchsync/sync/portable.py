"""A viewer's watch state as a portable document: titles by their ids, and what was agreed on; `docs/backup-format.md` says what the fields mean.

Nothing in it belongs to a server, so that it outlives them all. What is written and read again is the same.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .identity import NAME, external_id, without_names
from .merge import NO_CLAIMS, Claims, Rating, Spot, View
from .model import Media, MediaKind
from .plan import HIGHEST_RATING

FORMAT = "plex_watchsync"
VERSION = 1

LARGEST = 2**31 - 1
"""No number of a title is larger; what has more than 64 bits could not even be kept."""

TORN = re.compile("[\ud800-\udfff]")
"""Half a character, which JSON can spell; it could not be kept either."""

type Json = Any


class PortableError(ValueError):
    """The document cannot be understood; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A title and what was agreed on of it."""

    media: Media
    keys: frozenset[str]
    claims: Claims


@dataclass(frozen=True, slots=True)
class Portable:
    """One viewer's document."""

    viewer: str
    created: datetime
    entries: tuple[Entry, ...]


def dumped(viewer: str, created: datetime, entries: Iterable[Entry]) -> Iterator[str]:
    """Write a document, a line for each title that anybody has an opinion on."""
    head = {"format": FORMAT, "version": VERSION, "created": created.isoformat(), "viewer": viewer}
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "items": ['
    rows = (row_of(entry) for entry in entries if entry.claims != NO_CLAIMS)
    for number, row in enumerate(rows):
        yield ("," if number else "") + "\n" + json.dumps(row, ensure_ascii=False)
    yield "\n]}\n"


def loaded(text: str) -> Portable:
    """Read a document; raises `PortableError`, and then nothing of it counts."""
    try:
        content: Json = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise PortableError(f"not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("items"), list):
        raise PortableError(f"not a backup of {FORMAT}")
    if content.get("version") != VERSION:
        raise PortableError(f"version {content.get('version')} is not known here, only {VERSION}")
    entries = tuple(_numbered(number, row) for number, row in enumerate(content["items"], 1))
    return Portable(_text(content, "viewer"), _moment(content, "created"), entries)


def row_of(entry: Entry) -> Json:
    """Put a title into plain values; what is not known is left out."""
    media, view, spot, rating = entry.media, entry.claims.view, entry.claims.spot, entry.claims.rating
    own, numbers = _ids(entry.keys)
    main = (media.season, media.episode)
    found: dict[str, Json] = {
        "type": media.kind.value,
        "title": media.title,
        "year": media.year,
        "show": media.show,
        "season": media.season,
        "episode": media.episode,
        "ids": own or None,
        "names": None if without_names(entry.keys) else sorted(key.partition("/")[2] for key in entry.keys),
        "show_ids": numbers.pop(main, None),
        "other_numbers": [{"season": season, "episode": episode, "show_ids": ids} for (season, episode), ids in sorted(numbers.items())] or None,
    }
    if view:
        found |= {"watched": view.played, "watched_since": view.at.isoformat(), "last_watched": view.last_played and view.last_played.isoformat()}
        found |= {"play_count": view.play_count}
    if spot:
        found |= {"position": spot.position, "position_since": spot.at.isoformat()}
    if rating:
        found |= {"rating": rating.value, "rated_since": rating.at.isoformat(), "thumb": None if rating.exact else True}
    return {name: value for name, value in found.items() if value is not None}


def entry_of(row: Json) -> Entry:
    """Read a title; raises `PortableError`."""
    if not isinstance(row, dict):
        raise PortableError("not an object")
    kind = _text(row, "type")
    if kind not in set(MediaKind):
        raise PortableError(f"type {kind} is neither movie nor episode")
    media = Media(
        MediaKind(kind),
        _text(row, "title"),
        _number(row, "year"),
        _text(row, "show") if "show" in row else None,
        _number(row, "season"),
        _number(row, "episode"),
    )
    keys = _own_keys(media.kind, row) | _numbered_keys(row)
    for other in _list(row, "other_numbers"):
        keys |= _numbered_keys(other)
    keys = keys or _names(media.kind, row)
    if not keys:
        raise PortableError("no id that names it")
    if any(map(TORN.search, keys)):
        raise PortableError("an id or a name is not a text")
    return Entry(media, frozenset(keys), Claims(_view(row), _spot(row), _rating(row)))


def _numbered(number: int, row: Json) -> Entry:
    try:
        return entry_of(row)
    except PortableError as error:
        raise PortableError(f"item {number}: {error}") from error


def _ids(keys: frozenset[str]) -> tuple[dict[str, list[str]], dict[tuple[int | None, int | None], dict[str, list[str]]]]:
    """Take match keys apart: ids of the title, and by season and episode those of its show."""
    own: dict[str, list[str]] = {}
    numbers: dict[tuple[int | None, int | None], dict[str, list[str]]] = {}
    for key in sorted(without_names(keys)):
        scope, kind, value = key.split("/", 2)
        if scope == "show":
            show, season, episode = value.rsplit("/", 2)
            numbers.setdefault((int(season), int(episode)), {}).setdefault(kind, []).append(show)
        else:
            own.setdefault(kind, []).append(value)
    return own, numbers


def _own_keys(kind: MediaKind, row: Mapping[str, Json]) -> set[str]:
    return {f"{kind.value}/{one}" for one in _clean(row, "ids")}


def _names(kind: MediaKind, row: Mapping[str, Json]) -> set[str]:
    """Read the names of a title that has no ids (I6)."""
    names = _list(row, "names")
    if not all(isinstance(name, str) and "/" in name for name in names):
        raise PortableError("names has one that is none")
    return {f"{NAME}{kind.value}/{name}" for name in names}


def _numbered_keys(row: Json) -> set[str]:
    if not isinstance(row, dict):
        raise PortableError("not an object")
    season, episode = _number(row, "season"), _number(row, "episode")
    if season is None or episode is None:
        return set()
    return {f"show/{one}/{season}/{episode}" for one in _clean(row, "show_ids") if one.count("/") == 1}


def _clean(row: Mapping[str, Json], name: str) -> Iterator[str]:
    """Yield ids as parts of match keys, spelled as everywhere; a kind with dots is a metadata provider that somebody runs, and stays as it is."""
    given = row.get(name, {})
    if not isinstance(given, dict):
        raise PortableError(f"{name} is not an object")
    for kind, values in given.items():
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, str):
                raise PortableError(f"{name} has an id that is not a text")
            one = f"{kind}:{value}" if "." in kind else external_id(kind, value)
            if one:
                yield one.replace(":", "/", 1)


def _view(row: Mapping[str, Json]) -> View | None:
    if "watched" not in row:
        return None
    if not isinstance(row["watched"], bool):
        raise PortableError("watched is neither true nor false")
    last = _moment(row, "last_watched") if "last_watched" in row else None
    return View(_moment(row, "watched_since"), row["watched"], last, max(_number(row, "play_count") or 0, 0))


def _spot(row: Mapping[str, Json]) -> Spot | None:
    if "position" not in row:
        return None
    return Spot(_moment(row, "position_since"), max(_number(row, "position") or 0, 0))


def _rating(row: Mapping[str, Json]) -> Rating | None:
    """Read a rating; one that has a date only was taken back."""
    if "rated_since" not in row:
        return None
    value = row.get("rating")
    if value is not None and (not isinstance(value, int | float) or isinstance(value, bool)):
        raise PortableError("rating is not a number")
    return Rating(_moment(row, "rated_since"), None if value is None else float(min(max(value, 0), HIGHEST_RATING)), exact=row.get("thumb") is not True)


def _no_number(constant: str) -> None:
    """Refuse NaN and the infinities, which JSON does not have and Python reads."""
    raise ValueError(f"{constant} is not a number")


def _text(row: Mapping[str, Json], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or TORN.search(value):
        raise PortableError(f"{name} is not a text")
    return value


def _number(row: Mapping[str, Json], name: str) -> int | None:
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise PortableError(f"{name} is not a whole number")
    if abs(value) > LARGEST:
        raise PortableError(f"{name} is larger than {LARGEST}")
    return value


def _list(row: Mapping[str, Json], name: str) -> list[Json]:
    value = row.get(name, [])
    if not isinstance(value, list):
        raise PortableError(f"{name} is not a list")
    return value


def _moment(row: Mapping[str, Json], name: str) -> datetime:
    text = _text(row, name)
    try:
        at = datetime.fromisoformat(text)
        utc = at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PortableError(f"{name} is not a time") from error
    if at.tzinfo is None:
        raise PortableError(f"{name} does not say in which time zone it is (R7)")
    return utc
