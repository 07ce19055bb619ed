"""What a person says here rather than at a server: an act like any other, dated when it is said, and agreed by the same rules."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from .item import Item
from .merge import NO_CLAIMS, Claims, Rating, Spot, View
from .policy import Policy
from .reconcile import reconcile, usable_position


class ActKind(StrEnum):
    """What can be said of a title."""

    MARK_WATCHED = "mark_watched"
    MARK_UNWATCHED = "mark_unwatched"
    SET_PROGRESS = "set_progress"
    SET_RATING = "set_rating"


@dataclass(frozen=True, slots=True)
class Act:
    """One act; `position` in seconds and `rating` from 0 to 10 where it sets one, None takes the rating back."""

    kind: ActKind
    at: datetime
    position: int = 0
    rating: float | None = None


def after(act: Act, claims: Claims, policy: Policy) -> Claims:
    """Return what is agreed once the act is done.

    What says nothing new is said again now, so that no older change which turns up later undoes it (M5); the view keeps its date, as it is no other one.
    """
    if act.kind is ActKind.SET_PROGRESS:  # a position too near the start is none (W3)
        return replace(claims, spot=Spot(act.at, usable_position(act.position, None, policy)))
    if act.kind is ActKind.SET_RATING:  # M4
        return replace(claims, rating=Rating(act.at, act.rating))
    view, known = View(act.at, played=act.kind is ActKind.MARK_WATCHED), claims.view
    if view.played:
        view = replace(view, last_played=act.at, play_count=1)
        if known and known.played:
            view = replace(view, last_played=known.last_played, play_count=known.play_count)
    return replace(claims, view=view, spot=Spot(act.at, 0))


def agreed(item: Item, claims: Claims, policy: Policy) -> Item:
    """Let claims be agreed on; replicas that show them already are owed nothing."""
    news = item.claims == NO_CLAIMS or claims.state != item.claims.state
    return reconcile(replace(item, claims=claims, revision=item.revision + news), {}, policy).item
