"""The words of the sync rules as types. Positions and run times are whole seconds, times are aware UTC (R7)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, override


class MediaKind(StrEnum):
    """What can be watched."""

    MOVIE = "movie"
    EPISODE = "episode"


@dataclass(frozen=True, slots=True)
class Media:
    """A film or an episode as people name it; of no weight in matching."""

    kind: MediaKind
    title: str
    year: int | None = None
    show: str | None = None
    season: int | None = None
    episode: int | None = None

    @override
    def __str__(self) -> str:
        """Name it in one line: `Arrival (2016)`, `Breaking Bad S01E02 Cat's in the Bag...`."""
        if self.kind is MediaKind.MOVIE:
            return f"{self.title} ({self.year})" if self.year else self.title
        number = "" if self.season is None or self.episode is None else f"S{self.season:02}E{self.episode:02}"
        return " ".join(part for part in (self.show, number, self.title) if part)


@dataclass(frozen=True, slots=True)
class WatchState:
    """What a server says of a user and an item; `rating` from 0 to 10, None for an item that was not rated (M4)."""

    played: bool = False
    position: int = 0
    play_count: int = 0
    last_played: datetime | None = None
    rating: float | None = None


UNWATCHED = WatchState()


@dataclass(frozen=True, slots=True)
class Part:
    """One film or one episode that a file holds, with the match keys that `identity` made of its ids."""

    media: Media
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sent:
    """A state that was sent to a server, at the latest at `at`: of what was sent before a kill it is only known that it was before."""

    state: WatchState
    at: datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """One item of a server as one account reads it; several parts when the file holds several episodes (I5). `file`: its path, where names may match (I6)."""

    item_id: str
    library: str
    parts: tuple[Part, ...]
    state: WatchState
    runtime: int | None = None
    file: str | None = None


class ReplicaId(NamedTuple):
    """One account's copy of an item: the account's id in this installation and the server's own item id."""

    account: str
    item: str
