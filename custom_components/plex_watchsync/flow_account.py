"""The steps that tie a server's user to a viewer: for the first account in the config flow, for more in a subentry flow."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import SOURCE_SYSTEM, ConfigSubentry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowHandler, FlowResult
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from . import flow_forms as forms
from .const import (
    CONF_ACCOUNT,
    CONF_DEVICE_ID,
    CONF_DIRECTION,
    CONF_INITIAL_SYNC,
    CONF_LIBRARIES,
    CONF_USER_ID,
    CONF_VIEWER,
    DOMAIN,
    SUBENTRY_VIEWER,
)
from .engine.report import Report
from .engine.run import Account
from .helpers import household_entry, server_name_of, utcnow, viewer_subentries
from .hub import hub_of
from .ports import Library, ServerError, ServerUser, StoreError, WatchServer
from .servers import Connection, open_server
from .sync.plan import WriteKind
from .sync.policy import AccountPolicy, Direction, InitialSync


@dataclass(slots=True)
class Draft:
    """What is known of an account while it is set up; `own` when the connection's token is this user's and nobody else's."""

    title: str
    connection: Connection
    signed_in: ServerUser | None = None
    users: tuple[ServerUser, ...] = ()
    libraries: tuple[Library, ...] = ()
    user: ServerUser | None = None
    viewer: str = ""
    sync: Mapping[str, Any] = field(default_factory=dict)

    @property
    def account_connection(self) -> Connection:
        """The connection for the chosen user; one who did not sign in himself gets a device of his own (pitfall 39)."""
        assert self.user is not None
        own = self.signed_in is None or self.user.user_id == self.signed_in.user_id
        return replace(
            self.connection, user_id=self.user.user_id, device_id=self.connection.device_id if own else f"{self.connection.device_id}-{self.user.user_id}"
        )


class AccountSteps[Result: FlowResult[Any, Any]](FlowHandler[Any, Result, Any]):
    """The steps account, sync and preview, after `draft` was set by whoever signed in."""

    draft: Draft
    _reading: asyncio.Task[Report] | None = None
    _report: Report | None = None
    _problem: str | None = None

    @abstractmethod
    async def async_finish(self) -> Result:
        """Keep what was chosen."""

    def taken(self) -> frozenset[str]:
        """Return the ids of users that have an account already."""
        return frozenset()

    async def async_step_account(self, user_input: dict[str, Any] | None = None) -> Result:
        """Choose the server's user and the viewer."""
        draft = self.draft
        free = [user for user in draft.users if user.user_id not in self.taken()]
        if user_input is not None:
            draft.user = next(user for user in free if user.user_id == user_input[CONF_ACCOUNT])
            draft.viewer = user_input[CONF_VIEWER].strip() or draft.user.name
            return await self.async_step_sync()
        if not free:
            return self.async_abort(reason="no_more_users")
        viewers = [viewer.title for viewer in _viewers(self.hass)]
        first = next((user for user in free if draft.signed_in and user.user_id == draft.signed_in.user_id), free[0])
        return self.async_show_form(
            step_id="account",
            data_schema=forms.account(free, viewers, user=first.user_id, viewer=viewers[0] if len(viewers) == 1 else first.name),
            description_placeholders={"server": draft.title},
        )

    async def async_step_sync(self, user_input: dict[str, Any] | None = None) -> Result:
        """Choose libraries, direction and how the first sync goes."""
        draft, errors, placeholders = self.draft, dict[str, str](), {"server": self.draft.title}
        if user_input is not None:
            draft.sync = user_input
            if user_input[CONF_LIBRARIES]:
                self._report = self._reading = None
                return await self.async_step_reading()
            errors[CONF_LIBRARIES] = "no_libraries"
        else:
            try:
                draft.libraries = await self._server().libraries()
            except ServerError as error:
                reason, more = forms.told(error)
                return self.async_abort(reason=reason, description_placeholders=placeholders | more)
        schema = forms.sync(
            draft.libraries,
            chosen=[library.library_id for library in draft.libraries],
            direction=Direction.TWO_WAY,
            initial_sync=InitialSync.MERGE,
        )
        return self.async_show_form(
            step_id="sync", data_schema=self.add_suggested_values_to_schema(schema, user_input), errors=errors, description_placeholders=placeholders
        )

    async def async_step_reading(self, user_input: dict[str, Any] | None = None) -> Result:
        """Read the libraries while the flow shows progress."""
        if self._reading is None:
            self._reading = self.hass.async_create_task(self._preview(), "preview of a first sync")
        if not self._reading.done():
            return self.async_show_progress(
                step_id="reading",
                progress_action="reading",
                progress_task=self._reading,
                description_placeholders={"server": self.draft.title},
            )
        self._report, self._problem, self._reading = *_read(self._reading), None
        return self.async_show_progress_done(next_step_id="preview")

    async def async_step_preview(self, user_input: dict[str, Any] | None = None) -> Result:
        """Show what would be written where; submitting it makes the account, or reads again after an error."""
        if user_input is not None:
            return await (self.async_step_reading() if self._report is None else self.async_finish())
        errors = {"base": self._problem} if self._problem else {}
        return self.async_show_form(step_id="preview", errors=errors, description_placeholders=self._numbers(), last_step=True)

    def account_data(self, viewer_id: str) -> dict[str, Any]:
        """Return the data of the account's subentry."""
        draft, connection = self.draft, self.draft.account_connection
        assert draft.user is not None
        own = draft.signed_in is not None and draft.user.user_id == draft.signed_in.user_id
        return {
            CONF_USER_ID: draft.user.user_id,
            CONF_VIEWER: viewer_id,
            CONF_TOKEN: connection.token if own else None,
            CONF_DEVICE_ID: connection.device_id,
            CONF_LIBRARIES: draft.sync[CONF_LIBRARIES],
            CONF_DIRECTION: draft.sync[CONF_DIRECTION],
            CONF_INITIAL_SYNC: draft.sync[CONF_INITIAL_SYNC],
        }

    async def async_viewer_id(self) -> str:
        """Return the chosen viewer's id; the household and the viewer are made where they are missing."""
        if known := _viewer(self.hass, self.draft.viewer):
            return known.subentry_id
        household = household_entry(self.hass)
        if household is None:
            await self.hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_SYSTEM})
            household = household_entry(self.hass)
        assert household is not None
        viewer = ConfigSubentry(data=MappingProxyType({}), subentry_type=SUBENTRY_VIEWER, title=self.draft.viewer, unique_id=self.draft.viewer.casefold())
        self.hass.config_entries.async_add_subentry(household, viewer)
        return viewer.subentry_id

    def _server(self) -> WatchServer:
        connection = self.draft.account_connection
        return open_server(async_get_clientsession(self.hass, connection.verify_ssl), connection, clock=utcnow)

    async def _preview(self) -> Report:
        server, chosen = self._server(), self.draft.sync
        policy = AccountPolicy(server.traits, Direction(chosen[CONF_DIRECTION]), InitialSync(chosen[CONF_INITIAL_SYNC]))
        known = _viewer(self.hass, self.draft.viewer)
        return await hub_of(self.hass).preview(known.subentry_id if known else None, Account(server, policy, frozenset(chosen[CONF_LIBRARIES])))

    def _numbers(self) -> dict[str, str]:
        """Return the numbers of the preview: in all, and a line for each server."""
        planned = self._report.planned if self._report else []
        by_server: dict[str, list[WriteKind]] = {}
        for write in planned:
            by_server.setdefault(server_name_of(self.hass, write.account) or self.draft.title, []).append(write.kind)
        lines = [f"- **{server}**: {' / '.join(_counted(kinds))}" for server, kinds in sorted(by_server.items())]
        watched, unwatched, moved = _counted([write.kind for write in planned])
        found = sum(counts.read for counts in self._report.counts.values()) if self._report else 0
        return {
            "server": self.draft.title,
            "found": str(found),
            "watched": watched,
            "unwatched": unwatched,
            "moved": moved,
            "servers": "\n".join(lines) or "-",
        }


def _counted(kinds: list[WriteKind]) -> tuple[str, str, str]:
    watched, unwatched = kinds.count(WriteKind.MARK_WATCHED), kinds.count(WriteKind.MARK_UNWATCHED)
    return str(watched), str(unwatched), str(len(kinds) - watched - unwatched)


def _read(task: asyncio.Task[Report]) -> tuple[Report | None, str | None]:
    """Return a preview's report, or what went wrong."""
    try:
        report = task.result()
    except StoreError:
        return None, "baseline_lost"
    errors = list(report.errors.values())
    return (None, forms.told(errors[0])[0]) if errors else (report, None)


def _viewers(hass: HomeAssistant) -> list[ConfigSubentry]:
    household = household_entry(hass)
    return viewer_subentries(household) if household else []


def _viewer(hass: HomeAssistant, name: str) -> ConfigSubentry | None:
    return next((viewer for viewer in _viewers(hass) if name == viewer.subentry_id or name.casefold() == viewer.title.casefold()), None)
