"""M5 against power failures: real processes, killed with SIGKILL while people act and networks fail (`scripts/chaos --rounds 200` does more of it)."""

import asyncio
import sys

from scripts.home import ROOT

PATIENCE = 180


async def test_nothing_is_lost_in_a_few_rounds(socket_enabled: None) -> None:
    """M5, W5, G3: the engine is killed ten times, Home Assistant once, a shard of each is corrupted; all agree, no act is lost, none invented."""
    command = (sys.executable, "-m", "scripts.chaos", "--rounds", "10", "--home-kills", "1")
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0, printed.decode()
    assert "no act was lost, none invented" in printed.decode()
