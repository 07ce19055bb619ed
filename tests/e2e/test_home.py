"""The folder that the demo's Home Assistant starts in."""

import json
from pathlib import Path

import aiohttp

from scripts.home import Home


async def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    """Pitfall 34: `http:` in YAML would be a trial that reverts to all interfaces, so the store says it."""
    async with aiohttp.ClientSession() as session:
        Home(tmp_path, 8124, session).prepare()
    assert "http:" not in (tmp_path / "configuration.yaml").read_text().splitlines()
    stored = json.loads((tmp_path / ".storage" / "http").read_text())["data"]
    assert stored["stable"]["server_host"] == ["127.0.0.1"]
    assert stored["pending"] is None
