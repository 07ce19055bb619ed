"""README tells of all there is, and what it shows works."""

import re
from typing import Any

import pytest

from homeassistant.const import CONF_OPTIONS
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict, parse_yaml

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.helpers import utcnow
from custom_components.plex_watchsync.service_media import MEDIA, _selection
from custom_components.plex_watchsync.trigger import async_get_triggers
from tests.engine.fakes import MemoryDocuments

from .code import ENGLISH, PACKAGE

README = (PACKAGE.parents[1] / "README.md").read_text()
TABLES = "\n".join(line for line in README.splitlines() if line.startswith("|"))
EXAMPLES: list[Any] = [parse_yaml(text) for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "actions:" in text]
TITLES = [line.partition("#")[0] for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "actions:" not in text for line in text.splitlines()]


@pytest.mark.parametrize("file", ["services.yaml", "triggers.yaml"])
def test_every_action_and_trigger_is_told_of(file: str) -> None:
    """Each stands in a table; none stands there that does not exist."""
    kind = TABLES.partition("| action | does |")[(file == "services.yaml" and 2) or 0]
    told = set(re.findall(rf"`{DOMAIN}\.(\w+)`", kind))
    assert told == load_yaml_dict(str(PACKAGE / file)).keys()


def test_every_entity_is_told_of() -> None:
    """By the name that it has for people."""
    names = [entity["name"].casefold() for entities in ENGLISH["entity"].values() for entity in entities.values()]
    assert [name for name in names if f"*{name}*" not in TABLES] == []


@pytest.mark.parametrize("step", ["server", "household"])
def test_every_option_is_told_of(step: str) -> None:
    """By the first words of its name."""
    names = [re.split(r" from | for | let ", name.casefold())[0] for name in ENGLISH["options"]["step"][step]["data"].values()]
    assert [name for name in names if name not in TABLES.casefold()] == []


async def test_every_example_works(hass: HomeAssistant, enable_custom_integrations: None) -> None:
    """Its actions take what they are given, and its triggers too."""
    assert await async_setup_component(hass, DOMAIN, {})
    actions, triggers = hass.services.async_services_for_domain(DOMAIN), await async_get_triggers(hass)
    seen = 0
    for example in EXAMPLES:
        for step in example["actions"]:
            domain, _, name = step["action"].partition(".")
            if domain == DOMAIN:
                seen += 1
                schema = actions[name].schema
                assert schema is not None
                schema(step.get("data", {}))
        for trigger in example.get("triggers", ()):
            domain, _, name = trigger["trigger"].partition(".")
            if domain == DOMAIN:
                await triggers[name].async_validate_config(hass, {CONF_OPTIONS: trigger.get("options", {})})
    assert seen > 6


@pytest.mark.parametrize("line", TITLES)
async def test_every_way_to_name_a_title_is_one(hass: HomeAssistant, line: str) -> None:
    """As the actions take it."""
    _selection(hass, ViewerSync("anna", MemoryDocuments(), utcnow), MEDIA(parse_yaml(line)))
