"""The journal as people and automations see it: `get_journal`."""

from typing import Any

import pytest

from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.exceptions import ServiceValidationError

from custom_components.plex_watchsync.hub import HUB
from simulators.base import Act

from .conftest import FILM, OTHER, House
from .flows import Walk


async def lines(house: House, **asked: Any) -> list[dict[str, Any]]:
    """Return what the action answers."""
    answer = await house.call("get_journal", **asked)
    entries: list[dict[str, Any]] = answer["entries"]
    return entries


async def test_what_was_watched_is_found_by_every_filter(house: House) -> None:
    """G5: the change, its writes, by server, viewer, kind, outcome, event and text."""
    entries = await house.add_all()
    await house.places["plex"].act(Act.MARK_WATCHED)
    run = await house.call("sync", config_entry_id=entries["plex"].entry_id)
    (change,) = await lines(house, kind="change", run_id=run["run_id"])
    assert (change["server"], change["viewer"], change["event"], change["outcome"]) == ("Study", "anna", "watched", "agreed")
    assert change["media"] == str(FILM.key)
    assert change["reading"]["watched"] is True
    assert (change["before"]["watched"], change["after"]["watched"]) == (False, True)
    assert [one["change_id"] for one in await lines(house, change_id=change["change_id"])] == [change["change_id"]]
    written = await lines(house, server="attic", outcome="written", event="mark_watched", viewer="Anna")
    assert [one["media"] for one in written] == [str(FILM.key)]
    by_entry = await lines(house, config_entry_id=entries["jellyfin"].entry_id, text=FILM.key.upper(), kind="operation")
    assert by_entry == written
    household = next(entry for entry in house.hass.config_entries.async_entries("plex_watchsync") if entry.title == "Household")
    assert await lines(house, config_entry_id=household.entry_id) == await lines(house)
    assert not await lines(house, since="2999-01-01 00:00:00")
    assert not await lines(house, until="2001-01-01T00:00:00+00:00")


async def test_it_is_paged(house: House) -> None:
    """The cursor of one answer is where the next goes on."""
    entry = await house.add("plex")
    for title in (FILM, OTHER):
        await house.places["plex"].act(Act.MARK_WATCHED, title)
        await house.call("sync", config_entry_id=entry.entry_id)
    all_lines = await lines(house)
    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = await house.call("get_journal", limit=1, **cursor)
        found += answer["entries"]
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert found == all_lines
    assert len(found) >= 4


async def test_unknown_names_are_told(house: House) -> None:
    await house.add("plex")
    with pytest.raises(ServiceValidationError, match="no server called Nowhere"):
        await lines(house, server="Nowhere")
    with pytest.raises(ServiceValidationError, match="nobody"):
        await lines(house, viewer="nobody")


async def test_it_is_on_disk_when_home_assistant_stops(house: House, hass_storage: dict[str, Any]) -> None:
    """What is only in memory is written at the stop; a later start finds it."""
    entry = await house.add("plex")
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.call("sync", config_entry_id=entry.entry_id)
    house.hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await house.settle()
    rows = hass_storage["plex_watchsync/journal/000000"]["data"]
    assert FILM.key in str(rows)
    assert len(rows) == len(list(house.hass.data[HUB].journal))


async def test_its_bounds_are_options(house: House) -> None:
    """`journal_days` and `journal_entries` of the household."""
    await house.add("plex")
    household = next(entry for entry in house.hass.config_entries.async_entries("plex_watchsync") if entry.title == "Household")
    walk = Walk(house.hass, house.hass.config_entries.options, await house.hass.config_entries.options.async_init(household.entry_id))
    await walk.keep(journal_days=7, journal_entries=500)
    await house.settle()
    journal = house.hass.data[HUB].journal
    assert (journal.days, journal.entries) == (7, 500)
