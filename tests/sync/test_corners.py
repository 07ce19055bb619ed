"""What no scenario comes to: a write that turns out to be owed no more, positions and ratings where they are not synced, looks between readings."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from custom_components.plex_watchsync.sync.item import Item, Replica
from custom_components.plex_watchsync.sync.merge import Claims, Rating, View
from custom_components.plex_watchsync.sync.model import Media, MediaKind, ReplicaId, WatchState
from custom_components.plex_watchsync.sync.plan import plan
from custom_components.plex_watchsync.sync.policy import AccountPolicy, Policy, Traits
from custom_components.plex_watchsync.sync.reconcile import Sighting, find, reconcile

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEYS = frozenset({"movie/imdb/tt0000001"})
PLEX = ReplicaId("plex", "1")


def film(reading: WatchState, *, revision: int) -> Item:
    """Make a film that was agreed to be watched a moment ago, of which a copy shows `reading`."""
    claims = Claims(View(NOW, played=True, last_played=NOW, play_count=1))
    return Item("film", Media(MediaKind.MOVIE, "Film"), KEYS, claims, 2, {PLEX: Replica(KEYS, "films", reading=reading, at=NOW, revision=revision)})


def policy(*, sync_position: bool = True, sync_ratings: bool = True) -> Policy:
    return Policy({"plex": AccountPolicy(Traits(writes_date=False), sync_position=sync_position, sync_ratings=sync_ratings)})


def rated_eight(*, several: bool = False) -> Item:
    """Make a film that all rated 8."""
    item = film(WatchState(played=True, play_count=1, last_played=NOW, rating=8.0), revision=2)
    replica = replace(item.replicas[PLEX], several=several)
    return replace(item, claims=replace(item.claims, rating=Rating(NOW, 8.0)), replicas={PLEX: replica})


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


def test_a_rating_leaves_a_position_that_is_not_synced_alone() -> None:
    """W3, W7: the whole record is written, with the position that the server has."""
    item = replace(film(WatchState(position=1500, play_count=1, last_played=NOW), revision=1), claims=Claims(rating=Rating(NOW, 8.0)))
    operation = plan([item], PLEX, policy(sync_position=False))
    assert operation is not None
    assert (operation.wanted.position, operation.wanted.rating) == (1500, 8.0)


def test_ratings_that_are_synced_no_more_are_taken_back_nowhere() -> None:
    """M4: option `sync_ratings` switched off, or a file that holds several episodes by now (I5): what is shown is nobody's act, and is not written over."""
    for item, chosen in ((rated_eight(), policy(sync_ratings=False)), (rated_eight(several=True), policy())):
        for rating in (None, 3.0):
            shown = WatchState(played=True, play_count=1, last_played=NOW, rating=rating)
            found = reconcile(item, {PLEX: Sighting(shown, NOW + timedelta(hours=1), 6000)}, chosen).item
            assert found.claims == item.claims
            assert plan([replace(found, revision=3)], PLEX, chosen) is None


def test_a_rating_is_dated_by_the_last_look_though_that_brought_nothing_new() -> None:
    """M4, R1: rated between two looks; the reading that it differs from is months older."""
    looked = NOW + timedelta(days=60)
    shown = WatchState(played=True, play_count=1, last_played=NOW, rating=5.0)
    found = reconcile(rated_eight(), {PLEX: Sighting(shown, looked + timedelta(hours=1), 6000, looked_at=looked)}, policy()).item
    assert found.claims.rating == Rating(looked, 5.0)
