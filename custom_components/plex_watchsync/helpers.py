"""Small things that several Home Assistant files need."""

from collections.abc import Callable
from datetime import datetime

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util

from .const import CONF_DEVICE_ID, CONF_KIND, CONF_MATCH_BY_FILE_NAME, CONF_PLEX_TV, CONF_USER_ID, DOMAIN, HOUSEHOLD, SUBENTRY_ACCOUNT, SUBENTRY_VIEWER
from .ports import PushStream, ServerKind, WatchServer
from .servers import Connection, PlexTv, open_server, open_stream

utcnow: Callable[[], datetime] = dt_util.utcnow


def is_household(entry: ConfigEntry) -> bool:
    """Whether an entry is the household's rather than a server's."""
    return bool(entry.data[CONF_KIND] == HOUSEHOLD)


def household_entry(hass: HomeAssistant) -> ConfigEntry | None:
    """Return the household's entry, made with the first server."""
    return hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, HOUSEHOLD)


def account_subentries(entry: ConfigEntry) -> list[ConfigSubentry]:
    """Return the accounts of a server entry."""
    return [subentry for subentry in entry.subentries.values() if subentry.subentry_type == SUBENTRY_ACCOUNT]


def viewer_subentries(entry: ConfigEntry) -> list[ConfigSubentry]:
    """Return the viewers of the household entry."""
    return [subentry for subentry in entry.subentries.values() if subentry.subentry_type == SUBENTRY_VIEWER]


def server_name_of(hass: HomeAssistant, account_id: str) -> str | None:
    """Return the title of the server entry that has this account."""
    return next((entry.title for entry in hass.config_entries.async_entries(DOMAIN) if account_id in entry.subentries), None)


def connection_of(entry: ConfigEntry, account: ConfigSubentry | None = None) -> Connection:
    """Return how to reach an entry's server as one of its accounts, or by the credentials that the entry was made with."""
    own = account.data if account else {}
    return Connection(
        kind=ServerKind(entry.data[CONF_KIND]),
        url=entry.data[CONF_URL],
        token=own.get(CONF_TOKEN) or entry.data[CONF_TOKEN],
        device_id=own.get(CONF_DEVICE_ID) or entry.data[CONF_DEVICE_ID],
        user_id=own.get(CONF_USER_ID) or entry.data.get(CONF_USER_ID),
        verify_ssl=entry.data[CONF_VERIFY_SSL],
        own=bool(own.get(CONF_TOKEN)),
        files=entry.options.get(CONF_MATCH_BY_FILE_NAME, False),
        owner_token=entry.data[CONF_TOKEN],
    )


def server_of(hass: HomeAssistant, entry: ConfigEntry, account: ConfigSubentry | None = None) -> WatchServer:
    """Open an entry's server as one of its accounts, or by the credentials that the entry was made with."""
    return opened(hass, connection_of(entry, account))


def stream_of(hass: HomeAssistant, entry: ConfigEntry, account: ConfigSubentry | None) -> PushStream | None:
    """Return what tells of an account's doings, or of what the entry's credentials hear; None where only polling finds them."""
    connection = connection_of(entry, account)
    return open_stream(async_get_clientsession(hass, connection.verify_ssl), connection, clock=utcnow)


def plex_tv(hass: HomeAssistant, client_id: str, token: str | None = None) -> PlexTv:
    """Open plex.tv for an account, or for nobody yet, in Home Assistant's session."""
    return PlexTv(async_get_clientsession(hass), client_id, token, utcnow)


def plex_tv_of(hass: HomeAssistant, entry: ConfigEntry) -> PlexTv:
    """Open plex.tv for the account of a Plex server's entry; the token of an owner that was typed opens it too."""
    return plex_tv(hass, entry.data[CONF_DEVICE_ID], entry.data.get(CONF_PLEX_TV) or entry.data[CONF_TOKEN])


def opened(hass: HomeAssistant, connection: Connection) -> WatchServer:
    """Open a server in Home Assistant's session."""
    return open_server(async_get_clientsession(hass, connection.verify_ssl), connection, clock=utcnow)
