"""Signing in: the one check behind every form that asks for an address or for credentials."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from yarl import URL

from homeassistant.const import CONF_API_KEY, CONF_PASSWORD, CONF_TOKEN, CONF_URL, CONF_USERNAME, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowHandler, FlowResult
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .flow_forms import told
from .helpers import opened
from .logger import LOGGER
from .ports import ServerError, ServerIdentity, ServerKind, ServerUser, StoreError
from .servers import Connection, clean_url, log_in, probe


class InvalidAddressError(Exception):
    """What was typed is no address of a server."""


@dataclass(frozen=True, slots=True)
class Access:
    """A server, by its name, that lets us in: `users` are those whom the connection may act for, `me` is the one who signed in by name."""

    server: str
    connection: Connection
    users: tuple[ServerUser, ...]
    me: ServerUser | None = None


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
        except InvalidAddressError:
            self.errors = {CONF_URL: "invalid_url"}
        except StoreError:
            self.errors = {"base": "baseline_lost"}
        except ServerError as error:
            LOGGER.debug("A server could not be set up: %s", error)
            key, self.placeholders = told(error)
            self.errors = {"base": key}
        except Exception:  # noqa: BLE001 - whatever it is, the form stays and the log has it
            LOGGER.exception("Unexpected error while a server was asked")
            self.errors = {"base": "unknown"}
        return None

    def aborted(self, server: str) -> Result:
        """End a flow that has no form to stay open, with what went wrong."""
        return self.async_abort(reason=self.errors["base"], description_placeholders={"server": server, **self.placeholders})


def address_of(given: Mapping[str, Any]) -> str:
    """Return the typed address as it is stored; raises InvalidAddressError."""
    try:
        url = clean_url(given[CONF_URL])
        if URL(url).host:
            return url
    except ValueError as error:
        raise InvalidAddressError from error
    raise InvalidAddressError


async def who_answers(hass: HomeAssistant, kind: ServerKind, given: Mapping[str, Any]) -> ServerIdentity:
    """Find out who answers at a typed address, before any secret goes there; raises InvalidAddressError and `ServerError`."""
    url, verify_ssl = address_of(given), given[CONF_VERIFY_SSL]
    return await probe(async_get_clientsession(hass, verify_ssl), url, kind, verify_ssl=verify_ssl)


async def sign_in(hass: HomeAssistant, kind: ServerKind, given: Mapping[str, Any], device_id: str) -> Access:
    """Sign in with what was typed, and list whom we may act for; raises InvalidAddressError and `ServerError`."""
    url, verify_ssl, me = address_of(given), given[CONF_VERIFY_SSL], None
    if CONF_PASSWORD in given:
        session = async_get_clientsession(hass, verify_ssl)
        entered = await log_in(session, kind, url, given[CONF_USERNAME], given[CONF_PASSWORD], device_id=device_id, verify_ssl=verify_ssl)
        token, me = entered.token, entered.user
    else:
        token = (given.get(CONF_TOKEN) or given[CONF_API_KEY]).strip()
    connection = Connection(kind, url, token, device_id, me.user_id if me else None, verify_ssl)
    server = opened(hass, connection)
    return Access((await server.identity()).name, connection, await server.users(), me)
