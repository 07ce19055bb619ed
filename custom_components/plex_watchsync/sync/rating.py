"""How it was liked: a register of its own beside view and spot, from 0 to 10 (M4).

Who never rated has no opinion, and where nobody ever rated a server's own rating stays, also on a server that is filled. A server that knows thumbs only
shows a rating as one; its thumb is news when it is not the one that the agreed rating makes.
"""

from dataclasses import replace
from datetime import datetime

from .item import Item, Replica
from .merge import NEVER, Claims, Rating
from .model import Observation, WatchState
from .policy import AccountPolicy

LIKE, DISLIKE = 10.0, 1.0
LIKED_FROM = 6.5
"""A rating from here on reads as a thumb up, and a thumb as the rating above: Jellyfin's own measure (server-apis §4.2)."""

TOLERANCE = 0.5
"""Half a star is 1: a server that keeps whole numbers rounds. 0 and no rating look alike on Plex, which leaves out what is zero."""


def heard(observation: Observation, account: AccountPolicy) -> Observation:
    """Leave out a rating that says nothing: of a file of several episodes (I5), or where ratings are not synced."""
    if observation.state.rating is None or (account.sync_ratings and len(observation.parts) == 1):
        return observation
    return replace(observation, state=replace(observation.state, rating=None))


def has_rating(replica: Replica, account: AccountPolicy) -> bool:
    """Whether a replica's rating means anything: that none is heard (see `heard`) does not mean that somebody took it back."""
    return account.sync_ratings and not replica.several


def expected(claims: Claims, replica: Replica, shown: WatchState, account: AccountPolicy) -> WatchState:
    """Return what a replica that shows `shown` is to show; what nobody has an opinion on stays as it is."""
    state = claims.state if claims.view or claims.spot else shown
    rating = _rating_for(claims, shown, account) if has_rating(replica, account) else shown.rating
    return replace(state, rating=rating)


def alike(one: float | None, other: float | None) -> bool:
    """Whether two ratings look the same to a person."""
    return abs((one or 0) - (other or 0)) <= TOLERANCE


def rated(item: Item, replica: Replica, shown: WatchState, account: AccountPolicy, at: datetime) -> Rating | None:
    """Tell whether somebody rated, or took a rating back, at this replica; `at` is when, if so.

    What was rated while nobody listened is as old as what is seen for the first time (R3). A thumb that is gone means nothing: on Emby the same picture comes from partial writes, as with the flag (R5).
    """
    known = replica.reading
    if not account.direction.imports or not has_rating(replica, account):
        return None
    if (known and shown.rating == known.rating) or (shown.rating is None and (known is None or account.traits.thumbs)):
        return None
    if known is None and not account.takes_first_sight:
        return None
    tells_nothing = account.traits.thumbs or replica.revision != item.revision  # a thumb like the agreed rating's, or our own write (M3)
    if tells_nothing and item.claims.rating and alike(shown.rating, _rating_for(item.claims, shown, account)):
        return None
    return Rating(NEVER if known is None or account.first_ratings else at, shown.rating, exact=not account.traits.thumbs)


def _rating_for(claims: Claims, shown: WatchState, account: AccountPolicy) -> float | None:
    if claims.rating is None:
        return shown.rating
    value = claims.rating.value
    if not value or not account.traits.thumbs:
        return value
    return LIKE if value >= LIKED_FROM else DISLIKE
