"""What happened and why, newest last, bounded; kept in memory (G5)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

LENGTH = 2000


@dataclass(frozen=True, slots=True)
class Note:
    """One line: `kind` is webhook, change, operation or run; `outcome` what became of it; never a secret in it."""

    at: datetime
    kind: str
    outcome: str
    account: str
    item: str
    reason: str


class Journal:
    """The last notes."""

    def __init__(self) -> None:
        """Start empty."""
        self._notes: deque[Note] = deque(maxlen=LENGTH)

    def add(self, note: Note) -> None:
        """Keep a note; the oldest goes."""
        self._notes.append(note)

    def __iter__(self) -> Iterator[Note]:
        """Iterate from the oldest to the newest."""
        return iter(tuple(self._notes))
