"""Repairs: approve or discard what is held; begin anew where what was agreed on is lost."""

import asyncio
from collections.abc import Sequence
from typing import Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util.ulid import ulid_now

from . import anew, backups, flow_forms
from .const import CONF_FILE, DOMAIN
from .engine.report import Report
from .flow_preview import Preview, previewed
from .held import placeholders, viewer_name
from .helpers import household_entry, server_name_of
from .hub import HUB
from .sync.portable import Entry, PortableError


class HeldRunFlow(RepairsFlow):
    """Asks what is to become of a held run (G2)."""

    def __init__(self, viewer_id: str, run_id: str) -> None:
        """Remember which run it is."""
        self._viewer_id, self._run_id = viewer_id, run_id

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show what is held, and let choose."""
        viewer = self.hass.data[HUB].viewers.get(self._viewer_id)
        holds = viewer.holds.of(self._run_id) if viewer else []
        if viewer is None or not holds:
            return self.async_abort(reason="not_held")
        return self.async_show_menu(step_id="init", menu_options=["approve", "discard"], description_placeholders=placeholders(self.hass, viewer, holds))

    async def async_step_approve(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Follow it."""
        return await self._decide(approve=True)

    async def async_step_discard(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Let the server show again what is agreed."""
        return await self._decide(approve=False)

    async def _decide(self, *, approve: bool) -> RepairsFlowResult:
        hub = self.hass.data[HUB]
        viewer = hub.viewers[self._viewer_id]
        reports = await hub.decide(viewer, viewer.holds.of(self._run_id), ulid_now(), approve=approve)
        if any(report.errors for report in reports):
            return self.async_abort(reason="cannot_connect")
        return self.async_create_entry(data={})


class LostBaselineFlow(RepairsFlow):
    """Asks how to begin anew with a viewer whose agreed state is lost, and shows first what that would do (G1, G3)."""

    _files: Sequence[str] = ()
    _saved: tuple[Entry, ...] = ()
    _planning: asyncio.Task[Report] | None = None
    _shown: Preview | None = None
    """What was submitted, to be compared with how it is now."""

    def __init__(self, viewer_id: str) -> None:
        """Remember whose it is."""
        self._viewer_id = viewer_id

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Let choose: a backup first, if there is one, or nothing but what the servers show."""
        household = household_entry(self.hass)
        if household is None or self._viewer_id not in household.subentries:
            return self.async_abort(reason="viewer_removed")
        if self._viewer_id not in self.hass.data[HUB].lost:
            return self.async_abort(reason="not_lost")
        self._files = await backups.names(self.hass, self._viewer_id)
        options = ["restore_backup", "merge_anew"] if self._files else ["merge_anew"]
        return self.async_show_menu(step_id="init", menu_options=options, description_placeholders=self._whose())

    async def async_step_restore_backup(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Begin with what a backup says; a broken one is not the last word, as there may be an older one."""
        errors = {}
        if user_input is not None:
            try:
                self._saved = (await backups.read(self.hass, self._viewer_id, user_input[CONF_FILE]))[1].entries
            except OSError, PortableError, UnicodeDecodeError:
                errors[CONF_FILE] = "broken_backup"
            else:
                return await self.async_step_reading()
        schema = flow_forms.backup(self._files)
        return self.async_show_form(step_id="restore_backup", data_schema=schema, errors=errors, description_placeholders=self._whose())

    async def async_step_merge_anew(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Begin with nothing."""
        return await self.async_step_reading()

    async def async_step_reading(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Read all servers while the flow shows progress."""
        if self._planning is None:
            planning = anew.plan(self.hass, self._viewer_id, self._saved)
            self._planning = self.hass.async_create_task(planning, f"{DOMAIN} plans to begin anew", eager_start=False)
        if not self._planning.done():
            return self.async_show_progress(step_id="reading", progress_action="reading", progress_task=self._planning)
        return self.async_show_progress_done(next_step_id="preview")

    async def async_step_preview(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show what would be written where; submitting it begins anew, unless something else would be written by now (G1)."""
        assert self._planning is not None
        report = self._planning.result()
        if report.errors:
            away = sorted({server_name_of(self.hass, account) or account for account in report.errors})
            return self.async_abort(reason="cannot_connect", description_placeholders={"servers": ", ".join(away)})
        preview = await previewed(self.hass, report, "", ())
        if user_input is not None and self.cur_step and self.cur_step["type"] is FlowResultType.FORM:  # and not what progress was asked with
            self._shown, self._planning = preview, None
            return await self.async_step_reading()
        if self._shown and self._shown.content == preview.content:
            await anew.begin(self.hass, self._viewer_id, self._saved)
            return self.async_create_entry(data={})
        errors = {"base": "plan_changed"} if self._shown else {}
        return self.async_show_form(step_id="preview", errors=errors, description_placeholders={**self._whose(), **preview.placeholders})

    def _whose(self) -> dict[str, str]:
        return {"viewer": viewer_name(self.hass, self._viewer_id)}


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None) -> RepairsFlow:
    """Open the flow of an issue."""
    assert data is not None
    return HeldRunFlow(data["viewer"], data["run_id"]) if "run_id" in data else LostBaselineFlow(data["viewer"])
