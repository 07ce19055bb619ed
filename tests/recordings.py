"""What was recorded from real servers. It is other people's, with their names and mostly without a licence to pass it on, so that it is no part of this repository."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
PAYLOADS = SHARED / "payloads"
needs_recordings = pytest.mark.skipif(
    not PAYLOADS.is_dir(),
    reason="recorded from other people's servers and not ours to pass on: runs where ../shared/payloads is there; the same code is tested on our own data too",
)
