"""Switches: whether a server's webhook listens."""

from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import registration
from .const import CONF_WEBHOOK_ENABLED
from .coordinator import WatchSyncConfigEntry
from .entity import ServerStateEntity

PARALLEL_UPDATES = 1

WEBHOOK = SwitchEntityDescription(key="webhook", translation_key="webhook", entity_category=EntityCategory.CONFIG)


async def async_setup_entry(_hass: HomeAssistant, entry: WatchSyncConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Add a server's switches."""
    async_add_entities([WebhookSwitch(entry.runtime_data, WEBHOOK)])


class WebhookSwitch(ServerStateEntity, SwitchEntity):
    """An option of the entry, which follows it by a reload."""

    @property
    @override
    def is_on(self) -> bool:
        return registration.is_enabled(self.coordinator.config_entry)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self._set(enabled=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self._set(enabled=False)

    def _set(self, *, enabled: bool) -> None:
        entry = self.coordinator.config_entry
        self.hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_WEBHOOK_ENABLED: enabled})
