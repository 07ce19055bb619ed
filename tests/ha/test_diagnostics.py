"""Diagnostics: enough to find a fault, nothing that is anybody's business."""

import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.components.diagnostics import get_diagnostics_for_config_entry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.config_entries import ConfigEntry
from homeassistant.setup import async_setup_component

from custom_components.plex_watchsync.helpers import account_subentries, household_entry
from simulators.base import Act

from .conftest import TITLES, House


def secrets(entries: dict[str, ConfigEntry]) -> set[str]:
    """Return what must stand nowhere: tokens, webhook ids, ids of users and devices, addresses."""
    found = set()
    for entry in entries.values():
        for data in (entry.data, *(account.data for account in account_subentries(entry))):
            found |= {str(data[name]) for name in ("token", "webhook_id", "device_id", "url", "username", "user_id") if data.get(name)}
    return {one for one in found if len(one) > 1}  # the owner of a Plex server is called 1


@pytest.mark.parametrize("which", ["plex", "jellyfin", "emby", "household"])
async def test_no_secret_and_no_title(house: House, hass_client: ClientSessionGenerator, which: str) -> None:
    """Neither a token, a webhook id, an address, a person nor a title, whatever happened before."""
    entries = await house.add_all()
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.call("sync", config_entry_id=entries["plex"].entry_id)
    house.places["emby"].simulator.faults.status = 401
    await house.later(3700)
    entry = household_entry(house.hass) if which == "household" else entries[which]
    assert entry is not None
    assert await async_setup_component(house.hass, "diagnostics", {})
    found: Any = await get_diagnostics_for_config_entry(house.hass, hass_client, entry)
    text = json.dumps(found)
    assert not [secret for secret in secrets(entries) if secret in text]
    assert not [title.name for title in TITLES if title.name in text]
    assert "anna" not in text
    (viewer,) = found["viewers"]
    assert viewer["items"] == len(TITLES)
    assert len(viewer["accounts"]) == 3
    if which == "emby":
        assert (found["server"]["status"], "401" in found["server"]["problem"]) == ("error", True)
    if which == "household":
        assert "server" not in found
    else:
        assert found["webhook"]["state"] == ("manual" if which == "plex" else "unreachable")


async def test_an_entry_that_could_not_be_set_up_has_diagnostics(house: House, hass_client: ClientSessionGenerator) -> None:
    """Just then they are needed."""
    entry = await house.add("plex")
    house.places["plex"].simulator.faults.offline = True
    await house.hass.config_entries.async_reload(entry.entry_id)
    assert await async_setup_component(house.hass, "diagnostics", {})
    found: Any = await get_diagnostics_for_config_entry(house.hass, hass_client, entry)
    assert found["entry"]["data"]["kind"] == "plex"
    assert "server" not in found


async def test_webhooks_are_listed(house: House, hass_client: ClientSessionGenerator, hass_client_no_auth: ClientSessionGenerator) -> None:
    """What came in, when, and what became of it."""
    assert await async_setup_component(house.hass, "diagnostics", {})
    entry, client = await house.add("plex"), await hass_client_no_auth()
    await client.post(f"/api/webhook/{entry.data['webhook_id']}", data=b"nonsense")
    found: Any = await get_diagnostics_for_config_entry(house.hass, hass_client, entry)
    assert [(note["outcome"], note["reason"]) for note in found["events"]] == [("failed", "the body is not JSON")]
