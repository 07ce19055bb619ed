"""G2: the breaker's own judgement."""

import pytest

from custom_components.plex_watchsync.sync.guard import Trip, too_many, vanished
from custom_components.plex_watchsync.sync.policy import Limits

LIMITS = Limits()


@pytest.mark.parametrize(
    ("found", "watched", "trip"),
    [
        (10, 10, None),
        (11, 220, None),
        (11, 219, Trip.UNWATCHES),
        (500, 10_000, None),
        (501, 10_000, Trip.UNWATCHES),
        (11, 0, Trip.UNWATCHES),
    ],
)
def test_many_items_and_a_large_part(found: int, watched: int, trip: Trip | None) -> None:
    """More than 10 and more than 5 %: both."""
    assert too_many(found, 0, watched, 0, LIMITS) is trip


@pytest.mark.parametrize(("polled", "recent", "trip"), [(1, 13, None), (1, 14, Trip.BURST), (0, 50, None), (15, 0, Trip.BURST)])
def test_a_burst_from_polls(polled: int, recent: int, trip: Trip | None) -> None:
    assert too_many(max(polled, 1), polled, 100_000, recent, LIMITS) is trip


@pytest.mark.parametrize(
    ("missing", "items", "trip"),
    [
        ({}, {}, None),
        ({"a": 20}, {"a": 60, "b": 40}, None),
        ({"a": 21}, {"a": 60, "b": 40}, Trip.VANISHED),
        ({"a": 11}, {"a": 11, "b": 1000}, Trip.VANISHED),
        ({"a": 10}, {"a": 10, "b": 1000}, None),
    ],
)
def test_a_large_part_or_a_whole_library_vanished(missing: dict[str, int], items: dict[str, int], trip: Trip | None) -> None:
    assert vanished(missing, items, LIMITS) is trip
