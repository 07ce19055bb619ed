"""What the simulated Jellyfin makes of players' reports of short clips."""

from dataclasses import replace
from datetime import UTC, datetime

from simulators.catalogue import generate
from simulators.jellyfin.library import TICKS, Item
from simulators.jellyfin.userdata import Record

CLIP = Item("1", "Movie", "Clip", "/clip.mkv", datetime(2026, 1, 1, tzinfo=UTC), title=replace(generate(1, 1, 0)[0], runtime=200))


def test_a_clip_is_watched_as_soon_as_a_bit_of_it_ran() -> None:
    """Pitfall 42: under five minutes, no position is ever kept."""
    record = Record()
    record.report(100 * TICKS, CLIP)
    assert (record.played, record.ticks) == (True, 0)


def test_a_stop_without_a_position_is_a_view() -> None:
    """Pitfall 42: and one that is counted."""
    record = Record()
    assert record.stop(None, CLIP)
    assert (record.played, record.count) == (True, 1)
