"""What makes worlds quick to freeze and to thaw."""

import copyreg
import marshal
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import override

from custom_components.plex_watchsync.engine.journal import Journal, Note
from tests.engine.fakes import MemoryDocuments


@dataclass(slots=True)
class Disk(MemoryDocuments):
    """Documents in the quickest form that keeps nothing but what JSON could."""

    packed: dict[str, bytes] = field(default_factory=dict)

    @override
    async def load(self, name: str) -> object | None:
        found: object | None = marshal.loads(self.packed[name]) if name in self.packed else None  # noqa: S302 - packed here
        return found

    @override
    async def save(self, name: str, content: object) -> None:
        self.packed[name] = marshal.dumps(content)  # type: ignore[arg-type]


class Mute(Journal):
    """A journal that keeps nothing: it has no influence."""

    @override
    def add(self, note: Note) -> None:
        pass


def pickled_short(*kinds: type) -> None:
    """Pickle frozen records by their fields: several times as fast as by their state."""
    for kind in kinds:
        names = attrgetter(*(one.name for one in fields(kind)))
        copyreg.pickle(kind, lambda record, kind=kind, names=names: (kind, names(record)))  # type: ignore[misc]


def pickled_by_number(*kinds: type) -> None:
    """Pickle classes by numbers, so that nobody has to look for them."""
    for number, kind in enumerate(kinds, 1):
        copyreg.add_extension(kind.__module__, kind.__qualname__, number)
