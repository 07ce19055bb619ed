"""Signing in elsewhere: at plex.tv, or by a code that is typed into a Jellyfin; the flow waits for it."""

import asyncio
from abc import abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any, override

from homeassistant.core import callback
from homeassistant.data_entry_flow import FlowManager, FlowResult, UnknownFlow
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from . import flow_forms as forms
from .const import CONF_SERVER, DOMAIN
from .flow_sign_in import Access, AskingSteps, FormError, PlexAccess, entered_as
from .helpers import plex_tv
from .ports import ServerKind
from .servers import Connection, LogIn, PlexLink, PlexResource, PlexTv, QuickConnect, quick_connect

PLEX_SIGN_IN = "plex_sign_in"
QUICK_CONNECT = "quick_connect"


class LinkSteps[Result: FlowResult[Any, Any]](AskingSteps[Result]):
    """The steps that wait until somebody signed in elsewhere, and what follows from that."""

    code_step = "jellyfin_quick_connect"
    """Where one begins with a code, and sees why it came to nothing."""
    wanted_server: str | None = None
    """The id of the one server that it is about; None for any."""
    _plex_tv: PlexTv
    _resources: tuple[PlexResource, ...] = ()
    _link: PlexLink
    _code: QuickConnect
    _waiting: asyncio.Task[Access | bool | None] | None = None

    @property
    @abstractmethod
    def manager(self) -> FlowManager[Any, Any, Any]:
        """The manager that runs this flow."""

    @property
    @abstractmethod
    def device_id(self) -> str:
        """The device to sign in with."""

    @abstractmethod
    async def async_signed_in(self, access: Access) -> Result:
        """Go on with a server that lets us in."""

    async def async_claim(self, server_id: str) -> None:
        """See that the chosen server may be set up; raises AbortFlow."""

    @callback
    @override
    def async_remove(self) -> None:
        """Wait no longer once the flow is closed."""
        if self._waiting:
            self._waiting.cancel()

    async def async_step_plex_sign_in(self, user_input: dict[str, Any] | None = None) -> Result:
        """Send the person to plex.tv's page, and wait until he has signed in there."""
        if self._waiting is None:
            self._plex_tv = plex_tv(self.hass, self.device_id)
            link = await self.asked(self._plex_tv.begin_link())
            if link is None:
                return await self.async_step_plex_failed()
            self._link = link
            self._wait(self._agreed(link)).add_done_callback(self._go_on)
            return self.async_external_step(step_id="plex_sign_in", url=link.url)
        if not self._waiting.done():
            return self.async_external_step(step_id="plex_sign_in", url=self._link.url)
        return self.async_external_step_done(next_step_id="plex_server" if self._waiting.result() else "plex_failed")

    async def async_step_plex_failed(self, user_input: dict[str, Any] | None = None) -> Result:
        """Tell what went wrong at plex.tv, and begin anew when told to."""
        if self.submitted(user_input) is not None:
            self._waiting = None
            return await self.async_step_plex_sign_in()
        return self.async_show_form(
            step_id="plex_failed", data_schema=forms.nothing(), errors=dict(self.errors), description_placeholders={**self.placeholders}
        )

    async def async_step_plex_server(self, user_input: dict[str, Any] | None = None) -> Result:
        """Choose one of the account's servers; of one, nothing is to be chosen."""
        chosen = (self.submitted(user_input) or {}).get(CONF_SERVER)
        resource = next((one for one in self._resources if chosen == one.server_id or len(self._resources) == 1), None)
        if resource:
            await self.async_claim(resource.server_id)
            if access := await self.asked(plex_access(self._plex_tv, resource, self.device_id)):
                return await self.async_signed_in(access)
        schema = forms.server({one.server_id: one.name for one in self._resources})
        return self.async_show_form(step_id="plex_server", data_schema=schema, errors=dict(self.errors), description_placeholders={**self.placeholders})

    async def async_begin_code(self, url: str, *, verify_ssl: bool) -> Result | None:
        """Get a code from a Jellyfin and show it; None when there is none."""
        session = async_get_clientsession(self.hass, verify_ssl)
        code = await self.asked(quick_connect(session, url, device_id=self.device_id, verify_ssl=verify_ssl))
        if code is None:
            return None
        self._code = code
        self._wait(self._entered(code, Connection(ServerKind.JELLYFIN, url, "", self.device_id, None, verify_ssl)))
        return await self.async_step_quick_connect()

    async def async_step_quick_connect(self, user_input: dict[str, Any] | None = None) -> Result:
        """Show the code, and wait until it was typed."""
        assert self._waiting is not None
        if not self._waiting.done():
            placeholders = {"code": self._code.code}
            return self.async_show_progress(
                step_id="quick_connect", progress_action="quick_connect", progress_task=self._waiting, description_placeholders=placeholders
            )
        return self.async_show_progress_done(next_step_id="quick_connected" if self._waiting.result() else self.code_step)

    async def async_step_quick_connected(self, user_input: dict[str, Any] | None = None) -> Result:
        """Go on as whoever typed the code."""
        access = self._waiting.result() if self._waiting else None
        assert isinstance(access, Access)
        return await self.async_signed_in(access)

    async def _agreed(self, link: PlexLink) -> bool:
        """Wait until somebody agreed at plex.tv, and list his servers."""
        self._plex_tv = await self._plex_tv.linked(link)
        servers = await self._plex_tv.servers()
        self._resources = tuple(one for one in servers if self.wanted_server in {None, one.server_id})
        if not self._resources:
            raise FormError("no_servers" if self.wanted_server is None else "server_not_shared")
        return True

    async def _entered(self, code: QuickConnect, connection: Connection) -> Access:
        """Wait until somebody typed the code, and sign in as he."""
        entered = LogIn(*await code.linked())
        access = await entered_as(self.hass, replace(connection, token=entered.token, user_id=entered.user.user_id), entered)
        return replace(access, way=QUICK_CONNECT)

    def _wait(self, question: Coroutine[Any, Any, Access | bool]) -> asyncio.Task[Access | bool | None]:
        self._waiting = self.hass.async_create_background_task(self.asked(question), f"{DOMAIN} waits for a sign-in", eager_start=True)
        return self._waiting

    @callback
    def _go_on(self, waited: asyncio.Task[Any]) -> None:
        """Move the flow on: whoever looks at plex.tv's page does nothing here."""
        if not waited.cancelled():
            self.hass.async_create_task(self._move(), f"{DOMAIN} goes on after a sign-in")

    async def _move(self) -> None:
        with suppress(UnknownFlow):
            await self.manager.async_configure(self.flow_id)


async def plex_access(plex_tv: PlexTv, resource: PlexResource, device_id: str) -> Access:
    """Find the way to a server of an account, and whom the account may act for there; raises `ServerError`."""
    url, users = await plex_tv.address_of(resource), await plex_tv.users(resource)
    connection = Connection(ServerKind.PLEX, url, resource.token, device_id, users[0].user_id)
    return Access(resource.name, connection, users, users[0], PlexAccess(plex_tv, resource), PLEX_SIGN_IN)
