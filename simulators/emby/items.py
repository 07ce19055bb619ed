"""Items as Emby writes them down: rows of a listing, which lack much, and whole items (recorded on 4.9.5)."""

from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any

from .auth import Account, hex_id
from .library import Item, Kind, Library
from .userdata import Records, time_text

type Json = dict[str, Any]

USER_DATA_FIELDS = frozenset({"userdataplaycount", "userdatalastplayeddate"})
"""Without these a row says that it was never played and at no time (server-apis §3.3)."""


class Items:
    """Writes items down for a user."""

    def __init__(self, server_id: str, library: Library, records: Records) -> None:
        """Write for one server."""
        self._server_id = server_id
        self._library = library
        self._records = records

    def row(self, account: Account, item: Item, fields: Collection[str] = (), *, user_data: bool = True) -> Json:
        """Write a row of a listing; `fields` in lower case bring the parts that a row lacks."""
        return {
            **self._head(item),
            **{name: value for name, value in _optional(item).items() if name.lower() in fields},
            **self._middle(item),
            **({"UserData": self._user_data(account, item, fields)} if user_data else {}),
            **self._tail(item),
        }

    def whole(self, account: Account, item: Item) -> Json:
        """Write an item with all there is; its record is true."""
        return {**self.described(item), "UserData": self._user_data(account, item, USER_DATA_FIELDS)}

    def described(self, item: Item) -> Json:
        """Write an item without anybody's record, as webhooks carry it (recorded on 4.7)."""
        empty: dict[str, list[Json]] = {name: [] for name in ("Taglines", "Genres", "RemoteTrailers", "Studios", "GenreItems", "TagItems")}
        return {**self._head(item), **_optional(item), **empty, **self._middle(item), **self._tail(item)}

    def _user_data(self, account: Account, item: Item, fields: Collection[str]) -> Json:
        shown = {name: f"userdata{field}" in fields for name, field in (("count", "playcount"), ("date", "lastplayeddate"))}
        return self._records.dto(account.account_id, item, **shown)

    def _head(self, item: Item) -> Json:
        head: Json = {"Name": item.name, "ServerId": self._server_id, "Id": item.item_id}
        return head | ({"Guid": hex_id(self._server_id, item.item_id)} if item.kind is Kind.LIBRARY else {})

    @staticmethod
    def _middle(item: Item) -> Json:
        title = item.title
        numbers: Json = {"IndexNumber": item.number}
        if title is not None:
            numbers = {
                "RunTimeTicks": item.ticks,
                "IndexNumber": title.episode,
                "IndexNumberEnd": title.last_episode,
                "ParentIndexNumber": title.season,
            }
        present = {name: value for name, value in numbers.items() if value is not None}
        return {**present, "IsFolder": item.is_folder, "Type": item.kind.value}

    def _tail(self, item: Item) -> Json:
        return {**self._lineage(item), "ImageTags": {}, "BackdropImageTags": [], **self._medium(item)}

    @staticmethod
    def _lineage(item: Item) -> Json:
        """Name the series and the season of an episode, and the series of a season."""
        season, series = (item.parent, item.parent and item.parent.parent) if item.kind is Kind.EPISODE else (None, item.parent)
        if series is None or series.kind is not Kind.SERIES:
            return {}
        lineage = {"SeriesName": series.name, "SeriesId": series.item_id}
        return lineage | ({"SeasonId": season.item_id, "SeasonName": season.name} if season else {})

    def _medium(self, item: Item) -> Json:
        if item.kind is Kind.LIBRARY:
            kind = self._library.collection_type(item)
            return {"CollectionType": kind} if kind else {}
        if item.is_folder:
            return {}
        return {"MediaType": "Video"} | ({"LocationType": "Virtual"} if item.title and item.title.virtual else {})


def _optional(item: Item) -> Json:
    """Write what a row has only on demand."""
    path = PurePosixPath("/media", item.title.path) if item.title and not item.title.virtual else None
    values = {
        "OriginalTitle": item.name if item.kind is Kind.MOVIE else None,
        "DateCreated": time_text(item.created.replace(microsecond=0)),
        "Container": path and path.suffix.removeprefix("."),
        "SortName": item.name,
        "PremiereDate": f"{item.premiere}T00:00:00.0000000Z" if item.premiere else None,
        "Path": path and str(path),
        "FileName": path and path.name,
        "ProductionYear": item.year,
        "ProviderIds": None if item.kind is Kind.LIBRARY else item.ids,
        "ParentId": item.parent and item.parent.item_id,
    }
    return {name: value for name, value in values.items() if value is not None}
