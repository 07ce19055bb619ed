"""The lists of webhooks in Jellyfin's plugin and in Emby (server-apis §5.3, §5.5); what others wrote into them stays."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Self

from aiohttp import ClientSession

from ...ports import ItemNotFound, NotSupported, OwnWebhook
from ..connection import Connection
from ..http import HttpClient
from . import wire
from .client import CLIENT, headers
from .normalise import is_untouched, shares_records, understood

type _Row = dict[str, Any]

_PLUGIN = "/Plugins/71552a5a5c5c4350a2aeebe451a30173/Configuration"
_DESTINATIONS = "GenericOptions"
_CONFIGURED = "/emby/Notifications/Services/Configured"
_CANDIDATES = 50


class Registrar:
    """A server's list of webhooks as the user of a connection may change it."""

    def __init__(self, http: HttpClient, user_id: str | None) -> None:
        """Speak with the token that `http` carries; `user_id` None for an API key."""
        self._http, self._user_id = http, user_id

    @classmethod
    def open(cls, session: ClientSession, connection: Connection, clock: Callable[[], datetime]) -> Self:
        """Make a registrar of a connection; sends nothing."""
        sent = headers(connection.kind, connection.device_id, connection.token)
        http = HttpClient(session, connection.url, headers=sent, verify_ssl=connection.verify_ssl, clock=clock)
        return cls(http, connection.user_id)


class JellyfinRegistrar(Registrar):
    """The destinations of the webhook plugin: read whole, written whole, for the write replaces everything; implements `ports.WebhookRegistrar`."""

    async def ensure(self, hook: OwnWebhook) -> bool:
        """Keep one destination of ours; a person's additions to it, such as more kinds of items, stay."""
        configuration = await self._configuration()
        ours, others = self._parted(configuration, hook)
        kept = ours[0] if ours else {}
        if len(ours) == 1 and kept == kept | _destination(hook):
            return False
        await self._http.ask("POST", _PLUGIN, body={**configuration, _DESTINATIONS: [*others, kept | _destination(hook)]})
        return True

    async def withdraw(self, hook: OwnWebhook) -> None:
        """Leave the others' destinations as they are."""
        configuration = await self._configuration()
        ours, others = self._parted(configuration, hook)
        if ours:
            await self._http.ask("POST", _PLUGIN, body={**configuration, _DESTINATIONS: others})

    async def provoke(self, hook: OwnWebhook) -> bool:
        """Write a record that was never touched as it is: the plugin tells of that too (recorded on 10.11).

        The whole record, for a part of it would be laid over a copy that may be stale (W7, pitfall 38). Nothing where copies share a record:
        one that looks untouched may hide that another was watched (pitfall 51).
        """
        info: wire.PublicInfo = await self._http.json("GET", "/System/Info/Public")
        with understood("what the server tells of itself"):
            if shares_records(info):
                return False
        user = self._user_id or await self._anybody()
        query = {"recursive": "true", "includeItemTypes": "Movie,Episode", "limit": str(_CANDIDATES), "enableImages": "false", "sortBy": "DateCreated,SortName"}
        page: wire.Page = await self._http.json("GET", "/Items", params={"userId": user, "enableUserData": "true", **query})
        with understood("a page of the listing"):
            item = next((row["Id"] for row in page["Items"] if is_untouched(row)), None)
        if item is None:
            return False
        body = {"Played": False, "PlayCount": 0, "PlaybackPositionTicks": 0}
        await self._http.json("POST", f"/UserItems/{item}/UserData", params={"userId": user}, body=body)
        return True

    async def _configuration(self) -> _Row:
        try:
            configuration: _Row = await self._http.json("GET", _PLUGIN)
        except ItemNotFound:
            message = "the webhook plugin is not installed"
            raise NotSupported(message) from None
        return configuration

    async def _anybody(self) -> str:
        users: list[wire.User] = await self._http.json("GET", "/Users")
        with understood("the list of users"):
            return users[0]["Id"]

    @staticmethod
    def _parted(configuration: _Row, hook: OwnWebhook) -> tuple[list[_Row], list[_Row]]:
        with understood("the configuration of the webhook plugin"):
            rows = configuration[_DESTINATIONS]
            return [row for row in rows if hook.is_at(row.get("WebhookUri"))], [row for row in rows if not hook.is_at(row.get("WebhookUri"))]


class EmbyRegistrar(Registrar):
    """The notifications of one user, each an entry of its own; implements `ports.WebhookRegistrar`.

    No document describes the list, only the shape of an entry; asked without a user it is a 500.
    """

    async def ensure(self, hook: OwnWebhook) -> bool:
        """Keep one notification of ours."""
        ours = await self._ours(hook)
        kept = ours[0] if ours else {}
        await self._delete(ours[1:])
        if kept and kept == kept | _notification(hook, kept):
            return False
        await self._http.ask("POST", _CONFIGURED, params=await self._of_user(), body=kept | _notification(hook, kept))
        return True

    async def withdraw(self, hook: OwnWebhook) -> None:
        """Delete ours."""
        await self._delete(await self._ours(hook))

    async def provoke(self, hook: OwnWebhook) -> bool:
        """Have the server send its own test message."""
        ours = await self._ours(hook)
        if not ours:
            return False
        await self._http.ask("POST", "/emby/Notifications/Services/Test", body=ours[0])
        return True

    async def _ours(self, hook: OwnWebhook) -> list[_Row]:
        try:
            rows: list[_Row] = await self._http.json("GET", _CONFIGURED, params=await self._of_user())
        except ItemNotFound:
            message = "this version has no list of notifications"
            raise NotSupported(message) from None
        with understood("the list of notifications"):
            return [row for row in rows if hook.is_at((row.get("Options") or {}).get("Url"))]

    async def _delete(self, rows: list[_Row]) -> None:
        for row in rows:
            with understood("a notification"):
                found = {"Id": row["Id"]}
            await self._http.ask("DELETE", _CONFIGURED, params=await self._of_user() | found)

    async def _of_user(self) -> dict[str, str]:
        """Name the user whose list it is: with an API key, the first administrator."""
        if self._user_id is None:
            page: dict[str, list[wire.User]] = await self._http.json("GET", "/emby/Users/Query")
            with understood("the list of users"):
                self._user_id = next((user["Id"] for user in page["Items"] if user["Policy"]["IsAdministrator"]), page["Items"][0]["Id"])
        return {"UserId": self._user_id}


def _destination(hook: OwnWebhook) -> _Row:
    """Write what matters of a destination; the plugin stores the kinds by name and in this order."""
    return {
        "WebhookName": CLIENT,
        "WebhookUri": hook.url,
        "NotificationTypes": list(hook.events),
        "EnableMovies": True,
        "EnableEpisodes": True,
        "SendAllProperties": True,
        "EnableWebhook": True,
        "Headers": [{"Key": "Content-Type", "Value": "application/json"}, *({"Key": name, "Value": value} for name, value in hook.headers.items())],
    }


def _notification(hook: OwnWebhook, kept: _Row) -> _Row:
    """Write what matters of a notification; its options are texts, and no user means all of them."""
    return {
        "NotifierKey": "webhooknotifications",
        "ServiceName": "Webhooks",
        "PluginId": "85a7b1d4-fbda-4e85-a0a2-ac303c9946a4",
        "FriendlyName": CLIENT,
        "Enabled": True,
        "UserIds": [],
        "EventIds": list(hook.events),
        "Options": {"EnableMultipartFormData": "false", **(kept.get("Options") or {}), "Url": hook.url},
    }
