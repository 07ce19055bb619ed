"""Rows and containers as Plex renders them: XML unless JSON is asked for, no key for what is zero or empty (server-apis §3.1)."""

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from aiohttp import web

from .library import EPISODE, MOVIE, NAMES, SEASON, SHOW, Item, Section
from .records import Record, Records

type Json = dict[str, Any]

WITH_ZERO = frozenset({"index", "parentIndex", "viewedLeafCount"})
"""What is there even when it is 0: recorded of `viewedLeafCount` (289 shows and seasons); of season 0, the specials, taken to be so."""
UNAUTHORIZED = "<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>"


def row(item: Item, account: int, records: Records, *, guids: bool, home: bool = False) -> Json:
    """Render an item as one account sees it; `guids` adds the external ids, `home` the library."""
    key = f"/library/metadata/{item.key}"
    found: Json = {
        "ratingKey": str(item.key),
        "key": f"{key}/children" if item.kind in (SHOW, SEASON) else key,
        "guid": item.guid,
        "type": NAMES[item.kind],
        "title": item.title,
        "summary": f"What happens in {item.title} is told here in a sentence or two, as agents do." if item.kind != SEASON else "",
        "index": item.index,
        "year": item.year,
        "thumb": f"{key}/thumb/{item.added_at}",
        "art": f"{key}/art/{item.added_at}",
        "duration": item.duration,
        "originallyAvailableAt": item.premiere,
        "addedAt": item.added_at,
        "updatedAt": item.added_at,
        **_ancestors(item),
        **(_home(item.section) if home else {}),
        **(_leaf(item, records.of(account, item)) if item.kind in (MOVIE, EPISODE) else _branch(item, account, records)),
    }
    if guids and not item.guid.startswith("com.plexapp"):
        found["Guid"] = [{"id": f"{kind}://{value}"} for kind, value in item.ids.items()]
    return {name: value for name, value in found.items() if value not in (None, "", 0, []) or (value == 0 and name in WITH_ZERO)}


def _ancestors(item: Item) -> Json:
    found: Json = {}
    for name, ancestor in (("parent", item.parent), ("grandparent", item.parent.parent if item.parent else None)):
        if ancestor is not None:
            key = f"/library/metadata/{ancestor.key}"
            found |= {f"{name}RatingKey": str(ancestor.key), f"{name}Key": key, f"{name}Guid": ancestor.guid, f"{name}Title": ancestor.title}
            found |= {f"{name}Thumb": f"{key}/thumb/{ancestor.added_at}"}
    if item.parent and item.parent.index is not None:
        found["parentIndex"] = item.parent.index
    return found


def _home(section: Section) -> Json:
    return {"librarySectionTitle": section.title, "librarySectionID": section.key, "librarySectionKey": f"/library/sections/{section.key}"}


def _leaf(item: Item, record: Record) -> Json:
    """Render the record and the file; six of seven bytes of a row are about the file and the people."""
    stream = {"videoResolution": "1080", "container": "mkv", "videoCodec": "h264", "audioCodec": "eac3", "audioChannels": 6, "bitrate": 9000}
    part = {"id": item.key + 1, "key": f"/library/parts/{item.key + 1}/file.mkv", "duration": item.duration, "file": f"/media/{item.path}", "container": "mkv"}
    people = [{"tag": f"Person {number}"} for number in range(3)]
    return {
        "viewCount": record.views,
        "lastViewedAt": record.viewed_at,
        "viewOffset": record.offset,
        "skipCount": record.skips,
        "userRating": record.rating,
        "lastRatedAt": record.rated_at,
        "Media": [{"id": item.key, "duration": item.duration, "aspectRatio": 1.78, **stream, "Part": [part]}],
        "Genre": [{"tag": "Drama"}],
        "Director": people[:1],
        "Writer": people[:1],
        "Role": people,
    }


def _branch(item: Item, account: int, records: Records) -> Json:
    own, found = records.of(account, item), [records.of(account, leaf) for leaf in item.leaves()]
    return {
        "leafCount": len(found),
        "viewedLeafCount": sum(record.views > 0 for record in found),
        "childCount": len(item.children),
        "viewCount": sum(record.views for record in found),
        "lastViewedAt": max((record.viewed_at for record in found), default=0),
        "userRating": own.rating,
        "lastRatedAt": own.rated_at,
    }


def directory(section: Section, updated_at: int) -> Json:
    """Render a library."""
    kind = NAMES[section.kind]
    return {
        "allowSync": True,
        "filters": True,
        "refreshing": False,
        "key": str(section.key),
        "type": kind,
        "title": section.title,
        "agent": f"tv.plex.agents.{'movie' if section.kind == MOVIE else 'series'}",
        "scanner": "Plex Movie" if section.kind == MOVIE else "Plex TV Series",
        "language": "en-US",
        "uuid": f"00000000-0000-4000-8000-{section.key:012}",
        "updatedAt": updated_at,
        "createdAt": updated_at,
        "scannedAt": updated_at,
        "content": True,
        "directory": True,
        "contentChangedAt": 1000,
        "hidden": 0,
        "Location": [{"id": section.key, "path": f"/media/{section.title}"}],
    }


def trimmed(rows: Iterable[Json], query: Mapping[str, str]) -> list[Json]:
    """Leave out what the request does not want (1.41.9 and newer); before that the parameters did nothing, which the caller decides."""
    without = {name for key in ("excludeElements", "excludeFields") for name in query.get(key, "").split(",") if name}
    return [{name: value for name, value in one.items() if name not in without} for one in rows]


def answer(request: web.Request, container: Json) -> web.Response:
    """Send a container in the format that was asked for."""
    headers = {"X-Plex-Protocol": "1.0"}
    for name, header in (("offset", "X-Plex-Container-Start"), ("totalSize", "X-Plex-Container-Total-Size")):
        if name in container:
            headers[header] = str(container[name])
    if "application/json" in request.headers.get("Accept", ""):
        return web.json_response({"MediaContainer": container}, headers=headers)
    text = ET.tostring(_element("MediaContainer", container), encoding="unicode", xml_declaration=True)
    return web.Response(text=text, content_type="text/xml", headers=headers)


def _element(name: str, values: Json) -> ET.Element:
    """Render as XML: a row's tag says what it is."""
    element = ET.Element(name)
    for key, value in values.items():
        if isinstance(value, list):
            for one in value:
                element.append(_element(_tag(key, one), one))
        elif isinstance(value, dict):
            element.append(_element(key, value))
        elif isinstance(value, bool):
            element.set(key, str(int(value)))
        else:
            element.set(key, str(value))
    return element


def _tag(key: str, one: Json) -> str:
    if key != "Metadata":
        return key
    return "Directory" if one.get("type") in ("show", "season") else "Video"
