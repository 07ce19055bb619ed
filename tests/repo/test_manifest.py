"""The manifest holds to what Home Assistant and its stores ask of a custom integration.

The official validator is not packaged anywhere; these are the rules of it that bind custom integrations.
"""

import json
import re
from pathlib import Path

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy

from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration

from custom_components.plex_watchsync.const import DOMAIN

from .code import MANIFEST, PACKAGE, imported_components

ROOT = PACKAGE.parents[1]
KNOWN = {
    "after_dependencies",
    "codeowners",
    "config_flow",
    "dependencies",
    "dhcp",
    "documentation",
    "domain",
    "homekit",
    "import_executor",
    "integration_type",
    "iot_class",
    "issue_tracker",
    "loggers",
    "mqtt",
    "name",
    "quality_scale",
    "requirements",
    "single_config_entry",
    "ssdp",
    "usb",
    "version",
    "zeroconf",
}
VERSIONS = [
    AwesomeVersionStrategy.CALVER,
    AwesomeVersionStrategy.SEMVER,
    AwesomeVersionStrategy.SIMPLEVER,
    AwesomeVersionStrategy.BUILDVER,
    AwesomeVersionStrategy.PEP440,
]
PLATFORMS = {"binary_sensor", "button", "calendar", "event", "image", "sensor", "switch", "todo"}
ALWAYS_THERE = {"diagnostics", "repairs", "system_health", "logbook", "backup", "llm", "persistent_notification", "recorder"}
"""Platforms' own components and those that Home Assistant loads by what an integration has."""


def test_keys() -> None:
    """They are known, and stand in the order that is asked for."""
    assert MANIFEST.keys() <= KNOWN
    rest = [key for key in MANIFEST if key not in {"domain", "name"}]
    assert list(MANIFEST) == ["domain", "name", *sorted(rest)]


def test_values() -> None:
    """Each has a value that is allowed."""
    assert MANIFEST["domain"] == DOMAIN == PACKAGE.name
    assert AwesomeVersion(MANIFEST["version"], ensure_strategy=VERSIONS)
    assert MANIFEST["documentation"].startswith("https://")
    assert "home-assistant.io" not in MANIFEST["documentation"]
    assert MANIFEST["issue_tracker"].startswith("https://")
    assert MANIFEST["integration_type"] in {"device", "entity", "hardware", "helper", "hub", "service", "system"}
    assert MANIFEST["iot_class"] in {"assumed_state", "calculated", "cloud_polling", "cloud_push", "local_polling", "local_push"}
    assert MANIFEST["codeowners"]
    assert all(re.fullmatch(r"@[\w-]+(?:/[\w-]+)?", owner) for owner in MANIFEST["codeowners"])
    assert MANIFEST["requirements"] == []  # nothing is installed for it
    assert MANIFEST["config_flow"] is (PACKAGE / "config_flow.py").exists()


def test_dependencies() -> None:
    """Each component that is imported is one that is loaded before, and each that is named is needed."""
    named = {*MANIFEST["dependencies"], *MANIFEST.get("after_dependencies", ())}
    assert imported_components() - PLATFORMS - ALWAYS_THERE <= named
    assert set(MANIFEST["dependencies"]) - imported_components() <= {"http"}  # what a webhook hangs on


def test_versions_agree() -> None:
    """The store's file names the oldest Home Assistant that it runs on."""
    hacs = json.loads((ROOT / "hacs.json").read_text())
    assert hacs.keys() <= {
        "name",
        "homeassistant",
        "hacs",
        "filename",
        "zip_release",
        "content_in_root",
        "hide_default_branch",
        "persistent_directory",
        "country",
        "render_readme",
    }
    assert hacs["name"] == MANIFEST["name"]
    assert AwesomeVersion(hacs["homeassistant"]) >= AwesomeVersion("2026.10.0")


def test_languages_only() -> None:
    """A custom integration has its texts in translations only; the file that core builds from is none of ours."""
    assert not (PACKAGE / "strings.json").exists()
    assert Path(PACKAGE / "translations" / "en.json").exists()


async def test_home_assistant_loads_it(hass: HomeAssistant, enable_custom_integrations: None) -> None:
    """It takes the manifest as it is."""
    integration = await async_get_integration(hass, DOMAIN)
    assert (integration.domain, integration.version, integration.config_flow) == (DOMAIN, MANIFEST["version"], True)
    assert integration.has_services
    assert integration.has_translations
    assert not integration.disabled
