"""Base of the entities: which device they hang on, when they are available."""

from typing import override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_URL
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import CONF_KIND, DOMAIN
from .coordinator import ServerCoordinator


class ServerEntity(CoordinatorEntity[ServerCoordinator]):
    """An entity of a media server."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: ServerCoordinator, description: EntityDescription) -> None:
        """Hang it on the server's device."""
        super().__init__(coordinator)
        entry = coordinator.config_entry
        self.entity_description = description
        self._attr_unique_id = f"{entry.unique_id}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, str(entry.unique_id))},
            name=entry.title,
            manufacturer=str(entry.data[CONF_KIND]).title(),
            entry_type=DeviceEntryType.SERVICE,
            configuration_url=entry.data[CONF_URL],
        )


class ServerStateEntity(ServerEntity):
    """An entity that says how the server's sync does, above all when the server does not answer."""

    @property
    @override
    def available(self) -> bool:
        return True


class ViewerEntity(Entity):
    """An entity of a viewer."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, viewer: ConfigSubentry, description: EntityDescription) -> None:
        """Hang it on the viewer's device."""
        self.entity_description = description
        self._viewer_id = viewer.subentry_id
        self._attr_unique_id = f"{viewer.subentry_id}_{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, viewer.subentry_id)}, name=viewer.title, entry_type=DeviceEntryType.SERVICE)
