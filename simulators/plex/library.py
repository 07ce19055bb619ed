"""What is on the shelves: sections, shows, seasons, episodes and films, each with its rating key and guids."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..catalogue import Show, Title

MOVIE, SHOW, SEASON, EPISODE = 1, 2, 3, 4
NAMES = {MOVIE: "movie", SHOW: "show", SEASON: "season", EPISODE: "episode"}


@dataclass(slots=True)
class Item:
    """One row; `index` is an episode's or season's number, `year` 0 where there is none."""

    key: int
    kind: int
    title: str
    guid: str
    ids: dict[str, str]
    section: Section
    added_at: int
    year: int = 0
    index: int | None = None
    duration: int = 0
    path: str = ""
    premiere: str | None = None
    parent: Item | None = None
    source: Title | None = None
    children: list[Item] = field(default_factory=list)

    def leaves(self) -> Iterator[Item]:
        """Iterate over the videos below, or the video itself."""
        if self.kind in (MOVIE, EPISODE):
            yield self
        for child in self.children:
            yield from child.leaves()


@dataclass(slots=True)
class Section:
    """A library."""

    key: int
    title: str
    kind: int
    items: list[Item] = field(default_factory=list)

    def of_kind(self, kind: int) -> Iterator[Item]:
        """Iterate over the rows of a kind."""
        for item in self.items:
            if item.kind == kind:
                yield item


class Library:
    """All sections; `legacy` makes the guids of the old agents, which give no Guid list and name an episode by its show."""

    def __init__(self, titles: Iterable[Title], *, legacy: bool, added_at: int) -> None:
        """Shelve the titles; a file of several episodes becomes several rows (server-apis §6)."""
        self.sections: dict[int, Section] = {}
        self.by_rating_key: dict[int, Item] = {}
        self.by_title: dict[str, list[Item]] = {}
        self.legacy = legacy
        self.added_at = added_at
        self._shows: dict[tuple[str, str], Item] = {}
        for title in titles:
            self.add(title)

    def add(self, title: Title, *, first: bool = False) -> list[Item]:
        """Put a title on the shelf of its library; one without a file is never shown."""
        if title.virtual:
            return []
        section = self._section(title.library, MOVIE if title.show is None else SHOW)
        if title.show is None:
            found = [self._film(title, section)]
        else:
            numbers = range(title.episode or 0, (title.last_episode or title.episode or 0) + 1)
            found = [self._episode(title, title.show, number, section) for number in numbers]
        for item in found:
            self._keep(title, item, first=first)
        return found

    def remove(self, item: Item) -> None:
        """Take a row away, and the season and the show that it leaves empty."""
        item.section.items.remove(item)
        del self.by_rating_key[item.key]
        if item.source:
            self.by_title[item.source.key].remove(item)
        self._shows = {name: show for name, show in self._shows.items() if show is not item}
        if item.parent:
            item.parent.children.remove(item)
            if not item.parent.children:
                self.remove(item.parent)

    def _section(self, name: str, kind: int) -> Section:
        known = next((section for section in self.sections.values() if section.title == name), None)
        if known is None:
            known = Section(len(self.sections) + 1, name, kind)
            self.sections[known.key] = known
        return known

    def _film(self, title: Title, section: Section) -> Item:
        key, guid = self._next(), f"com.plexapp.agents.imdb://{title.ids.get('imdb', 'tt0')}?lang=en" if self.legacy else _guid("movie", title.key)
        return Item(
            key,
            MOVIE,
            title.name,
            guid if title.ids else _unmatched(key),
            title.ids,
            section,
            self.added_at,
            title.year,
            None,
            title.runtime * 1000,
            title.path,
            title.premiere,
            source=title,
        )

    def _episode(self, title: Title, show: Show, number: int, section: Section) -> Item:
        season = self._season(show, title.season or 0, section)
        guid = (
            f"com.plexapp.agents.thetvdb://{show.ids.get('tvdb', '0')}/{title.season}/{number}?lang=en"
            if self.legacy
            else _guid("episode", f"{title.key}{number}")
        )
        ids = title.ids if title.last_episode is None or number == title.episode else {}
        key = self._next()
        item = Item(
            key,
            EPISODE,
            title.name,
            guid if title.ids or show.ids else _unmatched(key),
            ids,
            section,
            self.added_at,
            title.year,
            number,
            title.runtime * 1000,
            title.path,
            title.premiere,
            season,
            title,
        )
        season.children.append(item)
        return item

    def _season(self, show: Show, number: int, section: Section) -> Item:
        parent = self._show(show, section)
        known = next((season for season in parent.children if season.index == number), None)
        if known is None:
            known = Item(
                self._next(), SEASON, f"Season {number}", _guid("season", f"{show.name}{number}"), {}, section, self.added_at, index=number, parent=parent
            )
            parent.children.append(known)
            self._shelve(known)
        return known

    def _show(self, show: Show, section: Section) -> Item:
        name = (section.title, show.name)
        if name not in self._shows:
            key, guid = self._next(), f"com.plexapp.agents.thetvdb://{show.ids.get('tvdb', '0')}?lang=en" if self.legacy else _guid("show", show.name)
            self._shows[name] = Item(key, SHOW, show.name, guid if show.ids else _unmatched(key), show.ids, section, self.added_at, show.year, 1)
            self._shelve(self._shows[name])
        return self._shows[name]

    def _keep(self, title: Title, item: Item, *, first: bool) -> None:
        self._shelve(item)
        if first:
            item.section.items.insert(0, item.section.items.pop())
        self.by_title.setdefault(title.key, []).append(item)

    def _shelve(self, item: Item) -> None:
        item.section.items.append(item)
        self.by_rating_key[item.key] = item

    def _next(self) -> int:
        self._last = getattr(self, "_last", 100) + 1
        return self._last


def _unmatched(key: int) -> str:
    """Return the guid of what no agent found anything for (server-apis §6)."""
    return f"local://{key}"


def _guid(kind: str, name: str) -> str:
    return f"plex://{kind}/{zlib.crc32(name.encode()):08x}{zlib.adler32(name.encode()):08x}5d776824"
