"""Flows: sign in to a server and set its first account up, more accounts and viewers, sign in anew, move, options."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, override
from uuid import uuid4

import probatio

from homeassistant.components import webhook
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
    OptionsFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_API_KEY, CONF_NAME, CONF_PASSWORD, CONF_TOKEN, CONF_URL, CONF_USERNAME, CONF_VERIFY_SSL
from homeassistant.core import callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.network import NoURLAvailableError

from . import flow_forms as forms
from .const import (
    CONF_DEVICE_ID,
    CONF_DIRECTION,
    CONF_KIND,
    CONF_LIBRARIES,
    CONF_WEBHOOK_ID,
    DOMAIN,
    HOUSEHOLD,
    SUBENTRY_ACCOUNT,
    SUBENTRY_VIEWER,
)
from .flow_account import AccountSteps, Draft
from .helpers import account_subentries, is_household, server_of, utcnow
from .ports import ServerError, ServerIdentity, ServerKind, ServerUser
from .servers import Connection, clean_url, log_in, open_server, probe


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
        """Ask for the secret only; the address stays."""
        entry, errors, placeholders = self._get_reauth_entry(), dict[str, str](), dict[str, str]()
        secret = CONF_PASSWORD if CONF_USERNAME in entry.data else CONF_TOKEN
        if user_input is not None:
            address = {CONF_URL: entry.data[CONF_URL], CONF_VERIFY_SSL: entry.data[CONF_VERIFY_SSL]}
            found, errors, placeholders = await self._try(ServerKind(entry.data[CONF_KIND]), address | user_input, entry.data[CONF_DEVICE_ID])
            if found:
                await self.async_set_unique_id(found[0].server_id)
                self._abort_if_unique_id_mismatch(reason="unique_id_mismatch")
                return await self._signed_in_anew(entry, found[1], user_input)
        schema = self.add_suggested_values_to_schema(probatio.Schema(dict(forms.CREDENTIALS[secret])), {CONF_USERNAME: entry.data.get(CONF_USERNAME)})
        return self.async_show_form(
            step_id="reauth_confirm", data_schema=schema, errors=errors, description_placeholders={"server": entry.title} | placeholders
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Follow a server that moved; it must be the same one."""
        entry, errors, placeholders = self._get_reconfigure_entry(), dict[str, str](), dict[str, str]()
        if is_household(entry):
            return self.async_abort(reason="nothing_to_reconfigure")
        if user_input is not None:
            identity, errors, placeholders = await self._probe(ServerKind(entry.data[CONF_KIND]), user_input)
            if identity:
                await self.async_set_unique_id(identity.server_id)
                self._abort_if_unique_id_mismatch(reason="unique_id_mismatch")
                moved = {CONF_URL: clean_url(user_input[CONF_URL]), CONF_VERIFY_SSL: user_input[CONF_VERIFY_SSL]}
                return self.async_update_and_abort(entry, data_updates=moved, reason="reconfigure_successful")
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(probatio.Schema(forms.ADDRESS), user_input or entry.data),
            errors=errors,
            description_placeholders={"server": entry.title} | placeholders,
        )

    @override
    async def async_finish(self) -> ConfigFlowResult:
        draft, viewer_id = self.draft, await self.async_viewer_id()
        assert draft.user is not None
        webhook_id = webhook.async_generate_id()
        account = ConfigSubentryData(data=self.account_data(viewer_id), subentry_type=SUBENTRY_ACCOUNT, title=draft.user.name, unique_id=draft.user.user_id)
        return self.async_create_entry(
            title=draft.title,
            data={**self._kept, CONF_DEVICE_ID: draft.connection.device_id, CONF_WEBHOOK_ID: webhook_id},
            subentries=[account],
            description="webhook",
            description_placeholders={"webhook_url": self._webhook_url(webhook_id), "server": draft.title},
        )

    async def _sign_in(self, step_id: str, kind: ServerKind, secret: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Sign in to a server that was not there yet; the form stays, with what was typed but the secret, until that works."""
        errors, placeholders = dict[str, str](), dict[str, str]()
        if user_input is not None:
            found, errors, placeholders = await self._try(kind, user_input, uuid4().hex)
            if found:
                identity, draft = found
                await self.async_set_unique_id(identity.server_id)
                self._abort_if_unique_id_configured()
                self.draft = draft
                self._kept = _kept(kind, draft.connection, user_input)
                return await self.async_step_account()
        typed = {name: value for name, value in (user_input or {}).items() if name != secret}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(forms.sign_in(secret), typed),
            errors=errors,
            description_placeholders={"kind": forms.name_of(kind)} | placeholders,
        )

    async def _probe(self, kind: ServerKind, given: Mapping[str, Any]) -> tuple[ServerIdentity | None, dict[str, str], dict[str, str]]:
        """See who answers at an address; else errors by field, and their placeholders."""
        session = async_get_clientsession(self.hass, given[CONF_VERIFY_SSL])
        try:
            return await probe(session, clean_url(given[CONF_URL]), kind, verify_ssl=given[CONF_VERIFY_SSL]), {}, {}
        except ValueError:
            return None, {CONF_URL: "invalid_url"}, {}
        except ServerError as error:
            key, placeholders = forms.told(error)
            return None, {"base": key}, placeholders

    async def _try(
        self, kind: ServerKind, given: Mapping[str, Any], device_id: str
    ) -> tuple[tuple[ServerIdentity, Draft] | None, dict[str, str], dict[str, str]]:
        """See who answers and let us in: the one check that every way of signing in goes through."""
        identity, errors, placeholders = await self._probe(kind, given)
        if identity is None:
            return None, errors, placeholders
        try:
            return (identity, await self._draft(kind, given, device_id)), {}, {}
        except ServerError as error:
            key, placeholders = forms.told(error)
            return None, {"base": key}, placeholders

    async def _draft(self, kind: ServerKind, given: Mapping[str, Any], device_id: str) -> Draft:
        """Sign in and list whom we may act for; raises `ServerError`."""
        url, verify_ssl = clean_url(given[CONF_URL]), given[CONF_VERIFY_SSL]
        session = async_get_clientsession(self.hass, verify_ssl)
        signed_in: ServerUser | None = None
        if CONF_PASSWORD in given:
            entered = await log_in(session, kind, url, given[CONF_USERNAME], given[CONF_PASSWORD], device_id=device_id, verify_ssl=verify_ssl)
            token, signed_in = entered.token, entered.user
        else:
            token = (given.get(CONF_TOKEN) or given[CONF_API_KEY]).strip()
        connection = Connection(kind, url, token, device_id, signed_in.user_id if signed_in else None, verify_ssl)
        server = open_server(session, connection, clock=utcnow)
        users = await server.users()
        title = (await server.identity()).name
        return Draft(title, replace(connection, user_id=None), signed_in, users)

    async def _signed_in_anew(self, entry: ConfigEntry, draft: Draft, given: Mapping[str, Any]) -> ConfigFlowResult:
        """Keep a new token, with the entry and with the account of whoever signed in."""
        kept = {CONF_TOKEN: draft.connection.token} | ({CONF_USERNAME: given[CONF_USERNAME]} if CONF_USERNAME in given else {})
        for account in account_subentries(entry):
            if draft.signed_in and account.unique_id == draft.signed_in.user_id:
                self.hass.config_entries.async_update_subentry(entry, account, data={**account.data, CONF_TOKEN: draft.connection.token})
        return self.async_update_and_abort(entry, data_updates=kept, reason="reauth_successful")

    def _webhook_url(self, webhook_id: str) -> str:
        try:
            return webhook.async_generate_url(self.hass, webhook_id)
        except NoURLAvailableError:
            return webhook.async_generate_path(webhook_id)


def _kept(kind: ServerKind, connection: Connection, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a sign-in is kept in the entry; never a password."""
    kept = {CONF_KIND: kind.value, CONF_URL: connection.url, CONF_VERIFY_SSL: connection.verify_ssl, CONF_TOKEN: connection.token}
    return kept | ({CONF_USERNAME: given[CONF_USERNAME]} if CONF_USERNAME in given else {})


class AccountFlow(AccountSteps[SubentryFlowResult], ConfigSubentryFlow):
    """Set a further account of a server up."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """List whom the entry's credentials may act for."""
        entry = self._get_entry()
        if is_household(entry):
            return self.async_abort(reason="not_a_server")
        server = server_of(self.hass, entry)
        try:
            users = await server.users()
        except ServerError as error:
            reason, placeholders = forms.told(error)
            return self.async_abort(reason=reason, description_placeholders={"server": entry.title} | placeholders)
        connection = Connection(
            ServerKind(entry.data[CONF_KIND]), entry.data[CONF_URL], entry.data[CONF_TOKEN], uuid4().hex, verify_ssl=entry.data[CONF_VERIFY_SSL]
        )
        self.draft = Draft(entry.title, connection, users=users)
        return await self.async_step_account()

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose other libraries, or another direction."""
        entry, account, errors = self._get_entry(), self._get_reconfigure_subentry(), dict[str, str]()
        if user_input is not None:
            if user_input[CONF_LIBRARIES]:
                return self.async_update_and_abort(entry, account, data_updates=user_input)
            errors[CONF_LIBRARIES] = "no_libraries"
        try:
            libraries = await server_of(self.hass, entry, account).libraries()
        except ServerError as error:
            reason, placeholders = forms.told(error)
            return self.async_abort(reason=reason, description_placeholders={"server": entry.title} | placeholders)
        kept = account.data
        schema = forms.sync(libraries, chosen=kept[CONF_LIBRARIES], direction=kept[CONF_DIRECTION], initial_sync=None)
        return self.async_show_form(step_id="reconfigure", data_schema=schema, errors=errors, description_placeholders={"server": entry.title})

    @override
    def taken(self) -> frozenset[str]:
        return frozenset(str(account.unique_id) for account in account_subentries(self._get_entry()))

    @override
    async def async_finish(self) -> SubentryFlowResult:
        draft, viewer_id = self.draft, await self.async_viewer_id()
        assert draft.user is not None
        return self.async_create_entry(title=draft.user.name, data=self.account_data(viewer_id), unique_id=draft.user.user_id)


class ViewerFlow(ConfigSubentryFlow):
    """Name a viewer."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add a viewer."""
        return self._ask("user", user_input)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Rename a viewer."""
        return self._ask("reconfigure", user_input)

    def _ask(self, step_id: str, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        errors: dict[str, str] = {}
        renamed = self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None
        if user_input is not None:
            name = user_input[CONF_NAME].strip()
            others = {one.title.casefold() for one in self._get_entry().subentries.values() if one is not renamed}
            if name and name.casefold() not in others:
                if renamed:
                    return self.async_update_and_abort(self._get_entry(), renamed, title=name, unique_id=name.casefold())
                return self.async_create_entry(title=name, data={}, unique_id=name.casefold())
            errors[CONF_NAME] = "name_taken" if name else "name_missing"
        schema = probatio.Schema({probatio.Required(CONF_NAME): forms.TEXT})
        shown = user_input or ({CONF_NAME: renamed.title} if renamed else {})
        return self.async_show_form(step_id=step_id, data_schema=self.add_suggested_values_to_schema(schema, shown), errors=errors)


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
