"""Repairs: approve or discard what is held."""

from typing import Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.core import HomeAssistant

from .held import placeholders
from .hub import HUB


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
        reports = await self.hass.data[HUB].decide(self._viewer_id, self._run_id, approve=approve)
        if any(report.errors for report in reports):
            return self.async_abort(reason="cannot_connect")
        return self.async_create_entry(data={})


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None) -> RepairsFlow:
    """Open the flow of an issue."""
    assert data is not None
    return HeldRunFlow(data["viewer"], data["run_id"])
