"""How an action says which titles it is about: `media`."""

from collections.abc import Mapping
from typing import Any

import probatio

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import config_validation as cv

from .const import CONF_VIEWER
from .engine.listing import find
from .engine.viewer import ViewerSync
from .service_targets import refused
from .sync.item import Item
from .sync.model import MediaKind, ReplicaId
from .sync.selection import Selection, of_show, of_title

ATTR_MEDIA = "media"
ATTR_ITEM_ID = "item_id"
ATTR_SHOW, ATTR_SEASON, ATTR_EPISODE = "show", "season", "episode"
ATTR_TYPE = "type"

MEDIA = probatio.Any(cv.string, dict)
WHO = {probatio.Optional(ATTR_CONFIG_ENTRY_ID): cv.string, probatio.Optional(CONF_VIEWER): cv.string}
MEDIA_SCHEMA = probatio.Schema({**WHO, probatio.Required(ATTR_MEDIA): MEDIA})

type Media = Mapping[str, Any]

_TEXT = probatio.All(probatio.Any(str, int), probatio.Coerce(str))
_NAMED = probatio.Schema({str: _TEXT})
_IDS = probatio.All(_NAMED, probatio.Length(min=1))
_NUMBER = probatio.All(probatio.Coerce(int), probatio.Range(min=0))
_OF_SERVER = probatio.Schema({probatio.Required(ATTR_CONFIG_ENTRY_ID): cv.string, probatio.Required(ATTR_ITEM_ID): _TEXT})
_OF_SHOW = probatio.Schema({probatio.Required(ATTR_SHOW): _IDS, probatio.Optional(ATTR_SEASON): _NUMBER, probatio.Optional(ATTR_EPISODE): _NUMBER})
_TITLE = probatio.Schema({probatio.Optional(ATTR_TYPE): probatio.Coerce(MediaKind), str: _TEXT})
_SHOWN = probatio.Schema(
    {
        probatio.Required("ids"): _NAMED,
        probatio.Required("media_type"): probatio.Coerce(MediaKind),
        probatio.Optional("show_ids", default=dict): _NAMED,
        probatio.Optional(ATTR_SEASON, default=None): probatio.Any(None, _NUMBER),
        probatio.Optional(ATTR_EPISODE, default=None): probatio.Any(None, _NUMBER),
    },
    extra=probatio.ALLOW_EXTRA,
)


async def items_of(call: ServiceCall, viewer: ViewerSync) -> tuple[Selection, tuple[Item, ...]]:
    """Return what is meant by `media`, and the viewer's items that it is; there is at least one."""
    media = call.data[ATTR_MEDIA]
    try:
        selection = _selection(call.hass, viewer, media)
    except probatio.Invalid as error:
        raise refused("invalid_media", media=_named(media), error=str(error)) from error
    found = await find(viewer.baseline, selection)
    if not found:
        raise refused("unknown_media", media=_named(media))
    return selection, found


def _selection(hass: HomeAssistant, viewer: ViewerSync, media: str | Media) -> Selection:
    """Understand any of the ways to name titles; raises `Invalid`."""
    if isinstance(media, str):
        return _shown_by(hass, cv.entity_id(media))
    if ATTR_ENTITY_ID in media:
        return _shown_by(hass, cv.entity_id(media[ATTR_ENTITY_ID]))
    if ATTR_ITEM_ID in media:
        return _on_server(hass, viewer, _OF_SERVER(media))
    if ATTR_SHOW in media:
        asked = _OF_SHOW(media)
        if ATTR_EPISODE in asked and ATTR_SEASON not in asked:
            raise probatio.Invalid("an episode has a season", path=[ATTR_SEASON])
        return of_show(asked[ATTR_SHOW], asked.get(ATTR_SEASON), asked.get(ATTR_EPISODE))
    asked = dict(_TITLE(media))
    return of_title(asked, asked.pop(ATTR_TYPE, None))


def _shown_by(hass: HomeAssistant, entity_id: str) -> Selection:
    """Select the title that an entity shows, such as the one that a viewer watched last; an episode never stands for its show (pitfall 19).

    Raises `Invalid` for what looks like a title and is none: anybody's entity may have `ids`.
    """
    shown = hass.states.get(entity_id)
    if shown is None or "ids" not in shown.attributes:
        return Selection()
    facts = _SHOWN(dict(shown.attributes))
    kind = facts["media_type"]
    selection = of_title(facts["ids"], kind)
    if kind is MediaKind.EPISODE and facts[ATTR_SEASON] is not None and facts[ATTR_EPISODE] is not None:
        selection |= of_show(facts["show_ids"], facts[ATTR_SEASON], facts[ATTR_EPISODE])
    return selection


def _on_server(hass: HomeAssistant, viewer: ViewerSync, asked: Media) -> Selection:
    """Select what a server's own item holds."""
    entry = hass.config_entries.async_get_entry(asked[ATTR_CONFIG_ENTRY_ID])
    accounts = viewer.accounts.keys() & (entry.subentries if entry else {}).keys()
    items = [item for account in accounts for item in viewer.baseline.of_replica(ReplicaId(account, asked[ATTR_ITEM_ID]))]
    return Selection(frozenset(key for item in items for key in item.known_by))


def _named(media: str | Media) -> str:
    """Name what was looked for, as it was asked."""
    if isinstance(media, str):
        return media
    return ", ".join(f"{name} {_named(value) if isinstance(value, Mapping) else value}" for name, value in media.items())
