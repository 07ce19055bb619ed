"""Which items a listing has, and in which order."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from .library import Item, Library
from .userdata import Record

NEVER = datetime(1, 1, 1, tzinfo=UTC)
HAS = {"hasImdbId": "imdb", "hasTmdbId": "tmdb", "hasTvdbId": "tvdb"}
KINDS = "Movie,Series,Season,Episode"


def chosen(library: Library, query: Mapping[str, str]) -> list[Item]:
    """Find what a listing is about: ids, or kinds below a folder; a second id of the same item and unknown ones are left out."""
    if "ids" in query:
        return list({item.item_id: item for one in query["ids"].split(",") if (item := library.items.get(plain(one)))}.values())
    parent = library.items.get(plain(query.get("parentId", "")))
    kinds = frozenset(query.get("includeItemTypes", KINDS).split(","))
    found = [item for item in library.of_kinds(kinds) if parent is None or parent in item.ancestors()]
    if query.get("isMissing", "").lower() == "false" or "Virtual" in query.get("excludeLocationTypes", "").split(","):
        found = [item for item in found if not (item.title and item.title.virtual)]
    return [item for item in found if all((kind in item.ids) is (query[name].lower() == "true") for name, kind in HAS.items() if name in query)]


def wanted(found: list[Item], record_of: Callable[[Item], Record], query: Mapping[str, str], version: tuple[int, ...]) -> list[Item]:
    """Take those whose record passes the filters, sorted.

    Of items with the same last view, 10.10 gives the higher id first, 10.11 the lower, 12 the one added first. Unasked, 10.10 lists by id (pitfall 52).
    """
    filters = query.get("filters", "").split(",")
    if "isPlayed" in query:
        filters.append("IsPlayed" if query["isPlayed"].lower() == "true" else "IsUnplayed")
    found = [item for item in found if _passes(record_of(item), filters)]
    if version[:2] == (10, 11) and query.get("collapseBoxSetItems") == "true":
        found.sort(key=lambda item: item.kind != "Movie")  # as recorded; why is not known
    if query.get("sortBy", "").startswith("DateCreated"):
        found.sort(key=lambda item: item.created, reverse=query.get("sortOrder") == "Descending")
    by_date, old = query.get("sortBy", "").startswith("DatePlayed"), version < (10, 11)
    if (old and "sortBy" not in query) or (by_date and version < (12,)):
        found.sort(key=lambda item: item.item_id, reverse=old and by_date)
    if by_date:
        direction = -1 if query.get("sortOrder") == "Descending" else 1
        found.sort(key=lambda item: direction * (record_of(item).date or NEVER).timestamp())
    return found


def next_up(series: list[Item], record_of: Callable[[Item], Record]) -> list[Item]:
    """Find the episode after the last one watched of each series, unless it is watched too; specials and missing ones are never next."""
    found: list[tuple[datetime, Item]] = []
    for one in series:
        episodes = sorted((item for item in one.videos() if item.title and item.title.season and not item.title.virtual), key=_number)
        watched = [number for number, item in enumerate(episodes) if record_of(item).played]
        if watched and (after := episodes[watched[-1] + 1 : watched[-1] + 2]):
            found += [(record_of(episodes[watched[-1]]).date or NEVER, after[0])]
    return [item for _, item in sorted(found, key=lambda pair: pair[0], reverse=True)]


def library_of(item: Item) -> str:
    """Name the library that an item is in, or that it is."""
    return next((one.name for one in item.ancestors() if one.kind == "CollectionFolder"), item.name)


def plain(text: str) -> str:
    """Take an id's dashes and capitals away."""
    return text.replace("-", "").lower()


def _number(item: Item) -> tuple[int, int]:
    return (item.title.season or 0, item.title.episode or 0) if item.title else (0, 0)


def _passes(record: Record, filters: list[str]) -> bool:
    if "IsPlayed" in filters and not record.played:
        return False
    if "IsUnplayed" in filters and record.played:
        return False
    return "IsResumable" not in filters or record.ticks > 0
