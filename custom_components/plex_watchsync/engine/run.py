"""What can be asked of a viewer's sync, and who takes part."""

from dataclasses import dataclass
from enum import StrEnum

from ..ports import Hint, WatchServer
from ..sync.policy import AccountPolicy


class RunKind(StrEnum):
    """Which half of a sync is asked for."""

    IMPORT = "import"
    EXPORT = "export"
    SYNC = "sync"


@dataclass(frozen=True, slots=True)
class Account:
    """One user of one server, as it takes part."""

    server: WatchServer
    policy: AccountPolicy
    libraries: frozenset[str]


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked for.

    `accounts`: which, None for all. `hints`: read just these items instead of whole libraries. `full`: an export compares every item instead of writing
    what is known to be owed. `metadata_only`: learn ids, conclude nothing. `ignore_date`: overwrite whatever the server says. `libraries`: these alone. `run_id`:
    the run's name when others share it. `recent`: of libraries that were read whole before, read only what may have changed since. `explicit`: a person asked for just this, so that no breaker holds it (G2).
    """

    kind: RunKind = RunKind.SYNC
    accounts: frozenset[str] | None = None
    hints: tuple[Hint, ...] = ()
    dry_run: bool = False
    full: bool = False
    recent: bool = False
    metadata_only: bool = False
    ignore_date: bool = False
    libraries: frozenset[str] | None = None
    run_id: str = ""
    explicit: bool = False

    @property
    def lists(self) -> bool:
        """Whether whole libraries are read."""
        return not self.hints and (self.kind is not RunKind.EXPORT or self.full)
