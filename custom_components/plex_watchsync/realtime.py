"""Real time: one connection for each account, through which its server tells what happens, open as long as the entry is loaded."""

from functools import partial

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback

from . import inbound
from .const import CONF_REALTIME, CONF_VIEWER, DEFAULT_REALTIME, DOMAIN
from .coordinator import WatchSyncConfigEntry
from .helpers import account_subentries, stream_of, utcnow
from .hub import HUB
from .logger import LOGGER
from .ports import Gap, PushHealth, PushState, Told
from .servers import Listener

WAY = "push"


@callback
def start(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> None:
    """Listen for each account until the entry is unloaded; of some only polling finds what they do."""
    if not entry.options.get(CONF_REALTIME, DEFAULT_REALTIME):
        return
    listeners = entry.runtime_data.listeners
    for account in account_subentries(entry):
        stream = stream_of(hass, entry, account)
        listeners[account.subentry_id] = None
        if stream is not None:
            listener = Listener(stream, utcnow, partial(_take, hass, entry, account), partial(_show, hass, entry))
            listeners[account.subentry_id] = listener
            entry.async_create_background_task(hass, listener.run(), f"{DOMAIN} listens to {entry.title}", eager_start=False)
    entry.runtime_data.refresh_numbers()


@callback
def _take(hass: HomeAssistant, entry: WatchSyncConfigEntry, account: ConfigSubentry, told: Told) -> None:
    if isinstance(told, Gap):
        hass.data[HUB].catch_up(account.data[CONF_VIEWER], account.subentry_id)
    else:
        inbound.route(hass, entry, told, WAY)


@callback
def _show(hass: HomeAssistant, entry: WatchSyncConfigEntry, health: PushHealth) -> None:
    """Follow a connection's state; credentials that are no good any more are asked for anew."""
    LOGGER.debug("Real time of %s: %s %s", entry.title, health.state, health.problem)
    entry.runtime_data.refresh_numbers()
    if health.state is PushState.REFUSED:
        entry.async_start_reauth(hass)
