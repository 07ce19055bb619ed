"""Sensors: how each server's sync does, and what each viewer watched last."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import SIGNAL_REPORT
from .coordinator import ServerData, Status, WatchSyncConfigEntry
from .engine.listing import ReportKind
from .engine.report import Change, Report
from .entity import ServerEntity, ServerStateEntity, ViewerEntity
from .facts import about
from .helpers import is_household, viewer_subentries
from .hub import HUB

PARALLEL_UPDATES = 0

MAX_STATE_LENGTH = 255


@dataclass(frozen=True, kw_only=True)
class ServerSensorDescription(SensorEntityDescription):
    """A sensor that shows one field of a server's data."""

    value: Callable[[ServerData], str | int | datetime | None]


STATE_SENSORS = (
    ServerSensorDescription(
        key="status",
        translation_key="status",
        device_class=SensorDeviceClass.ENUM,
        options=[status.value for status in Status],
        value=lambda data: data.status.value,
    ),
    ServerSensorDescription(
        key="last_sync",
        translation_key="last_sync",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda data: data.last_sync,
    ),
    ServerSensorDescription(
        key="pending_writes",
        translation_key="pending_writes",
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda data: data.numbers.pending_writes,
    ),
)
SENSORS = (
    ServerSensorDescription(key="items", translation_key="items", state_class=SensorStateClass.MEASUREMENT, value=lambda data: data.numbers.items),
    ServerSensorDescription(
        key="watched_items", translation_key="watched_items", state_class=SensorStateClass.MEASUREMENT, value=lambda data: data.numbers.watched_items
    ),
    ServerSensorDescription(
        key="unmatched_items",
        translation_key="unmatched_items",
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda data: data.numbers.unmatched_items,
    ),
)


@dataclass(frozen=True, kw_only=True)
class ReportSensorDescription(ServerSensorDescription):
    """A sensor that counts what a report lists."""

    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT
    entity_category: EntityCategory | None = EntityCategory.DIAGNOSTIC
    entity_registry_enabled_default: bool = False


def _reported(kind: ReportKind) -> Callable[[ServerData], int | None]:
    return lambda data: data.numbers.reported[kind] if data.numbers.reported is not None else None


REPORT_SENSORS = (
    ReportSensorDescription(key="partial_items", translation_key="partial_items", value=_reported(ReportKind.PARTIAL)),
    ReportSensorDescription(key="ambiguous_items", translation_key="ambiguous_items", value=_reported(ReportKind.AMBIGUOUS)),
    ReportSensorDescription(key="weak_items", translation_key="weak_items", value=_reported(ReportKind.WEAK)),
    ReportSensorDescription(key="duplicate_items", translation_key="duplicate_items", value=_reported(ReportKind.DUPLICATES)),
    ReportSensorDescription(key="disagreeing_items", translation_key="disagreeing_items", value=_reported(ReportKind.DISAGREEING)),
)
LAST_WATCHED = SensorEntityDescription(key="last_watched", translation_key="last_watched")


async def async_setup_entry(hass: HomeAssistant, entry: WatchSyncConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Add a server's sensors, or those of the household's viewers."""
    if is_household(entry):
        for viewer in viewer_subentries(entry):
            async_add_entities([LastWatchedSensor(viewer)], config_subentry_id=viewer.subentry_id)
        return
    coordinator = entry.runtime_data
    async_add_entities(
        [
            *(ServerStateSensor(coordinator, description) for description in STATE_SENSORS),
            *(ServerSensor(coordinator, description) for description in (*SENSORS, *REPORT_SENSORS)),
        ]
    )


class ServerSensor(ServerEntity, SensorEntity):
    """One number of a server."""

    entity_description: ServerSensorDescription

    @property
    @override
    def native_value(self) -> str | int | datetime | None:
        return self.entity_description.value(self.coordinator.data)


class ServerStateSensor(ServerStateEntity, ServerSensor):
    """A sensor that stays available when its server is not."""


class LastWatchedSensor(ViewerEntity, SensorEntity):
    """The title that a viewer watched last, on whichever server."""

    def __init__(self, viewer: ConfigSubentry) -> None:
        """Show the viewer's last view."""
        super().__init__(viewer, LAST_WATCHED)

    @override
    async def async_added_to_hass(self) -> None:
        self.async_on_remove(async_dispatcher_connect(self.hass, SIGNAL_REPORT.format(self._viewer_id), self._on_report))

    @callback
    def _on_report(self, _report: Report) -> None:
        self.async_write_ha_state()

    @property
    def _change(self) -> Change | None:
        viewer = self.hass.data[HUB].viewers.get(self._viewer_id)
        return viewer.last_watched if viewer else None

    @property
    @override
    def native_value(self) -> str | None:
        return str(self._change.media)[:MAX_STATE_LENGTH] if self._change else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        return about(self.hass, self._change) if self._change else {}
