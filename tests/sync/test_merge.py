"""M1: merging is idempotent, commutative and associative, whatever is merged."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from custom_components.plex_watchsync.sync.merge import NEVER, NO_CLAIMS, Claims, Rating, Spot, View, merge

START = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = st.one_of(st.just(NEVER), st.integers(0, 3).map(lambda hours: START + timedelta(hours=hours)))
VIEWS = st.builds(View, MOMENTS, st.booleans(), st.none() | MOMENTS, st.integers(0, 2))
SPOTS = st.builds(Spot, MOMENTS, st.integers(0, 3).map(lambda minutes: minutes * 60))
RATINGS = st.builds(Rating, MOMENTS, st.none() | st.sampled_from([0.0, 1.0, 7.5, 10.0]), st.booleans())
CLAIMS = st.builds(Claims, st.none() | VIEWS, st.none() | SPOTS, st.none() | RATINGS)


@given(CLAIMS)
def test_merge_is_idempotent(one: Claims) -> None:
    """M1: the same claim twice says nothing new, and no claim says nothing."""
    assert merge(one, one) == one
    assert merge(one, NO_CLAIMS) == one


@given(CLAIMS, CLAIMS)
def test_merge_is_commutative(one: Claims, other: Claims) -> None:
    """M1: nobody is first."""
    assert merge(one, other) == merge(other, one)


@given(CLAIMS, CLAIMS, CLAIMS)
def test_merge_is_associative(one: Claims, two: Claims, three: Claims) -> None:
    """M1, pitfall 24: bracketing changes nothing, since no tolerance is in the order."""
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@given(CLAIMS, CLAIMS)
def test_at_the_same_time_played_wins(one: Claims, other: Claims) -> None:
    """M1: played before unplayed, so that nothing watched is lost to a tie."""
    merged = merge(one, other).view
    rivals = [claims.view for claims in (one, other) if claims.view]
    if merged and len({view.at for view in rivals}) == 1:
        assert merged.played == any(view.played for view in rivals)


def test_a_later_position_does_not_undo_a_view() -> None:
    """Positions and views are registers of their own: pitfall 9's early date costs nothing."""
    watched = Claims(View(START, played=True, last_played=START), Spot(START, 0))
    resumed = Claims(spot=Spot(START + timedelta(hours=1), 600))
    assert merge(watched, resumed).state.played
    assert merge(watched, resumed).state.position == 600


def test_a_state_says_when_an_unfinished_title_was_left() -> None:
    """W7: a record that is written has a date where one is known."""
    assert Claims(spot=Spot(START, 600)).state.last_played == START
    assert Claims(spot=Spot(NEVER, 600)).state.last_played is None
    assert NO_CLAIMS.state.last_played is None


def test_a_rating_is_a_register_of_its_own() -> None:
    """M4: the later one wins, taken back or not, and no view or position touches it."""
    rated, taken_back = Claims(rating=Rating(START, 8)), Claims(rating=Rating(START + timedelta(hours=1), None))
    watched = Claims(View(START + timedelta(hours=2), played=True))
    assert merge(rated, watched).state.rating == 8
    assert merge(rated, watched).state.played
    assert merge(taken_back, rated).state.rating is None


def test_a_thumb_says_less_than_a_number() -> None:
    """M4: of two that nobody can date, the number wins, whatever it is."""
    assert merge(Claims(rating=Rating(NEVER, 10, exact=False)), Claims(rating=Rating(NEVER, 7))).state.rating == 7
