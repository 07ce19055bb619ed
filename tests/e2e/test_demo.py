"""The demo's own proof: real Home Assistant, three servers, acts on each by webhook, by poll and while one is unplugged (M5)."""

import asyncio
import sys

import pytest
from aiohttp.test_utils import unused_port

from scripts.home import ROOT

PATIENCE = 240
SUPPORTED = {"2026.10": sys.executable, "2026.11": str(ROOT / ".venv-next" / "bin" / "python")}
"""The Pythons that have the two supported Home Assistants; scripts/test sets both up."""


@pytest.mark.parametrize("version", SUPPORTED)
async def test_the_demo_proves_itself(version: str, socket_enabled: None) -> None:
    """`scripts/demo --check` ends with agreement on every title."""
    command = (SUPPORTED[version], "-m", "scripts.demo", "--check", "--port", str(unused_port()))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0, printed.decode()
    assert "All agree." in printed.decode()
