"""The plugins, and how the webhook plugin is set up by API (server-apis §5.3; recorded on 10.11.11)."""

from collections.abc import Iterator
from typing import override

from aiohttp import web

from .auth import Caller
from .listing import plain
from .room import Guarded, Json, Refused, Room, problem, refused
from .webhook import PLUGIN_ID

BUILT_IN = {"AudioDB": "a629c0dafac54c7e931a7174223f14c8", "OMDb": "a628c0dafac54c7e9d1a7134223f14c8"}


class Plugins(Room):
    """What administrators and keys may set up; others get a 403."""

    @override
    def guarded_doors(self) -> Iterator[tuple[str, str, Guarded]]:
        yield "GET", "/Plugins", self._plugins
        yield "GET", "/Plugins/{plugin}/Configuration", self._configuration
        yield "POST", "/Plugins/{plugin}/Configuration", self._configure
        yield "GET", "/System/Configuration", self._system

    async def _plugins(self, _request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        rows = [self._row(name, number, self._server.version, uninstalls=False) for name, number in BUILT_IN.items()]
        if self._server.plugin.installed:
            rows.append(self._row("Webhook", PLUGIN_ID, "21.0.0.0", uninstalls=True))
        return web.json_response(rows)

    def _row(self, name: str, number: str, version: str, *, uninstalls: bool) -> Json:
        file = f"Jellyfin.Plugin.{name}.xml"
        about: Json = {"Name": name, "Version": version, "ConfigurationFileName": file, "Description": name, "Id": number}
        return about | {"CanUninstall": uninstalls, "HasImage": False, "Status": "Active"}

    async def _configuration(self, request: web.Request, caller: Caller) -> web.Response:
        self._need_administrator(caller)
        self._need_webhook(request)
        return web.json_response(self._server.plugin.configuration)

    async def _configure(self, request: web.Request, caller: Caller) -> web.Response:
        """Replace the whole configuration, at once; what cannot be read changes nothing."""
        self._need_administrator(caller)
        self._need_webhook(request)
        try:
            self._server.plugin.configure(await request.json())
        except ValueError, TypeError, LookupError:
            return refused(500)
        return web.Response(status=204)

    async def _system(self, _request: web.Request, _caller: Caller) -> web.Response:
        return web.json_response({"QuickConnectAvailable": True, "MinResumePct": 5, "MaxResumePct": 90, "MinResumeDurationSeconds": 300})

    def _need_webhook(self, request: web.Request) -> None:
        if plain(request.match_info["plugin"]) != PLUGIN_ID or not self._server.plugin.installed:
            raise Refused(problem(404, "Not Found"))
