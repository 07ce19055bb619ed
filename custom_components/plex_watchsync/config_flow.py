"""Flows of a server: sign in and set its first account up, sign in anew, follow it to a new address; options."""

import asyncio
from collections.abc import Mapping
from functools import cached_property
from typing import Any, override
from uuid import uuid4

from yarl import URL

from homeassistant.components import network, webhook
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    ConfigEntriesFlowManager,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import CONF_API_KEY, CONF_PASSWORD, CONF_PIN, CONF_TOKEN, CONF_URL, CONF_USERNAME, CONF_VERIFY_SSL
from homeassistant.core import callback
from homeassistant.helpers.network import NoURLAvailableError
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo

from . import flow_forms as forms
from . import registration
from .const import (
    CONF_DEVICE_ID,
    CONF_KIND,
    CONF_SIGN_IN,
    CONF_WEBHOOK_ID,
    DOMAIN,
    HOUSEHOLD,
    SECRET_HEADER,
    SUBENTRY_ACCOUNT,
    SUBENTRY_VIEWER,
)
from .flow_account import AccountSteps
from .flow_links import PLEX_SIGN_IN, LinkSteps
from .flow_renewal import device_of, kept, others_anew, renewed, unserved
from .flow_sign_in import Access, address_of, sign_in, who_answers
from .flow_subentries import AccountFlow, ViewerFlow
from .helpers import is_household
from .moves import async_found
from .ports import ServerKind
from .servers import discover

PLEX_PORT = 32400


class WatchSyncConfigFlow(LinkSteps[ConfigFlowResult], AccountSteps[ConfigFlowResult], ConfigFlow, domain=DOMAIN):
    """Set a server up."""

    VERSION = 1
    _typed: Mapping[str, Any] = {}
    _found: Mapping[str, str] = {}
    """Names of servers that told of themselves, by address."""
    _searching: asyncio.Task[None] | None = None
    _locked_out: str = ""
    """The user whose PIN is asked for."""

    def __init__(self) -> None:
        """Begin with no PIN."""
        self._pins: dict[str, str] = {}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        return WatchSyncOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        return {SUBENTRY_VIEWER: ViewerFlow} if is_household(config_entry) else {SUBENTRY_ACCOUNT: AccountFlow}

    @property
    @override
    def manager(self) -> ConfigEntriesFlowManager:
        return self.hass.config_entries.flow

    @cached_property
    @override
    def device_id(self) -> str:
        return str(self._get_reauth_entry().data[CONF_DEVICE_ID]) if self.source == SOURCE_REAUTH else uuid4().hex

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        return self.async_show_menu(step_id="user", menu_options=[kind.value for kind in ServerKind])

    @override
    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """Offer a Plex server that told of itself; one that is set up already is followed."""
        url = str(URL.build(scheme="http", host=discovery_info.host, port=discovery_info.port or PLEX_PORT))
        identity = await self.asked(who_answers(self.hass, ServerKind.PLEX, {CONF_URL: url, CONF_VERIFY_SSL: True}))
        if identity is None:
            return self.aborted(url)
        if entry := await self.async_set_unique_id(identity.server_id):
            await async_found(self.hass, entry, url)
        self._abort_if_unique_id_configured()
        name = discovery_info.name.partition("._plexmediasvr")[0]
        self._found, self.wanted_server = {url: name}, identity.server_id
        self.context["title_placeholders"] = {"name": name}
        return await self.async_step_plex()

    async def async_step_plex(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose how to sign in to Plex."""
        return self.async_show_menu(step_id="plex", menu_options=["plex_sign_in", "plex_token"])

    async def async_step_jellyfin(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose how to sign in to Jellyfin."""
        self._search(ServerKind.JELLYFIN)
        return self.async_show_menu(step_id="jellyfin", menu_options=["jellyfin_quick_connect", "jellyfin_password", "jellyfin_api_key"])

    async def async_step_emby(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose how to sign in to Emby."""
        self._search(ServerKind.EMBY)
        return self.async_show_menu(step_id="emby", menu_options=["emby_password", "emby_api_key"])

    async def async_step_plex_token(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Sign in to Plex with a token."""
        return await self._sign_in("plex_token", ServerKind.PLEX, CONF_TOKEN, user_input)

    async def async_step_jellyfin_quick_connect(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Sign in to Jellyfin by a code."""
        if (given := self.submitted(user_input)) is not None:
            self._typed = given
            if await self._identified(ServerKind.JELLYFIN, given):
                self._abort_if_unique_id_configured()
                if shown := await self.async_begin_code(address_of(given), verify_ssl=given[CONF_VERIFY_SSL]):
                    return shown
        return self.async_show_form(
            step_id="jellyfin_quick_connect",
            data_schema=self.add_suggested_values_to_schema(forms.address(await self._nearby()), self._typed),
            errors=dict(self.errors),
            description_placeholders={"kind": forms.name_of(ServerKind.JELLYFIN), "example_url": forms.EXAMPLE_URLS[ServerKind.JELLYFIN], **self.placeholders},
        )

    async def async_step_jellyfin_password(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Sign in to Jellyfin as a user."""
        return await self._sign_in("jellyfin_password", ServerKind.JELLYFIN, CONF_PASSWORD, user_input)

    async def async_step_jellyfin_api_key(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Sign in to Jellyfin with an API key."""
        return await self._sign_in("jellyfin_api_key", ServerKind.JELLYFIN, CONF_API_KEY, user_input)

    async def async_step_emby_password(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Sign in to Emby as a user."""
        return await self._sign_in("emby_password", ServerKind.EMBY, CONF_PASSWORD, user_input)

    async def async_step_emby_api_key(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Sign in to Emby with an API key."""
        return await self._sign_in("emby_api_key", ServerKind.EMBY, CONF_API_KEY, user_input)

    async def async_step_system(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Make the household; only the first server's flow does so."""
        await self.async_set_unique_id(HOUSEHOLD)
        self._abort_if_unique_id_configured()
        return self.async_create_entry(title="Household", data={CONF_KIND: HOUSEHOLD})

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Sign in anew."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for what lets us in only; the address stays."""
        entry = self._get_reauth_entry()
        if entry.data.get(CONF_SIGN_IN):
            return await self._confirm_elsewhere(entry, self.submitted(user_input))
        if user_input is not None and (access := await self._let_in_anew(entry, {**entry.data, **user_input})):
            self.access = access
            return await self.async_step_pin()
        schema = forms.credentials(CONF_PASSWORD if CONF_USERNAME in entry.data else CONF_TOKEN)
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=self.add_suggested_values_to_schema(schema, {CONF_USERNAME: (user_input or entry.data).get(CONF_USERNAME)}),
            errors=dict(self.errors),
            description_placeholders={"server": entry.title, **self.placeholders},
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Follow a server that moved; it must be the same one."""
        entry = self._get_reconfigure_entry()
        if is_household(entry):
            return self.async_abort(reason="nothing_to_reconfigure")
        if user_input is not None and await self._identified(ServerKind(entry.data[CONF_KIND]), user_input):
            self._abort_if_unique_id_mismatch()
            return self._keep(entry, {CONF_URL: address_of(user_input), CONF_VERIFY_SSL: user_input[CONF_VERIFY_SSL]})
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(forms.address({}), user_input or entry.data),
            errors=dict(self.errors),
            description_placeholders={"server": entry.title, "example_url": forms.EXAMPLE_URLS[ServerKind(entry.data[CONF_KIND])], **self.placeholders},
        )

    @override
    async def async_claim(self, server_id: str) -> None:
        await self.async_set_unique_id(server_id, raise_on_progress=False)
        if self.source != SOURCE_REAUTH:
            self._abort_if_unique_id_configured()

    @override
    async def async_signed_in(self, access: Access) -> ConfigFlowResult:
        if self.source != SOURCE_REAUTH:
            self.access = access
            return await self.async_step_account()
        self.access = access
        return await self.async_step_pin()

    async def async_step_pin(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Keep the new credentials; users of a Plex server whose tokens are dead too get new ones, with their PINs where they have any."""
        entry, access = self._get_reauth_entry(), self.access
        if given := self.submitted(user_input):
            self._pins[self._locked_out] = given[CONF_PIN]
        others = await self.asked(others_anew(self.hass, entry, access, self._pins)) if self._serves(entry, access) else None
        if others is None:
            return await self.async_step_reauth_confirm()
        if others.locked_out is None:
            return self._keep(entry, renewed(self.hass, entry, access, others))
        self._locked_out = others.locked_out.user_id
        errors = {CONF_PIN: "pin_refused"} if self._pins.pop(self._locked_out, None) else {}
        return self.async_show_form(step_id="pin", data_schema=forms.pin(), errors=errors, description_placeholders={"user": others.locked_out.name})

    @override
    async def async_finish(self) -> ConfigFlowResult:
        access, viewer_id, webhook_id = self.access, await self.async_viewer_id(), webhook.async_generate_id()
        user = self.draft.user
        account = ConfigSubentryData(data=self.account_data(viewer_id), subentry_type=SUBENTRY_ACCOUNT, title=user.name, unique_id=user.user_id)
        description, webhook_url = self._webhook(webhook_id)
        return self.async_create_entry(
            title=access.server,
            data={**kept(access), CONF_WEBHOOK_ID: webhook_id},
            subentries=[account],
            description=description,
            description_placeholders={"webhook_url": webhook_url, "server": access.server},
        )

    async def _sign_in(self, step_id: str, kind: ServerKind, secret: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Sign in to a server that was not there yet; the form stays, with what was typed but the secret, until that works."""
        if user_input is not None and await self._identified(kind, user_input):
            self._abort_if_unique_id_configured()
            if access := await self.asked(sign_in(self.hass, kind, user_input, self.device_id)):
                self.access = access
                return await self.async_step_account()
        typed = {name: value for name, value in (user_input or {}).items() if name != secret}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(forms.sign_in(secret, await self._nearby()), typed),
            errors=dict(self.errors),
            description_placeholders={"kind": forms.name_of(kind), "example_url": forms.EXAMPLE_URLS[kind], **self.placeholders},
        )

    def _search(self, kind: ServerKind) -> None:
        """Begin to look for servers; they answer while the person chooses how to sign in."""
        self._searching = self.hass.async_create_background_task(self._look_around(kind), f"{DOMAIN} looks for servers")

    async def _look_around(self, kind: ServerKind) -> None:
        """Find servers that are not set up yet; those that are and do not answer where they did are followed."""
        found = await discover(kind, [str(one) for one in await network.async_get_ipv4_broadcast_addresses(self.hass)])
        known = {one: self.hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, one.server_id) for one in found}
        self._found = {one.url: one.name for one, entry in known.items() if entry is None}
        for one, entry in known.items():
            if entry:
                await async_found(self.hass, entry, one.url)

    async def _nearby(self) -> Mapping[str, str]:
        """Return the servers that told of themselves."""
        if self._searching:
            await self._searching
        return self._found

    async def _identified(self, kind: ServerKind, given: Mapping[str, Any]) -> bool:
        """Take the id of whoever answers at an address, before any secret goes there."""
        identity = await self.asked(who_answers(self.hass, kind, given))
        if identity:  # a card of discovery, or a form left open elsewhere, keeps nobody from signing in
            await self.async_set_unique_id(identity.server_id, raise_on_progress=False)
        return identity is not None

    async def _let_in_anew(self, entry: ConfigEntry, given: Mapping[str, Any]) -> Access | None:
        """Sign in to the entry's server; for whomever the entry's credentials acted, the new ones must act too."""
        kind = ServerKind(entry.data[CONF_KIND])
        if not await self._identified(kind, given):
            return None
        self._abort_if_unique_id_mismatch()
        access = await self.asked(sign_in(self.hass, kind, given, device_of(entry, given.get(CONF_USERNAME))))
        return access if access and self._serves(entry, access) else None

    def _serves(self, entry: ConfigEntry, access: Access) -> bool:
        """See that nobody is left without credentials."""
        if names := unserved(entry, access):
            self.errors, self.placeholders = {"base": "wrong_user"}, {"users": ", ".join(names)}
        return not names

    async def _confirm_elsewhere(self, entry: ConfigEntry, submitted: Mapping[str, Any] | None) -> ConfigFlowResult:
        """Have somebody sign in where he did when the server was added."""
        self.code_step, self.wanted_server = "reauth_confirm", entry.unique_id
        if submitted is not None:
            self._waiting = None
            if entry.data[CONF_SIGN_IN] == PLEX_SIGN_IN:
                return await self.async_step_plex_sign_in()
            if await self._identified(ServerKind.JELLYFIN, entry.data):
                self._abort_if_unique_id_mismatch()
                if shown := await self.async_begin_code(entry.data[CONF_URL], verify_ssl=entry.data[CONF_VERIFY_SSL]):
                    return shown
        placeholders = {"server": entry.title, **self.placeholders}
        return self.async_show_form(step_id="reauth_confirm", data_schema=forms.nothing(), errors=dict(self.errors), description_placeholders=placeholders)

    def _keep(self, entry: ConfigEntry, updates: Mapping[str, Any]) -> ConfigFlowResult:
        """Update an entry; one that could not be set up has no listener that would reload it."""
        result = self.async_update_and_abort(entry, data_updates=updates)
        if not entry.update_listeners:
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return result

    def _webhook(self, webhook_id: str) -> tuple[str, str]:
        """Return which text tells where to paste the webhook's address, and that address, or its path when nobody knows where we are."""
        try:
            return self.access.connection.kind.value, webhook.async_generate_url(self.hass, webhook_id, prefer_external=False)
        except NoURLAvailableError:
            return "no_url", webhook.async_generate_path(webhook_id)


class WatchSyncOptionsFlow(OptionsFlow):
    """Change how a server, or the household, behaves."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the options of a server or of the household."""
        return await (self.async_step_household() if is_household(self.config_entry) else self.async_step_server())

    async def async_step_server(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask how often a server is read, and what of it."""
        if user_input is not None:
            return self.async_create_entry(data=_whole(user_input))
        try:
            address = await registration.address_of(self.hass, self.config_entry)
        except NoURLAvailableError:
            address = webhook.async_generate_path(self.config_entry.data[CONF_WEBHOOK_ID])
        placeholders = {"webhook_url": address, "header": SECRET_HEADER}
        return self.async_show_form(step_id="server", data_schema=forms.options_of_server(self.config_entry), description_placeholders=placeholders)

    async def async_step_household(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the thresholds."""
        if user_input is not None:
            return self.async_create_entry(data=_whole(user_input))
        return self.async_show_form(step_id="household", data_schema=forms.options_of_household(self.config_entry))


def _whole(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with whole numbers: a number's field gives fractions."""
    return {name: int(value) if isinstance(value, float) else value for name, value in numbers.items()}
