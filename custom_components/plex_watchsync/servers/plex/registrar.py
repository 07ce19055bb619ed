"""The webhooks of a plex.tv account: every server that it owns sends to all of them (server-apis §1.1, §5.1)."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Self

from aiohttp import ClientSession

from ...ports import Forbidden, NotSupported, OwnWebhook
from ..connection import Connection
from ..http import HttpClient
from .client import headers
from .normalise import understood
from .tv import plex_tv_url

_WEBHOOKS = "/api/v2/user/webhooks"


class PlexRegistrar:
    """The list of an account: read whole, written whole, for the write replaces everything; implements `ports.WebhookRegistrar`.

    Plex sends every event, and no header of ours.
    """

    def __init__(self, http: HttpClient) -> None:
        """Speak with the account's token, which `http` carries."""
        self._http = http

    @classmethod
    def open(cls, session: ClientSession, connection: Connection, clock: Callable[[], datetime]) -> Self:
        """Make a registrar of a connection whose token is the account's; sends nothing."""
        return cls(HttpClient(session, plex_tv_url(), headers=headers(connection.device_id, connection.token), verify_ssl=True, clock=clock))

    async def ensure(self, hook: OwnWebhook) -> bool:
        """Keep one address of ours behind those of others."""
        urls = await self._urls()
        wanted = [*(url for url in urls if not hook.is_at(url)), hook.url]
        if sorted(urls) == sorted(wanted):
            return False
        await self._write(wanted)
        return True

    async def withdraw(self, hook: OwnWebhook) -> None:
        """Leave the others' addresses as they are."""
        urls = await self._urls()
        others = [url for url in urls if not hook.is_at(url)]
        if others != urls:
            await self._write(others)

    async def provoke(self, hook: OwnWebhook) -> bool:
        """Say that nothing can be provoked: Plex tells of players only, and has no test message."""
        return False

    async def _urls(self) -> list[str]:
        rows = await self._http.json("GET", _WEBHOOKS)
        with understood("the list of webhooks"):
            return [str(row["url"]) for row in rows]

    async def _write(self, urls: Iterable[str]) -> None:
        """Write the whole list; with which code an account without Plex Pass is refused is documented nowhere, a 403 is taken for it."""
        form = [("urls[]", url) for url in urls] or [("urls", "")]
        try:
            await self._http.ask("POST", _WEBHOOKS, form=form)
        except Forbidden:
            message = "the account has no Plex Pass"
            raise NotSupported(message) from None
