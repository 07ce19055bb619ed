"""Actions that save a viewer's watch state to a portable file, and restore it."""

from typing import Any

import probatio

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.util.ulid import ulid_now

from . import backups
from .const import CONF_FILE, CONF_VIEWER, DOMAIN
from .engine.restore import Restore
from .engine.run import Run
from .engine.viewer import ViewerSync
from .helpers import household_entry, utcnow
from .hub import HUB
from .service_answers import answer
from .service_media import WHO
from .service_targets import Action, refused, viewer_of, viewers_of
from .sync.portable import PortableError

ATTR_DRY_RUN = "dry_run"
ATTR_IGNORE_DATE = "ignore_date"

BACKUP_SCHEMA = probatio.Schema(WHO)
RESTORE_SCHEMA = probatio.Schema(
    {
        **WHO,
        probatio.Optional(CONF_FILE): cv.string,
        probatio.Optional(ATTR_DRY_RUN, default=True): cv.boolean,
        probatio.Optional(ATTR_IGNORE_DATE, default=False): cv.boolean,
    }
)


async def _backup(call: ServiceCall) -> ServiceResponse:
    """Save one viewer, or all."""
    rows: list[Any] = []
    for viewer in viewers_of(call.hass.data[HUB], call):
        try:
            path = await backups.write(call.hass, viewer)
        except (OSError, HomeAssistantError) as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="backup_failed", translation_placeholders={"error": str(error)}) from error
        rows.append({CONF_VIEWER: _name(call.hass, viewer), CONF_FILE: path.name, "folder": str(path.parent)})
    return {"backups": rows}


async def _restore(call: ServiceCall) -> ServiceResponse:
    """Let a viewer's saved state count again, or say what that would do."""
    hub = call.hass.data[HUB]
    viewer = viewer_of(hub, call)
    try:
        name, saved = await backups.read(call.hass, viewer.viewer, call.data.get(CONF_FILE))
    except OSError as error:
        raise refused("no_backup", file=str(call.data.get(CONF_FILE, ""))) from error
    except (PortableError, UnicodeDecodeError) as error:
        raise refused("broken_backup", error=str(error)) from error
    run = Run(dry_run=call.data[ATTR_DRY_RUN], run_id=ulid_now())
    restore = Restore(saved.entries, utcnow(), overwrite=call.data[ATTR_IGNORE_DATE])
    report = await hub.sync_viewer(viewer, run, restore)
    return {
        **(answer(call.hass, run, [report]) or {}),
        CONF_FILE: name,
        "saved": saved.created.isoformat(),
        "saved_viewer": saved.viewer,
        "items": len(saved.entries),
        "restored": restore.restored,
        "unchanged": restore.unchanged,
        "older": restore.older,
        "left_alone": restore.left_alone,
        "held": restore.held,
    }


def _name(hass: HomeAssistant, viewer: ViewerSync) -> str:
    household = household_entry(hass)
    return household.subentries[viewer.viewer].title if household else viewer.viewer


ACTIONS = (Action("backup", _backup, BACKUP_SCHEMA), Action("restore", _restore, RESTORE_SCHEMA))
