"""What is on the shelves: libraries, series, seasons and videos, each with the id that Jellyfin makes of its path."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..catalogue import Show, Title

TICKS = 10_000_000
ROOT = "/media"


@dataclass(slots=True, eq=False)
class Item:
    """A library, series, season or video; `versions` are further files of the same film, which no listing has and which know their `primary`."""

    item_id: str
    kind: str
    name: str
    path: str
    created: datetime
    parent: Item | None = None
    title: Title | None = None
    ids: dict[str, str] = field(default_factory=dict)
    year: int | None = None
    number: int | None = None
    versions: list[Item] = field(default_factory=list)
    primary: Item | None = None
    children: list[Item] = field(default_factory=list)

    @property
    def ticks(self) -> int:
        """The run time."""
        return self.title.runtime * TICKS if self.title else 0

    @property
    def is_folder(self) -> bool:
        """Whether there are videos below it."""
        return self.kind in ("Series", "Season", "CollectionFolder", "Folder")

    def videos(self) -> Iterator[Item]:
        """Iterate over the videos below, or the video itself."""
        if not self.is_folder:
            yield self
        for child in self.children:
            yield from child.videos()

    def others(self) -> list[Item]:
        """Return the other versions of the same film."""
        first = self.primary or self
        return [one for one in (first, *first.versions) if one is not self]

    def ancestors(self) -> Iterator[Item]:
        """Iterate upwards."""
        if self.parent:
            yield self.parent
            yield from self.parent.ancestors()


class Library:
    """All items by id, in the order in which they were added."""

    def __init__(self, titles: Iterable[Title], created: datetime, ids: Mapping[str, str]) -> None:
        """Shelve the titles; `ids` gives some by their paths."""
        self.items: dict[str, Item] = {}
        self.versions: dict[str, Item] = {}
        self.folders: dict[str, Item] = {}
        self.by_key: dict[str, list[Item]] = {}
        self._created, self._ids = created, ids
        for title in titles:
            self.add(title)

    def add(self, title: Title, *, created: datetime | None = None, first: bool = False) -> Item:
        """Put a title on the shelf of its library; `first`: at the head of listings that nobody sorted."""
        folder = self._folder(title.library)
        kind = "Movie" if title.show is None else "Episode"
        parent = folder if title.show is None else self._season(title.show, title, folder)
        item = Item(
            self._id(title.path), kind, title.name, f"{ROOT}/{title.path}", created or self._created, parent, title, title.ids, title.year, title.episode
        )
        item.versions = [self._version(item, path) for path in title.versions]
        self.by_key.setdefault(title.key, []).append(item)
        self._keep(item)
        if first:
            self.items = {item.item_id: item, **self.items}
        return item

    def remove(self, item: Item) -> None:
        """Take a video away, its versions, and the season and series that it leaves empty."""
        for version in item.versions:
            del self.versions[version.item_id]
        if item.title:
            self.by_key[item.title.key].remove(item)
        gone: Item | None = item
        while gone and gone.parent and not gone.children:
            del self.items[gone.item_id]
            gone.parent.children.remove(gone)
            gone = gone.parent

    def find(self, text: str) -> Item | None:
        """Find an item or a version, whatever the spelling of its id."""
        wanted = text.replace("-", "").lower()
        return self.items.get(wanted) or self.versions.get(wanted)

    def videos(self) -> Iterator[Item]:
        """Iterate over all videos."""
        return (item for item in self.items.values() if not item.is_folder)

    def of_kinds(self, kinds: frozenset[str]) -> Iterator[Item]:
        """Iterate over the items of these kinds."""
        return (item for item in self.items.values() if item.kind in kinds)

    def _version(self, item: Item, path: str) -> Item:
        name = path.rpartition("/")[2].rpartition(".")[0]
        found = replace(item, item_id=self._id(path), name=name, path=f"{ROOT}/{path}", versions=[], primary=item, children=[])
        self.versions[found.item_id] = found
        return found

    def _id(self, path: str) -> str:
        return self._ids.get(path) or item_id(path)

    def _folder(self, name: str) -> Item:
        if name not in self.folders:
            self.folders[name] = self._keep(Item(self._id(name), "CollectionFolder", name, f"/library/{name}", self._created))
        return self.folders[name]

    def _season(self, show: Show, title: Title, folder: Item) -> Item:
        path = title.path.split("/")[1]
        series = self._known(f"{title.library}/{path}", "Series", show.name, folder, ids=show.ids, year=show.year)
        number = title.season
        return self._known(f"{title.library}/{path}/{number}", "Season", "Specials" if number == 0 else f"Season {number}", series, ids={}, number=number)

    def _known(self, path: str, kind: str, name: str, parent: Item, *, ids: dict[str, str], year: int | None = None, number: int | None = None) -> Item:
        key = self._id(path)
        if key not in self.items:
            self._keep(Item(key, kind, name, f"{ROOT}/{path}", self._created, parent, None, ids, year, number))
        return self.items[key]

    def _keep(self, item: Item) -> Item:
        self.items[item.item_id] = item
        if item.parent:
            item.parent.children.append(item)
        return item


def item_id(path: str) -> str:
    """Make an item's id of its path, as Jellyfin does: a moved file is another item (server-apis §4.2)."""
    return hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()
