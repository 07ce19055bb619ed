"""Saving and restoring a viewer's watch state, and standing still for Home Assistant's own backups."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events, async_fire_time_changed

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from custom_components.plex_watchsync import backups
from custom_components.plex_watchsync.backup import async_post_backup, async_pre_backup
from custom_components.plex_watchsync.const import DOMAIN, EVENT_SYNC_HELD
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.helpers import household_entry, viewer_subentries
from custom_components.plex_watchsync.hub import HUB
from simulators.base import Act

from .conftest import FILM, OTHER, TITLES, House
from .flows import below


@pytest.fixture
def folder(house: House, tmp_path: Path) -> Path:
    """Return where the backups go."""
    house.hass.config.config_dir = str(tmp_path)
    return tmp_path / DOMAIN / "backups"


async def all_played(house: House) -> set[str]:
    """Return what every server shows as watched."""
    return set.intersection(*({row.key for row in place.simulator.shown("anna") if row.played} for place in house.places.values()))


async def test_round_trip(house: House, folder: Path) -> None:
    """Backup, everything unwatched and forgotten, restore: first only said, then done."""
    await house.add_all()
    for title in TITLES[:3]:
        await house.call("mark_watched", media={"imdb": title.ids["imdb"]})
    await house.call("set_progress", media={"imdb": TITLES[4].ids["imdb"]}, position=1500)
    saved = (await house.call("backup"))["backups"]
    assert [(row["viewer"], Path(row["folder"]) / row["file"]) for row in saved] == [("anna", next(folder.iterdir()))]
    assert (folder / saved[0]["file"]).stat().st_mode & 0o077 == 0
    dates = [place.shown(FILM).date for place in house.places.values()]
    for entry in house.hass.config_entries.async_entries(DOMAIN):
        await house.hass.config_entries.async_remove(entry.entry_id)
    await house.settle()
    for place in house.places.values():
        for title in TITLES:
            place.simulator.stock("anna", title.key, played=False)
    await house.add_all()
    with pytest.raises(ServiceValidationError, match="no such backup"):
        await house.call("restore")
    preview = await house.call("restore", file=saved[0]["file"])
    assert (preview["dry_run"], preview["items"], preview["restored"], preview["saved_viewer"]) == (True, 4, 4, "anna")
    assert sum(row["kind"] == "mark_watched" for row in preview["changes"]) == 9
    assert await all_played(house) == set()
    done = await house.call("restore", file=saved[0]["file"], dry_run=False)
    assert (done["restored"], done["older"], done["left_alone"]) == (4, 0, 0)
    assert await all_played(house) == {title.key for title in TITLES[:3]}
    assert {place.shown(TITLES[4]).position for place in house.places.values()} == {1500}
    assert house.places["emby"].shown(FILM).date == dates[2]
    assert (await house.call("restore", file=saved[0]["file"], dry_run=False))["unchanged"] == 4


async def test_newer_acts_stay_unless_told(house: House, folder: Path) -> None:
    """The newest backup by default; what was watched since stays, or not."""
    await house.add("plex")
    film = {"imdb": FILM.ids["imdb"]}
    await house.call("mark_watched", media=film)
    await house.call("backup", viewer="anna")
    await house.call("mark_unwatched", media=film)
    assert (await house.call("restore", dry_run=False))["older"] == 1
    assert not house.places["plex"].shown().played
    assert (await house.call("restore", dry_run=False, ignore_date=True))["restored"] == 1
    assert house.places["plex"].shown().played


async def test_a_restore_is_undone(house: House, folder: Path) -> None:
    """G5: by the run that its answer names."""
    await house.add_all()
    film = {"imdb": FILM.ids["imdb"]}
    await house.call("mark_watched", media=film)
    await house.call("backup")
    await house.call("mark_unwatched", media=film)
    done = await house.call("restore", dry_run=False, ignore_date=True)
    assert await all_played(house) == {FILM.key}
    assert (await house.call("undo", run_id=done["run_id"]))["undone"] == 1
    assert not any(place.shown().played for place in house.places.values())


@pytest.mark.parametrize("choice", ["approve", "discard"])
async def test_a_restore_that_unwatches_a_lot_is_held(house: House, folder: Path, choice: str) -> None:
    """G2: it has an issue and an event like any other held run, and the same actions decide on it."""
    for title in TITLES:
        house.places["plex"].simulator.stock("anna", title.key, played=True, count=1)
    await house.add_all()
    household = household_entry(house.hass)
    assert household is not None
    await house.options(household, breaker_items=2)
    told = async_capture_events(house.hass, EVENT_SYNC_HELD)
    for title in TITLES[:3]:
        await house.call("mark_unwatched", media={"imdb": title.ids["imdb"]})
    await house.call("backup")
    for title in TITLES[:3]:
        await house.call("mark_watched", media={"imdb": title.ids["imdb"]})
    assert (await house.call("restore", ignore_date=True))["held"] == 3
    assert not told
    done = await house.call("restore", dry_run=False, ignore_date=True)
    assert (done["held"], done["restored"]) == (3, 0)
    assert len(await all_played(house)) == len(TITLES)
    assert [(event.data["run_id"], event.data["server"], event.data["reason"], event.data["count"]) for event in told] == [(done["run_id"], None, "restore", 3)]
    (issue,) = [issue for issue in ir.async_get(house.hass).issues.values() if issue.domain == DOMAIN]
    assert (issue.translation_key, issue.is_fixable) == ("held_restore", True)
    assert FILM.name in (issue.translation_placeholders or {})["titles"]
    assert house.state("sensor.study_status") == "idle"
    answer = await house.call(f"{choice}_held", run_id=done["run_id"])
    assert answer["held"][0]["count"] == 3
    assert answer["servers"].keys() <= {place.name for place in house.places.values()}
    assert len(await all_played(house)) == len(TITLES) - (3 if choice == "approve" else 0)
    assert not [issue for issue in ir.async_get(house.hass).issues.values() if issue.domain == DOMAIN]


@pytest.mark.parametrize(("content", "match"), [(b"{", "not JSON"), (b"\xff", "cannot be read"), (b'{"format": "x"}', "not a backup")])
async def test_a_broken_file_is_refused(house: House, folder: Path, content: bytes, match: str) -> None:
    """A clear error, and nothing of it is restored."""
    await house.add("plex")
    folder.mkdir(parents=True)
    (folder / "broken.json").write_bytes(content)
    with pytest.raises(ServiceValidationError, match=match):
        await house.call("restore", file="broken.json", dry_run=False)


@pytest.mark.parametrize("name", ["../../secrets.json", "/etc/passwd", "nothing.json"])
async def test_no_other_file_is_read(house: House, folder: Path, name: str) -> None:
    """A name is a name in the folder of the backups."""
    await house.add("plex")
    folder.mkdir(parents=True)
    (folder.parents[1] / "secrets.json").write_text("{}")
    with pytest.raises(ServiceValidationError, match="no such backup"):
        await house.call("restore", file=name)


async def test_a_full_disk(house: House, folder: Path) -> None:
    """It is said, not swallowed."""
    await house.add("plex")
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    with pytest.raises(HomeAssistantError, match="could not be written"):
        await house.call("backup")


async def test_on_a_schedule(house: House, folder: Path, freezer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Every so many days, counted from the newest; the oldest are removed; a failure is logged and tried again."""
    await house.add("plex")
    household = household_entry(house.hass)
    assert household is not None
    house.hass.config_entries.async_update_entry(household, options={"backup_interval_days": 2, "backup_keep": 3})
    await house.settle()
    assert len(list(folder.iterdir())) == 1

    async def pass_by(**time: float) -> list[str]:
        freezer.tick(timedelta(**time))
        async_fire_time_changed(house.hass, dt_util.utcnow())
        await house.settle()
        return sorted(path.name for path in folder.glob("*.json"))

    first = await pass_by(days=1, hours=23)
    assert len(first) == 1
    assert len(await pass_by(hours=2)) == 2
    for _ in range(3):
        names = await pass_by(days=2, hours=1)
    assert len(names) == 3
    assert first[0] not in names
    (folder / "mine.json").write_text("{}")
    assert "mine.json" in await pass_by(days=2, hours=1)
    house.hass.config.config_dir = str(folder / "mine.json")
    await pass_by(days=2, hours=1)
    assert "A backup could not be written" in caplog.text


async def test_no_schedule(house: House, folder: Path, freezer: Any) -> None:
    """0 days are never."""
    await house.add("plex")
    freezer.tick(timedelta(days=30))
    async_fire_time_changed(house.hass, dt_util.utcnow())
    await house.settle()
    assert not folder.exists()


async def test_one_failure_keeps_nobody_else_from_the_schedule(house: House, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A viewer who is not in the household any more is none of it, and one whose backup fails does not stand in the others' way."""
    await house.add("plex")
    household = household_entry(house.hass)
    assert household is not None
    viewers = house.hass.data[HUB].viewers
    (anna,) = viewers.values()
    gone = ViewerSync("gone", anna.documents, anna.clock)
    viewers.clear()
    viewers.update({"gone": gone, anna.viewer: anna})
    house.hass.config_entries.async_update_entry(household, options={"backup_interval_days": 1})
    await house.settle()
    assert len(list(folder.iterdir())) == 1
    assert "could not be written" not in caplog.text
    with pytest.raises(HomeAssistantError, match="no viewer called gone"):
        await backups.write(house.hass, gone)


async def test_what_somebody_named_is_theirs(house: House, folder: Path, freezer: Any) -> None:
    """A copy is not rotated away, holds no schedule up, and is restored only by its name."""
    await house.add("plex")
    household = household_entry(house.hass)
    assert household is not None
    house.hass.config_entries.async_update_entry(household, options={"backup_interval_days": 2, "backup_keep": 2})
    await house.settle()
    (first,) = folder.iterdir()
    copies = [folder / first.name.replace(".json", " (before upgrade).json"), folder / first.name.replace(first.stem[-16:], "before-upgrade")]
    for copy in copies:
        copy.write_text(first.read_text())
    for _ in range(3):
        freezer.tick(timedelta(days=2, hours=1))
        async_fire_time_changed(house.hass, dt_util.utcnow())
        await house.settle()
    files = set(folder.iterdir())
    assert files > set(copies)
    assert len(files) == 2 + 2
    assert first not in files
    assert (await house.call("restore"))["file"] == max(path.name for path in files - set(copies))
    assert (await house.call("restore", file=copies[1].name))["file"] == copies[1].name


async def test_a_viewer_who_was_renamed(house: House, folder: Path) -> None:
    """The backups are known by the end of the id: a name can change."""
    await house.add("plex")
    await house.call("mark_watched", media={"imdb": FILM.ids["imdb"]})
    (row,) = (await house.call("backup"))["backups"]
    household = household_entry(house.hass)
    assert household is not None
    (viewer,) = viewer_subentries(household)
    walk = await below(house.hass, household, "viewer", viewer)
    await walk.fill(name="Anna Maria")
    await house.settle()
    assert await backups.names(house.hass, viewer.subentry_id) == [row["file"]]
    assert (await house.call("restore"))["file"] == row["file"]


def test_people_whose_names_are_spelled_alike(tmp_path: Path) -> None:
    """The newest of one viewer is not that of another, and rotation removes one's own only."""
    names = [f"{stem}2026010{day}T000000Z.json" for stem in ("anna-aaaaaa-", "anna-bbbbbb-") for day in (1, 2, 3)]
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in backups._files(tmp_path, "01JAAAAAA")] == names[:3]
    backups._rotate(tmp_path, "01JAAAAAA", 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == names[2:]


async def test_still_while_home_assistant_backs_up(house: House, hass_storage: dict[str, Any]) -> None:
    """Between the hooks no document changes; acts are agreed on, wait, and are written after it; a second call changes nothing."""
    entries = await house.add_all()
    hub = house.hass.data[HUB]
    await async_pre_backup(house.hass)
    await async_pre_backup(house.hass)
    before = {key: str(value) for key, value in hass_storage.items() if key.startswith(DOMAIN)}
    assert before
    await house.places["plex"].act(Act.MARK_WATCHED, OTHER)
    run = asyncio.create_task(house.call("sync", config_entry_id=entries["plex"].entry_id))
    for _ in range(50):
        await asyncio.sleep(0.01)
    assert not run.done()
    assert {key: str(value) for key, value in hass_storage.items() if key.startswith(DOMAIN)} == before
    await async_post_backup(house.hass)
    await async_post_backup(house.hass)
    await run
    assert all(place.shown(OTHER).played for place in house.places.values())
    assert {key: str(value) for key, value in hass_storage.items() if key.startswith(DOMAIN)} != before
    assert not hub.documents._gate.locked()


async def test_a_backup_that_never_ends(house: House) -> None:
    """After two hours the sync goes on."""
    await house.add("plex")
    hub = house.hass.data[HUB]
    await hub.pause()
    assert hub.documents._gate.locked()
    async_fire_time_changed(house.hass, dt_util.utcnow() + timedelta(hours=2, minutes=1))
    await house.hass.async_block_till_done()
    assert not hub.documents._gate.locked()


async def test_a_run_under_way_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has written so far is whole, so the backup begins."""
    await house.add("plex")
    monkeypatch.setattr("custom_components.plex_watchsync.hub.LONGEST_FLUSH", 0.05)
    hub = house.hass.data[HUB]
    (viewer,) = hub.viewers.values()
    async with viewer._lock:
        await hub.pause()
    hub.resume()


async def test_nothing_set_up(hass: Any) -> None:
    """Home Assistant may back up before there is anything to hold."""
    await async_pre_backup(hass)
    await async_post_backup(hass)
