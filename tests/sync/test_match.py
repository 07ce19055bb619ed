"""Which items of the servers are one (I1-I5), line by line."""

from dataclasses import replace
from datetime import UTC, datetime

from custom_components.plex_watchsync.sync.baseline import Baseline
from custom_components.plex_watchsync.sync.match import attach, detach, recall
from custom_components.plex_watchsync.sync.merge import Claims, View
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Observation, Part, ReplicaId, WatchState

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FILM = Media(MediaKind.MOVIE, "Film")
IMDB, TMDB, OTHER_TMDB = "movie/imdb/tt1", "movie/tmdb/1", "movie/tmdb/2"


def seen(item_id: str, *keys: str) -> Observation:
    """Make what a server shows of an unwatched film with these ids."""
    return Observation(item_id, "films", (Part(FILM, frozenset(keys)),), WatchState())


def test_an_item_with_ids_of_both_joins_two() -> None:
    """I1: two servers name a film by ids of different kinds, a third by both; what either agreed on is merged."""
    baseline = Baseline()
    [one] = attach(baseline, "plex", seen("1", IMDB))
    [two] = attach(baseline, "emby", seen("2", TMDB))
    assert one != two
    watched = Claims(View(NOW, played=True, last_played=NOW, play_count=1))
    baseline.put(replace(baseline[two], claims=watched, revision=4))
    [both] = attach(baseline, "jellyfin", seen("3", IMDB, TMDB))
    assert (both, len(baseline)) == (one, 1)
    assert (baseline[both].claims, baseline[both].revision) == (watched, 5)
    assert set(baseline[both].replicas) == {ReplicaId("plex", "1"), ReplicaId("emby", "2"), ReplicaId("jellyfin", "3")}


def test_ids_that_contradict_each_other_join_nothing() -> None:
    """I3: an account has both films apart; a third server's mixture of their ids is a rival of its own, numbered when it would have a name that is taken."""
    baseline = Baseline()
    [one] = attach(baseline, "plex", seen("1", IMDB, OTHER_TMDB))
    [two] = attach(baseline, "plex", seen("2", IMDB, TMDB))
    assert (one, two) == (IMDB, f"{IMDB}#2")
    assert len(baseline) == 2


def test_a_copy_that_comes_back_finds_what_was_agreed() -> None:
    """R4, G4: the last copy leaves its ids behind; what no server shows yet gets an item of its own."""
    baseline = Baseline()
    [item_id] = attach(baseline, "plex", seen("1", IMDB))
    detach(baseline, ReplicaId("plex", "1"))
    assert [item.item_id for item in recall(baseline, frozenset({IMDB}), FILM)] == [item_id]
    assert attach(baseline, "plex", seen("7", IMDB)) == (item_id,)
    assert [item.item_id for item in recall(baseline, frozenset({TMDB}), FILM)] == [TMDB]


def test_a_mixture_of_two_films_is_neither() -> None:
    """I3: each of the two would do alone; tried again it is still there once, and the rival that is gone leaves nothing in the way."""
    baseline = Baseline()
    attach(baseline, "plex", seen("1", IMDB))
    attach(baseline, "plex", seen("2", TMDB))
    for _read in range(2):
        [mixed] = attach(baseline, "emby", seen("3", IMDB, TMDB))
        assert len(baseline) == 3
        assert set(baseline[mixed].replicas) == {ReplicaId("emby", "3")}
        assert all(baseline.is_ambiguous(item) for item in baseline)


def test_a_copy_whose_ids_turn_out_to_be_another_film_s_is_as_good_as_never_seen() -> None:
    """R4: what it was acknowledged to show counts for the film that it was taken for; for the one that it is, it is compared anew."""
    for others in ((), ("9",)):
        baseline = Baseline()
        for account, item_id, keys in (("plex", "1", (IMDB, TMDB)), ("jellyfin", "2", (IMDB,)), *(("emby", other, ("movie/imdb/tt3",)) for other in others)):
            [named] = attach(baseline, account, seen(item_id, *keys))
            replica = replace(baseline[named].replicas[ReplicaId(account, item_id)], reading=WatchState(played=True), revision=1)
            baseline.put(replace(baseline[named].with_replica(ReplicaId(account, item_id), replica), revision=1))
        [right] = attach(baseline, "plex", seen("1", "movie/imdb/tt3", TMDB))
        moved = baseline[right].replicas[ReplicaId("plex", "1")]
        assert (right, moved.reading, moved.revision) == ("movie/imdb/tt3", None, 0)
        assert set(baseline[IMDB].replicas) == {ReplicaId("jellyfin", "2")}
