"""The question of a listing: which items, in which order, which page (server-apis §3.3); what is not known is ignored."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from .library import Item, Library
from .userdata import Record, read_time

_NEVER = datetime.min.replace(tzinfo=UTC)

type _Key = Callable[[Item, Record], str | int | datetime]

_ORDERS: dict[str, _Key] = {
    "sortname": lambda item, _: item.name.lower(),
    "name": lambda item, _: item.name.lower(),
    "datecreated": lambda item, _: item.created,
    "premieredate": lambda item, _: item.premiere or "",
    "productionyear": lambda item, _: item.year or 0,
    "dateplayed": lambda _, record: record.date or _NEVER,
    "playcount": lambda _, record: record.count,
    "parentindexnumber": lambda item, _: (item.title and item.title.season) or 0,
    "indexnumber": lambda item, _: (item.title.episode if item.title else item.number) or 0,
}

_FILTERS: dict[str, Callable[[Item, Record], bool]] = {
    "isplayed": lambda _, record: record.played,
    "isunplayed": lambda _, record: not record.played,
    "isresumable": lambda _, record: record.ticks > 0,
    "isfavorite": lambda _, record: record.favourite,
    "isfolder": lambda item, _: item.is_folder,
    "isnotfolder": lambda item, _: not item.is_folder,
}


def listed(text: str | None) -> tuple[str, ...]:
    """Split a parameter with several values, in lower case."""
    return tuple(part.strip().lower() for part in (text or "").split(",") if part.strip())


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of one request by their names in lower case."""

    parameters: Mapping[str, str]

    @classmethod
    def of(cls, request: web.Request) -> Query:
        """Take a request's parameters; names may be written in any case."""
        return cls({name.lower(): value for name, value in request.query.items()})

    @property
    def fields(self) -> tuple[str, ...]:
        """The additional parts that rows shall have."""
        return listed(self.parameters.get("fields"))

    def truth(self, name: str) -> bool | None:
        """Read a parameter that says yes or no, None when it is absent."""
        text = self.parameters.get(name, "").lower()
        return None if not text else text == "true"

    def candidates(self, library: Library) -> Iterable[Item]:
        """Yield the items among which the question is asked: named by id, in a folder, or in the whole server."""
        if ids := listed(self.parameters.get("ids")):
            return [library.items[item_id] for item_id in ids if item_id in library.items]
        parent = self.parameters.get("parentid")
        if parent and parent not in library.items:
            return []
        folder = library.items[parent] if parent else None
        return library.under(folder) if self.truth("recursive") else library.children(folder)

    def test(self) -> Callable[[Item, Record], bool]:
        """Build the test that an item has to pass. Raises HTTPBadRequest."""
        tests = [*self._item_tests(), *(_FILTERS[name] for name in listed(self.parameters.get("filters")) if name in _FILTERS)]
        wanted = {name: self.truth(name) for name in ("isplayed", "isfavorite", "isfolder")}
        flags = [(_FILTERS[name], truth) for name, truth in wanted.items() if truth is not None]
        return lambda item, record: all(test(item, record) for test in tests) and all(test(item, record) is truth for test, truth in flags)

    def _item_tests(self) -> Iterable[Callable[[Item, Record], bool]]:
        if kinds := listed(self.parameters.get("includeitemtypes")):
            yield lambda item, _: item.kind.lower() in kinds
        if others := listed(self.parameters.get("excludeitemtypes")):
            yield lambda item, _: item.kind.lower() not in others
        if self.truth("ismissing") is False or "virtual" in listed(self.parameters.get("excludelocationtypes")):
            yield lambda item, _: not (item.title and item.title.virtual)
        if ids := set(listed(self.parameters.get("anyprovideridequals"))):
            yield lambda item, _: any(f"{kind}.{value}".lower() in ids for kind, value in item.ids.items())
        if since := self._time("mindatelastsaved"):
            yield lambda item, _: item.created >= since
        if since_for_user := self._time("mindatelastsavedforuser"):  # unlike Jellyfin's it sees what the user did
            yield lambda item, record: max(item.created, record.saved or _NEVER) >= since_for_user

    def ordered(self, found: list[tuple[Item, Record]]) -> list[Item]:
        """Sort by the named orders, by name when none is named."""
        keys = [_ORDERS[name] for name in listed(self.parameters.get("sortby")) if name in _ORDERS] or [_ORDERS["sortname"]]
        down = listed(self.parameters.get("sortorder"))[:1] == ("descending",)
        found.sort(key=lambda pair: [key(*pair) for key in keys], reverse=down)
        return [item for item, _ in found]

    def page(self, items: list[Item]) -> list[Item]:
        """Cut out the page that was asked for. Raises HTTPBadRequest."""
        limit = self._number("limit")
        return items[self.start :] if limit is None else items[self.start : self.start + limit]

    @property
    def start(self) -> int:
        """Where the page begins. Raises HTTPBadRequest."""
        return self._number("startindex") or 0

    def _number(self, name: str) -> int | None:
        try:
            return max(0, int(self.parameters[name])) if self.parameters.get(name) else None
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error

    def _time(self, name: str) -> datetime | None:
        try:
            return read_time(self.parameters[name]) if self.parameters.get(name) else None
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
