"""Webhooks that set themselves up: registered and mended at the server, proved by a message of its, taken out at the end."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from yarl import URL

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.event import async_call_later, async_track_time_interval
from homeassistant.helpers.network import NoURLAvailableError
from homeassistant.helpers.start import async_at_started

from . import cloudhook
from .const import (
    CONF_KIND,
    CONF_PLEX_TV,
    CONF_WEBHOOK_ENABLED,
    CONF_WEBHOOK_EVENTS,
    CONF_WEBHOOK_HEADER_SECRET,
    CONF_WEBHOOK_ID,
    CONF_WEBHOOK_LOCAL_ONLY,
    DOMAIN,
    SECRET_HEADER,
)
from .coordinator import WatchSyncConfigEntry, WebhookState
from .helpers import account_subentries, connection_of, utcnow
from .logger import LOGGER
from .ports import AuthFailed, Forbidden, NotSupported, OwnWebhook, ServerError, ServerKind, WebhookRegistrar
from .servers import WEBHOOK_EVENTS, open_registrar

CHECK_EVERY = timedelta(hours=6)
PROVED_FOR = timedelta(days=1)  # a webhook that was heard within this time needs no other proof
PROOF_WITHIN = timedelta(seconds=30)
GOODBYE_SECONDS = 10
SENDS_HEADERS = frozenset({ServerKind.JELLYFIN})


def is_enabled(entry: ConfigEntry) -> bool:
    """Whether webhooks are wanted."""
    return bool(entry.options.get(CONF_WEBHOOK_ENABLED, True))


def is_local_only(entry: ConfigEntry) -> bool:
    """Whether webhooks may come from the local network only."""
    return bool(entry.options.get(CONF_WEBHOOK_LOCAL_ONLY, True))


def events_of(entry: ConfigEntry) -> tuple[str, ...]:
    """Return the events that count, by the sender's names."""
    return tuple(entry.options.get(CONF_WEBHOOK_EVENTS, WEBHOOK_EVENTS[ServerKind(entry.data[CONF_KIND])]))


async def address_of(hass: HomeAssistant, entry: ConfigEntry) -> str:
    """Return where the server is to send: through the cloud if it may come from outside and the cloud is there; raises NoURLAvailableError."""
    webhook_id, local_only = entry.data[CONF_WEBHOOK_ID], is_local_only(entry)
    through_cloud = None if local_only else await cloudhook.create(hass, webhook_id)
    return through_cloud or webhook.async_generate_url(hass, webhook_id, prefer_external=not local_only)


def start(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> None:
    """See to the server's list once Home Assistant runs, now and then, and when it or the cloud may have got another address."""
    looking = asyncio.Lock()

    async def look() -> None:
        async with looking:
            await (_keep(hass, entry) if is_enabled(entry) else withdraw(hass, entry))

    @callback
    def look_later(_now: object = None) -> None:
        entry.async_create_background_task(hass, look(), f"{DOMAIN} webhook of {entry.title}")

    entry.async_on_unload(async_at_started(hass, look_later))
    entry.async_on_unload(async_track_time_interval(hass, look_later, CHECK_EVERY, cancel_on_shutdown=True))
    entry.async_on_unload(cloudhook.listen(hass, look_later))
    entry.async_on_unload(hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, look_later))
    entry.async_on_unload(lambda: ir.async_delete_issue(hass, DOMAIN, _issue_id(entry)))


@callback
def heard(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> None:
    """Note that something came in: the webhook works."""
    health = entry.runtime_data.webhook
    health.heard = utcnow()
    if health.state in {WebhookState.REGISTERED, WebhookState.UNREACHABLE}:
        health.state = WebhookState.PROVED
        ir.async_delete_issue(hass, DOMAIN, _issue_id(entry))


async def regenerate(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Give the webhook a new id; the old one dies, here and at the server."""
    await forget(hass, entry)
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_WEBHOOK_ID: webhook.async_generate_id()})


async def forget(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take the webhook out of the server's list and of the cloud."""
    await withdraw(hass, entry)
    await cloudhook.delete(hass, entry.data[CONF_WEBHOOK_ID])


async def withdraw(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take the webhook out of the server's list, if we may and the server is there; what stays there reaches nobody."""
    for registrar in _registrars(hass, entry):
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await registrar.withdraw(_own(hass, entry, ""))
        except (ServerError, TimeoutError) as error:
            LOGGER.debug("The webhook of %s may still stand in its server's list: %s", entry.title, error)


async def _keep(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> None:
    """Register or mend the webhook, and have the server prove it; where that is not ours to do, a person pastes the address."""
    registrars, health = _registrars(hass, entry), entry.runtime_data.webhook
    if not registrars:
        health.state = WebhookState.MANUAL
        return
    if not _can_send_secret(entry):  # all of its messages would be refused
        health.state = WebhookState.MANUAL
        await withdraw(hass, entry)
        return
    try:
        hook = _own(hass, entry, await address_of(hass, entry))
        registrar, changed = await _ensured(registrars, hook)
        if changed or health.heard is None or utcnow() - health.heard > PROVED_FOR:
            await _prove(hass, entry, registrar, hook)
    except (NoURLAvailableError, AuthFailed, Forbidden, NotSupported) as error:
        health.state, health.reason = WebhookState.MANUAL, str(error)
    except ServerError as error:  # the next look may find it in a better mood
        LOGGER.debug("The webhook of %s could not be seen to: %s", entry.title, error)


async def _prove(hass: HomeAssistant, entry: WatchSyncConfigEntry, registrar: WebhookRegistrar, hook: OwnWebhook) -> None:
    """Have the server send something, and give it time to arrive."""
    health, asked = entry.runtime_data.webhook, utcnow()
    health.reason = ""
    if health.state is not WebhookState.UNREACHABLE:
        health.state = WebhookState.REGISTERED

    @callback
    def judge(_now: datetime) -> None:
        if health.heard is None or health.heard < asked:
            _report(hass, entry, str(URL(hook.url).origin()))

    if await registrar.provoke(hook):
        entry.async_on_unload(async_call_later(hass, PROOF_WITHIN, HassJob(judge, cancel_on_shutdown=True)))


@callback
def _report(hass: HomeAssistant, entry: WatchSyncConfigEntry, origin: str) -> None:
    """Say that the server's message did not arrive."""
    entry.runtime_data.webhook.state = WebhookState.UNREACHABLE
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(entry),
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key="webhook_unreachable",
        translation_placeholders={"server": entry.title, "address": origin},
    )


def _registrars(hass: HomeAssistant, entry: ConfigEntry) -> list[WebhookRegistrar]:
    """Open the server's list with the entry's credentials, then with those of its accounts that have some of their own.

    Plex's list is at plex.tv, where nobody is asked unless the account signed in there.
    """
    connection = connection_of(entry)
    if connection.kind is ServerKind.PLEX:
        own = entry.data.get(CONF_PLEX_TV)
        return [open_registrar(async_get_clientsession(hass), replace(connection, token=own), clock=utcnow)] if own else []
    further = (connection_of(entry, account) for account in account_subentries(entry))
    by_token = {one.token: one for one in (connection, *further) if one is connection or (one.own and one.token != connection.token)}
    return [open_registrar(async_get_clientsession(hass, one.verify_ssl), one, clock=utcnow) for one in by_token.values()]


async def _ensured(registrars: Sequence[WebhookRegistrar], hook: OwnWebhook) -> tuple[WebhookRegistrar, bool]:
    """Register with the first credentials that may; raises `ServerError`, what the first of all were refused with when none may."""
    refusals: list[ServerError] = []
    for registrar in registrars:
        try:
            return registrar, await registrar.ensure(hook)
        except (AuthFailed, Forbidden) as error:
            refusals.append(error)
    raise refusals[0]


def _can_send_secret(entry: ConfigEntry) -> bool:
    """Whether the server can send the secret that is asked for, if one is."""
    return not entry.options.get(CONF_WEBHOOK_HEADER_SECRET) or entry.data[CONF_KIND] in SENDS_HEADERS


def _own(hass: HomeAssistant, entry: ConfigEntry, url: str) -> OwnWebhook:
    """Describe the webhook; an address of the cloud has no id in it and is known as a whole."""
    webhook_id, secret = entry.data[CONF_WEBHOOK_ID], entry.options.get(CONF_WEBHOOK_HEADER_SECRET)
    marks = {webhook_id, *filter(None, [cloudhook.known(hass, webhook_id)])}
    return OwnWebhook(url, frozenset(marks), events_of(entry), {SECRET_HEADER: secret} if secret else {})


def _issue_id(entry: ConfigEntry) -> str:
    return f"webhook_unreachable_{entry.entry_id}"
