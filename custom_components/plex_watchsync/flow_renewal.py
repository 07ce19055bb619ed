"""What of a sign-in is kept in an entry, and who gets the new token when somebody signs in anew."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_USERNAME, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant

from .const import CONF_DEVICE_ID, CONF_KIND, CONF_PLEX_TV, CONF_SIGN_IN, CONF_USER_ID
from .flow_sign_in import Access, at_plex_tv
from .helpers import account_subentries, connection_of, opened, plex_tv
from .ports import AuthFailed, Forbidden, PinRefused, ServerKind, ServerUser
from .servers import Connection


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


@dataclass(frozen=True, slots=True)
class Others:
    """The other users of a Plex server whose own tokens are dead: new ones by account, and the first user whose PIN is needed for that."""

    tokens: Mapping[str, str]
    locked_out: ServerUser | None = None


def renewed(hass: HomeAssistant, entry: ConfigEntry, access: Access, others: Others) -> dict[str, Any]:
    """Give the accounts that have a copy of the renewed token the new one, others theirs, and return what is new in the entry."""
    beside = _beside(entry, access)
    mine = dict.fromkeys([one.subentry_id for one in beside or _relying(entry) if one.data[CONF_TOKEN]], access.connection.token)
    for account_id, token in {**others.tokens, **mine}.items():
        account = entry.subentries[account_id]
        hass.config_entries.async_update_subentry(entry, account, data={**account.data, CONF_TOKEN: token})
    return {} if beside else _credentials(access)


async def others_anew(hass: HomeAssistant, entry: ConfigEntry, access: Access, pins: Mapping[str, str]) -> Others:
    """Get new tokens for the other users of a Plex server, without switching to those whose own still work (pitfall 28); raises `ServerError`."""
    connection = access.connection
    if connection.kind is not ServerKind.PLEX or _beside(entry, access) or not (dead := await _locked_out(hass, entry, connection)):
        return Others({})
    known = access if access.plex else await at_plex_tv(access, plex_tv(hass, connection.device_id, connection.token), str(entry.unique_id))
    tokens: dict[str, str] = {}
    users = {user.user_id: user for user in known.users}
    for account in dead:
        if known.plex and (user := users.get(str(account.unique_id))):
            try:
                tokens[account.subentry_id] = await known.plex.plex_tv.token_for(known.plex.resource, user, pins.get(user.user_id))
            except PinRefused:
                return Others(tokens, user)
    return Others(tokens)


async def _locked_out(hass: HomeAssistant, entry: ConfigEntry, connection: Connection) -> list[ConfigSubentry]:
    """Return the accounts whose own tokens are dead."""
    own = [account for account in account_subentries(entry) if account not in _relying(entry)]
    return [account for account in own if not await _is_let_in(hass, replace(connection_of(entry, account), url=connection.url))]


async def _is_let_in(hass: HomeAssistant, connection: Connection) -> bool:
    try:
        await opened(hass, connection).users()
    except AuthFailed, Forbidden:
        return False
    return True
