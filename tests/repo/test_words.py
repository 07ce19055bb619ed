"""Every text that the code asks for is there, and none that nobody asks for."""

import json
import re
from pathlib import Path
from string import Formatter
from typing import Any

import probatio
import pytest

from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import service
from homeassistant.helpers.selector import validate_selector
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.coordinator import Status
from custom_components.plex_watchsync.engine.listing import ReportKind
from custom_components.plex_watchsync.sync.policy import Direction, InitialSync
from custom_components.plex_watchsync.trigger import async_get_triggers

from .code import ENGLISH, ICONS, PACKAGE, described, issues, leaves, raised, reasons, steps, texts, with_device_class

TRIGGERS: dict[str, Any] = load_yaml_dict(str(PACKAGE / "triggers.yaml"))
SERVICES: dict[str, Any] = load_yaml_dict(str(PACKAGE / "services.yaml"))
LANGUAGES = sorted((PACKAGE / "translations").glob("*.json"))
KEY = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
SECTIONS = {
    "title",
    "common",
    "condition_options",
    "conditions",
    "config",
    "config_subentries",
    "device",
    "entity",
    "exceptions",
    "issues",
    "options",
    "selector",
    "services",
    "system_health",
    "triggers",
}
SHARED_REASONS = {"reauth_successful", "reconfigure_successful", "already_in_progress"}
FLOWS: dict[str, dict[str, Any]] = {
    "config": ENGLISH["config"],
    "options": ENGLISH["options"],
    **{f"config_subentries.{kind}": flow for kind, flow in ENGLISH["config_subentries"].items()},
    **{f"issues.{key}": issue["fix_flow"] for key, issue in ENGLISH.get("issues", {}).items() if "fix_flow" in issue},
}


def placeholders(text: str) -> set[str]:
    """Return what a text needs to be filled in."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_texts_are_texts(path: Path) -> None:
    """No markup of a web page, no address, no blank around it, no reference that only core resolves."""
    for keys, text in leaves(json.loads(path.read_text())):
        name = ".".join(keys)
        assert isinstance(text, str), name
        assert text, name
        assert text == text.strip(), name
        assert cv.string_with_no_html(text) == text, name
        assert "[%key:" not in text, name
        assert "://" not in text, name
        assert not re.search(r"'\{\w+\}'", text), name
        assert all(KEY.fullmatch(key) for key in keys), name


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_languages_say_the_same(path: Path) -> None:
    """Every language has every text, with the same placeholders."""
    english, other = dict(leaves(ENGLISH)), dict(leaves(json.loads(path.read_text())))
    assert other.keys() == english.keys()
    assert [keys for keys, text in other.items() if placeholders(text) != placeholders(english[keys])] == []


def test_sections() -> None:
    """There are no sections that Home Assistant does not read."""
    assert ENGLISH.keys() <= SECTIONS


def test_exceptions() -> None:
    """Each error that is raised has its text, whose placeholders are given."""
    assert ENGLISH["exceptions"].keys() == raised().keys()
    for key, given in raised().items():
        needed = placeholders(ENGLISH["exceptions"][key]["message"])
        assert not given or given == needed, key


def test_issues() -> None:
    """Each repair issue has its title, and a description or a flow that mends it."""
    found = ENGLISH.get("issues", {})
    assert found.keys() == issues()
    for key, issue in found.items():
        assert "title" in issue, key
        assert ("description" in issue) != ("fix_flow" in issue), key


@pytest.mark.parametrize("flow", FLOWS)
def test_steps(flow: str) -> None:
    """A step that has a text exists; each field has a name and a description, and no other has."""
    for name, step in FLOWS[flow].get("step", {}).items():
        assert name in steps(), name
        assert step.keys() <= {"title", "description", "data", "data_description", "menu_options", "menu_option_descriptions", "sections", "submit"}, name
        assert step.get("data", {}).keys() == step.get("data_description", {}).keys(), name
        for option in step.get("menu_options", {}):
            assert option in steps(), option


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("kind", ["error", "abort", "progress"])
def test_errors_and_reasons(flow: str, kind: str) -> None:
    """Nothing is explained that nobody says; that all is explained, each flow's test sees."""
    assert set(FLOWS[flow].get(kind, {})) <= texts()


def test_reasons() -> None:
    """Why a flow ended is explained somewhere."""
    explained = {reason for flow in FLOWS.values() for reason in flow.get("abort", {})}
    assert reasons() - SHARED_REASONS <= explained


def test_entities() -> None:
    """Each entity has a name and, where no device class gives it one, an icon."""
    named = {(platform, key) for platform, entities in ENGLISH["entity"].items() for key in entities}
    drawn = {(platform, key) for platform, entities in ICONS["entity"].items() for key in entities}
    assert named == described()
    assert described() - with_device_class() <= drawn
    assert drawn <= named
    assert all("name" in entity for entities in ENGLISH["entity"].values() for entity in entities.values())


def test_states_of_the_status() -> None:
    """Each state has a word and an icon."""
    assert ENGLISH["entity"]["sensor"]["status"]["state"].keys() == {status.value for status in Status}
    assert ICONS["entity"]["sensor"]["status"]["state"].keys() == {status.value for status in Status}


def test_icons() -> None:
    """They are icons."""
    assert all(re.fullmatch(r"mdi:[a-z0-9-]+", icon) for _, icon in leaves(ICONS))


def test_selectors() -> None:
    """Each choice has its words."""
    found = ENGLISH["selector"]
    assert found["direction"]["options"].keys() == {one.value for one in Direction}
    assert found["initial_sync"]["options"].keys() == {one.value for one in InitialSync}
    assert found["report_kind"]["options"].keys() == {one.value for one in ReportKind}
    assert found.keys() <= texts() | {text for keys, text in leaves(SERVICES) if keys[-1] == "translation_key"}


async def test_actions(hass: HomeAssistant, enable_custom_integrations: None) -> None:
    """Each action and each of its fields has a name, a description, and a selector; nothing else has."""
    assert await async_setup_component(hass, DOMAIN, {})
    registered = hass.services.async_services_for_domain(DOMAIN)
    assert SERVICES.keys() == ENGLISH["services"].keys() == ICONS["services"].keys() == registered.keys()
    service._SERVICES_SCHEMA(SERVICES)
    for name, one in registered.items():
        described_fields, fields = ENGLISH["services"][name], _fields(SERVICES[name])
        assert {"name", "description"} <= described_fields.keys(), name
        assert described_fields.get("fields", {}).keys() == fields.keys() == _asked(one.schema), name
        for key, field in fields.items():
            assert described_fields["fields"][key].keys() >= {"name", "description"}, (name, key)
            validate_selector(field["selector"])
            assert field.get("required", False) == (key in _asked(one.schema, required=True)), (name, key)


async def test_triggers(hass: HomeAssistant) -> None:
    """Each trigger and each of its fields has a name, a description, and a selector; nothing else has."""
    made = await async_get_triggers(hass)
    assert TRIGGERS.keys() == ENGLISH["triggers"].keys() == ICONS["triggers"].keys() == made.keys()
    for name, trigger in TRIGGERS.items():
        words = ENGLISH["triggers"][name]
        assert {"name", "description"} <= words.keys(), name
        assert words["fields"].keys() == trigger["fields"].keys()
        assert {"options": dict.fromkeys(trigger["fields"], "x")} == await made[name].async_validate_config(
            hass, {"options": dict.fromkeys(trigger["fields"], "x")}
        )
        for key, field in trigger["fields"].items():
            assert words["fields"][key].keys() == {"name", "description"}, (name, key)
            validate_selector(field["selector"])


def _fields(action: dict[str, Any]) -> dict[str, Any]:
    """Return an action's fields, those in sections too."""
    found: dict[str, Any] = {}
    for key, field in (action or {}).get("fields", {}).items():
        found |= field.get("fields", {key: field})
    return found


def _asked(schema: Any, *, required: bool = False) -> set[str]:
    """Return the fields that an action takes, or must have."""
    while isinstance(schema, probatio.All):
        schema = schema.validators[0]
    keys = schema.schema if schema else {}
    return {str(key) for key in keys if not required or isinstance(key, probatio.Required)}
