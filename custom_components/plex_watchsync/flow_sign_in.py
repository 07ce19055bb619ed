"""Signing in: the one check behind every form that asks for an address or for credentials."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from yarl import URL

from homeassistant.const import CONF_API_KEY, CONF_PASSWORD, CONF_PIN, CONF_TOKEN, CONF_URL, CONF_USERNAME, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowHandler, FlowResult, FlowResultType
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .flow_forms import told
from .helpers import opened
from .logger import LOGGER
from .ports import PinRefused, ServerError, ServerIdentity, ServerKind, ServerUser, StoreError
from .servers import Connection, LogIn, PlexResource, PlexTv, clean_url, log_in, probe


class FormError(Exception):
    """What was given does not do; `key` of the translations, at a field."""

    def __init__(self, key: str, field: str = "base") -> None:
        """Keep what is to be shown where."""
        super().__init__(key)
        self.key, self.field = key, field


@dataclass(frozen=True, slots=True)
class PlexAccess:
    """A Plex server as plex.tv shows it to the account that signed in."""

    plex_tv: PlexTv
    resource: PlexResource


@dataclass(frozen=True, slots=True)
class Access:
    """A server, by its name, that lets us in: `users` are those whom the connection may act for, `me` is the one who signed in by name.

    With `plex` each of the users has a token of his own. `way` names how one signed in, where that was elsewhere.
    """

    server: str
    connection: Connection
    users: tuple[ServerUser, ...]
    me: ServerUser | None = None
    plex: PlexAccess | None = None
    way: str | None = None


class AskingSteps[Result: FlowResult[Any, Any]](FlowHandler[Any, Result, Any]):
    """Steps that ask a server; their forms stay open, with what went wrong."""

    errors: Mapping[str, str] = {}
    placeholders: Mapping[str, str] = {}
    """What the errors' texts need."""

    async def asked[Answer](self, question: Awaitable[Answer]) -> Answer | None:
        """Wait for an answer; None when there is none, with `errors` and `placeholders` for the form."""
        self.errors, self.placeholders = {}, {}
        try:
            return await question
        except FormError as error:
            self.errors = {error.field: error.key}
        except StoreError:
            self.errors = {"base": "baseline_lost"}
        except ServerError as error:
            LOGGER.debug("A server could not be set up: %s", error)
            key, self.placeholders = told(error)
            self.errors = {CONF_PIN if isinstance(error, PinRefused) else "base": key}
        except Exception:  # noqa: BLE001 - whatever it is, the form stays and the log has it
            LOGGER.exception("Unexpected error while a server was asked")
            self.errors = {"base": "unknown"}
        return None

    def submitted(self, user_input: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return what a form was submitted with; what was sent while the flow waited for something else was not meant for the step that follows."""
        return user_input if self.cur_step and self.cur_step["type"] is FlowResultType.FORM else None

    def aborted(self, server: str) -> Result:
        """End a flow that has no form to stay open, with what went wrong."""
        return self.async_abort(reason=self.errors["base"], description_placeholders={"server": server, **self.placeholders})


def address_of(given: Mapping[str, Any]) -> str:
    """Return the typed address as it is stored; raises FormError."""
    try:
        url = clean_url(given[CONF_URL])
        if URL(url).host:
            return url
    except ValueError as error:
        raise FormError("invalid_url", CONF_URL) from error
    raise FormError("invalid_url", CONF_URL)


async def who_answers(hass: HomeAssistant, kind: ServerKind, given: Mapping[str, Any]) -> ServerIdentity:
    """Find out who answers at a typed address, before any secret goes there; raises FormError and `ServerError`."""
    url, verify_ssl = address_of(given), given[CONF_VERIFY_SSL]
    return await probe(async_get_clientsession(hass, verify_ssl), url, kind, verify_ssl=verify_ssl)


async def sign_in(hass: HomeAssistant, kind: ServerKind, given: Mapping[str, Any], device_id: str) -> Access:
    """Sign in with what was typed, and list whom we may act for; raises FormError and `ServerError`."""
    url, verify_ssl = address_of(given), given[CONF_VERIFY_SSL]
    if CONF_PASSWORD in given:
        session = async_get_clientsession(hass, verify_ssl)
        entered = await log_in(session, kind, url, given[CONF_USERNAME], given[CONF_PASSWORD], device_id=device_id, verify_ssl=verify_ssl)
        return await entered_as(hass, Connection(kind, url, entered.token, device_id, entered.user.user_id, verify_ssl), entered)
    token = (given.get(CONF_TOKEN) or given[CONF_API_KEY]).strip()
    return await entered_as(hass, Connection(kind, url, token, device_id, None, verify_ssl))


async def entered_as(hass: HomeAssistant, connection: Connection, entered: LogIn | None = None) -> Access:
    """List whom a connection may act for, made by whoever `entered` by name; raises `ServerError`."""
    server = opened(hass, connection)
    return Access((await server.identity()).name, connection, await server.users(), entered.user if entered else None)


async def at_plex_tv(access: Access, plex_tv: PlexTv, server_id: str) -> Access:
    """Add whom plex.tv knows of a Plex server, unless the token is no account's there."""
    try:
        plex = PlexAccess(plex_tv, await plex_tv.server(server_id))
        return replace(access, users=await plex_tv.users(plex.resource), plex=plex)
    except ServerError as error:
        LOGGER.debug("plex.tv does not tell whom %s acts for: %s", access.server, error)
        return access
