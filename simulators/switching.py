"""The control routes that set faults and switches, of whatever is simulated."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import ClassVar

from aiohttp import web

from .faults import Faults, Phase

CONTROL = "/_simulator"


class Switched:
    """Something that can go wrong, and be one way or another."""

    faults: Faults
    switches: ClassVar[Mapping[str, str]] = {}
    """What it is like, unlike faults for good: names of attributes, and of the parts that have them."""

    def add_switches(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get(f"{CONTROL}/faults", self._get_faults)
        app.router.add_post(f"{CONTROL}/faults", self._post_faults)
        app.router.add_get(f"{CONTROL}/switches", self._get_switches)
        app.router.add_post(f"{CONTROL}/switches", self._post_switches)

    async def _get_faults(self, _request: web.Request) -> web.Response:
        return web.json_response(asdict(self.faults))

    async def _post_faults(self, request: web.Request) -> web.Response:
        """Replace the faults: what the body does not name is switched off."""
        asked = await request.json()
        self.faults = Faults(**{one.name: asked[one.name] for one in fields(Faults) if one.name in asked})
        self.faults.phase = Phase(self.faults.phase) if self.faults.phase else None
        return web.json_response(asdict(self.faults))

    async def _get_switches(self, _request: web.Request) -> web.Response:
        return web.json_response({name: getattr(self._having(name), name) for name in self.switches})

    async def _post_switches(self, request: web.Request) -> web.Response:
        """Set what the body names; 400 for what there is not."""
        for name, value in (await request.json()).items():
            if name not in self.switches:
                raise web.HTTPBadRequest(text=f"unknown: {name}")
            setattr(self._having(name), name, value)
        return await self._get_switches(request)

    def _having(self, switch: str) -> object:
        return getattr(self, self.switches[switch]) if self.switches[switch] else self
