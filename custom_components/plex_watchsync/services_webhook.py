"""Actions on a server's webhook; whoever has its address can send events, so they are for administrators."""

import probatio

from homeassistant.components import webhook
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import service
from homeassistant.helpers.network import NoURLAvailableError

from . import registration
from .const import CONF_WEBHOOK_ID, DOMAIN
from .coordinator import WatchSyncConfigEntry, WebhookHealth
from .helpers import is_household
from .service_targets import Action, refused

SCHEMA = probatio.Schema({probatio.Required(ATTR_CONFIG_ENTRY_ID): cv.string})


async def _get_webhook(call: ServiceCall) -> ServiceResponse:
    """Show a server's webhook."""
    entry = _server_entry(call)
    return await _shown(call.hass, entry, entry.runtime_data.webhook)


async def _regenerate_webhook(call: ServiceCall) -> ServiceResponse:
    """Give a server's webhook a new address, and show it, of which nothing is known yet."""
    entry = _server_entry(call)
    await registration.regenerate(call.hass, entry)
    return await _shown(call.hass, entry, WebhookHealth())


async def _shown(hass: HomeAssistant, entry: WatchSyncConfigEntry, health: WebhookHealth) -> ServiceResponse:
    """Describe a webhook; where nobody knows where we are, its address is its path."""
    path = webhook.async_generate_path(entry.data[CONF_WEBHOOK_ID])
    try:
        url = await registration.address_of(hass, entry)
    except NoURLAvailableError:
        url = path
    return {
        "webhook_id": entry.data[CONF_WEBHOOK_ID],
        "url": url,
        "path": path,
        "enabled": registration.is_enabled(entry),
        "local_only": registration.is_local_only(entry),
        "state": health.state.value,
        "heard": health.heard.isoformat() if health.heard else None,
    }


def _server_entry(call: ServiceCall) -> WatchSyncConfigEntry:
    entry: WatchSyncConfigEntry = service.async_get_config_entry(call.hass, DOMAIN, call.data[ATTR_CONFIG_ENTRY_ID])
    if is_household(entry):
        raise refused("no_webhook")
    return entry


ACTIONS = (
    Action("get_webhook", _get_webhook, SCHEMA, SupportsResponse.ONLY, admin=True),
    Action("regenerate_webhook", _regenerate_webhook, SCHEMA, SupportsResponse.OPTIONAL, admin=True),
)
