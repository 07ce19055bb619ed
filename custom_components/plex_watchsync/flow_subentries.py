"""Flows below an entry: further accounts of a server, viewers of the household."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, override
from uuid import uuid4

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntry, ConfigSubentryFlow, ConfigSubentryFlowManager, SubentryFlowResult
from homeassistant.const import CONF_NAME, CONF_PASSWORD, CONF_URL, CONF_USERNAME, CONF_VERIFY_SSL
from homeassistant.data_entry_flow import AbortFlow

from . import flow_forms as forms
from .const import CONF_DIRECTION, CONF_KIND, CONF_LIBRARIES, CONF_SIGN_IN
from .flow_account import AccountSteps
from .flow_links import QUICK_CONNECT, LinkSteps
from .flow_sign_in import Access, at_plex_tv, sign_in, who_answers
from .helpers import account_subentries, connection_of, plex_tv_of, server_of
from .ports import ServerKind


class AccountFlow(LinkSteps[SubentryFlowResult], AccountSteps[SubentryFlowResult], ConfigSubentryFlow):
    """Set a further account of a server up."""

    code_step = "code"

    @property
    @override
    def manager(self) -> ConfigSubentryFlowManager:
        return self.hass.config_entries.subentries

    @cached_property
    @override
    def device_id(self) -> str:
        return uuid4().hex

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """List whom the entry's credentials may act for; where that is nobody new, somebody else signs in."""
        entry = self._get_entry()
        access = await self.asked(self._reach(entry))
        if access is None:
            return self.aborted(entry.title)
        self.access = access
        if not {user.user_id for user in access.users} <= self.taken():
            return await self.async_step_account()
        if entry.data[CONF_KIND] == ServerKind.PLEX:
            self.wanted_server = entry.unique_id
            return await self.async_step_plex_sign_in()
        if entry.data.get(CONF_SIGN_IN) == QUICK_CONNECT:
            return await self.async_step_another()
        return await (self.async_step_sign_in() if CONF_USERNAME in entry.data else self.async_step_account())

    async def async_step_another(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose how somebody else signs in."""
        return self.async_show_menu(step_id="another", menu_options=["code", "sign_in"], description_placeholders={"server": self._get_entry().title})

    async def async_step_code(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Show a code for somebody else to type into the server, and when that came to nothing another."""
        entry = self._get_entry()
        if self._waiting is None or self.submitted(user_input) is not None:
            self._waiting = None
            if shown := await self.async_begin_code(entry.data[CONF_URL], verify_ssl=entry.data[CONF_VERIFY_SSL]):
                return shown
        return self.async_show_form(
            step_id="code", data_schema=forms.nothing(), errors=dict(self.errors), description_placeholders={"server": entry.title, **self.placeholders}
        )

    async def async_step_sign_in(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Sign in as somebody else, who then has a token of his own."""
        entry = self._get_entry()
        if user_input is not None and (access := await self._let_in({**entry.data, **user_input})):
            self.access = access
            return await self.async_step_account()
        return self.async_show_form(
            step_id="sign_in",
            data_schema=self.add_suggested_values_to_schema(forms.credentials(CONF_PASSWORD), {CONF_USERNAME: (user_input or {}).get(CONF_USERNAME)}),
            errors=dict(self.errors),
            description_placeholders={"server": entry.title, **self.placeholders},
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose other libraries, or another direction."""
        entry, account = self._get_entry(), self._get_reconfigure_subentry()
        if user_input is not None and user_input[CONF_LIBRARIES]:
            return self.async_update_and_abort(entry, account, data_updates=user_input)
        libraries = await self.asked(server_of(self.hass, entry, account).libraries())
        if libraries is None:
            return self.aborted(entry.title)
        chosen = [library.library_id for library in libraries if library.library_id in account.data[CONF_LIBRARIES]]
        schema = forms.sync(libraries, chosen=chosen, direction=account.data[CONF_DIRECTION], initial_sync=None)
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors={} if user_input is None else {CONF_LIBRARIES: "no_libraries"},
            description_placeholders={"server": entry.title},
        )

    @override
    def taken(self) -> frozenset[str]:
        return frozenset(str(account.unique_id) for account in account_subentries(self._get_entry()))

    @override
    def options(self) -> Mapping[str, Any]:
        return self._get_entry().options

    @override
    async def async_finish(self) -> SubentryFlowResult:
        viewer_id, user = await self.async_viewer_id(), self.draft.user
        return self.async_create_entry(title=user.name, data=self.account_data(viewer_id), unique_id=user.user_id)

    @override
    async def async_signed_in(self, access: Access) -> SubentryFlowResult:
        self.access = access if access.plex or access.me is None else replace(access, users=(access.me,))
        return await self.async_step_account()

    async def _reach(self, entry: ConfigEntry) -> Access:
        """List whom the entry's credentials act for: on Plex plex.tv knows them, unless the token is no account's there."""
        own = Access(entry.title, connection_of(entry), await server_of(self.hass, entry).users())
        return own if own.connection.kind is not ServerKind.PLEX else await at_plex_tv(own, plex_tv_of(self.hass, entry), str(entry.unique_id))

    async def _let_in(self, given: Mapping[str, Any]) -> Access | None:
        """Let somebody who has no account yet sign in to the entry's server."""
        entry, kind = self._get_entry(), ServerKind(given[CONF_KIND])
        identity = await self.asked(who_answers(self.hass, kind, given))
        if identity is None:
            return None
        if identity.server_id != entry.unique_id:
            raise AbortFlow("unique_id_mismatch")
        access = await self.asked(sign_in(self.hass, kind, given, self.device_id))
        if access is None or access.me is None:
            return None
        if access.me.user_id in self.taken():
            self.errors = {"base": "already_configured"}
            return None
        return replace(access, users=(access.me,))


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
        shown = user_input or ({CONF_NAME: renamed.title} if renamed else {})
        return self.async_show_form(step_id=step_id, data_schema=self.add_suggested_values_to_schema(forms.name(), shown), errors=errors)
