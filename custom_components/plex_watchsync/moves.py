"""Servers that moved: they are followed by their ids."""

import asyncio

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .const import CONF_KIND
from .helpers import plex_tv_of
from .logger import LOGGER
from .ports import OtherServer, ServerError, ServerKind, ServerUnavailable
from .servers import probe

PATIENCE = 60  # seconds; addresses that lead nowhere take their time, and there may be many


async def async_follow(hass: HomeAssistant, entry: ConfigEntry, problem: ServerError) -> bool:
    """Look where a Plex server is that nothing, or another server, answers for: plex.tv knows; whether it was found elsewhere, and the entry changed."""
    if entry.data[CONF_KIND] != ServerKind.PLEX or not isinstance(problem, ServerUnavailable | OtherServer):
        return False
    plex_tv = plex_tv_of(hass, entry)
    try:
        async with asyncio.timeout(PATIENCE):
            url = await plex_tv.address_of(await plex_tv.server(str(entry.unique_id)))
    except (ServerError, TimeoutError) as error:
        LOGGER.debug("plex.tv does not tell where %s is: %s", entry.title, error)
        return False
    return hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_URL: url, CONF_VERIFY_SSL: True})


async def async_found(hass: HomeAssistant, entry: ConfigEntry, url: str) -> None:
    """Follow a server that was found at an address, unless it answers where it is known to be.

    Anybody in the local network can claim an id, and would get the token: whoever has shown a certificate shows one again.
    """
    known = entry.data[CONF_URL]
    if entry.state is ConfigEntryState.LOADED or known == url or (known.startswith("https:") and not url.startswith("https:")):
        return
    kind, verify_ssl = ServerKind(entry.data[CONF_KIND]), entry.data[CONF_VERIFY_SSL]
    try:
        identity = await probe(async_get_clientsession(hass, verify_ssl), url, kind, verify_ssl=verify_ssl)
    except ServerError as error:
        LOGGER.debug("%s does not answer where it was found: %s", entry.title, error)
        return
    if identity.server_id == entry.unique_id:
        hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_URL: url})
        hass.config_entries.async_schedule_reload(entry.entry_id)
