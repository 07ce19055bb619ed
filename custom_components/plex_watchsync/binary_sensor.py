"""Binary sensors: whether a server can be heard, and whether it shows what was agreed on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import ServerData, WatchSyncConfigEntry
from .entity import ServerStateEntity

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class ServerBinarySensorDescription(BinarySensorEntityDescription):
    """A binary sensor that shows one field of a server's data."""

    value: Callable[[ServerData], bool]


BINARY_SENSORS = (
    ServerBinarySensorDescription(
        key="connected",
        translation_key="connected",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda data: data.connected,
    ),
    ServerBinarySensorDescription(
        key="in_sync",
        translation_key="in_sync",
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda data: data.in_sync,
    ),
)


async def async_setup_entry(_hass: HomeAssistant, entry: WatchSyncConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Add a server's binary sensors."""
    async_add_entities(ServerBinarySensor(entry.runtime_data, description) for description in BINARY_SENSORS)


class ServerBinarySensor(ServerStateEntity, BinarySensorEntity):
    """One fact about a server, known when the server does not answer too."""

    entity_description: ServerBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool:
        return self.entity_description.value(self.coordinator.data)
