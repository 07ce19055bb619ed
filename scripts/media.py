"""The simulated servers as a person at them: a process of their own, spoken to by their control routes."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from .home import ROOT

VIEWER = "anna"

type Json = Any
type Row = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Server:
    """One simulated server."""

    kind: str
    name: str
    url: str
    credentials: Mapping[str, str]
    session: aiohttp.ClientSession

    async def rows(self) -> dict[str, Row]:
        """Return what the viewer sees there, by title."""
        async with self.session.get(f"{self.url}/_simulator/state", params={"user": VIEWER}) as answer:
            found: Json = await answer.json()
        return {row["key"]: row for row in found["users"][VIEWER]}

    async def act(self, key: str, act: str, position: int | None = None) -> None:
        """Do as a person at this server."""
        await self._post("act", {"user": VIEWER, "key": key, "act": act, "position": position})

    async def type_code(self, code: str) -> None:
        """Log in at a Jellyfin as the viewer, and let whoever shows this Quick Connect code in."""
        client = 'MediaBrowser Client="Browser", Device="Browser", DeviceId="browser", Version="1"'
        user = {"Username": self.credentials["username"], "Pw": self.credentials["password"]}
        async with self.session.post(f"{self.url}/Users/AuthenticateByName", json=user, headers={"Authorization": client}) as answer:
            token = (await answer.json())["AccessToken"]
        headers = {"Authorization": f'{client}, Token="{token}"'}
        async with self.session.post(f"{self.url}/QuickConnect/Authorize", params={"code": code}, headers=headers) as answer:
            answer.raise_for_status()

    async def set_faults(self, **faults: Json) -> None:
        """Switch these faults on and all others off."""
        await self._post("faults", faults)

    async def send_webhooks_to(self, *urls: str) -> None:
        """Replace the addresses that events are sent to."""
        await self._post("webhooks", {"urls": urls})

    async def _post(self, route: str, body: Json) -> None:
        async with self.session.post(f"{self.url}/_simulator/{route}", json=body) as answer:
            answer.raise_for_status()


@dataclass(frozen=True, slots=True)
class Media:
    """All simulated servers, by kind, with the address of their control page, and of a plex.tv."""

    control: str
    plex_tv: str
    session: aiohttp.ClientSession
    servers: Mapping[str, Server]

    @classmethod
    @asynccontextmanager
    async def running(cls, *options: str) -> AsyncIterator[Media]:
        """Run them in a process of their own; `options` are those of `python -m simulators`."""
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "simulators", *options, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        try:
            async with aiohttp.ClientSession() as session:
                yield cls._of(json.loads(await _first_line(process)), session)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    @classmethod
    def _of(cls, ready: Json, session: aiohttp.ClientSession) -> Media:
        servers = {kind: Server(kind, one["name"], one["url"], one["credentials"], session) for kind, one in ready["servers"].items()}
        return cls(ready["control"], ready["plex_tv"], session, servers)

    async def sign_in_at_plex_tv(self, url: str) -> None:
        """Do on plex.tv's page what the viewer would do there."""
        code = parse_qs(urlsplit(url).fragment.lstrip("?"))["code"][0]
        async with self.session.post(f"{self.plex_tv}/_simulator/agree", json={"code": code, "user": VIEWER}) as answer:
            answer.raise_for_status()

    async def states(self) -> dict[str, dict[str, Row]]:
        """Return what the viewer sees on each server."""
        return {kind: await server.rows() for kind, server in self.servers.items()}


async def _first_line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    if not line:
        raise RuntimeError("the simulated servers did not start")
    return line
