"""Real time: one connection for each account, through which its server tells what happens, open as long as the entry is loaded."""

from collections.abc import Iterable
from functools import partial

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback

from . import inbound
from .const import CONF_KIND, CONF_REALTIME, CONF_VIEWER, DEFAULT_REALTIME, DOMAIN
from .coordinator import WatchSyncConfigEntry
from .helpers import account_subentries, stream_of, utcnow
from .hub import HUB
from .logger import LOGGER
from .ports import Gap, PushHealth, PushState, ServerKind, Told
from .servers import Listener

WAY = "push"


@callback
def start(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> None:
    """Listen for each account until the entry is unloaded; of some only polling finds what they do."""
    if not entry.options.get(CONF_REALTIME, DEFAULT_REALTIME):
        return
    accounts = account_subentries(entry)
    for account in [*accounts, *([None] if _hears_more(entry) else [])]:
        known, stream = account.subentry_id if account else entry.entry_id, stream_of(hass, entry, account)
        entry.runtime_data.listeners[known] = None
        if stream is not None:
            listener = Listener(stream, utcnow, partial(_take, hass, entry, [account] if account else accounts), partial(_show, hass, entry))
            entry.runtime_data.listeners[known] = listener
            entry.async_create_background_task(hass, listener.run(), f"{DOMAIN} listens to {entry.title}", eager_start=False)
    entry.runtime_data.refresh_numbers()


def _hears_more(entry: WatchSyncConfigEntry) -> bool:
    """Whether the entry's own credentials are to listen too: a Plex's owner, who has no account here, hears of marks that their makers may not (server-apis §5.2)."""
    tokens = {account.data[CONF_TOKEN] for account in account_subentries(entry)}
    return entry.data[CONF_KIND] == ServerKind.PLEX and not tokens & {None, entry.data[CONF_TOKEN]}


@callback
def _take(hass: HomeAssistant, entry: WatchSyncConfigEntry, accounts: Iterable[ConfigSubentry], told: Told) -> None:
    if isinstance(told, Gap):
        for account in accounts:
            hass.data[HUB].following.catch_up(account.data[CONF_VIEWER], account.subentry_id)
    else:
        inbound.route(hass, entry, told, WAY)


@callback
def _show(hass: HomeAssistant, entry: WatchSyncConfigEntry, health: PushHealth) -> None:
    """Follow a connection's state; credentials that are no good any more are asked for anew."""
    LOGGER.debug("Real time of %s: %s %s", entry.title, health.state, health.problem)
    entry.runtime_data.refresh_numbers()
    if health.state is PushState.REFUSED:
        entry.async_start_reauth(hass)
