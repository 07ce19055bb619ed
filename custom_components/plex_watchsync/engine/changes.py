"""What people would call a change of what is agreed, and who made it."""

from datetime import datetime

from ..sync.item import Item
from ..sync.merge import Claims
from ..sync.policy import Policy
from ..sync.reconcile import Finding, Outcome
from .report import Change, ChangeKind


def kinds_of(old: Claims, new: Claims) -> list[ChangeKind]:
    """Name what happened between two agreed states: to the view or the position, and to the rating."""
    was, now = old.state, new.state
    kinds = []
    anew = old.view is not None and new.view != old.view and now.last_played != was.last_played
    if now.played != was.played or (now.played and anew):
        kinds.append(ChangeKind.WATCHED if now.played else ChangeKind.UNWATCHED)
    elif now.position != was.position:
        kinds.append(ChangeKind.PROGRESS)
    return [*kinds, ChangeKind.RATED] if now.rating != was.rating else kinds


def changes_of(before: Item, outcome: Outcome, policy: Policy, viewer: str, now: datetime) -> list[Change]:
    """Return the changes that readings made to an item, each with the replica whose reading it is."""
    item, changes = outcome.item, []
    for kind in kinds_of(before.claims, item.claims):
        replica_id = next((known for known, one in outcome.findings.items() if _won(one, item.claims, kind)), None)
        if replica_id is None:
            continue
        finding = outcome.findings[replica_id]
        first = finding.first and policy.accounts[replica_id.account].first_sync
        at = (item.claims.state.last_played if kind is ChangeKind.WATCHED else None) or now
        reason = "M4 rated" if kind is ChangeKind.RATED else finding.reason
        changes.append(Change(kind, viewer, item.item_id, item.media, item.keys, before.claims.state, item.claims.state, replica_id, at, reason, new=not first))
    return changes


def _won(finding: Finding, claims: Claims, kind: ChangeKind) -> bool:
    """Whether what was found is what all agreed on."""
    if kind is ChangeKind.RATED:
        return finding.claims.rating == claims.rating
    if kind is ChangeKind.PROGRESS:
        return finding.claims.spot is not None and finding.claims.spot == claims.spot
    return finding.claims.view is not None and finding.claims.view == claims.view
