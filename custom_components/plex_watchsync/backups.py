"""Viewers' backups as files in the configuration folder: written whole or not at all, on a schedule, the oldest removed."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.start import async_at_started
from homeassistant.util import slugify
from homeassistant.util.file import write_utf8_file_atomic

from .const import CONF_BACKUP_INTERVAL_DAYS, CONF_BACKUP_KEEP, DEFAULT_BACKUP_KEEP, DOMAIN
from .engine.restore import entries_of
from .engine.viewer import ViewerSync
from .helpers import household_entry, utcnow, viewer_subentries
from .hub import HUB
from .logger import LOGGER
from .service_targets import refused
from .sync.baseline import Baseline
from .sync.portable import Portable, dumped, loaded

CHECK_EVERY = timedelta(hours=1)
_STAMP = "%Y%m%dT%H%M%SZ"


def folder_of(hass: HomeAssistant) -> Path:
    """Return where the backups are."""
    return Path(hass.config.path(DOMAIN, "backups"))


async def write(hass: HomeAssistant, viewer: ViewerSync) -> Path:
    """Write a viewer's backup and remove what is too old; raises `OSError` or `HomeAssistantError`."""
    name, now = next((one.title for one in _viewers(hass) if one.subentry_id == viewer.viewer), None), utcnow()
    if name is None:
        raise refused("unknown_viewer", viewer=viewer.viewer)
    path = folder_of(hass) / f"{slugify(name)}-{_mark(viewer.viewer)}-{now.strftime(_STAMP)}.json"
    await hass.async_add_executor_job(_write, path, name, now, await viewer.snapshot())
    await hass.async_add_executor_job(_rotate, path.parent, viewer.viewer, _keep(hass))
    return path


async def read(hass: HomeAssistant, viewer_id: str, name: str | None) -> tuple[str, Portable]:
    """Read a backup by its file's name, by default the viewer's newest; raises `OSError` or `PortableError`."""
    return await hass.async_add_executor_job(_read, folder_of(hass), name, viewer_id)


async def names(hass: HomeAssistant, viewer_id: str) -> list[str]:
    """Return the names of a viewer's backups, the newest first."""
    files = await hass.async_add_executor_job(_files, folder_of(hass), viewer_id)
    return [path.name for path in reversed(files)]


def schedule(hass: HomeAssistant, household: ConfigEntry) -> None:
    """Write backups as often as the options say, counted from the newest, whenever Home Assistant runs."""
    days = int(household.options.get(CONF_BACKUP_INTERVAL_DAYS, 0))
    if not days:
        return

    async def check(_now: object) -> None:
        viewers, before = hass.data[HUB].viewers, utcnow() - timedelta(days=days)
        for viewer in [viewers[one.subentry_id] for one in _viewers(hass) if one.subentry_id in viewers]:
            try:
                if await hass.async_add_executor_job(_is_due, folder_of(hass), viewer.viewer, before):
                    await write(hass, viewer)
            except (OSError, HomeAssistantError) as error:
                LOGGER.warning("A backup could not be written: %s", error)

    household.async_on_unload(async_at_started(hass, check))
    household.async_on_unload(async_track_time_interval(hass, check, CHECK_EVERY, cancel_on_shutdown=True))


def _viewers(hass: HomeAssistant) -> Iterable[ConfigSubentry]:
    household = household_entry(hass)
    return viewer_subentries(household) if household else ()


def _mark(viewer_id: str) -> str:
    """Return what tells in a file's name whose it is: names of people may be spelled alike, and change."""
    return viewer_id[-6:].lower()


def _stamp(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _keep(hass: HomeAssistant) -> int:
    household = household_entry(hass)
    return int(household.options.get(CONF_BACKUP_KEEP, DEFAULT_BACKUP_KEEP)) if household else DEFAULT_BACKUP_KEEP


def _files(folder: Path, viewer_id: str) -> list[Path]:
    """Return a viewer's backups, the oldest first; a file that somebody named is theirs, and none of these."""
    own = re.compile(rf"[^-]+-{re.escape(_mark(viewer_id))}-[0-9]{{8}}T[0-9]{{6}}Z\.json")
    return sorted((path for path in folder.glob("*.json") if own.fullmatch(path.name)), key=_stamp)


def _write(path: Path, viewer: str, now: datetime, baseline: Baseline) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_utf8_file_atomic(str(path), "".join(dumped(viewer, now, entries_of(baseline))), private=True)


def _rotate(folder: Path, viewer_id: str, keep: int) -> None:
    for path in _files(folder, viewer_id)[:-keep]:
        path.unlink(missing_ok=True)


def _read(folder: Path, name: str | None, viewer_id: str) -> tuple[str, Portable]:
    known = {path.name: path for path in folder.glob("*.json")}
    newest = next((path.name for path in reversed(_files(folder, viewer_id))), "")
    chosen = name or newest
    if chosen not in known:  # whatever else it may point at is none of ours
        raise FileNotFoundError(chosen)
    return chosen, loaded(known[chosen].read_text(encoding="utf-8"))


def _is_due(folder: Path, viewer_id: str, before: datetime) -> bool:
    files = _files(folder, viewer_id)
    return not files or _stamp(files[-1]) <= before.strftime(_STAMP)
