"""What a run read, changed and wrote."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from ..ports import ServerError
from ..sync.model import Media, ReplicaId, WatchState
from ..sync.plan import WriteKind
from .holds import Hold


class ChangeKind(StrEnum):
    """What people say happened."""

    WATCHED = "watched"
    UNWATCHED = "unwatched"
    PROGRESS = "progress"
    RATED = "rated"


@dataclass(frozen=True, slots=True)
class Change:
    """An item's agreed state before and after an act at one account; `reason` names the sync rule. `new` is False for what a first import finds."""

    kind: ChangeKind
    viewer: str
    item_id: str
    media: Media
    keys: frozenset[str]
    before: WatchState
    after: WatchState
    replica: ReplicaId
    at: datetime
    reason: str
    change_id: str = ""
    new: bool = True

    @property
    def account(self) -> str:
        """The account where it happened."""
        return self.replica.account


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was planned; `weak`: to a title that is matched by name only (I6)."""

    account: str
    item_id: str
    library: str
    media: Media
    kind: WriteKind
    reason: str
    weak: bool = False


@dataclass(slots=True)
class Counts:
    """One account's part in a run, in items."""

    read: int = 0
    changed: int = 0
    written: int = 0
    skipped: int = 0
    failed: int = 0
    held: int = 0


@dataclass(slots=True)
class Report:
    """A run's outcome by account id; `duration` in seconds."""

    run_id: str
    dry_run: bool
    started: datetime
    counts: dict[str, Counts] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    planned: list[Write] = field(default_factory=list)
    held: list[Hold] = field(default_factory=list)
    errors: dict[str, ServerError] = field(default_factory=dict)
    duration: float = 0.0

    def add(self, change: Change) -> Change:
        """Keep a change, under the name that it has in the journal and to `undo`; viewers share a run's name, and have changes of their own."""
        named = replace(change, change_id=f"{self.run_id}.{change.viewer}.{len(self.changes) + 1}")
        self.changes.append(named)
        if named.account:
            self.of(named.account).changed += 1
        return named

    def of(self, account: str) -> Counts:
        """Return an account's counts, made at first use."""
        return self.counts.setdefault(account, Counts())

    def take_part(self, accounts: Iterable[str]) -> None:
        """Let accounts appear even when nothing happens to them."""
        for account in accounts:
            self.of(account)
