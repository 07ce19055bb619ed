"""What was recorded from real servers, in ../shared/payloads beside this repository.

It is other people's, with their names and mostly without a licence to pass it on, so that it cannot be part of the repository. Tests that hold our readers
and simulators against it are skipped where it is not there. What they read with is tested all the same, on data of our own: the gates of coverage are
reached without them.
"""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
PAYLOADS = SHARED / "payloads"
needs_recordings = pytest.mark.skipif(
    not PAYLOADS.is_dir(),
    reason="needs ../shared/payloads: recordings of other people's servers, which may not be passed on; the same code is tested on data of our own as well",
)
