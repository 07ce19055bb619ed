"""Rows and answers in the shapes that were recorded; what is nothing is absent, but ChannelId is null."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from .auth import User
from .library import ROOT, Item, item_id
from .records import Records, provider_key
from .userdata import dto, folder_dto, time_text

type Json = dict[str, Any]

NAMES = {"imdb": "Imdb", "tmdb": "Tmdb", "tvdb": "Tvdb"}


class Items:
    """Renders a server's items."""

    def __init__(self, server_id: str, records: Records, version: tuple[int, ...]) -> None:
        """Render as this version does."""
        self._server_id, self._records, self.version = server_id, records, version

    def row(self, item: Item, user: User | None, wanted: frozenset[str], *, user_data: bool = True, single: bool = False, images: bool = True) -> Json:
        """Render an item with the optional `wanted` fields and (no) `images`; `single`: as a read of this one item shows it."""
        found: Json = {"Name": item.name, "ServerId": self._server_id, "Id": item.item_id}
        virtual = item.title is not None and item.title.virtual
        optional: Json = {
            "DateCreated": time_text(item.created),
            "Path": None if virtual else item.path,
            "ProviderIds": {NAMES.get(kind, kind.title()): value for kind, value in item.ids.items()},
            "MediaSources": None if virtual else self._sources(item),
            "PremiereDate": _premiere(item),
        }
        found |= {
            name: optional[name]
            for name in optional
            if (name in wanted or single) and optional[name] is not None and (name != "MediaSources" or not item.is_folder)
        }
        found |= {"ChannelId": None, **_numbers(item), "IsFolder": item.is_folder, "Type": item.kind}
        if item.kind == "CollectionFolder":
            found["CollectionType"] = "movies" if any(child.kind == "Movie" for child in item.children) else "tvshows"
        if user is not None and user_data:
            found["UserData"] = self.user_data(item, user, single=single, whole=single)
        found |= _where(item) | ({"ImageTags": {}, "BackdropImageTags": []} if images else {})
        return found | {"ImageBlurHashes": {}, "LocationType": "Virtual" if virtual else "FileSystem", "MediaType": "Unknown" if item.is_folder else "Video"}

    def user_data(self, item: Item, user: User, *, single: bool = False, whole: bool = False) -> Json:
        """Render a user's record of an item; only 12.0 gives the share of a folder's videos outside of a row of it alone, the `whole`."""
        if item.is_folder:
            records = [self._records.of(user.user_id, video) for video in item.videos()]
            return folder_dto(records, item, provider_key(item), percent=whole or self.version >= (12,))
        record = self._records.single(user.user_id, item) if single else self._records.of(user.user_id, item)
        key = provider_key(item) if single and self.version >= (12,) else record.key or provider_key(item)
        return dto(record, item, key, zero_ids=self.version < (10, 11))

    def changed(self, user: User, items: Iterable[Item]) -> list[Json]:
        """Render what a frame says of changed videos: each, and once what is one level above it, which for a film no listing has (pitfall 45)."""
        found: dict[str, Json] = {}
        for item in items:
            for one in (item, _above(item)):
                if one.item_id not in found:
                    found[one.item_id] = self._in_frame(one, user)
        return list(found.values())

    def _in_frame(self, item: Item, user: User) -> Json:
        if item.is_folder:
            return self.user_data(item, user) | {"ItemId": item.item_id}
        return dto(self._records.frame(user.user_id, item), item, provider_key(item), zero_ids=False)

    def _sources(self, item: Item) -> list[Json]:
        return [
            {"Protocol": "File", "Id": one.item_id, "Path": one.path, "Type": "Default", "Container": "mkv", "RunTimeTicks": one.ticks}
            for one in (item, *item.others())
        ]


def page(rows: Iterable[Json], total: int, start: int) -> Json:
    """Wrap rows."""
    return {"Items": list(rows), "TotalRecordCount": total, "StartIndex": start}


def wanted_fields(query: Mapping[str, str]) -> frozenset[str]:
    """Return the optional fields that a request asks for."""
    return frozenset(query.get("fields", "").split(","))


def _above(item: Item) -> Item:
    """Return an episode's season, a version's film, or the folder on the disk that a film or series lies in."""
    parent = item.primary or item.parent or item
    if parent.kind != "CollectionFolder":
        return parent
    path = f"{ROOT}/{parent.name}"
    return Item(item_id(path), "Folder", parent.name, path, parent.created, children=parent.children)


def _numbers(item: Item) -> Json:
    title = item.title
    values: Json = {
        "RunTimeTicks": item.ticks or None,
        "ProductionYear": item.year,
        "IndexNumber": item.number,
        "IndexNumberEnd": title.last_episode if title else None,
        "ParentIndexNumber": title.season if title else None,
    }
    found = {name: value for name, value in values.items() if value is not None}
    return {"Container": "mkv", **found} if title and not title.virtual else found


def _where(item: Item) -> Json:
    if item.kind != "Episode" or item.parent is None or item.parent.parent is None:
        return {"VideoType": "VideoFile"} if not item.is_folder else {}
    season, series = item.parent, item.parent.parent
    return {"SeriesName": series.name, "SeriesId": series.item_id, "SeasonId": season.item_id, "SeasonName": season.name, "VideoType": "VideoFile"}


def _premiere(item: Item) -> str | None:
    premiere = item.title.premiere if item.title else None
    return premiere and time_text(datetime.fromisoformat(f"{premiere}T00:00:00+00:00"))
