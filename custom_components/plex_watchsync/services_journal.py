"""The action that shows the journal: what was heard, read, decided and written, and why (G5)."""

from datetime import UTC, datetime
from typing import Any

import probatio

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType

from .const import CONF_VIEWER, DOMAIN
from .engine.journal import Note, NoteKind, Query
from .helpers import account_subentries, household_entry, is_household, server_name_of
from .hub import HUB
from .service_targets import Action, entry_of, refused, viewers_of
from .sync.model import WatchState

ATTR_SINCE, ATTR_UNTIL = "since", "until"
ATTR_SERVER = "server"
ATTR_LIMIT, ATTR_CURSOR = "limit", "cursor"
TEXTS = ("outcome", "event", "text", "run_id", "change_id")
MOST_ENTRIES = 500
USUAL_ENTRIES = 100

SCHEMA = probatio.Schema(
    {
        probatio.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
        probatio.Optional(CONF_VIEWER): cv.string,
        probatio.Optional(ATTR_SERVER): cv.string,
        probatio.Optional(ATTR_SINCE): cv.datetime,
        probatio.Optional(ATTR_UNTIL): cv.datetime,
        probatio.Optional("kind"): probatio.In([kind.value for kind in NoteKind]),
        **{probatio.Optional(name): cv.string for name in TEXTS},
        probatio.Optional(ATTR_LIMIT, default=USUAL_ENTRIES): probatio.All(probatio.Coerce(int), probatio.Range(min=1, max=MOST_ENTRIES)),
        probatio.Optional(ATTR_CURSOR): probatio.Coerce(int),
    }
)


async def _get_journal(call: ServiceCall) -> ServiceResponse:
    """Return the newest lines that are asked for."""
    hub, asked = call.hass.data[HUB], call.data
    query = Query(
        since=_utc(asked.get(ATTR_SINCE)),
        until=_utc(asked.get(ATTR_UNTIL)),
        servers=_servers(call),
        viewers=frozenset(viewer.viewer for viewer in viewers_of(hub, call)) if CONF_VIEWER in asked else None,
        kind=asked.get("kind"),
        **{name: asked.get(name) for name in TEXTS},
    )
    page = await hub.journal.find(query, asked[ATTR_LIMIT], asked.get(ATTR_CURSOR))
    names = _viewer_names(call.hass)
    entries: list[JsonValueType] = [{"id": number, **_entry(call.hass, note), "viewer": names.get(note.viewer)} for number, note in page.notes]
    return {"entries": entries, "next_cursor": None if page.next_cursor is None else str(page.next_cursor)}


def _servers(call: ServiceCall) -> frozenset[str] | None:
    """Return the ids of the entries and accounts whose lines are wanted: of the server that is named, or that the entry is."""
    entry, wanted = entry_of(call), call.data.get(ATTR_SERVER)
    chosen = [entry] if entry else []
    if wanted is not None:
        known = [entry for entry in call.hass.config_entries.async_entries(DOMAIN) if not is_household(entry)]
        chosen = [entry for entry in known if wanted == entry.entry_id or wanted.casefold() == entry.title.casefold()]
        if not chosen:
            raise refused("unknown_server", server=wanted)
    return frozenset(one for entry in chosen for one in (entry.entry_id, *(account.subentry_id for account in account_subentries(entry)))) or None


def _viewer_names(hass: HomeAssistant) -> dict[str, str]:
    household = household_entry(hass)
    return {one.subentry_id: one.title for one in household.subentries.values()} if household else {}


def _entry(hass: HomeAssistant, note: Note) -> dict[str, Any]:
    """Put a line into plain values."""
    entry = hass.config_entries.async_get_entry(note.server) if note.server else None
    found: dict[str, Any] = {
        "time": note.at.astimezone(UTC).isoformat(),
        "kind": note.kind.value,
        "outcome": note.outcome,
        "event": note.event,
        "server": entry.title if entry else server_name_of(hass, note.account),
        "media": note.item,
        "item_id": note.item_id,
        "reason": note.reason,
        "run_id": note.run_id,
        "change_id": note.change_id,
        "before": _state(note.before),
        "after": _state(note.after),
        "reading": _state(note.reading),
        **note.more,
    }
    if note.kind is NoteKind.WEBHOOK:
        found |= {"processed": note.outcome == "processed", "error": note.reason if note.outcome == "failed" else None}
    return found


def _state(state: WatchState | None) -> dict[str, Any] | None:
    """Describe a watch state as a person sees it."""
    if state is None:
        return None
    last = state.last_played.isoformat() if state.last_played else None
    return {"watched": state.played, "position": state.position, "play_count": state.play_count, "last_watched": last, "rating": state.rating}


def _utc(at: datetime | None) -> datetime | None:
    return at and dt_util.as_utc(at)


ACTIONS = (Action("get_journal", _get_journal, SCHEMA, SupportsResponse.ONLY),)
