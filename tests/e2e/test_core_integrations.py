"""Home Assistant's own plex, jellyfin and emby integrations take the simulated servers for real ones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp.test_utils import unused_port

from scripts.home import Home, HomeError, running
from simulators.base import Act, serving
from simulators.catalogue import generate
from simulators.emby import EmbySimulator
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator

type Json = Any

TITLES = generate(7, films=2, shows=1)
FILM = TITLES[0]
PATIENCE = 30
EMBY = """
media_player:
  - platform: emby
    api_key: "{key}"
    host: 127.0.0.1
    port: {port}
"""
pytestmark = pytest.mark.usefixtures("socket_enabled")


class House:
    """Three servers, and a Home Assistant that knows them by its own integrations."""

    def __init__(self, home: Home, plex: PlexSimulator, jellyfin: JellyfinSimulator, emby: EmbySimulator) -> None:
        self.home, self.plex, self.jellyfin, self.emby = home, plex, jellyfin, emby

    async def add(self, handler: str, *steps: Json) -> Json:
        """Set an integration up through its config flow."""
        step = await self.home.ask("POST", "/api/config/config_entries/flow", {"handler": handler})
        for fields in steps:
            step = await self.home.ask("POST", f"/api/config/config_entries/flow/{step['flow_id']}", fields)
        if step["type"] != "create_entry":
            raise HomeError(f"{handler}: {step}")
        return step["result"]

    async def until(self, wanted: Callable[[dict[str, Json]], bool]) -> dict[str, Json]:
        """Wait for states."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if wanted(states := await self.home.states()):
                    return states
                await asyncio.sleep(0.2)

    async def loaded(self, domain: str) -> bool:
        entries = await self.home.ask("GET", f"/api/config/config_entries/entry?domain={domain}")
        return [entry["state"] for entry in entries] == ["loaded"]


@pytest.fixture
async def house(tmp_path: Path, socket_enabled: None) -> AsyncIterator[tuple[House, dict[str, str]]]:
    people = {"anna": "secret-anna", "ben": "secret-ben"}
    plex, jellyfin, emby = PlexSimulator("study", TITLES, people), JellyfinSimulator("attic", TITLES, people), EmbySimulator("cellar", TITLES, people)
    plex.allowed_without_token = True  # with a token the integration asks plex.tv, whose address it cannot be told
    async with AsyncExitStack() as stack:
        urls = {server.kind: await stack.enter_async_context(serving(server)) for server in (plex, jellyfin, emby)}
        more = EMBY.format(key=emby.credentials()["api_key"], port=urlsplit(urls["emby"]).port)
        home = await stack.enter_async_context(running(tmp_path, unused_port(), more))
        yield House(home, plex, jellyfin, emby), urls


async def test_plays_become_media_players(house: tuple[House, dict[str, str]]) -> None:
    """Set-up by each integration's own way; what plays shows, by push on Plex and Emby; libraries can be browsed and counted."""
    there, urls = house
    port = urlsplit(urls["plex"]).port
    await there.add("plex", {"next_step_id": "manual_setup"}, {"host": "127.0.0.1", "port": port, "ssl": False, "verify_ssl": False})
    await there.add("jellyfin", {"url": urls["jellyfin"], "username": "anna", "password": "secret-anna"})
    assert await there.loaded("plex")
    assert await there.loaded("jellyfin")
    for server in (there.plex, there.jellyfin, there.emby):
        await server.act("anna", FILM.key, Act.PLAY, 600)
    states = await there.until(lambda states: sum(one["state"] == "playing" for one in states.values()) == 3)
    playing = [one for one in states.values() if one["state"] == "playing"]
    assert all(one["attributes"]["media_title"].startswith(FILM.name) for one in playing)
    assert states["sensor.study"]["state"] == "1"
    for server in (there.plex, there.jellyfin, there.emby):
        await server.act("anna", FILM.key, Act.STOP, 700)
    await there.until(lambda states: not any(one["state"] == "playing" for one in states.values()))
