"""What automations are told of a change."""

from typing import Any

from homeassistant.core import HomeAssistant

from .engine.report import Change
from .helpers import server_name_of
from .sync.identity import ids_of
from .sync.model import Media


def titled(media: Media, keys: frozenset[str]) -> dict[str, Any]:
    """Name a title, and give its ids."""
    ids = ids_of(keys)
    return {
        "title": media.title,
        "media_type": media.kind.value,
        "year": media.year,
        "show": media.show,
        "season": media.season,
        "episode": media.episode,
        "ids": ids.own,
        "show_ids": ids.show,
    }


def about(hass: HomeAssistant, change: Change) -> dict[str, Any]:
    """Describe a change in plain values, small enough for the recorder."""
    return {
        **titled(change.media, change.keys),
        "server": server_name_of(hass, change.account),
        "time": change.at.isoformat(),
        "position": change.after.position,
        "rating": change.after.rating,
    }
