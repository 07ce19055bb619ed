"""Who watched what to its end, and what can be asked about that (server-apis §3.1)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .library import EPISODE, Item
from .query import passes

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """One whole play, or one leaf of a show or season that was marked."""

    number: int
    account: int
    item: Item
    viewed_at: int

    def row(self, *, exists: bool) -> Json:
        """Render it; of an item that is gone there is no key any more."""
        item, key = self.item, f"/library/metadata/{self.item.key}"
        found: Json = {"historyKey": f"/status/sessions/history/{self.number}"}
        found |= {"key": key, "ratingKey": str(item.key)} if exists else {}
        found |= {"librarySectionID": str(item.section.key), "title": item.title, "type": "episode" if item.kind == EPISODE else "movie"}
        if item.parent and item.parent.parent:
            show = {"parentTitle": item.parent.title, "grandparentTitle": item.parent.parent.title}
            found |= {**show, "index": item.index, "parentIndex": item.parent.index, "grandparentKey": f"/library/metadata/{item.parent.parent.key}"}
        found |= {"thumb": f"{key}/thumb/{item.added_at}"} | ({"originallyAvailableAt": item.premiere} if item.premiere else {})
        return found | {"viewedAt": self.viewed_at, "accountID": self.account, "deviceID": 1}


def chosen(views: Iterable[View], account: int, query: Mapping[str, str]) -> list[View]:
    """Take the views that an account may see and asked for, the newest first, or in the order that `sort` names; a show's id stands for all of it."""
    found = [view for view in views if account in (1, view.account) and _wanted(view, query)]
    field, _, direction = query.get("sort", "viewedAt:desc").partition(",")[0].partition(":")
    return sorted(found, key=lambda view: view.account if field == "accountID" else (view.viewed_at, view.number), reverse=direction == "desc")


def _wanted(view: View, query: Mapping[str, str]) -> bool:
    if "metadataItemID" in query and query["metadataItemID"] not in {str(item.key) for item in _up(view.item)}:
        return False
    return passes(query, {"viewedAt": view.viewed_at, "accountID": view.account, "librarySectionID": view.item.section.key})


def _up(item: Item) -> Iterator[Item]:
    yield item
    if item.parent:
        yield from _up(item.parent)
