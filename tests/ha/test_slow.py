"""A Jellyfin whose every page takes a minute: people are told what helps, until it helped (pitfall 50)."""

from datetime import timedelta

import pytest

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.hub import hub_of

from .conftest import House
from .translations import ENGLISH

MINUTE = timedelta(minutes=1)


def issue(hass: HomeAssistant, entry: ConfigEntry) -> ir.IssueEntry | None:
    """Return the issue of a slow server."""
    return ir.async_get(hass).async_get_issue(DOMAIN, f"slow_pages_{entry.entry_id}")


@pytest.fixture
def pages(house: House, monkeypatch: pytest.MonkeyPatch) -> dict[str, timedelta]:
    """Return how long a page takes on each server, by a clock that stands still otherwise."""
    taken = dict.fromkeys(house.places, timedelta())
    for kind, place in house.places.items():

        async def wait(_start: int, kind: str = kind) -> None:
            house.passed += taken[kind]

        monkeypatch.setattr(place.simulator, "before_page", wait)
    monkeypatch.setattr("custom_components.plex_watchsync.helpers.utcnow", house.clock)
    return taken


async def test_what_helps_a_slow_jellyfin(house: House, pages: dict[str, timedelta]) -> None:
    """The task is named as Jellyfin names it; the issue stays while nothing shows that it is quick, and goes when a whole listing was."""
    pages["jellyfin"] = MINUTE
    entry = await house.add("jellyfin")
    found = issue(house.hass, entry)
    assert found is not None
    assert (found.translation_key, found.translation_placeholders) == ("slow_pages", {"server": "Attic"})
    assert '"Optimize database"' in ENGLISH["issues"]["slow_pages"]["description"]
    pages["jellyfin"] = timedelta()
    await entry.runtime_data.async_refresh()
    assert issue(house.hass, entry) is found
    await hub_of(house.hass).sync(Run())
    assert issue(house.hass, entry) is None


async def test_a_slow_server_that_is_removed(house: House, pages: dict[str, timedelta]) -> None:
    """Its issue goes with it."""
    pages["jellyfin"] = MINUTE
    entry = await house.add("jellyfin")
    assert issue(house.hass, entry)
    await house.hass.config_entries.async_remove(entry.entry_id)
    assert issue(house.hass, entry) is None


@pytest.mark.parametrize("kind", ["plex", "emby"])
async def test_others_are_just_slow(house: House, pages: dict[str, timedelta], kind: str) -> None:
    """Nobody knows what would help them."""
    pages[kind] = MINUTE
    assert issue(house.hass, await house.add(kind)) is None
