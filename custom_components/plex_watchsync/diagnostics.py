"""Diagnostics: what helps to find a fault, without secrets and without what anybody watched."""

from dataclasses import asdict
from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_USERNAME
from homeassistant.core import HomeAssistant

from .const import CONF_DEVICE_ID, CONF_PLEX_TV, CONF_USER_ID, CONF_WEBHOOK_HEADER_SECRET, CONF_WEBHOOK_ID
from .coordinator import WatchSyncConfigEntry
from .engine.viewer import ViewerSync
from .helpers import is_household
from .hub import HUB
from .servers import Listener

REDACTED = {CONF_TOKEN, CONF_PLEX_TV, CONF_URL, CONF_USERNAME, CONF_WEBHOOK_ID, CONF_WEBHOOK_HEADER_SECRET, CONF_DEVICE_ID, CONF_USER_ID, "title", "unique_id"}


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> dict[str, Any]:
    """Return a server's, or the household's, diagnostics."""
    hub = hass.data[HUB]
    viewers = [viewer for viewer in hub.viewers.values() if is_household(entry) or viewer.accounts.keys() & entry.subentries.keys()]
    found: dict[str, Any] = {
        "entry": async_redact_data(entry.as_dict(), REDACTED),
        "viewers": [_viewer(viewer) for viewer in viewers],
        "events": [
            {"at": note.at.isoformat(), "way": note.more["way"], "outcome": note.outcome, "event": note.event, "reason": note.reason}
            for note in hub.journal
            if "way" in note.more
        ],
    }
    if coordinator := hub.coordinators.get(entry.entry_id):  # an entry that could not be set up has none
        numbers = coordinator.data.numbers._asdict()
        found["server"] = asdict(coordinator.data) | {"numbers": numbers, "problem": str(coordinator.problem or "")}
        found["webhook"] = asdict(coordinator.webhook)
        found["realtime"] = {account: _health(listener) for account, listener in coordinator.listeners.items()}
    return found


def _health(listener: Listener | None) -> dict[str, Any]:
    """Say how a connection is; an account without a token of its own has none, and is polled."""
    return {"state": "polled"} if listener is None else asdict(listener.health) | {"since": listener.health.since.isoformat()}


def _viewer(viewer: ViewerSync) -> dict[str, Any]:
    """Count what a viewer has, and say how its last operations went; titles stay out."""
    return {
        "items": len(viewer.baseline),
        "accounts": {account: asdict(viewer.counts(account)) | {"pending": viewer.pending(account)} for account in viewer.accounts},
        "next_retry": viewer.next_retry.isoformat() if viewer.next_retry else None,
        "journal": [
            {"at": note.at.isoformat(), "kind": note.kind, "outcome": note.outcome, "account": note.account, "reason": note.reason}
            for note in viewer.journal
            if note.viewer == viewer.viewer
        ],
    }
