"""A Home Assistant with the integration, and simulated servers to add to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.plex_watchsync import config_flow
from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.helpers import opened, utcnow
from custom_components.plex_watchsync.hub import Hub
from custom_components.plex_watchsync.ports import Library, ServerKind
from custom_components.plex_watchsync.servers import Announced, Connection
from simulators.base import Act, Shown, Simulator, serving
from simulators.catalogue import Title, generate
from simulators.emby import EmbySimulator
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator
from simulators.plex_tv import PlexTvSimulator

from .translations import Guard, guarded

TITLES = generate(3, films=6, shows=1, episodes_per_show=4)
FILM, OTHER = TITLES[0], TITLES[1]
PEOPLE = {"anna": "anna-secret", "ben": "ben-secret"}
FORMS = {
    "plex": "plex_token",
    "jellyfin": "jellyfin_password",
    "emby": "emby_password",
}


@pytest.fixture(autouse=True)
def _integration(enable_custom_integrations: None) -> None:
    """Let Home Assistant load the integration."""


@pytest.fixture(autouse=True)
def translated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Guard]:
    """Fail a test that shows a person something that has no words (pitfall 35)."""
    guard = guarded(monkeypatch)
    yield guard
    assert not guard.missing


@pytest.fixture(autouse=True)
def realtime(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> bool:
    """Switch real time off where it is not what a test is about (`pytest.mark.realtime`): it would see what only a webhook or a poll is to find."""
    wanted = request.node.get_closest_marker("realtime") is not None
    monkeypatch.setattr("custom_components.plex_watchsync.realtime.DEFAULT_REALTIME", wanted)
    return wanted


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask neither plex.tv nor the local network where a test does not serve them."""

    async def nobody(*_asked: object) -> tuple[Announced, ...]:
        return ()

    monkeypatch.setenv("PLEX_TV_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(config_flow, "discover", nobody)


@dataclass
class Place:
    """A simulated server and where it is."""

    simulator: Simulator
    url: str

    @property
    def kind(self) -> str:
        """The kind of server."""
        return self.simulator.kind

    @property
    def name(self) -> str:
        """The server's name."""
        return self.simulator.name

    def form(self, **changes: Any) -> dict[str, Any]:
        """Return what a person types to sign in."""
        credentials = self.simulator.credentials()
        names = ("token",) if "token" in credentials else ("username", "password")
        return {"url": self.url, "verify_ssl": True, **{name: credentials[name] for name in names}, **changes}

    def shown(self, title: Title = FILM) -> Shown:
        """Return what anna sees of a title."""
        return next(row for row in self.simulator.shown("anna") if row.key == title.key)

    async def act(self, act: Act, title: Title = FILM, position: int | None = None) -> None:
        """Do as anna at this server."""
        await self.simulator.act("anna", title.key, act, position)


@pytest.fixture
async def plex_tv(socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PlexTvSimulator]:
    """Serve a plex.tv that knows nobody until a server joins it; the real one is never asked."""
    simulator = PlexTvSimulator()
    monkeypatch.setattr("custom_components.plex_watchsync.servers.plex.tv.client.POLL_SECONDS", 0.001)
    monkeypatch.setattr("custom_components.plex_watchsync.servers.plex.tv.client.PAUSE", 0.001)
    async with serving(simulator) as url:
        monkeypatch.setenv("PLEX_TV_URL", url)
        yield simulator


@pytest.fixture
async def places(plex_tv: PlexTvSimulator) -> AsyncIterator[dict[str, Place]]:
    """Serve a Plex, a Jellyfin and an Emby with the same titles."""
    simulators: tuple[Simulator, ...] = (
        PlexSimulator("Study", TITLES, PEOPLE),
        JellyfinSimulator("Attic", TITLES, PEOPLE),
        EmbySimulator("Cellar", TITLES, PEOPLE),
    )
    async with AsyncExitStack() as stack:
        yield {one.kind: Place(one, await stack.enter_async_context(serving(one))) for one in simulators}


class House:
    """Home Assistant, and a person in front of it."""

    def __init__(self, hass: HomeAssistant, places: dict[str, Place]) -> None:
        self.hass, self.places = hass, places
        self.passed = timedelta()

    def clock(self) -> datetime:
        """Tell the time, with what a test let pass."""
        return utcnow() + self.passed

    async def start(self, kind: str) -> ConfigFlowResult:
        """Open the form to sign in to a kind of server."""
        result = await self.hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
        result = await self.fill(result, next_step_id=kind)
        return await self.fill(result, next_step_id=FORMS[kind])

    async def fill(self, result: ConfigFlowResult, **fields: Any) -> ConfigFlowResult:
        """Submit a form, and wait while the flow reads."""
        result = await self.hass.config_entries.flow.async_configure(result["flow_id"], fields)
        while str(result["type"]) in {"progress", "progress_done"}:
            await self.hass.async_block_till_done()
            result = await self.hass.config_entries.flow.async_configure(result["flow_id"])
        return result

    async def to_preview(self, kind: str, **sync: Any) -> ConfigFlowResult:
        """Go as far as the preview."""
        result = await self.start(kind)
        result = await self.fill(result, **self.places[kind].form())
        result = await self.fill(result, **defaults(result))
        return await self.fill(result, **defaults(result) | sync)

    async def add(self, kind: str, **sync: Any) -> ConfigEntry:
        """Add a server, and let it be synced."""
        result = await self.to_preview(kind, **sync)
        result = await self.fill(result)
        assert str(result["type"]) == "create_entry", result
        await self.settle()
        entry: ConfigEntry = result["result"]
        return entry

    async def add_all(self) -> dict[str, ConfigEntry]:
        """Add all servers, with their webhooks."""
        entries = {kind: await self.add(kind) for kind in self.places}
        await self.settle()
        return entries

    async def settle(self) -> None:
        """Wait until nothing is going on but listening, which never ends."""
        await self.hass.async_block_till_done()
        while busy := [task for task in self.hass._background_tasks if f"{DOMAIN} listens" not in str(task)]:
            await asyncio.wait(busy)
            await self.hass.async_block_till_done()

    async def later(self, seconds: float) -> None:
        """Let time pass, and wait until what was due is done."""
        self.passed += timedelta(seconds=seconds)
        async_fire_time_changed(self.hass, self.clock())
        await self.settle()

    async def options(self, entry: ConfigEntry, **options: Any) -> None:
        """Change options of an entry, and let it follow them."""
        self.hass.config_entries.async_update_entry(entry, options={**entry.options, **options})
        await self.settle()

    async def libraries(self, kind: str) -> tuple[Library, ...]:
        """List the libraries of a server that was not added yet."""
        place = self.places[kind]
        connection = Connection(ServerKind(kind), place.url, place.simulator.credentials()["token"], "test")
        return await opened(self.hass, connection).libraries()

    def state(self, entity_id: str) -> str:
        """Return an entity's state."""
        state = self.hass.states.get(entity_id)
        assert state is not None, [one.entity_id for one in self.hass.states.async_all()]
        return state.state

    async def call(self, action: str, **data: Any) -> Any:
        """Call an action and return its response."""
        return await self.hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens soon, on its own."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never happened")


def defaults(result: ConfigFlowResult) -> dict[str, Any]:
    """Return what a form is filled with; a field that may stay empty has nothing."""
    schema = result["data_schema"]
    assert schema is not None
    return {str(key): key.default() for key in schema.schema if callable(key.default)}


@pytest.fixture
async def house(hass: HomeAssistant, places: dict[str, Place], monkeypatch: pytest.MonkeyPatch) -> House:
    """Return a Home Assistant with nothing set up, whose address is known."""
    await hass.config.async_update(internal_url="http://127.0.0.1:8123")
    assert await async_setup_component(hass, "webhook", {})
    house = House(hass, places)
    monkeypatch.setattr(f"{Hub.__module__}.utcnow", house.clock)
    return house
