"""A real Home Assistant on 127.0.0.1: started in a folder, onboarded and driven through its own HTTP and WebSocket interfaces."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp

ROOT = Path(__file__).parents[1]
USER, PASSWORD = "demo", "watch-together"  # shown to whoever starts the demo
START_TIMEOUT = 120.0
ONBOARDING_VERSION = 4
HTTP_VERSION = 2  # of 2026.10; later ones bring it up to date

CONFIGURATION = """\
# Not default_config: that opens multicast sockets on every interface and calls the internet.
homeassistant:
  name: Demo
  latitude: 52.37
  longitude: 4.9
  elevation: 2
  unit_system: metric
  time_zone: Europe/Amsterdam
  country: NL
  currency: EUR
  internal_url: "http://127.0.0.1:{port}"
frontend:
config:
history:
logbook:
recorder:
  commit_interval: 1
webhook:
automation: []
script:
logger:
  default: warning
  logs:
    homeassistant.components.camera.img_util: critical
    custom_components.plex_watchsync: info
"""

type Json = Any  # a JSON answer; looked into by those who asked for it


class HomeError(RuntimeError):
    """Home Assistant did not do what it was asked to."""


@dataclass(slots=True)
class Home:
    """A Home Assistant process and a client of it."""

    folder: Path
    port: int
    session: aiohttp.ClientSession
    environment: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address that a browser opens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """The file with everything that the process printed."""
        return self.folder / "demo.log"

    def prepare(self, more: str = "") -> None:
        """Write a configuration that stays on loopback, with `more` in it; an existing one is kept."""
        storage = self.folder / ".storage"
        storage.mkdir(parents=True, exist_ok=True)
        component = self.folder / "custom_components" / "plex_watchsync"
        component.parent.mkdir(exist_ok=True)
        component.unlink(missing_ok=True)
        component.symlink_to(ROOT / "custom_components" / "plex_watchsync")
        (self.folder / "configuration.yaml").write_text(CONFIGURATION.format(port=self.port) + more)
        _write_store(storage / "core.network", "core.network", {"configured_adapters": ["lo"]})
        if not (storage / "onboarding").exists():  # done by hand, the other steps would add integrations that call the internet
            _write_store(storage / "onboarding", "onboarding", {"done": ["core_config", "analytics", "integration"]}, ONBOARDING_VERSION)
        # `http:` in YAML would be a five-minute trial that reverts to all interfaces (pitfall 34)
        stable: dict[str, Json] = {"server_host": ["127.0.0.1"], "server_port": self.port, "use_x_frame_options": True} | HTTP_DEFAULTS
        _write_store(storage / "http", "http", {"stable": stable, "pending": None, "yaml_migration_done": True}, HTTP_VERSION)

    async def start(self) -> None:
        """Start the process and wait until it has set everything up; raises `HomeError`."""
        if self._process is not None and self._process.returncode is None:  # it would answer in place of the new one, which would end
            raise HomeError("Home Assistant runs already")
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # else every start takes twice as long
        environment |= {"PYTHONPATH": str(ROOT / "scripts" / "voiceless"), **self.environment}
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "homeassistant", "-c", str(self.folder), "--skip-pip", stdout=log, stderr=log, env=environment
            )
        async with asyncio.timeout(START_TIMEOUT):
            while not await self._is_running():
                if self._process.returncode is not None:
                    raise HomeError(f"Home Assistant ended with {self._process.returncode}; see {self.log}")
                await asyncio.sleep(0.2)

    async def stop(self) -> None:
        """Stop the process in good order."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def kill(self) -> None:
        """Take the process away as a power failure would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _is_running(self) -> bool:
        try:
            if not self.token:
                async with self.session.get(f"{self.url}/api/onboarding") as answer:
                    return answer.status in (200, 404)
            return bool((await self.ask("GET", "/api/config"))["state"] == "RUNNING")
        except aiohttp.ClientError, HomeError:
            return False

    async def onboard(self) -> None:
        """Make the owner and get a token; on a kept folder, log in."""
        async with self.session.get(f"{self.url}/api/onboarding") as answer:
            steps = {step["step"]: step["done"] for step in await answer.json()} if answer.status == 200 else {}
        if steps.get("user", True):
            await self._log_in()
        else:
            user = {"client_id": self._client, "name": "Demo", "username": USER, "password": PASSWORD, "language": "en"}
            await self._take_token((await self.ask("POST", "/api/onboarding/users", user))["auth_code"])
        self.token = await self.command("auth/long_lived_access_token", client_name=os.urandom(4).hex(), lifespan=30)

    async def _log_in(self) -> None:
        flow = {"client_id": self._client, "handler": ["homeassistant", None], "redirect_uri": self._client}
        started = await self.ask("POST", "/auth/login_flow", flow)
        form = {"client_id": self._client, "username": USER, "password": PASSWORD}
        await self._take_token((await self.ask("POST", f"/auth/login_flow/{started['flow_id']}", form))["result"])

    async def _take_token(self, code: str) -> None:
        form = {"grant_type": "authorization_code", "code": code, "client_id": self._client}
        async with self.session.post(f"{self.url}/auth/token", data=form) as answer:
            self.token = (await answer.json())["access_token"]

    @property
    def _client(self) -> str:
        return f"{self.url}/"

    async def ask(self, method: str, path: str, body: Json = None) -> Json:
        """Send a request with the token; raises `HomeError` for an error status."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self.session.request(method, self.url + path, json=body, headers=headers) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise HomeError(f"{method} {path}: {answer.status} {text[:500]}")
            return json.loads(text) if text else None

    async def command(self, kind: str, **arguments: Json) -> Json:
        """Send one WebSocket command and return its result; raises `HomeError`."""
        async with self.session.ws_connect(f"{self.url}/api/websocket", max_msg_size=0) as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": self.token})
            await socket.receive_json()
            await socket.send_json({"id": 1, "type": kind, **arguments})
            answer = await socket.receive_json()
            if not answer.get("success"):
                raise HomeError(f"{kind}: {answer.get('error')}")
            return answer["result"]

    async def act(self, action: str, **data: Json) -> Json:
        """Call one of the integration's actions and return its response."""
        return (await self.ask("POST", f"/api/services/plex_watchsync/{action}?return_response", data))["service_response"]

    async def states(self) -> dict[str, Json]:
        """Return all entity states by entity id."""
        return {state["entity_id"]: state for state in await self.ask("GET", "/api/states")}

    async def entries(self) -> dict[str, Json]:
        """Return the integration's config entries by title."""
        entries = await self.ask("GET", "/api/config/config_entries/entry?domain=plex_watchsync")
        return {entry["title"]: entry for entry in entries}

    async def set_options(self, entry_id: str, **options: Json) -> None:
        """Change options of an entry, and wait until it is loaded with them."""
        flow = Flow(self, await self.ask("POST", "/api/config/config_entries/options/flow", {"handler": entry_id}), kind="options/flow")
        kept = {name: value for one in flow.step["data_schema"] if (value := flow.default(name := one["name"])) is not None}
        await flow.fill(**{**kept, **options})
        await asyncio.sleep(0.5)  # the entry is loaded anew a moment later
        async with asyncio.timeout(START_TIMEOUT):
            while next(entry["state"] for entry in (await self.entries()).values() if entry["entry_id"] == entry_id) != "loaded":
                await asyncio.sleep(0.2)

    async def flow(self) -> Flow:
        """Start the integration's config flow."""
        return Flow(self, await self.ask("POST", "/api/config/config_entries/flow", {"handler": "plex_watchsync"}))


async def webhook_of(home: Home, entry_id: str) -> Json:
    """Return what is known of a server's webhook, once it was seen to whether the server sends to it."""
    async with asyncio.timeout(START_TIMEOUT):
        while (found := await home.act("get_webhook", config_entry_id=entry_id))["enabled"] and found["state"] == "unknown":
            await asyncio.sleep(0.2)
    return found


@dataclass(slots=True)
class Flow:
    """A config flow as a browser would go through it."""

    home: Home
    step: Json
    kind: str = "flow"

    async def choose(self, option: str) -> Self:
        """Choose from a menu."""
        return await self.fill(next_step_id=option)

    async def fill(self, **fields: Json) -> Self:
        """Submit a form and wait while the flow shows progress; raises `HomeError` when the form comes back with errors."""
        self.step = await self.home.ask("POST", self._path, fields)
        return await self.done()

    async def begin(self, option: str, **fields: Json) -> Json:
        """Choose from a menu, submit the form that follows if it has `fields`, and return what is shown while the flow waits for somebody elsewhere."""
        self.step = await self.home.ask("POST", self._path, {"next_step_id": option})
        if fields:
            self.step = await self.home.ask("POST", self._path, fields)
        return self.step

    async def done(self) -> Self:
        """Wait while the flow does; raises `HomeError` when its form has errors."""
        while self.step["type"] in ("progress", "progress_done", "external", "external_done"):
            await asyncio.sleep(0.1)
            self.step = await self.home.ask("GET", self._path)
        if self.step.get("errors") or self.step["type"] == "abort":
            raise HomeError(f"{self.step.get('step_id')}: {self.step.get('errors') or self.step['reason']}")
        return self

    @property
    def _path(self) -> str:
        return f"/api/config/config_entries/{self.kind}/{self.step['flow_id']}"

    def default(self, field_name: str) -> Json:
        """Return what a field of the shown form is filled with."""
        shown = next(one for one in self.step["data_schema"] if one["name"] == field_name)
        return shown.get("default", shown.get("description", {}).get("suggested_value"))


HTTP_DEFAULTS: dict[str, Json] = {
    "cors_allowed_origins": [],
    "login_attempts_threshold": -1,
    "ip_ban_enabled": True,
    "ssl_profile": "modern",
    "created_at": "2026-01-01T00:00:00+00:00",
    "error": None,
    "error_message": None,
}


def _write_store(path: Path, key: str, data: Json, version: int = 1) -> None:
    path.write_text(json.dumps({"version": version, "minor_version": 1, "key": key, "data": data}))


@asynccontextmanager
async def running(folder: Path, port: int, more: str = "", **environment: str) -> AsyncIterator[Home]:
    """Run Home Assistant in a folder, onboarded, with `more` in its configuration and these environment variables."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=180)) as session:
        home = Home(folder, port, session, environment)
        home.prepare(more)
        try:
            await home.start()
            await home.onboard()
            yield home
        finally:
            await home.stop()
