"""Flows of a server: sign in and set its first account up, sign in anew, follow it to a new address; options."""

from collections.abc import Mapping
from typing import Any, override
from uuid import uuid4

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry, ConfigFlow, ConfigFlowResult, ConfigSubentry, ConfigSubentryData, ConfigSubentryFlow, OptionsFlow
from homeassistant.const import CONF_API_KEY, CONF_PASSWORD, CONF_TOKEN, CONF_URL, CONF_USERNAME, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.network import NoURLAvailableError

from . import flow_forms as forms
from .const import CONF_DEVICE_ID, CONF_KIND, CONF_USER_ID, CONF_WEBHOOK_ID, DOMAIN, HOUSEHOLD, SUBENTRY_ACCOUNT, SUBENTRY_VIEWER
from .flow_account import AccountSteps
from .flow_sign_in import Access, address_of, sign_in, who_answers
from .flow_subentries import AccountFlow, ViewerFlow
from .helpers import account_subentries, is_household
from .ports import ServerKind


class WatchSyncConfigFlow(AccountSteps[ConfigFlowResult], ConfigFlow, domain=DOMAIN):
    """Set a server up."""

    VERSION = 1

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

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        return self.async_show_menu(step_id="user", menu_options=[kind.value for kind in ServerKind])

    async def async_step_plex(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose how to sign in to Plex."""
        return self.async_show_menu(step_id="plex", menu_options=["plex_token"])

    async def async_step_jellyfin(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose how to sign in to Jellyfin."""
        return self.async_show_menu(step_id="jellyfin", menu_options=["jellyfin_password", "jellyfin_api_key"])

    async def async_step_emby(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose how to sign in to Emby."""
        return self.async_show_menu(step_id="emby", menu_options=["emby_password", "emby_api_key"])

    async def async_step_plex_token(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Sign in to Plex with a token."""
        return await self._sign_in("plex_token", ServerKind.PLEX, CONF_TOKEN, user_input)

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
        if user_input is not None and (access := await self._let_in_anew(entry, {**entry.data, **user_input})):
            return self._keep(entry, _renewed(self.hass, entry, access))
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
            data_schema=self.add_suggested_values_to_schema(forms.address(), user_input or entry.data),
            errors=dict(self.errors),
            description_placeholders={"server": entry.title, "example_url": forms.EXAMPLE_URLS[ServerKind(entry.data[CONF_KIND])], **self.placeholders},
        )

    @override
    async def async_finish(self) -> ConfigFlowResult:
        access, viewer_id, webhook_id = self.access, await self.async_viewer_id(), webhook.async_generate_id()
        user = self.draft.user
        account = ConfigSubentryData(data=self.account_data(viewer_id), subentry_type=SUBENTRY_ACCOUNT, title=user.name, unique_id=user.user_id)
        description, webhook_url = self._webhook(webhook_id)
        return self.async_create_entry(
            title=access.server,
            data={**_kept(access), CONF_WEBHOOK_ID: webhook_id},
            subentries=[account],
            description=description,
            description_placeholders={"webhook_url": webhook_url, "server": access.server},
        )

    async def _sign_in(self, step_id: str, kind: ServerKind, secret: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Sign in to a server that was not there yet; the form stays, with what was typed but the secret, until that works."""
        if user_input is not None and await self._identified(kind, user_input):
            self._abort_if_unique_id_configured()
            if access := await self.asked(sign_in(self.hass, kind, user_input, uuid4().hex)):
                self.access = access
                return await self.async_step_account()
        typed = {name: value for name, value in (user_input or {}).items() if name != secret}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(forms.sign_in(secret), typed),
            errors=dict(self.errors),
            description_placeholders={"kind": forms.name_of(kind), "example_url": forms.EXAMPLE_URLS[kind], **self.placeholders},
        )

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
        access = await self.asked(sign_in(self.hass, kind, given, _device_of(entry, given.get(CONF_USERNAME))))
        if access and (unserved := _unserved(entry, access)):
            self.errors, self.placeholders = {"base": "wrong_user"}, {"users": ", ".join(unserved)}
            return None
        return access

    def _keep(self, entry: ConfigEntry, updates: Mapping[str, Any]) -> ConfigFlowResult:
        """Update an entry; one that could not be set up has no listener that would reload it."""
        result = self.async_update_and_abort(entry, data_updates=updates)
        if not entry.update_listeners:
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return result

    def _webhook(self, webhook_id: str) -> tuple[str, str]:
        """Return which text tells where to paste the webhook's address, and that address, or its path when nobody knows where we are."""
        try:
            return self.access.connection.kind.value, webhook.async_generate_url(self.hass, webhook_id)
        except NoURLAvailableError:
            return "no_url", webhook.async_generate_path(webhook_id)


def _kept(access: Access) -> dict[str, Any]:
    """Return what of a sign-in is kept in the entry; never a password."""
    connection = access.connection
    address = {CONF_KIND: connection.kind.value, CONF_URL: connection.url, CONF_VERIFY_SSL: connection.verify_ssl}
    return {**address, CONF_DEVICE_ID: connection.device_id, **_credentials(access)}


def _credentials(access: Access) -> dict[str, Any]:
    me = {CONF_USERNAME: access.me.name, CONF_USER_ID: access.me.user_id} if access.me else {}
    return {CONF_TOKEN: access.connection.token, **me}


def _device_of(entry: ConfigEntry, username: str | None) -> str:
    """Return the device that a user signs in with: his account's own, else the entry's (pitfall 39)."""
    devices = {account.title.casefold(): account.data[CONF_DEVICE_ID] for account in account_subentries(entry) if account.data[CONF_TOKEN]}
    return str(devices.get((username or "").casefold(), entry.data[CONF_DEVICE_ID]))


def _relying(entry: ConfigEntry) -> list[ConfigSubentry]:
    """Return the accounts that the entry's credentials act for."""
    return [account for account in account_subentries(entry) if account.data[CONF_TOKEN] in {None, entry.data[CONF_TOKEN]}]


def _beside(entry: ConfigEntry, access: Access) -> list[ConfigSubentry]:
    """Return the account of whoever signed in, if it has a token of its own beside the entry's."""
    relying = _relying(entry)
    return [one for one in account_subentries(entry) if access.me and one.unique_id == access.me.user_id and one not in relying]


def _unserved(entry: ConfigEntry, access: Access) -> list[str]:
    """Name the accounts that would be left without credentials."""
    users = {user.user_id for user in access.users}
    return [] if _beside(entry, access) else [one.title for one in _relying(entry) if one.unique_id not in users]


def _renewed(hass: HomeAssistant, entry: ConfigEntry, access: Access) -> dict[str, Any]:
    """Give the accounts that have a copy of the renewed token the new one, and return what is new in the entry."""
    beside = _beside(entry, access)
    for account in beside or [one for one in _relying(entry) if one.data[CONF_TOKEN]]:
        hass.config_entries.async_update_subentry(entry, account, data={**account.data, CONF_TOKEN: access.connection.token})
    return {} if beside else _credentials(access)


class WatchSyncOptionsFlow(OptionsFlow):
    """Change how a server, or the household, behaves."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the options of a server or of the household."""
        return await (self.async_step_household() if is_household(self.config_entry) else self.async_step_server())

    async def async_step_server(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask how often a server is read, and what of it."""
        if user_input is not None:
            return self.async_create_entry(data=_whole(user_input))
        return self.async_show_form(step_id="server", data_schema=forms.options_of_server(self.config_entry))

    async def async_step_household(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the thresholds."""
        if user_input is not None:
            return self.async_create_entry(data=_whole(user_input))
        return self.async_show_form(step_id="household", data_schema=forms.options_of_household(self.config_entry))


def _whole(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with whole numbers: a number's field gives fractions."""
    return {name: int(value) if isinstance(value, float) else value for name, value in numbers.items()}
