"""What stands on an Emby server: libraries, films, series, seasons and episodes, under short numeric ids."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import count

from ..catalogue import Show, Title

TICKS = 10_000_000
"""Ticks in a second."""


class Kind(StrEnum):
    """Emby's own names of item types."""

    LIBRARY = "CollectionFolder"
    MOVIE = "Movie"
    SERIES = "Series"
    SEASON = "Season"
    EPISODE = "Episode"


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One item; a video has a `title`, a series and all under it a `show`, a season its `number`."""

    item_id: str
    kind: Kind
    name: str
    parent: Item | None
    created: datetime
    title: Title | None = None
    show: Show | None = None
    number: int | None = None

    @property
    def is_folder(self) -> bool:
        """Whether other items stand in it."""
        return self.title is None

    @property
    def ticks(self) -> int:
        """The length of a video, 0 for folders."""
        return self.title.runtime * TICKS if self.title else 0

    @property
    def library(self) -> Item:
        """The library that it stands in."""
        return self.parent.library if self.parent else self

    @property
    def ids(self) -> dict[str, str]:
        """Its own external ids, under Emby's names."""
        found = self.title.ids if self.title else self.show.ids if self.show and self.kind is Kind.SERIES else {}
        return {kind.capitalize(): value for kind, value in found.items()}

    @property
    def year(self) -> int | None:
        """The year of production."""
        return self.title.year if self.title else self.show.year if self.show else None

    @property
    def premiere(self) -> str | None:
        """The day that it was first shown, as the catalogue writes it."""
        return self.title.premiere if self.title else None


class Library:
    """Every item of the server; the same titles get the same ids on every start."""

    def __init__(self, first_id: int) -> None:
        """Start empty; ids count up from `first_id` and are never given twice."""
        self.items: dict[str, Item] = {}
        self.by_key: dict[str, Item] = {}
        self.roots: list[Item] = []
        self._ids = count(first_id)
        self._children: dict[str, list[Item]] = defaultdict(list)
        self._folders: dict[tuple[str, ...], Item] = {}

    def add(self, title: Title, created: datetime) -> Item:
        """Put a title on its shelf, along with the folders that it needs; of two copies acts mean the first."""
        parent = self._folder((title.library,), Kind.LIBRARY, title.library, None, created)
        if title.show is None:
            return self._put(Item(self._next(), Kind.MOVIE, title.name, parent, created, title))
        show, season = title.show, title.season or 0
        path = (title.library, show.name, str(show.year))
        series = self._folder(path, Kind.SERIES, show.name, parent, created, show)
        name = f"Season {season}" if season else "Specials"
        folder = self._folder((*path, str(season)), Kind.SEASON, name, series, created, show, season)
        return self._put(Item(self._next(), Kind.EPISODE, title.name, folder, created, title, show))

    def remove(self, item: Item) -> None:
        """Take a video away, and the season and the series that it leaves empty."""
        if item.title is not None and self.by_key[item.title.key] is item:
            del self.by_key[item.title.key]
            copies = (one for one in self.items.values() if one is not item and one.title and one.title.key == item.title.key)
            self.by_key.update((item.title.key, one) for one in copies)
        while item.parent is not None:
            del self.items[item.item_id]
            self._children[item.parent.item_id].remove(item)
            self._folders = {path: one for path, one in self._folders.items() if one is not item}
            if self._children[item.parent.item_id]:
                return
            item = item.parent

    def children(self, item: Item | None) -> list[Item]:
        """Return what stands directly in a folder; None means the top, where the libraries are."""
        return self.roots if item is None else self._children.get(item.item_id, [])

    def under(self, item: Item | None) -> Iterator[Item]:
        """Yield all that stands in a folder, at any depth; the libraries themselves are no part of what they hold."""
        for child in self.children(item):
            if child.kind is not Kind.LIBRARY:
                yield child
            yield from self.under(child)

    def videos(self, item: Item | None) -> Iterator[Item]:
        """Yield the videos of a folder, or the video itself."""
        if item is not None and not item.is_folder:
            yield item
            return
        yield from (one for one in self.under(item) if not one.is_folder)

    def collection_type(self, library: Item) -> str | None:
        """Tell what kind of library it is, None for one with films and series."""
        kinds = {child.kind for child in self.children(library)}
        return {frozenset({Kind.MOVIE}): "movies", frozenset({Kind.SERIES}): "tvshows"}.get(frozenset(kinds))

    def _next(self) -> str:
        return str(next(self._ids))

    def _put(self, item: Item) -> Item:
        self.items[item.item_id] = item
        if item.title is not None:
            self.by_key.setdefault(item.title.key, item)
        if item.parent is None:
            self.roots.append(item)
        else:
            self._children[item.parent.item_id].append(item)
        return item

    def _folder(  # noqa: PLR0917 - the fields of a folder
        self,
        path: tuple[str, ...],
        kind: Kind,
        name: str,
        parent: Item | None,
        created: datetime,
        show: Show | None = None,
        number: int | None = None,
    ) -> Item:
        if path not in self._folders:
            self._folders[path] = self._put(Item(self._next(), kind, name, parent, created, None, show, number))
        return self._folders[path]
