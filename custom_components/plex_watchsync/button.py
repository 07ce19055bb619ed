"""Buttons: sync, import and export a server now; give its webhook a new address."""

from dataclasses import dataclass
from typing import override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import registration
from .coordinator import WatchSyncConfigEntry
from .engine.run import RunKind
from .entity import ServerStateEntity
from .services import run_for

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class RunButtonDescription(ButtonEntityDescription):
    """A button that starts a run of one kind; `full` compares every item."""

    kind: RunKind
    full: bool


BUTTONS = (
    RunButtonDescription(key="sync", translation_key="sync", kind=RunKind.SYNC, full=False),
    RunButtonDescription(key="full_import", translation_key="full_import", kind=RunKind.IMPORT, full=True),
    RunButtonDescription(key="full_export", translation_key="full_export", kind=RunKind.EXPORT, full=True),
)
REGENERATE_WEBHOOK = ButtonEntityDescription(key="regenerate_webhook", translation_key="regenerate_webhook", entity_category=EntityCategory.CONFIG)


async def async_setup_entry(_hass: HomeAssistant, entry: WatchSyncConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Add a server's buttons."""
    coordinator = entry.runtime_data
    async_add_entities([*(RunButton(coordinator, description) for description in BUTTONS), RegenerateButton(coordinator, REGENERATE_WEBHOOK)])


class RunButton(ServerStateEntity, ButtonEntity):
    """Starts a run; it can be pressed while the server is away, and then says so."""

    entity_description: RunButtonDescription

    @override
    async def async_press(self) -> None:
        await run_for(self.coordinator, self.entity_description.kind, full=self.entity_description.full)


class RegenerateButton(ServerStateEntity, ButtonEntity):
    """Gives the webhook a new address, for one that got into wrong hands."""

    @override
    async def async_press(self) -> None:
        await registration.regenerate(self.hass, self.coordinator.config_entry)
