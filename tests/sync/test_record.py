"""Items as rows, and what a baseline remembers of observations from which nothing followed."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from custom_components.plex_watchsync.sync.baseline import AT_HAND, Baseline
from custom_components.plex_watchsync.sync.item import Item, Replica
from custom_components.plex_watchsync.sync.match import attach
from custom_components.plex_watchsync.sync.merge import Claims, Spot, View
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Observation, Part, ReplicaId, WatchState
from custom_components.plex_watchsync.sync.record import item_of, row_of

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
COUNTS = st.integers(0, 10**6)
STATES = st.builds(WatchState, st.booleans(), COUNTS, COUNTS, st.none() | MOMENTS)
KEYS = st.frozensets(st.sampled_from([f"movie/imdb/tt{number}" for number in range(4)]), min_size=1)
MEDIA = st.builds(Media, st.sampled_from(MediaKind), st.text(), st.none() | COUNTS, st.none() | st.text(), st.none() | COUNTS, st.none() | COUNTS)
CLAIMS = st.builds(Claims, st.none() | st.builds(View, MOMENTS, st.booleans(), st.none() | MOMENTS, COUNTS), st.none() | st.builds(Spot, MOMENTS, COUNTS))
REPLICAS = st.builds(Replica, KEYS, st.text(), st.booleans(), st.none() | STATES, st.none() | MOMENTS, COUNTS, st.integers(0, 2))


@st.composite
def items(draw: st.DrawFn) -> Item:
    """Make an item of any shape whose keys are those of its replicas."""
    item = Item(draw(st.text(min_size=1)), draw(MEDIA), draw(KEYS), draw(CLAIMS), draw(COUNTS))
    for account, replica in draw(st.dictionaries(st.sampled_from(["plex", "emby"]), REPLICAS)).items():
        item = item.with_replica(ReplicaId(account, "1"), replica)
    return item


@given(items())
def test_a_row_holds_the_whole_item(item: Item) -> None:
    """What is packed comes out the same, to the microsecond."""
    assert item_of(row_of(item)) == item
    baseline = Baseline()
    baseline.put(item)
    assert baseline.row(item.item_id) == row_of(item)


def film(number: int, *, played: bool = False) -> Observation:
    part = Part(Media(MediaKind.MOVIE, f"Film {number}"), frozenset({f"movie/imdb/tt{number}"}))
    return Observation(f"{number}", "films", (part,), WatchState(played))


def test_more_items_than_are_kept_at_hand() -> None:
    """Each is found, whatever was unpacked meanwhile."""
    baseline = Baseline()
    for number in range(3 * AT_HAND):
        attach(baseline, "plex", film(number))
    assert [item.media.title for item in baseline] == [f"Film {number}" for number in range(3 * AT_HAND)]
    assert [len(baseline.of_replica(ReplicaId("plex", f"{number}"))) for number in (0, 70, 191)] == [1, 1, 1]
    assert baseline.get("movie/imdb/tt500") is None


def test_settled_until_the_item_changes() -> None:
    """An observation of which nothing followed needs no look until it differs, or its item does."""
    baseline, replica_id = Baseline(), ReplicaId("plex", "1")
    attach(baseline, "plex", film(1))
    assert not baseline.is_settled(replica_id, film(1))
    baseline.settle(replica_id, film(1))
    assert baseline.is_settled(replica_id, film(1))
    assert not baseline.is_settled(replica_id, film(1, played=True))
    attach(baseline, "emby", film(1))
    assert not baseline.is_settled(replica_id, film(1))


def test_a_plan_is_made_on_a_copy() -> None:
    """G6: what happens to a copy of a baseline does not happen to it."""
    baseline = Baseline()
    attach(baseline, "plex", film(1))
    twin = baseline.copy()
    attach(twin, "plex", film(2))
    twin.drop("movie/imdb/tt1")
    assert [item.item_id for item in baseline] == ["movie/imdb/tt1"]
    assert (baseline.counts("plex").items, twin.counts("plex").items) == (1, 1)
    assert baseline.of_replica(ReplicaId("plex", "1"))
