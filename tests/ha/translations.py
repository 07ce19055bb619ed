"""Sees to it that all a flow shows has words, since the test package does not (pitfall 35)."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from homeassistant.data_entry_flow import FlowManager

ENGLISH: dict[str, Any] = json.loads((Path(__file__).parents[2] / "custom_components/plex_watchsync/translations/en.json").read_text())
SHARED = {"reauth_successful", "reconfigure_successful", "already_in_progress"}


@dataclass
class Guard:
    """What was shown without words."""

    missing: list[str] = field(default_factory=list)

    def look(self, section: str, result: Any) -> None:
        """Check one step's result."""
        root: Any = ENGLISH
        for part in section.split("."):
            root = root.get(part, {})
        placeholders = result.get("description_placeholders") or {}
        kind = str(result["type"])
        if kind == "abort":
            self.need(root, f"{section}.abort", result["reason"], placeholders, shared=result["reason"] in SHARED)
        elif kind in {"form", "menu"}:
            self._step(root.get("step", {}).get(result["step_id"], {}), f"{section}.step.{result['step_id']}", result, placeholders)
            for error in (result.get("errors") or {}).values():
                self.need(root.get("error", {}), f"{section}.error", error, placeholders)
        elif kind == "progress":
            self.need(root.get("progress", {}), f"{section}.progress", result["progress_action"], placeholders)

    def _step(self, step: dict[str, Any], name: str, result: Any, placeholders: dict[str, str]) -> None:
        self.need(step, name, "title", placeholders)
        if "description" in step:
            self.need(step, name, "description", placeholders)
        for option in result.get("menu_options") or ():
            self.need(step.get("menu_options", {}), f"{name}.menu_options", option, placeholders)
        for key in result["data_schema"].schema if str(result["type"]) == "form" and result.get("data_schema") else ():
            self.need(step.get("data", {}), f"{name}.data", str(key), placeholders)
            self.need(step.get("data_description", {}), f"{name}.data_description", str(key), placeholders)

    def need(self, section: dict[str, Any], name: str, key: str, placeholders: dict[str, str], *, shared: bool = False) -> None:
        """Note a text that is not there, or that needs placeholders which were not given."""
        text = section.get("abort", {}).get(key) if name.endswith(".abort") else section.get(key)
        if text is None:
            self.missing += [] if shared else [f"{name}.{key}"]
            return
        wanted = {field_name for _, field_name, _, _ in Formatter().parse(text) if field_name}
        self.missing += [f"{name}.{key}: {{{one}}}" for one in wanted - placeholders.keys()]


def guarded(monkeypatch: pytest.MonkeyPatch) -> Guard:
    """Look at every step of every flow of the integration."""
    guard = Guard()
    original = FlowManager._async_handle_step

    async def handle(self: Any, flow: Any, *arguments: Any, **named: Any) -> Any:
        result = await original(self, flow, *arguments, **named)
        if flow.__class__.__module__.startswith("custom_components.plex_watchsync"):
            guard.look(_section(flow), result)
        return result

    monkeypatch.setattr(FlowManager, "_async_handle_step", handle)
    return guard


def _section(flow: Any) -> str:
    names = {
        "HeldRunFlow": "issues.held_run.fix_flow",
        "LostBaselineFlow": "issues.baseline_lost.fix_flow",
        "OptionsFlow": "options",
        "AccountFlow": "config_subentries.account",
        "ViewerFlow": "config_subentries.viewer",
    }
    return next((section for name, section in names.items() if flow.__class__.__name__.endswith(name)), "config")
