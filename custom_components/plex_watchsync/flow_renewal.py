"""What of a sign-in is kept in an entry, and who gets the new token when somebody signs in anew."""

from collections.abc import Iterable
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_USERNAME, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant

from .const import CONF_DEVICE_ID, CONF_KIND, CONF_PLEX_TV, CONF_SIGN_IN, CONF_USER_ID
from .flow_sign_in import Access, PlexAccess
from .helpers import account_subentries
from .ports import ServerUser


def kept(access: Access) -> dict[str, Any]:
    """Return what of a sign-in is kept in the entry; never a password."""
    connection = access.connection
    address = {CONF_KIND: connection.kind.value, CONF_URL: connection.url, CONF_VERIFY_SSL: connection.verify_ssl}
    way = {CONF_SIGN_IN: access.way} if access.way else {}
    return {**address, CONF_DEVICE_ID: connection.device_id, **way, **_credentials(access)}


def _credentials(access: Access) -> dict[str, Any]:
    """Return what lets us in; plex.tv knows best where its servers are."""
    me = {CONF_USERNAME: access.me.name, CONF_USER_ID: access.me.user_id} if access.me else {}
    plex = {CONF_PLEX_TV: access.plex.plex_tv.token, CONF_URL: access.connection.url, CONF_VERIFY_SSL: True} if access.plex else {}
    return {CONF_TOKEN: access.connection.token, **me, **plex}


def device_of(entry: ConfigEntry, username: str | None) -> str:
    """Return the device that a user signs in with: his account's own, else the entry's (pitfall 39)."""
    devices = {account.title.casefold(): account.data[CONF_DEVICE_ID] for account in account_subentries(entry) if account.data[CONF_TOKEN]}
    return str(devices.get((username or "").casefold(), entry.data[CONF_DEVICE_ID]))


def _relying(entry: ConfigEntry) -> list[ConfigSubentry]:
    """Return the accounts that the entry's credentials act for."""
    return [account for account in account_subentries(entry) if account.data[CONF_TOKEN] in {None, entry.data[CONF_TOKEN]}]


def _beside(entry: ConfigEntry, access: Access) -> list[ConfigSubentry]:
    """Return the account of whoever signed in, if it has a token of its own beside the entry's."""
    relying = _relying(entry)
    return [one for one in account_subentries(entry) if access.me and one.unique_id == access.me.user_id and one not in relying]


def unserved(entry: ConfigEntry, access: Access) -> list[str]:
    """Name the accounts that would be left without credentials."""
    users = {user.user_id for user in access.users}
    return [] if _beside(entry, access) else [one.title for one in _relying(entry) if one.unique_id not in users]


async def renewed(hass: HomeAssistant, entry: ConfigEntry, access: Access) -> dict[str, Any]:
    """Give the accounts that have a copy of the renewed token the new one, and return what is new in the entry."""
    beside = _beside(entry, access)
    if access.plex and not beside:
        await _renew_others(hass, entry, access.users, access.plex)
    for account in beside or [one for one in _relying(entry) if one.data[CONF_TOKEN]]:
        hass.config_entries.async_update_subentry(entry, account, data={**account.data, CONF_TOKEN: access.connection.token})
    return {} if beside else _credentials(access)


async def _renew_others(hass: HomeAssistant, entry: ConfigEntry, users: Iterable[ServerUser], plex: PlexAccess) -> None:
    """Get new tokens for a Plex server's other users; who has a PIN keeps his, for it is not kept."""
    relying, known = _relying(entry), {user.user_id: user for user in users}
    for account in account_subentries(entry):
        if account not in relying and (user := known.get(str(account.unique_id))) and not user.protected:
            token = await plex.plex_tv.token_for(plex.resource, user, None)
            hass.config_entries.async_update_subentry(entry, account, data={**account.data, CONF_TOKEN: token})
