"""Webhooks: take in, answer, and only then look (pitfalls 30-32, 47)."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp.hdrs import CONTENT_TYPE
from aiohttp.web import Request, Response

from homeassistant.components import webhook
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send

from .const import (
    CONF_KIND,
    CONF_USER_ID,
    CONF_VIEWER,
    CONF_WEBHOOK_ENABLED,
    CONF_WEBHOOK_ID,
    CONF_WEBHOOK_LOCAL_ONLY,
    DOMAIN,
    SIGNAL_PLAYBACK,
)
from .coordinator import WatchSyncConfigEntry
from .engine.journal import Note
from .helpers import account_subentries, is_household, utcnow
from .hub import HUB
from .logger import LOGGER
from .ports import Hint, InboundError, InboundEvent, InboundRequest, InboundTooLarge, ServerKind
from .servers import parse_webhook

MAX_BYTES = 4 << 20  # with Plex's poster; the text in it is limited further by the parser
BURST = 100
PER_SECOND = 20.0


class TokenBucket:
    """Lets a burst through and then so many a second."""

    def __init__(self) -> None:
        """Start full."""
        self._tokens, self._at = float(BURST), utcnow()

    def take(self) -> bool:
        """Use one token up if there is one."""
        now = utcnow()
        self._tokens = min(BURST, self._tokens + (now - self._at).total_seconds() * PER_SECOND)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def masked(webhook_id: str) -> str:
    """Shorten a webhook id for logs."""
    return f"{webhook_id[:8]}…{webhook_id[-4:]}"


def register(hass: HomeAssistant, entry: WatchSyncConfigEntry) -> None:
    """Listen at the entry's webhook id until the entry is unloaded."""
    if not entry.options.get(CONF_WEBHOOK_ENABLED, True):
        return
    webhook_id, local_only = entry.data[CONF_WEBHOOK_ID], entry.options.get(CONF_WEBHOOK_LOCAL_ONLY, True)
    webhook.async_register(hass, DOMAIN, entry.title, webhook_id, _handler(entry), local_only=local_only, allowed_methods=("POST", "PUT"))
    entry.async_on_unload(lambda: webhook.async_unregister(hass, webhook_id))


def _handler(entry: WatchSyncConfigEntry) -> Callable[[HomeAssistant, str, Request], Awaitable[Response]]:
    bucket = TokenBucket()

    async def handle(hass: HomeAssistant, webhook_id: str, request: Request) -> Response:
        """Answer at once; what cannot be understood is refused, so that its sender shows it."""
        if not bucket.take():
            return Response(status=HTTPStatus.TOO_MANY_REQUESTS)
        try:
            body = await _body(request)
            event = parse_webhook(ServerKind(entry.data[CONF_KIND]), InboundRequest(request.headers.get(CONTENT_TYPE, ""), body))
        except InboundTooLarge as error:
            return _refused(hass, entry, webhook_id, error, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except InboundError as error:
            return _refused(hass, entry, webhook_id, error, HTTPStatus.BAD_REQUEST)
        hass.loop.call_soon(_take, hass, entry, event)
        return Response(status=HTTPStatus.OK)

    return handle


async def _body(request: Request) -> bytes:
    """Read a body that may be of any size; a cloudhook's request has its text only (pitfall 31)."""
    if not isinstance(request, Request):
        body = (await request.text()).encode()
        if len(body) > MAX_BYTES:
            raise InboundTooLarge("the body is too large")
        return body
    parts, size = [], 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > MAX_BYTES:
            raise InboundTooLarge("the body is too large")
        parts.append(chunk)
    return b"".join(parts)


def _refused(hass: HomeAssistant, entry: WatchSyncConfigEntry, webhook_id: str, error: InboundError, status: HTTPStatus) -> Response:
    LOGGER.debug("Webhook %s of %s refused: %s", masked(webhook_id), entry.title, error)
    _note(hass, entry, "failed", "", str(error))
    return Response(status=status, text=str(error))


@callback
def _take(hass: HomeAssistant, entry: WatchSyncConfigEntry, event: InboundEvent) -> None:
    """Route an event to its server and account, and have its item looked at."""
    target = _server_entry(hass, entry, event)
    if target is None:
        _note(hass, entry, "ignored", event.event, "it is from another server")
        return
    accounts = [one for one in account_subentries(target) if _is_by(event, one.data[CONF_USER_ID], one.title)]
    if not accounts:
        _note(hass, target, "ignored", event.event, "its user has no account here")
        return
    for account in accounts:
        viewer, at = account.data[CONF_VIEWER], event.at or utcnow()
        if event.playback:
            async_dispatcher_send(hass, SIGNAL_PLAYBACK.format(viewer), account.subentry_id, event)
        if event.may_have_changed and event.item_id:
            hass.data[HUB].hint(viewer, [Hint(account.subentry_id, event.item_id, min(at, utcnow()), event.unplayed)])
    _note(hass, target, "processed" if event.may_have_changed or event.playback else "ignored", event.event, "")


def _server_entry(hass: HomeAssistant, entry: WatchSyncConfigEntry, event: InboundEvent) -> WatchSyncConfigEntry | None:
    """Find the loaded entry of the server that an event is about: one Plex account's webhook serves all its servers."""
    if event.server_id is None:
        return entry
    loaded: list[WatchSyncConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    return next((one for one in loaded if not is_household(one) and one.unique_id == event.server_id and one.data[CONF_KIND] == event.kind), None)


def _is_by(event: InboundEvent, user_id: str, name: str) -> bool:
    if event.user_id is not None:
        return event.user_id == user_id
    return event.user_name is None or event.user_name.casefold() == name.casefold()


def _note(hass: HomeAssistant, entry: WatchSyncConfigEntry, outcome: str, event: str, reason: str) -> None:
    hass.data[HUB].journal.add(Note(utcnow(), "webhook", outcome, entry.title, event, reason))
