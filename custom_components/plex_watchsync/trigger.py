"""Triggers of automations; each tells what an event on the bus tells, and lets the editor offer what to choose from."""

from typing import Any, override

import probatio

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, CONF_OPTIONS
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.trigger import NotTriggeredInfo, Trigger, TriggerActionRunner, TriggerConfig, TriggerNotTriggeredReporter
from homeassistant.helpers.typing import ConfigType

from .const import CONF_VIEWER, EVENT_SYNC_HELD
from .held import viewer_name
from .helpers import is_household

SCHEMA = probatio.Schema(
    {probatio.Optional(CONF_OPTIONS, default={}): {probatio.Optional(ATTR_CONFIG_ENTRY_ID): cv.string, probatio.Optional(CONF_VIEWER): cv.string}}
)


class SyncHeldTrigger(Trigger):
    """More was marked unwatched, or is missing, than a person does at once (G2)."""

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        checked: ConfigType = SCHEMA(config)
        return checked

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Wait for what is held of the chosen server and viewer, or of all."""
        super().__init__(hass, config)
        self._options = config.options or {}

    @override
    async def async_attach_runner(self, run_action: TriggerActionRunner, did_not_trigger: TriggerNotTriggeredReporter | None = None) -> CALLBACK_TYPE:
        @callback
        def hear(event: Event) -> None:
            facts = event.data
            reason = self._why_not(facts)
            if not reason:
                run_action(dict(facts), f"{facts['count']} titles of {facts['server'] or facts['viewer']} are held", event.context)
            elif did_not_trigger:
                did_not_trigger(NotTriggeredInfo(reason, facts), event.context)

        return self._hass.bus.async_listen(EVENT_SYNC_HELD, hear)

    def _why_not(self, facts: Any) -> str | None:
        """Say which choice does not fit what is held."""
        chosen = self._options.get(ATTR_CONFIG_ENTRY_ID)
        entry = self._hass.config_entries.async_get_entry(chosen) if chosen else None
        if chosen and (entry is None or not (is_household(entry) or entry.title == facts["server"])):
            return "server_mismatch"
        viewer = self._options.get(CONF_VIEWER)  # by name or by id, as in actions
        return "viewer_mismatch" if viewer and viewer_name(self._hass, viewer).casefold() != facts["viewer"].casefold() else None


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers by name."""
    return {"sync_held": SyncHeldTrigger}
