"""What a world begins with, and what can happen in it."""

from dataclasses import dataclass
from typing import NamedTuple

from custom_components.plex_watchsync.sync.model import Media, MediaKind, Part


class Step(NamedTuple):
    """What happens; `where` is a copy, a server or nothing."""

    what: str
    where: str = ""


@dataclass(slots=True)
class Copy:
    """A file on a server: the films or episodes that it holds, and its present id."""

    server: str
    holds: tuple[str, ...]
    number: int = 1

    @property
    def item_id(self) -> str:
        """The server's id of it; a replaced file has another."""
        return f"{self.server}-{'+'.join(self.holds)}#{self.number}"

    @property
    def parts(self) -> tuple[Part, ...]:
        """What the server tells of it."""
        return tuple(Part(Media(MediaKind.MOVIE, item), frozenset({f"movie/imdb/{item}"})) for item in self.holds)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a world begins with.

    `recent`: libraries are read by what may have changed, as they are most of the time; `cuts`: a server may take a write and be gone before it answers.
    """

    copies: tuple[Copy, ...]
    recent: bool = False
    cuts: bool = False
