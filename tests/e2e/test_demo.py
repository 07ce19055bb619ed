"""The demo's own proof: real Home Assistant, three servers, acts on each by webhook, by poll and while one is unplugged (M5)."""

import asyncio
import sys

from aiohttp.test_utils import unused_port

from scripts.home import ROOT

PATIENCE = 240


async def test_the_demo_proves_itself(socket_enabled: None) -> None:
    """`scripts/demo --check` ends with agreement on every title."""
    command = (sys.executable, "-m", "scripts.demo", "--check", "--port", str(unused_port()))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0, printed.decode()
    assert "All agree." in printed.decode()
