"""Titles that no id names, which therefore cannot be found on another server; known from the last whole listing only."""

from collections import Counter
from dataclasses import dataclass, field

from ..sync.model import Media

MOST = 500
"""So many of each account are kept by name; a library of home videos may have any number."""


@dataclass(frozen=True, slots=True)
class Nameless:
    """A server's item without ids."""

    item_id: str
    library: str
    media: Media


@dataclass(slots=True)
class Unnamed:
    """Those of one account: how many in each library, and the first of them."""

    counts: Counter[str] = field(default_factory=Counter)
    rows: list[Nameless] = field(default_factory=list)

    def add(self, one: Nameless) -> None:
        """Count one, and keep it while there is room."""
        self.counts[one.library] += 1
        if len(self.rows) < MOST:
            self.rows.append(one)

    def renewed(self, listed: frozenset[str], now: Unnamed) -> Unnamed:
        """Return what is known after some libraries were listed anew."""
        counts = Counter({library: count for library, count in self.counts.items() if library not in listed}) + now.counts
        return Unnamed(counts, [*(one for one in self.rows if one.library not in listed), *now.rows][:MOST])
