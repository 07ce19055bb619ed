"""Keep what people have watched the same on their Plex, Emby and Jellyfin servers: wiring only."""

from datetime import datetime, timedelta
from functools import partial

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryError, ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.typing import ConfigType

from . import backups, realtime, registration, webhook
from .const import CONF_FULL_INTERVAL, DEFAULT_FULL_INTERVAL, DOMAIN
from .coordinator import ServerCoordinator, WatchSyncConfigEntry
from .engine.run import Run, recognise
from .helpers import is_household, server_of
from .hub import HUB, hub_of
from .issues import show_ownerless, show_replaced, show_slow
from .moves import async_follow
from .ports import AuthFailed, Forbidden, OtherServer, ServerError, StoreError, StoreTooNew
from .services import async_setup_services

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
SERVER_PLATFORMS = (Platform.BINARY_SENSOR, Platform.BUTTON, Platform.EVENT, Platform.SENSOR, Platform.SWITCH)
HOUSEHOLD_PLATFORMS = (Platform.EVENT, Platform.SENSOR)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Make the hub and register the actions."""
    await hub_of(hass).start()
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> bool:
    """Set up a server, or the household."""
    entry.update_listeners.clear()
    stop_following = entry.add_update_listener(partial(_reload, before=_followed(entry)))
    if is_household(entry):  # outlives a set-up that failed: that the lost viewer is removed may mend it (G3)
        return await _setup_household(hass, entry)
    entry.async_on_unload(stop_following)
    await _check(hass, entry)
    coordinator = ServerCoordinator(hass, entry, hass.data[HUB])
    try:
        await hass.data[HUB].attach(coordinator)
    except StoreError as error:
        raise _stopped(error) from error
    entry.runtime_data = coordinator
    webhook.register(hass, entry)
    await hass.config_entries.async_forward_entry_setups(entry, SERVER_PLATFORMS)
    _schedule(hass, entry, coordinator)
    registration.start(hass, entry)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> bool:
    """Unload a server, or the household."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, HOUSEHOLD_PLATFORMS if is_household(entry) else SERVER_PLATFORMS)
    if unloaded and not is_household(entry):
        await hass.data[HUB].detach(entry)
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> None:
    """Delete what was kept of a server, or of all viewers."""
    hub = hass.data[HUB]
    if is_household(entry):
        for viewer_id in entry.subentries:
            await hub.remove_viewer(viewer_id)
        await hub.journal.remove()
    else:
        show_replaced(hass, entry, replaced=False)
        show_slow(hass, entry, slow=False)
        show_ownerless(hass, entry, ())
        await registration.forget(hass, entry)
        await hub.remove_server(entry)


async def _setup_household(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> bool:
    hub = hass.data[HUB]
    for viewer_id in (hub.viewers.keys() | hub.lost) - entry.subentries.keys():
        await hub.remove_viewer(viewer_id)
    try:
        await hub.load(entry.subentries)
    except StoreError as error:
        raise _stopped(error) from error
    await hass.config_entries.async_forward_entry_setups(entry, HOUSEHOLD_PLATFORMS)
    backups.schedule(hass, entry)
    return True


def _stopped(error: StoreError) -> ConfigEntryError:
    """Say why nobody takes part: a lost baseline is never taken for a first run (G3)."""
    return ConfigEntryError(
        translation_domain=DOMAIN,
        translation_key="baseline_newer" if isinstance(error, StoreTooNew) else "baseline_lost",
        translation_placeholders={"document": str(error)},
    )


async def _check(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> None:
    """See that the entry's server is there, is the one that it was, and lets us in."""
    server = server_of(hass, entry)
    placeholders = {"server": entry.title}
    try:
        await recognise(server, str(entry.unique_id))
        await server.users()
    except (AuthFailed, Forbidden) as error:
        raise ConfigEntryAuthFailed(translation_domain=DOMAIN, translation_key="auth_failed", translation_placeholders=placeholders) from error
    except OtherServer as error:
        show_replaced(hass, entry, replaced=True)
        await async_follow(hass, entry, error)
        raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key="other_server", translation_placeholders=placeholders) from error
    except ServerError as error:
        await async_follow(hass, entry, error)  # found elsewhere, it is set up anew at once
        placeholders["error"] = str(error)
        raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key="server_failed", translation_placeholders=placeholders) from error
    show_replaced(hass, entry, replaced=False)


def _schedule(hass: HomeAssistant, entry: WatchSyncConfigEntry, coordinator: ServerCoordinator) -> None:
    """Sync once Home Assistant runs, then as often as the options say, whether entities are enabled or not (pitfall 33)."""
    entry.async_on_unload(coordinator.async_add_listener(lambda: None))

    async def first_sync() -> None:
        """Read before anybody listens: what happens in between is a gap, which the listeners close."""
        await coordinator.async_refresh()
        realtime.start(hass, entry)

    async def begin(_hass: HomeAssistant) -> None:
        entry.async_create_background_task(hass, first_sync(), f"{DOMAIN} first sync of {entry.title}")

    async def full_sync(_now: datetime) -> None:
        await coordinator.hub.sync(Run(accounts=coordinator.accounts, full=True))

    entry.async_on_unload(async_at_started(hass, begin))
    hours = entry.options.get(CONF_FULL_INTERVAL, DEFAULT_FULL_INTERVAL)
    entry.async_on_unload(async_track_time_interval(hass, full_sync, timedelta(hours=hours), cancel_on_shutdown=True))


async def _reload(hass: HomeAssistant, entry: WatchSyncConfigEntry, *, before: object) -> None:
    """Follow changed options, accounts and viewers."""
    if _followed(entry) != before:
        hass.config_entries.async_schedule_reload(entry.entry_id)


def _followed(entry: WatchSyncConfigEntry) -> object:
    """Return what is to be followed; that a viewer was synced is just remembered."""
    subentries = {known: (one.title, {} if is_household(entry) else dict(one.data)) for known, one in entry.subentries.items()}
    return entry.title, entry.unique_id, dict(entry.data), dict(entry.options), subentries
