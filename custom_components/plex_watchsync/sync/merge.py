"""Who wins: an item's agreed state as three registers, each joined by a total order (M1).

*View* is whether it was watched, *spot* is where to go on, *rating* is how it was liked (M4). They are kept apart so that a later position on one server
never undoes a watch that another server dates earlier (Jellyfin dates a view at its start, pitfall 9), and a watch never loses a later resume point.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from .model import WatchState

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The date of what nobody can date: older than every dated change."""


@dataclass(frozen=True, slots=True)
class View:
    """Played or not, since when; date and count of the last view travel with it."""

    at: datetime
    played: bool
    last_played: datetime | None = None
    play_count: int = 0

    @property
    def rank(self) -> tuple[datetime, bool, bool, datetime, int]:
        """Its place in the order: later first, played before unplayed, then whatever makes the order total."""
        return (self.at, self.played, self.last_played is not None, self.last_played or NEVER, self.play_count)


@dataclass(frozen=True, slots=True)
class Spot:
    """The resume position in seconds, since when; 0 is none."""

    at: datetime
    position: int

    @property
    def rank(self) -> tuple[datetime, int]:
        """Its place in the order."""
        return (self.at, self.position)


@dataclass(frozen=True, slots=True)
class Rating:
    """How it was rated from 0 to 10, since when; None: the rating was taken back. `exact` is False for a thumb, which says less than a number."""

    at: datetime
    value: float | None
    exact: bool = True

    @property
    def rank(self) -> tuple[datetime, bool, bool, float]:
        """Its place in the order: later first, rated before not, a number before a thumb."""
        return (self.at, self.value is not None, self.exact, self.value or 0)


@dataclass(frozen=True, slots=True)
class Claims:
    """What somebody says of an item; None where they have no opinion."""

    view: View | None = None
    spot: Spot | None = None
    rating: Rating | None = None

    @property
    def dates(self) -> tuple[datetime | None, ...]:
        """Since when each is claimed."""
        return tuple(register.at if register else None for register in (self.view, self.spot, self.rating))

    @property
    def state(self) -> WatchState:
        """The watch state that the claims amount to."""
        view, spot = self.view, self.spot
        position, rating = spot.position if spot else 0, self.rating.value if self.rating else None
        if view and view.played:
            return WatchState(played=True, position=position, play_count=view.play_count, last_played=view.last_played, rating=rating)
        started = spot.at if spot and position and spot.at > NEVER else None
        return WatchState(played=False, position=position, last_played=started, rating=rating)


NO_CLAIMS = Claims()


def merge(one: Claims, other: Claims) -> Claims:
    """Join two claims: idempotent, commutative and associative."""
    return Claims(_later(one.view, other.view), _later(one.spot, other.spot), _later(one.rating, other.rating))


def _later[Register: (View, Spot, Rating)](one: Register | None, other: Register | None) -> Register | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda register: register.rank)
