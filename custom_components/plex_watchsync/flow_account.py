"""The steps that tie a server's user to a viewer: for the first account in the config flow, for more in a subentry flow."""

import asyncio
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from homeassistant.config_entries import SOURCE_SYSTEM, ConfigSubentry
from homeassistant.const import CONF_PIN, CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResult

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
from .engine.run import Account
from .flow_preview import Preview, previewed
from .flow_sign_in import Access, AskingSteps
from .helpers import household_entry, opened, viewer_subentries
from .hub import account_policy, hub_of
from .ports import Library, ServerUser
from .servers import Connection
from .sync.policy import Direction, InitialSync

PATIENCE = 10  # seconds that a submitted preview is waited for before progress is shown


@dataclass(frozen=True, slots=True)
class Draft:
    """An account that is being set up; `own` when the connection's token is this user's rather than the entry's."""

    user: ServerUser
    viewer: str
    connection: Connection
    own: bool
    libraries: tuple[Library, ...] = ()


class AccountSteps[Result: FlowResult[Any, Any]](AskingSteps[Result]):
    """The steps account, sync and preview, after `access` was set by whoever signed in."""

    access: Access
    draft: Draft
    chosen: Mapping[str, Any] = {}
    """What was chosen in `sync`."""
    _reading: asyncio.Task[Preview | None] | None = None
    _shown: Preview | None = None
    """What was submitted, to be compared with how it is now."""

    @abstractmethod
    async def async_finish(self) -> Result:
        """Keep what was chosen."""

    def taken(self) -> frozenset[str]:
        """Return the ids of users that have an account already."""
        return frozenset()

    def options(self) -> Mapping[str, Any]:
        """Return the options of the server's entry."""
        return {}

    async def async_step_account(self, user_input: dict[str, Any] | None = None) -> Result:
        """Choose the server's user and the viewer."""
        access, me, user_input = self.access, self.access.me, self.submitted(user_input)
        free = [user for user in access.users if user.user_id not in self.taken()]
        if not free:
            return self.async_abort(reason="no_more_users")
        if user_input is not None and await self._drafted(free, user_input):
            return await self.async_step_sync()
        typed = {name: value for name, value in (user_input or {}).items() if name != CONF_PIN}
        viewers = [viewer.title for viewer in _viewers(self.hass)]
        user = next((one for one in free if me and one.user_id == me.user_id), free[0])
        schema = forms.account(free, viewers, user=user.user_id, viewer=viewers[0] if len(viewers) == 1 else user.name)
        return self.async_show_form(
            step_id="account",
            data_schema=self.add_suggested_values_to_schema(schema, typed),
            errors=dict(self.errors),
            description_placeholders={"server": access.server, **self.placeholders},
        )

    async def async_step_sync(self, user_input: dict[str, Any] | None = None) -> Result:
        """Choose libraries, direction and how the first sync goes."""
        if user_input is not None:
            self.chosen = user_input
            if user_input[CONF_LIBRARIES]:
                self._reading = self._shown = None
                return await self.async_step_reading()
            self.errors = {CONF_LIBRARIES: "no_libraries"}
        everything = [library.library_id for library in self.draft.libraries]
        schema = forms.sync(self.draft.libraries, chosen=everything, direction=Direction.TWO_WAY, initial_sync=InitialSync.MERGE)
        return self.async_show_form(
            step_id="sync",
            data_schema=self.add_suggested_values_to_schema(schema, self.chosen),
            errors=dict(self.errors),
            description_placeholders={"server": self.access.server, **self.placeholders},
        )

    async def async_step_reading(self, user_input: dict[str, Any] | None = None) -> Result:
        """Read the libraries while the flow shows progress; what goes wrong is shown where the libraries are chosen."""
        reading = self._reading = self._reading or self._begin_reading()
        if not reading.done():
            return self.async_show_progress(
                step_id="reading",
                progress_action="reading",
                progress_task=reading,
                description_placeholders={"server": self.access.server},
            )
        return self.async_show_progress_done(next_step_id="preview" if reading.result() else "sync")

    async def async_step_preview(self, user_input: dict[str, Any] | None = None) -> Result:
        """Show what would be written where; submitting it makes the account, unless something else would be written by now (G1)."""
        preview = self._reading.result() if self._reading else None
        assert preview is not None
        if self.submitted(user_input) is not None:
            self._shown, self._reading = preview, self._begin_reading()
            return await self._read_anew(self._reading)
        if self._shown and self._shown.content == preview.content:
            return await self.async_finish()
        return self.async_show_form(
            step_id="preview",
            errors={"base": "plan_changed"} if self._shown else {},
            description_placeholders={"server": self.access.server, **preview.placeholders},
            last_step=True,
        )

    def account_data(self, viewer_id: str) -> dict[str, Any]:
        """Return the data of the account's subentry."""
        draft = self.draft
        return {
            CONF_USER_ID: draft.user.user_id,
            CONF_VIEWER: viewer_id,
            CONF_TOKEN: draft.connection.token if draft.own else None,
            CONF_DEVICE_ID: draft.connection.device_id,
            CONF_LIBRARIES: self.chosen[CONF_LIBRARIES],
            CONF_DIRECTION: self.chosen[CONF_DIRECTION],
            CONF_INITIAL_SYNC: self.chosen[CONF_INITIAL_SYNC],
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

    async def _drafted(self, free: Iterable[ServerUser], chosen: Mapping[str, Any]) -> bool:
        """See which libraries the chosen user has; one who did not sign in himself gets a device of his own (pitfall 39), on Plex a token too."""
        access = self.access
        user = next(user for user in free if user.user_id == chosen[CONF_ACCOUNT])
        own = access.me is not None and user.user_id == access.me.user_id
        device_id = access.connection.device_id if own else uuid4().hex
        connection = replace(access.connection, user_id=user.user_id, device_id=device_id)
        if access.plex and not own:
            token = await self.asked(access.plex.plex_tv.token_for(access.plex.resource, user, chosen.get(CONF_PIN)))
            if token is None:
                return False
            connection, own = replace(connection, token=token), True
        draft = Draft(user, chosen[CONF_VIEWER].strip() or user.name, connection, own)
        libraries = await self.asked(opened(self.hass, draft.connection).libraries())
        if libraries:
            self.draft = replace(draft, libraries=libraries)
        elif libraries is not None:
            self.errors = {"base": "nothing_to_see"}
        return bool(libraries)

    def _begin_reading(self) -> asyncio.Task[Preview | None]:
        """Begin to plan; never done at once: a form's input would be handed to the step that follows, as if it had been its own."""
        return self.hass.async_create_task(self._read(), f"{DOMAIN} preview of a first sync", eager_start=False)

    async def _read(self) -> Preview | None:
        return await self.asked(self._preview())

    async def _read_anew(self, reading: asyncio.Task[Preview | None]) -> Result:
        """Go on at once if reading takes no time, else with progress."""
        await asyncio.wait({reading}, timeout=PATIENCE)
        if not reading.done():
            return await self.async_step_reading()
        return await (self.async_step_preview() if reading.result() else self.async_step_sync())

    async def _preview(self) -> Preview:
        """Plan the first sync; raises `StoreError`, and the `ServerError` of whoever could not be read."""
        draft, chosen = self.draft, self.chosen
        server, known = opened(self.hass, draft.connection), _viewer(self.hass, draft.viewer)
        account = Account(server, account_policy(server.traits, chosen, self.options()), frozenset(chosen[CONF_LIBRARIES]))
        report = await hub_of(self.hass).preview(known.subentry_id if known else None, account)
        for error in report.errors.values():
            raise error
        return await previewed(self.hass, report, self.access.server, draft.libraries)


def _viewers(hass: HomeAssistant) -> list[ConfigSubentry]:
    household = household_entry(hass)
    return viewer_subentries(household) if household else []


def _viewer(hass: HomeAssistant, name: str) -> ConfigSubentry | None:
    return next((viewer for viewer in _viewers(hass) if name == viewer.subentry_id or name.casefold() == viewer.title.casefold()), None)
