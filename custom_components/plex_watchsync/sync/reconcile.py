"""What a reading means, and what all agree on after it.

`find` is the whole decision table: one reading against the acknowledged one gives a finding. `reconcile` joins the findings of an item.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .item import Item, Replica
from .merge import NEVER, NO_CLAIMS, Claims, Spot, View, merge
from .model import ReplicaId, Sent, WatchState
from .policy import AccountPolicy, InitialSync, Policy
from .rating import alike, expected, rated

DATE_TOLERANCE = timedelta(minutes=2)
"""Servers cut and round dates; two views of one title lie further apart."""

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One replica's reading with the evidence around it.

    `at`: when the read began; `playing`: a session is on it; `unplayed_at`: the server's explicit word that a person marked it unwatched, and when;
    `confirmed`: a second read said the same; `told_at`: when the act was of which the server told, if it did; `written`: what was sent there and never read
    back, for an answer was lost or Home Assistant was killed; `looked_at`: when the replica was last read before, and showed what was acknowledged.
    """

    state: WatchState
    at: datetime
    runtime: int | None = None
    playing: bool = False
    unplayed_at: datetime | None = None
    confirmed: bool = False
    told_at: datetime | None = None
    written: tuple[Sent, ...] = ()
    looked_at: datetime = NEVER


@dataclass(frozen=True, slots=True)
class Finding:
    """What a reading means.

    `claims`: the change it makes, if any; `reason`: the rule; `doubtful`: a second read is needed before anything follows (R5); `unchanged`: it shows
    what was acknowledged, but for the rating; `settled`: the replica stands for the agreed state although it may show another position; `first`: the
    replica was never seen before.
    """

    reason: str
    claims: Claims = NO_CLAIMS
    doubtful: bool = False
    unchanged: bool = False
    settled: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """An item after its readings, with what was found in each."""

    item: Item
    findings: Mapping[ReplicaId, Finding] = field(default_factory=dict)

    @property
    def doubtful(self) -> tuple[ReplicaId, ...]:
        """The replicas that must be read a second time."""
        return tuple(replica_id for replica_id, finding in self.findings.items() if finding.doubtful)


def usable_position(position: int, runtime: int | None, policy: Policy) -> int:
    """Return the position if it is one to go on from, 0 otherwise (W3)."""
    too_late = runtime is not None and position * 100 >= runtime * policy.position_max_percent
    return 0 if position < policy.position_min_seconds or too_late else position


def shows(state: WatchState, wanted: WatchState, policy: Policy, *, position: bool = True, rating: bool = True) -> bool:
    """Whether two states look the same to a person: tolerance belongs here, never into the order (M1); counts and dates don't."""
    near = abs(state.position - wanted.position) <= policy.position_tolerance_seconds
    return state.played == wanted.played and (near or not position) and (not rating or alike(state.rating, wanted.rating))


def has_position(replica: Replica, account: AccountPolicy) -> bool:
    """Whether a replica's position means anything: not in a file of several episodes, nor where positions are not synced."""
    return account.sync_position and not replica.several


def tells_date(replica: Replica, wanted: WatchState, account: AccountPolicy) -> bool:
    """Whether a replica that agreed to an earlier view is to be told a later one's date (W4); a first merge never rewrites dates."""
    shown = replica.reading
    if not account.traits.writes_date or not wanted.played or not wanted.last_played or not replica.revision or shown is None:
        return False
    return shown.last_played is None or abs(shown.last_played - wanted.last_played) > DATE_TOLERANCE


def is_later_view(shown: WatchState, item: Item) -> bool:
    """Whether a replica shows a view that is later than the agreed one (M1)."""
    last = _agreed(item).last_played if _agreed(item).played else None
    return shown.played and shown.last_played is not None and shown.last_played > (last or NEVER) + DATE_TOLERANCE


def is_taken(shown: WatchState, replica: Replica, written: tuple[Sent, ...]) -> bool:
    """Whether a flag is gone that no write can have taken; of a file whose episodes disagree it is not written (I5)."""
    return not shown.played and replica.reading is not None and replica.reading.played and (replica.several or not written)


def reconcile(item: Item, sightings: Mapping[ReplicaId, Sighting], policy: Policy) -> Outcome:
    """Find what each reading means, join it with the agreed state, and acknowledge the readings."""
    item = _overruled(item, sightings, policy)
    findings = {replica_id: _with_rating(find(item, replica_id, seen, policy), item, replica_id, seen, policy) for replica_id, seen in sightings.items()}
    claims = item.claims
    for finding in findings.values():
        claims = merge(claims, finding.claims)
    agreed = replace(item, claims=claims, revision=item.revision + _is_news(item, claims, findings, policy))
    replicas = {**agreed.replicas}
    for replica_id, finding in findings.items():
        if not finding.doubtful:
            moved = claims.spot != item.claims.spot or replicas[replica_id].revision != item.revision  # a position of no weight discharges no write
            replicas[replica_id] = _acknowledged(agreed, replica_id, sightings[replica_id], finding, policy, moved=moved)
    for replica_id, replica in replicas.items():
        if replica_id not in findings or not findings[replica_id].doubtful:
            replicas[replica_id] = _settled(agreed, replica_id, replica, policy)
    return Outcome(replace(agreed, replicas=replicas), findings)


def find(item: Item, replica_id: ReplicaId, seen: Sighting, policy: Policy) -> Finding:
    """Decide what a reading means."""
    account, replica = policy.accounts[replica_id.account], item.replicas[replica_id]
    shown, known = seen.state, replica.reading
    if known is None:  # a new account, a new copy, a replaced file (R3, R4)
        return _first_sight(item, replica, seen, account, policy)
    replica = _as_of_last_look(replica, seen)
    if _same(shown, known, replica, account, policy):  # nothing happened since we looked, or it was our own write (R1, M3)
        return Finding("R1 as acknowledged", unchanged=True)
    if any(_is_written(shown, sent, replica, account, policy) for sent in seen.written):  # nobody's act, whatever was agreed since (M3)
        return Finding("M3 shows what was written")
    said = seen.unplayed_at is not None and seen.unplayed_at + DATE_TOLERANCE >= (replica.at or NEVER)  # else it is old news, of what was read since
    if said and not shown.played and (known.played or _agreed(item).played) and account.direction.imports:  # a person said so (R5)
        begun = Claims(spot=_spot(item, replica, seen, account, policy))  # perhaps since, then it stays
        return Finding("R5 marked unwatched", merge(_unwatched(seen.unplayed_at, item, replica), begun))
    if replica.revision != item.revision and _is_echo(item, replica, seen, account, policy):  # a crash after the write, or the same act again (M3)
        return Finding("M3 shows what was to be written")
    if not account.direction.imports:  # this server only receives (W1)
        return Finding("W1 its changes do not count")
    had_flag = known.played or (_agreed(item).played and any(sent.state.played for sent in seen.written))
    if not shown.played and had_flag:  # it is gone: who took it?
        return _lost_flag(item, replica, seen, account, policy)
    written = replica.revision != item.revision and _agreed(item).played  # the flag may be our own, from before a crash (M3)
    if shown.played and (not (known.played or written) or _is_view_anew(item, replica, seen, account)):  # watched, or watched once more (R1)
        return Finding("R1 watched", _watched(item, replica, seen))
    return _moved(item, replica, seen, account, policy)


def _with_rating(finding: Finding, item: Item, replica_id: ReplicaId, seen: Sighting, policy: Policy) -> Finding:
    """Add what the reading says of the rating (M4): dated by the server's word, else by the last read that did not show it."""
    replica = _as_of_last_look(item.replicas[replica_id], seen)
    earliest = replica.at or NEVER
    at = _after_agreed(min(max(seen.told_at or earliest, earliest), seen.at), item, replica)
    rating = rated(item, replica, seen.state, policy.accounts[replica_id.account], at)
    if rating is None or finding.doubtful:
        return finding
    reason = "M4 rated" if finding.unchanged else finding.reason
    return replace(finding, claims=replace(finding.claims, rating=rating), reason=reason)


def _as_of_last_look(replica: Replica, seen: Sighting) -> Replica:
    return replace(replica, at=seen.looked_at) if seen.looked_at > (replica.at or NEVER) else replica


def _first_sight(item: Item, replica: Replica, seen: Sighting, account: AccountPolicy, policy: Policy) -> Finding:
    """Take what is there for a change dated by its last view; unwatched is no opinion (R3, G1)."""
    if not account.takes_first_sight:
        return Finding("G1 receives the agreed state", first=True)
    at = min(seen.state.last_played or NEVER, seen.at)
    spot = _position(replica, seen, account, policy)
    view = None
    if seen.state.played:
        won = item.claims.view.at if account.first_sync and item.claims.view else NEVER  # a first merge never unwatches (G1)
        view = View(max(at, won), played=True, last_played=seen.state.last_played and at, play_count=seen.state.play_count)
    claims = Claims(view, Spot(at, spot or 0) if view or spot else None)
    learns = account.first_sync and account.initial_sync is InitialSync.LEARN_FROM_SERVER
    return Finding("R3 watched before it was known" if view else "R3 seen for the first time", claims, first=True, settled=learns)


def _lost_flag(item: Item, replica: Replica, seen: Sighting, account: AccountPolicy, policy: Policy) -> Finding:
    """Tell an unwatch from a rewatch, a mistake and a partial write (R5, pitfalls 3, 4, 37)."""
    shown, known = seen.state, replica.reading or WatchState()
    cleared = not shown.play_count and shown.last_played is None
    alone = shown == replace(known, played=False)
    spot = _spot(item, replica, seen, account, policy)
    if not alone and (spot or (shown.position and seen.playing)):
        return Finding("R5 watched again", Claims(spot=spot), settled=not spot)
    if not cleared and not (alone and account.traits.unplayed_alone_counts):
        return Finding("R5 opened again or half a write: not an unwatch", settled=True)
    if seen.playing or not seen.confirmed:
        return Finding("R5 looks unwatched, to be read again", doubtful=True)
    return Finding("R5 unwatched", _unwatched(None, item, replica))


def _moved(item: Item, replica: Replica, seen: Sighting, account: AccountPolicy, policy: Policy) -> Finding:
    """Take a new position, forwards or backwards, or its removal (W3)."""
    shown, known = seen.state, replica.reading or WatchState()
    if not account.sync_position or replica.several:
        return Finding("W3 positions are not synced here", settled=True)
    spot = usable_position(shown.position, seen.runtime, policy)
    own = [sent.state.position for sent in seen.written if _is_dated(shown, sent, account)]
    if spot and any(abs(spot - sent) <= policy.position_tolerance_seconds for sent in own):  # whatever became of the flag since (M3)
        return Finding("M3 shows the position that was written")
    removed = not shown.position and known.position and (shown.played or shown.last_played is None)
    if spot or removed:
        return Finding("W3 position moved", Claims(spot=Spot(_dated(item, replica, seen), spot)))
    return Finding("W3 position of no weight", settled=True)


def _watched(item: Item, replica: Replica, seen: Sighting) -> Claims:
    at = _dated(item, replica, seen)
    last = min(seen.state.last_played, seen.at) if seen.state.last_played else at
    position = 0 if replica.several else seen.state.position
    return Claims(View(at, played=True, last_played=last, play_count=seen.state.play_count), Spot(at, position))


def _unwatched(at: datetime | None, item: Item, replica: Replica) -> Claims:
    """Date an unwatch by the server's word, else by the last read that did not show it: it never beats a view that came after that read."""
    when = _after_agreed(at or (replica.at or NEVER) + _TICK, item, replica)
    return Claims(View(when, played=False), Spot(when, 0))


def _dated(item: Item, replica: Replica, seen: Sighting) -> datetime:
    """Date a change between the read that did not show it and now, by the last view if that lies in between (pitfall 9, R7)."""
    last, earliest = seen.state.last_played or NEVER, replica.at or NEVER
    return _after_agreed(min(max(last, earliest), seen.at), item, replica)


def _after_agreed(at: datetime, item: Item, replica: Replica) -> datetime:
    """Place a change after the agreed state if its replica was seen to show that: whoever acted then acted later."""
    saw = replica.revision == item.revision and (replica.at or NEVER) >= item.changed_at
    return max(at, item.changed_at + _TICK) if saw else at


def _position(replica: Replica, seen: Sighting, account: AccountPolicy, policy: Policy) -> int:
    """Return the position that a reading stands up for, 0 for none."""
    ignored = replica.several or not account.sync_position
    return 0 if ignored else usable_position(seen.state.position, seen.runtime, policy)


def _spot(item: Item, replica: Replica, seen: Sighting, account: AccountPolicy, policy: Policy) -> Spot | None:
    """Return that position as a change since the last read."""
    position = _position(replica, seen, account, policy)
    return Spot(_dated(item, replica, seen), position) if position else None


def _same(shown: WatchState, known: WatchState, replica: Replica, account: AccountPolicy, policy: Policy) -> bool:
    """Whether nothing happened that matters since the acknowledged reading."""
    same_view = shows(shown, known, policy, position=has_position(replica, account), rating=False)
    return same_view and shown.last_played == known.last_played and shown.play_count == known.play_count


def _is_written(shown: WatchState, sent: Sent, replica: Replica, account: AccountPolicy, policy: Policy) -> bool:
    """Whether a reading is the effect of a write."""
    return _is_dated(shown, sent, account) and shows(shown, sent.state, policy, position=has_position(replica, account), rating=False)


def _is_dated(shown: WatchState, sent: Sent, account: AccountPolicy) -> bool:
    """Whether a reading has the date that was written, or, where the server dates it, none later than that of the write."""
    date, last = sent.state.last_played, shown.last_played
    if account.traits.writes_date:
        return date == last or (date is not None and last is not None and abs(date - last) <= DATE_TOLERANCE)
    return last is None or last <= sent.at + DATE_TOLERANCE


def _is_echo(item: Item, replica: Replica, seen: Sighting, account: AccountPolicy, policy: Policy) -> bool:
    """Whether an owed replica shows the agreed state by itself, and no later act.

    Later are a view with a later date, and the loss of the flag if somebody took it: perhaps after what others are still to tell.
    """
    same = shows(seen.state, _agreed(item), policy, position=has_position(replica, account), rating=False)
    return same and not is_taken(seen.state, replica, seen.written) and not is_later_view(seen.state, item)


def _is_view_anew(item: Item, replica: Replica, seen: Sighting, account: AccountPolicy) -> bool:
    """Whether a watched title was watched once more; Plex counts whole views, its date moves with any touch (server-apis 0.2).

    Where an unwatch may have been written, the count may have begun anew, and a position may be a later one: rather a touch taken for a view than a view lost.
    """
    shown, known = seen.state, replica.reading or WatchState()
    unmarked = any(not sent.state.played for sent in seen.written)
    counted = account.traits.writes_date or shown.play_count > known.play_count or unmarked
    return counted and (unmarked or not shown.position) and is_later_view(shown, item)


def _agreed(item: Item) -> WatchState:
    return item.claims.state


def _is_news(item: Item, claims: Claims, findings: Mapping[ReplicaId, Finding], policy: Policy) -> bool:
    """Whether others have something to be told: another state, or a view anew; a first merge never rewrites dates only."""
    known = any(finding.claims.view == claims.view != item.claims.view and not finding.first for finding in findings.values())
    if item.claims == NO_CLAIMS:
        return claims != NO_CLAIMS
    return known or claims.state.rating != _agreed(item).rating or not shows(claims.state, _agreed(item), policy)


def _acknowledged(item: Item, replica_id: ReplicaId, seen: Sighting, finding: Finding, policy: Policy, *, moved: bool) -> Replica:
    """Keep the reading, and say whether the replica stands for the agreed state; a position that others `moved` is news to all."""
    replica, account = item.replicas[replica_id], policy.accounts[replica_id.account]
    reading = replace(replica.reading, rating=seen.state.rating) if finding.unchanged and replica.reading else seen.state
    unchanged = finding.unchanged and reading == replica.reading
    position = has_position(replica, account) and (moved or not finding.settled)
    if item.revision and (shows(reading, expected(item.claims, replica, reading, account), policy, position=position) or (finding.first and finding.settled)):
        stands = replica.revision if finding.unchanged and replica.revision else item.revision
    else:
        stands = replica.revision if unchanged else 0
    at = replica.at if finding.unchanged and replica.at and replica.at >= item.changed_at else seen.at
    return replace(replica, reading=reading, revision=stands, at=at, missing=0)


def _settled(item: Item, replica_id: ReplicaId, replica: Replica, policy: Policy) -> Replica:
    """Let a replica that is owed nothing stand for the agreed state."""
    account = policy.accounts.get(replica_id.account)
    if account is None or replica.reading is None or replica.revision == item.revision:
        return replica
    in_step = shows(replica.reading, expected(item.claims, replica, replica.reading, account), policy, position=has_position(replica, account))
    return replace(replica, revision=item.revision) if in_step and not tells_date(replica, _agreed(item), account) else replica


def _overruled(item: Item, sightings: Mapping[ReplicaId, Sighting], policy: Policy) -> Item:
    """Agree on *unwatched* where a server that is to be filled shows what nobody else has (G1)."""
    filled = {
        known for known in sightings if policy.accounts[known.account].first_sync and policy.accounts[known.account].initial_sync is InitialSync.FILL_SERVER
    }
    differs = any(sightings[known].state.played or sightings[known].state.position for known in filled)
    if item.claims.view or item.claims.spot or not differs or not item.replicas.keys() - filled:
        return item
    return replace(item, claims=replace(item.claims, view=View(NEVER, played=False), spot=Spot(NEVER, 0)), revision=item.revision + 1)
