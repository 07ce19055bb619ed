"""The simulated Jellyfin, asked what real ones were asked (recordings beside this repository), answers the same."""

import asyncio
import sys

import pytest

from simulators.base import serving
from tests.recordings import needs_recordings

from .recorded import JUDGE, VERSIONS, recording, simulator

pytestmark = needs_recordings


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_judge_finds_no_difference(version: str, socket_enabled: None) -> None:
    """Every step has the recorded status and, as far as watch state goes, the recorded content."""
    async with serving(simulator(version)) as url:
        command = (sys.executable, str(JUDGE), url, str(recording(version)))
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert output.decode().splitlines()[-1].startswith("258 same, 0 differ,")
