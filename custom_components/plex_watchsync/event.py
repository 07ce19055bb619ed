"""Events: what a viewer watched, on whichever server, once each; what came in at a server's webhook."""

from datetime import datetime, timedelta
from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import SIGNAL_CHANGE, SIGNAL_PLAYBACK, SIGNAL_WEBHOOK
from .coordinator import WatchSyncConfigEntry
from .engine.report import Change
from .entity import ServerStateEntity, ViewerEntity
from .facts import about
from .helpers import is_household, server_name_of, utcnow, viewer_subentries
from .ports import InboundEvent, Playback

PARALLEL_UPDATES = 0

WATCH = EventEntityDescription(key="watch", translation_key="watch", event_types=["watched", "unwatched", "started", "stopped", "progress", "rated"])
WEBHOOK_RECEIVED = EventEntityDescription(
    key="webhook_received",
    translation_key="webhook_received",
    entity_category=EntityCategory.DIAGNOSTIC,
    event_types=["processed", "ignored", "failed"],
)
PLAYBACKS = (Playback.STARTED, Playback.STOPPED)
TWICE_WITHIN = timedelta(seconds=10)  # the same start or stop comes by several ways, and from several hooks (pitfall 25)


async def async_setup_entry(_hass: HomeAssistant, entry: WatchSyncConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Add an event entity for each viewer, or that of a server's webhook."""
    if not is_household(entry):
        async_add_entities([WebhookEvent(entry.runtime_data, WEBHOOK_RECEIVED)])
        return
    for viewer in viewer_subentries(entry):
        async_add_entities([WatchEvent(viewer)], config_subentry_id=viewer.subentry_id)


class WebhookEvent(ServerStateEntity, EventEntity):
    """What comes in at a server's webhook, and what becomes of it."""

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        signal = SIGNAL_WEBHOOK.format(self.coordinator.config_entry.entry_id)
        self.async_on_remove(async_dispatcher_connect(self.hass, signal, self._on_webhook))

    @callback
    def _on_webhook(self, outcome: str, event: str, reason: str) -> None:
        self._trigger_event(outcome, {"event": event, "reason": reason})
        self.async_write_ha_state()


class WatchEvent(ViewerEntity, EventEntity):
    """What a viewer does."""

    def __init__(self, viewer: ConfigSubentry) -> None:
        """Listen to the viewer's changes."""
        super().__init__(viewer, WATCH)
        self._played: dict[tuple[str, str | None, Playback], datetime] = {}

    @override
    async def async_added_to_hass(self) -> None:
        self.async_on_remove(async_dispatcher_connect(self.hass, SIGNAL_CHANGE.format(self._viewer_id), self._on_change))
        self.async_on_remove(async_dispatcher_connect(self.hass, SIGNAL_PLAYBACK.format(self._viewer_id), self._on_playback))

    @callback
    def _on_change(self, change: Change) -> None:
        self._trigger_event(change.kind.value, about(self.hass, change))
        self.async_write_ha_state()

    @callback
    def _on_playback(self, account_id: str, event: InboundEvent) -> None:
        if event.playback not in PLAYBACKS or self._is_double(account_id, event.item_id, event.playback):
            return
        self._trigger_event(event.playback.value, {"server": server_name_of(self.hass, account_id), "item_id": event.item_id, "position": event.position})
        self.async_write_ha_state()

    def _is_double(self, account_id: str, item_id: str | None, playback: Playback) -> bool:
        now, known = utcnow(), (account_id, item_id, playback)
        self._played = {one: at for one, at in self._played.items() if now - at < TWICE_WITHIN}
        double = known in self._played
        self._played[known] = now
        return double
