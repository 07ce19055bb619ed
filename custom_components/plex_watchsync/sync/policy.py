"""What people choose and what servers can do: the arguments of every decision."""

from dataclasses import dataclass, field
from enum import StrEnum


class Direction(StrEnum):
    """Which way an account takes part (W1)."""

    TWO_WAY = "two_way"
    IMPORT_ONLY = "import_only"
    EXPORT_ONLY = "export_only"

    @property
    def imports(self) -> bool:
        """Whether the account's changes count."""
        return self is not Direction.EXPORT_ONLY

    @property
    def exports(self) -> bool:
        """Whether the account is written to."""
        return self is not Direction.IMPORT_ONLY


class InitialSync(StrEnum):
    """How an account that was never synced meets the agreed state (G1)."""

    MERGE = "merge"
    FILL_SERVER = "fill_server"
    LEARN_FROM_SERVER = "learn_from_server"


@dataclass(frozen=True, slots=True)
class Traits:
    """What a kind of server does with a watch state.

    `writes_date`: takes the date of a view (W4). `unplayed_alone_counts`: unplayed with count and date untouched is somebody's deliberate act (R5).
    `thumbs`: knows no ratings but a thumb up or down, which other writes may sweep away (M4).
    """

    writes_date: bool = True
    unplayed_alone_counts: bool = False
    thumbs: bool = False


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    """How one account takes part; `first_sync` holds until its first complete import was agreed, `first_ratings` until that of its ratings was.

    `match_by_…`: what may stand for ids that are missing (I6).
    """

    traits: Traits
    direction: Direction = Direction.TWO_WAY
    initial_sync: InitialSync = InitialSync.MERGE
    first_sync: bool = False
    first_ratings: bool = False
    sync_position: bool = True
    sync_ratings: bool = True
    match_by_file_name: bool = False
    match_by_title: bool = False

    @property
    def takes_first_sight(self) -> bool:
        """Whether a copy that is seen for the first time has an opinion (R3), and is not just to receive what is agreed (W1, G1)."""
        return self.direction.imports and not (self.first_sync and self.initial_sync is InitialSync.FILL_SERVER)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one cycle may take away before it is held (G2): items, and percent of an account's watched items, or of all of them."""

    breaker_items: int = 10
    breaker_percent: int = 5
    vanished_percent: int = 20


@dataclass(frozen=True, slots=True)
class Policy:
    """The household's thresholds (seconds, percent of the run time) and its accounts by id."""

    accounts: dict[str, AccountPolicy] = field(default_factory=dict)
    position_min_seconds: int = 60
    position_max_percent: int = 95
    position_tolerance_seconds: int = 10
    limits: Limits = Limits()
