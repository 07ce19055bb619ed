"""Titles without ids, matched by name through Home Assistant (I6)."""

from dataclasses import replace
from typing import Any

from homeassistant.config_entries import ConfigEntry

from custom_components.plex_watchsync.helpers import household_entry
from simulators.base import Act
from simulators.catalogue import Show, Title

from .conftest import FILM, House
from .flows import Walk

HOLIDAYS = Title("Holidays in Oslo", 2015, {}, 1860, "Movies", "Home/Holidays in Oslo.mkv")
MEETING = Title("Family meeting", 2014, {}, 1500, "Movies", "Home/VID_0001.mp4")
PILOT = Title("Beginnings", 2015, {}, 1860, "Shows", "Shows/Home/Season 01/S01E01.mkv", Show("Home", 2015, {}), 1, 1)
OTHER_PILOT = Title("Openings", 2015, {}, 1860, "Shows", "Shows/Work/Season 01/S01E01.mkv", Show("Work", 2015, {}), 1, 1)
SPECIAL = Title("Making of it all", 2015, {}, 1860, "Shows", "Shows/Home/Specials/Making of it all.mkv", Show("Home", 2015, {}), 0, 1)


async def put(house: House, title: Title, *kinds: str) -> None:
    """Put a title on the shelves of some servers, or all."""
    for kind in kinds or house.places:
        await house.places[kind].simulator.add(title)


async def choose(house: House, entry: ConfigEntry, **options: bool) -> None:
    """Choose options in their form."""
    manager = house.hass.config_entries.options
    await Walk(house.hass, manager, await manager.async_init(entry.entry_id)).keep(**options)
    await house.settle()


async def read_whole(house: House, **data: Any) -> Any:
    """Read everything on all servers."""
    household = household_entry(house.hass)
    assert household is not None
    return await house.call("sync", config_entry_id=household.entry_id, **data)


def watched(house: House, title: Title) -> list[str]:
    """Return where a title is watched."""
    found = ((kind, row) for kind, place in house.places.items() for row in place.simulator.shown("anna"))
    return [kind for kind, row in found if row.key == title.key and row.played]


async def test_a_home_video_travels_once_both_servers_allow_it(house: House) -> None:
    """I6: off by default; by file name here. It is weak in reports, in what a dry run says, in an explanation and in the journal."""
    await put(house, HOLIDAYS)
    await put(house, MEETING, "plex", "emby")
    entries = await house.add_all()
    await house.places["plex"].act(Act.MARK_WATCHED, HOLIDAYS)
    for kind in ("plex", "emby"):
        assert house.state("sensor.cellar_unmatched_items") == "2"
        assert watched(house, HOLIDAYS) == ["plex"]
        assert (await house.call("get_report", kind="weak"))["total"] == 0
        await choose(house, entries[kind], match_by_file_name=True)
        await read_whole(house)
    assert watched(house, HOLIDAYS) == ["plex", "emby"]
    assert house.state("sensor.cellar_unmatched_items") == "0"
    assert house.state("sensor.attic_unmatched_items") == "1"
    meeting, row = (await house.call("get_report", kind="weak"))["items"]
    assert meeting["title"] == MEETING.name
    assert (row["title"], row["weak"], row["ids"], row["watched"]) == (HOLIDAYS.name, True, {}, True)
    media = {"config_entry_id": entries["emby"].entry_id, "item_id": row["servers"]["Cellar"]["item_ids"][0]}
    [explained] = (await house.call("explain", media=media))["items"]
    assert explained["weak"]
    assert [copy["weak"] for copy in explained["copies"]] == [True, True]
    written = [one for one in (await house.call("get_journal", kind="operation"))["entries"] if one["media"] == "Holidays in Oslo (2015)"]
    assert [(one["outcome"], one["server"], one["weak"]) for one in written] == [("written", "Cellar", "yes")]
    house.places["plex"].simulator.stock("anna", MEETING.key, played=True, count=1)
    planned = (await read_whole(house, dry_run=True))["changes"]
    assert [(one["kind"], one["server"], one["weak"]) for one in planned if "weak" in one] == [("mark_watched", "Cellar", True)]


async def test_what_has_ids_is_found_by_the_name_of_what_has_none(house: House) -> None:
    """I6: the hour's poll reads whole libraries for it; the third server's copy follows by its ids, though no name counts there."""
    await put(house, replace(FILM, ids={}, name="Holidays", path="Home/Holidays.mkv"), "plex")
    await put(house, replace(FILM, ids={"tmdb": "77"}, name="Holidays", path="Movies/Holidays.mkv"), "emby")
    await put(house, replace(FILM, ids={"tmdb": "77"}, name="Ferien", path="Movies/Ferien.mkv"), "jellyfin")
    entries = await house.add_all()
    for kind in ("plex", "emby"):
        await choose(house, entries[kind], match_by_title=True)
    await read_whole(house)
    await house.places["plex"].simulator.act("anna", f"Holidays ({FILM.year})", Act.MARK_WATCHED)
    await house.later(3700)
    await read_whole(house)
    seen = {kind: [row.key for row in place.simulator.shown("anna") if row.played] for kind, place in house.places.items()}
    assert seen == {"plex": [f"Holidays ({FILM.year})"], "emby": [f"Holidays ({FILM.year})"], "jellyfin": [f"Ferien ({FILM.year})"]}


async def test_names_of_many_match_nothing(house: House) -> None:
    """I6, pitfalls 18 and 20: `S01E01.mkv` of two shows, a special, a file name without words whose title differs."""
    await put(house, PILOT, "plex")
    await put(house, OTHER_PILOT, "emby", "jellyfin")
    await put(house, SPECIAL)
    await put(house, replace(MEETING, path="Home/0001.mp4"), "plex")
    await put(house, replace(MEETING, name="Another meeting", path="Home/0001.mp4"), "emby", "jellyfin")
    for entry in (await house.add_all()).values():
        await choose(house, entry, match_by_file_name=True, match_by_title=True)
    for title in (PILOT, SPECIAL, MEETING):
        await house.places["plex"].act(Act.MARK_WATCHED, title)
    for _read in range(2):
        await read_whole(house)
    assert watched(house, PILOT) == watched(house, SPECIAL) == watched(house, MEETING) == ["plex"]
    assert not any(row.played for row in house.places["emby"].simulator.shown("anna"))
    assert [row["title"] for row in (await house.call("get_report", kind="unmatched"))["items"]].count(SPECIAL.name) == 3


async def test_switched_off_nothing_is_written(house: House) -> None:
    """I6: titles that only a name held together part as they are, and go their own ways."""
    await put(house, HOLIDAYS)
    entries = await house.add_all()
    for entry in entries.values():
        await choose(house, entry, match_by_title=True)
    await house.places["plex"].act(Act.MARK_WATCHED, HOLIDAYS)
    await read_whole(house)
    assert watched(house, HOLIDAYS) == ["plex", "jellyfin", "emby"]
    await choose(house, entries["emby"], match_by_title=False)
    planned = (await read_whole(house, dry_run=True))["changes"]
    assert planned == []
    await read_whole(house)
    assert watched(house, HOLIDAYS) == ["plex", "jellyfin", "emby"]
    assert [sorted(known for known, one in row["servers"].items() if one) for row in (await house.call("get_report", kind="weak"))["items"]] == [
        ["Attic", "Study"]
    ]
    await house.places["emby"].act(Act.MARK_UNWATCHED, HOLIDAYS)
    await read_whole(house)
    assert watched(house, HOLIDAYS) == ["plex", "jellyfin"]


async def test_the_preview_marks_what_a_name_holds(house: House) -> None:
    """G1, I6: an account is added to a server that matches by name; what it would write to such a title is marked."""
    await put(house, HOLIDAYS)
    entries = await house.add_all()
    for entry in entries.values():
        await choose(house, entry, match_by_title=True)
    await house.places["emby"].simulator.act("ben", HOLIDAYS.key, Act.MARK_WATCHED)
    manager = house.hass.config_entries.subentries
    shown = await manager.async_init((entries["emby"].entry_id, "account"), context={"source": "user"})
    walk = Walk(house.hass, manager, shown)
    for _form in range(9):
        if (walk.shown.get("step_id")) == "preview":
            break
        await walk.keep(**({"viewer": "anna"} if walk.shown.get("step_id") == "account" else {}))
    assert "Holidays in Oslo (2015) ≈" in walk.shown["description_placeholders"]["servers"]
