"""Actions on titles, against three simulated servers."""

from typing import Any

import probatio
import pytest

from homeassistant.exceptions import ServiceValidationError

from custom_components.plex_watchsync.const import DOMAIN
from simulators.base import Act
from simulators.catalogue import Title

from .conftest import FILM, OTHER, TITLES, House

EPISODES = [title for title in TITLES if title.show]


def ids(title: Title) -> dict[str, Any]:
    """Name a title as an automation would."""
    if title.show is None:
        return {"imdb": title.ids["imdb"]}
    return {"show": {"tvdb": title.show.ids["tvdb"]}, "season": title.season, "episode": title.episode}


def played(house: House, title: Title) -> set[bool]:
    """Return what the servers show."""
    return {place.shown(title).played for place in house.places.values()}


async def test_mark_and_unmark(house: House) -> None:
    """By ids, by show, season and episode, for a season, for a show, by a server's own id, by an entity."""
    entries = await house.add_all()
    answer = await house.call("mark_watched", media=ids(FILM))
    assert played(house, FILM) == {True}
    assert played(house, OTHER) == {False}
    assert answer["items"] == 1
    assert {name: counts["written"] for name, counts in answer["servers"].items()} == {"Study": 1, "Attic": 1, "Cellar": 1}
    assert answer["changes"][0] == {"kind": "watched", "media": FILM.key, "server": None, "reason": "mark_watched by action"}
    assert house.state("sensor.anna_last_watched") == FILM.key
    await house.call("mark_unwatched", media="sensor.anna_last_watched", viewer="Anna")
    assert played(house, FILM) == {False}
    await house.call("mark_watched", media=ids(EPISODES[0]))
    assert [played(house, title) for title in EPISODES] == [{True}, {False}, {False}, {False}]
    await house.call("mark_unwatched", media={"entity_id": "sensor.anna_last_watched"})
    await house.call("mark_watched", media={"show": EPISODES[0].show.ids, "season": 2})  # type: ignore[union-attr]  # it is an episode
    assert [played(house, title) for title in EPISODES] == [{False}, {False}, {True}, {True}]
    await house.call("mark_watched", media={"show": EPISODES[0].show.ids}, config_entry_id=entries["plex"].entry_id)  # type: ignore[union-attr]  # the same
    assert all(played(house, title) == {True} for title in EPISODES)
    await house.call("mark_unwatched", media={"config_entry_id": entries["emby"].entry_id, "item_id": house.places["emby"].shown(EPISODES[1]).item_id})
    assert [played(house, title) for title in EPISODES] == [{True}, {False}, {True}, {True}]
    await house.call("mark_unwatched", media={"tvdb": int(EPISODES[0].ids["tvdb"]), "type": "episode"})
    assert played(house, EPISODES[0]) == {False}


async def test_set_progress(house: House) -> None:
    """Seconds from the start, on every server."""
    await house.add_all()
    await house.call("set_progress", media=ids(FILM), position=1200)
    assert {place.shown(FILM).position for place in house.places.values()} == {1200}
    with pytest.raises(probatio.Invalid):
        await house.call("set_progress", media=ids(FILM), position=10**30)


async def test_a_position_has_bounds(house: House) -> None:
    """As in the form; what no film is long enough for would be too much for the disk too."""
    await house.add("plex")
    for position in (-1, 86_401, 10**30):
        with pytest.raises(probatio.Invalid):
            await house.call("set_progress", media=ids(FILM), position=position)


@pytest.mark.parametrize(
    "attributes",
    [
        {"ids": [1, 2]},
        {"ids": {"imdb": "tt0000042"}},
        {"ids": {"imdb": "tt0000042"}, "media_type": "music"},
        {"ids": {"imdb": None}, "media_type": "movie"},
        {"ids": {}, "show_ids": 7, "media_type": "episode", "season": 1, "episode": 1},
    ],
)
async def test_an_entity_of_somebody_else(house: House, attributes: dict[str, Any]) -> None:
    """Whatever its attributes are: a translated error."""
    await house.add("plex")
    house.hass.states.async_set("sensor.foreign", "x", attributes)
    with pytest.raises(ServiceValidationError) as refused:
        await house.call("mark_watched", media="sensor.foreign")
    assert refused.value.translation_key == "invalid_media"


@pytest.mark.parametrize(
    ("media", "key"),
    [
        ({"imdb": "tt0000042"}, "unknown_media"),
        ({"show": {"tvdb": "42"}}, "unknown_media"),
        ({"config_entry_id": "nobody", "item_id": 7}, "unknown_media"),
        ("sensor.study_items", "unknown_media"),
        ({"entity_id": "sensor.nothing"}, "unknown_media"),
        ({}, "unknown_media"),
        ("nonsense", "invalid_media"),
        ({"item_id": "7"}, "invalid_media"),
        ({"show": "tt1"}, "invalid_media"),
        ({"show": {}}, "invalid_media"),
        ({"show": {"tvdb": "1"}, "episode": 1}, "invalid_media"),
        ({"show": {"tvdb": "1"}, "season": "one"}, "invalid_media"),
        ({"tmdb": "1", "type": "song"}, "invalid_media"),
    ],
)
async def test_what_is_not_there(house: House, media: Any, key: str) -> None:
    """A translated error names what was looked for; nothing is marked."""
    await house.add("plex")
    with pytest.raises(ServiceValidationError) as refused:
        await house.call("mark_watched", media=media)
    assert refused.value.translation_key == key
    assert refused.value.translation_placeholders is not None
    wanted = media if isinstance(media, str) else str(next(iter(media.values()), ""))
    assert wanted.strip("{}'").split("'")[0] in refused.value.translation_placeholders["media"]


async def test_whose_it_is(house: House) -> None:
    """The viewer may be left out when there is one."""
    await house.add("plex")
    with pytest.raises(ServiceValidationError, match="There is no viewer called Zoe"):
        await house.call("mark_watched", media=ids(FILM), viewer="Zoe")
    house.hass.data[DOMAIN].viewers["another"] = None
    with pytest.raises(ServiceValidationError, match="more than one viewer"):
        await house.call("mark_watched", media=ids(FILM))
    del house.hass.data[DOMAIN].viewers["another"]


async def test_search(house: House) -> None:
    """By words, by ids; what each server shows; page by page."""
    entries = await house.add_all()
    house.places["plex"].simulator.faults.offline = True
    await house.call("mark_watched", media=ids(FILM))
    answer = await house.call("search", text=FILM.name.upper())
    assert (answer["total"], answer["next_cursor"]) == (1, None)
    row = answer["items"][0]
    assert (row["title"], row["media_type"], row["ids"]["imdb"], row["watched"]) == (FILM.name, "movie", FILM.ids["imdb"], True)
    assert (row["ambiguous"], row["ignored"]) == (False, False)
    assert {name: (shown["watched"], shown["in_step"], shown["pending"]) for name, shown in row["servers"].items()} == {
        "Study": (False, False, True),
        "Attic": (True, True, False),
        "Cellar": (True, True, False),
    }
    assert row["servers"]["Cellar"]["item_ids"] == [house.places["emby"].shown(FILM).item_id]
    assert (await house.call("search", media=ids(FILM)))["items"] == [row]
    first = await house.call("search", limit=4)
    second = await house.call("search", limit=500, cursor=first["next_cursor"], config_entry_id=entries["emby"].entry_id)
    assert (first["total"], len(first["items"]), len(second["items"])) == (len(TITLES), 4, len(TITLES) - 4)
    with pytest.raises(ServiceValidationError, match="was not given out"):
        await house.call("search", cursor="x")


async def test_get_report(house: House) -> None:
    """Counts of all kinds, and the list of one."""
    await house.add_all()
    house.places["jellyfin"].simulator.faults.offline = True
    await house.call("mark_watched", media=ids(FILM))
    counts = (await house.call("get_report"))["counts"]
    assert counts == {"partial": 0, "unmatched": 0, "ambiguous": 0, "weak": 0, "duplicates": 0, "disagreeing": 1, "ignored": 0}
    answer = await house.call("get_report", kind="disagreeing")
    assert [row["title"] for row in answer["items"]] == [FILM.name]
    assert await house.call("get_report", kind="unmatched") == {"items": [], "total": 0, "next_cursor": None}


async def test_ignore(house: House) -> None:
    """I8: an ignored show travels no more, whatever is done to it where; until it is let in again."""
    await house.add_all()
    show = EPISODES[0].show
    assert show is not None
    answer = await house.call("ignore", media={"show": {"tmdb": show.ids["tmdb"]}})
    assert answer == {"items": len(EPISODES), "ignored": [show.name]}
    await house.places["plex"].act(Act.MARK_WATCHED, EPISODES[0])
    await house.call("ignore", media=ids(FILM))
    await house.places["emby"].act(Act.MARK_WATCHED, FILM)
    for entry in house.hass.config_entries.async_loaded_entries(DOMAIN):
        await house.call("sync", config_entry_id=entry.entry_id)
    assert played(house, EPISODES[0]) == played(house, FILM) == {True, False}
    with pytest.raises(ServiceValidationError, match="left alone"):
        await house.call("mark_watched", media=ids(FILM))
    with pytest.raises(ServiceValidationError, match="not ignored by itself"):
        await house.call("unignore", media=ids(EPISODES[0]))
    assert (await house.call("get_report"))["counts"]["ignored"] == len(EPISODES) + 1
    assert await house.call("unignore", media={"show": show.ids}) == {"items": len(EPISODES), "ignored": [FILM.key]}
    assert await house.call("unignore", media=ids(FILM)) == {"items": 1, "ignored": []}
    for entry in house.hass.config_entries.async_loaded_entries(DOMAIN):
        await house.call("sync", config_entry_id=entry.entry_id)
    assert played(house, EPISODES[0]) == played(house, FILM) == {True}


async def test_explain(house: House) -> None:
    """Readings, ids, the rule that won, what waits and what would happen next, in plain values."""
    entries = await house.add_all()
    house.places["jellyfin"].simulator.faults.offline = True
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.call("sync", config_entry_id=entries["plex"].entry_id)
    house.places["emby"].simulator.stock("anna", OTHER.key, played=True, count=1)  # and no webhook tells of it
    answer = await house.call("explain", media=ids(FILM))
    row = answer["items"][0]
    assert (answer["total"], row["title"], row["agreed"]["watched"]) == (1, FILM.name, True)
    assert row["decided"]["server"] == "Study"
    assert row["decided"]["rule"] == "R1 watched"
    shown = {copy["server"]: copy for copy in row["copies"]}
    assert shown["Study"]["ids"]["imdb"] == FILM.ids["imdb"]
    assert shown["Study"]["rule"] == "R1 as acknowledged"
    assert (shown["Study"]["shown"]["watched"], shown["Study"]["acknowledged"]["watched"]) == (True, True)
    assert shown["Attic"]["error"]
    assert (shown["Attic"]["shown"], shown["Attic"]["waiting"]["kind"]) == (None, "mark_watched")
    assert [note["kind"] for note in row["history"]].count("change") == 1
    other = (await house.call("explain", media=ids(OTHER)))["items"][0]
    assert not other["agreed"]["watched"]
    assert other["agreed"]["watched_since"] is None
    assert other["next"]["agreed"]["watched"]
    assert [write["kind"] for write in other["next"]["writes"]] == ["mark_watched"]
    assert played(house, OTHER) == {True, False}
    assert len((await house.call("explain", media={"show": EPISODES[0].show.ids}))["items"]) == len(EPISODES)  # type: ignore[union-attr]  # they are episodes
    await house.settle()
