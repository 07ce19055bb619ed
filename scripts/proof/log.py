"""What a world tells the judge: dates are seconds since the step began, so that any judge who saw as much can go on from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from custom_components.plex_watchsync.engine.report import Change, ChangeKind
from tests.engine.fakes import Clock

from .judge import Clear, Event

type Stored = Mapping[tuple[str, str], datetime]


@dataclass(slots=True)
class Log:
    """The events of a step."""

    clock: Clock
    events: list[Event] = field(default_factory=list)
    began: datetime = field(init=False)
    stored: Stored = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin now."""
        self.began = self.clock()

    def begin(self, stored: Stored) -> None:
        """Begin a step; `stored` are the dates that are on disk."""
        self.began, self.stored = self.clock(), stored

    def take(self) -> tuple[Event, ...]:
        """Hand over what happened."""
        events, self.events = tuple(self.events), []
        return events

    def add(
        self,
        what: str,
        where: str = "",
        item: str = "",
        *,
        played: bool | None = None,
        position: int | None = None,
        dated: bool = True,
        clear: Clear = Clear.YES,
    ) -> None:
        """Take note of something that happens now."""
        self.events.append(Event(what, where, self._seconds(self.clock()), item, played, position, dated, clear))

    def hear(self, change: Change) -> None:
        """Listen to what automations are told; of a position they are told of many a change."""
        if change.kind is not ChangeKind.PROGRESS:
            self.add("told", change.account, change.item_id.rpartition("/")[2], played=change.kind is ChangeKind.WATCHED)

    def store(self, stored: Stored) -> None:
        """Take note of dates that came to disk: of this step, or none any more."""
        for where, item in sorted(self.stored.keys() | stored.keys()):
            at = stored.get((where, item))
            if at == self.stored.get((where, item)):
                continue
            if at is not None and at < self.began:
                raise AssertionError(f"{where} got an older date")
            self.events.append(Event("stored" if at else "unstored", where, self._seconds(at or self.began), item))
        self.stored = {}

    def _seconds(self, at: datetime) -> int:
        return int((at - self.began).total_seconds())
