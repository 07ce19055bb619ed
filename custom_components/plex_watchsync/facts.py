"""What automations are told of a change."""

from typing import Any

from homeassistant.core import HomeAssistant

from .const import DOMAIN
from .engine.report import Change
from .sync.identity import ids_of


def about(hass: HomeAssistant, change: Change) -> dict[str, Any]:
    """Describe a change in plain values, small enough for the recorder."""
    ids = ids_of(change.keys)
    media = change.media
    return {
        "title": media.title,
        "media_type": media.kind.value,
        "year": media.year,
        "show": media.show,
        "season": media.season,
        "episode": media.episode,
        "ids": ids.own,
        "show_ids": ids.show,
        "server": server_name(hass, change.account),
        "time": change.at.isoformat(),
        "position": change.after.position,
    }


def server_name(hass: HomeAssistant, account_id: str) -> str | None:
    """Return the title of the server entry that has this account."""
    return next((entry.title for entry in hass.config_entries.async_entries(DOMAIN) if account_id in entry.subentries), None)
