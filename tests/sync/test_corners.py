"""What no scenario comes to: a write that turns out to be owed no more, a position where positions are not synced."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from custom_components.plex_watchsync.sync.item import Item, Replica
from custom_components.plex_watchsync.sync.merge import Claims, View
from custom_components.plex_watchsync.sync.model import Media, MediaKind, ReplicaId, WatchState
from custom_components.plex_watchsync.sync.plan import plan
from custom_components.plex_watchsync.sync.policy import AccountPolicy, Policy, Traits
from custom_components.plex_watchsync.sync.reconcile import Sighting, find

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEYS = frozenset({"movie/imdb/tt0000001"})
PLEX = ReplicaId("plex", "1")


def film(reading: WatchState, *, revision: int) -> Item:
    """Make a film that was agreed to be watched a moment ago, of which a copy shows `reading`."""
    claims = Claims(View(NOW, played=True, last_played=NOW, play_count=1))
    return Item("film", Media(MediaKind.MOVIE, "Film"), KEYS, claims, 2, {PLEX: Replica(KEYS, "films", reading=reading, at=NOW, revision=revision)})


def policy(*, sync_position: bool = True) -> Policy:
    return Policy({"plex": AccountPolicy(Traits(writes_date=False), sync_position=sync_position)})


def test_nothing_is_written_where_the_agreed_state_shows() -> None:
    """W6: a copy that is owed a newer agreement, and shows it, is owed no write."""
    watched = WatchState(played=True, play_count=1, last_played=NOW)
    assert plan([film(watched, revision=1)], PLEX, policy()) is None
    unwatched = plan([film(WatchState(), revision=1)], PLEX, policy())
    assert unwatched is not None
    assert unwatched.wanted.played


def test_a_position_where_positions_are_not_synced() -> None:
    """W3: it says nothing, and the copy goes on standing for what was agreed."""
    known = WatchState(position=100, play_count=1, last_played=NOW)
    item = replace(film(known, revision=2), claims=Claims(View(NOW, played=False)))
    seen = Sighting(replace(known, position=900, last_played=NOW + timedelta(hours=1)), NOW + timedelta(hours=2), 6000)
    finding = find(item, PLEX, seen, policy(sync_position=False))
    assert (finding.settled, finding.claims) == (True, Claims())
    assert find(item, PLEX, seen, policy()).claims.spot is not None
