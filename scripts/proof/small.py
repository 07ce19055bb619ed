"""The engine with its real clients and real files, and nothing else: a process that starts in milliseconds, to be killed many times a second."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, override

import aiohttp

from homeassistant.util.file import write_utf8_file_atomic

from custom_components.plex_watchsync.engine.run import Account, Run
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.ports import Documents, ServerKind, StoreError
from custom_components.plex_watchsync.servers import Connection, log_in, open_server
from custom_components.plex_watchsync.sync.policy import AccountPolicy

VIEWER = "anna"


@dataclass(frozen=True, slots=True)
class Door:
    """How the engine gets into one server; `libraries` are those that take part."""

    connection: Connection
    libraries: frozenset[str]


@dataclass(frozen=True, slots=True)
class Files(Documents):
    """Documents as files, written as Home Assistant's storage helper writes them."""

    folder: Path

    @override
    async def load(self, name: str) -> object | None:
        path = self.folder / name
        if not path.exists():
            return None
        try:
            content: object = json.loads(path.read_bytes())
        except ValueError as error:
            raise StoreError(name) from error
        return content

    @override
    async def save(self, name: str, content: object) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(write_utf8_file_atomic, str(path), json.dumps(content))

    @override
    async def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)


async def doors(places: Mapping[str, Any]) -> dict[str, Door]:
    """Sign in at every server once, as the config flow does."""
    async with aiohttp.ClientSession() as session:
        return {name: await _door(session, name, place) for name, place in places.items()}


async def _door(session: aiohttp.ClientSession, name: str, place: Any) -> Door:
    kind, known = ServerKind(name), place.credentials
    token, user = known.get("token", ""), None
    if kind is not ServerKind.PLEX:
        answer = await log_in(session, kind, place.url, known["username"], known["password"], device_id=f"chaos-{name}", verify_ssl=True)
        token, user = answer.token, answer.user.user_id
    connection = Connection(kind, place.url, token, f"chaos-{name}", user)
    libraries = await open_server(session, connection, clock=_now).libraries()
    return Door(connection, frozenset(one.library_id for one in libraries))


def spawn(folder: Path, ways: Mapping[str, Door], seed: int) -> tuple[int, int]:
    """Fork a process that syncs until it is killed; return its id and a pipe that gets a byte after each run that is on disk."""
    hear, tell = os.pipe()
    process = os.fork()
    if process:
        os.close(tell)
        return process, hear
    os.close(hear)
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with asyncio.Runner() as runner:
            code = runner.run(_sync(folder, ways, tell, Random(seed)))
    finally:
        os._exit(code)


async def _sync(folder: Path, ways: Mapping[str, Door], tell: int, dice: Random) -> int:
    viewer = ViewerSync(VIEWER, Files(folder), _now)
    try:
        await viewer.load()
    except StoreError:
        os.write(tell, b"!")
        return 3
    async with aiohttp.ClientSession() as session:
        for name, way in ways.items():
            server = open_server(session, way.connection, clock=_now)
            viewer.accounts[name] = Account(server, AccountPolicy(server.traits), way.libraries)
        while True:
            await viewer.run(Run())
            if dice.random() < 0.5:  # Home Assistant writes what it knows half a minute later
                await viewer.flush()
                os.write(tell, b".")
            await asyncio.sleep(dice.uniform(0, 0.05))


def _now() -> datetime:
    return datetime.now(UTC)
