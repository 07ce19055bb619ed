"""Webhooks: take in, answer, and only then look (pitfalls 30-32, 47)."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from hmac import compare_digest
from http import HTTPStatus

from aiohttp.hdrs import CONTENT_TYPE
from aiohttp.web import Request, Response

from homeassistant.components import webhook
from homeassistant.core import HomeAssistant

from . import inbound, registration
from .const import CONF_KIND, CONF_WEBHOOK_HEADER_SECRET, CONF_WEBHOOK_ID, DOMAIN, SECRET_HEADER
from .coordinator import WatchSyncConfigEntry
from .helpers import utcnow
from .logger import LOGGER
from .ports import InboundError, InboundRequest, InboundTooLarge, ServerKind
from .servers import WEBHOOK_EVENTS, parse_webhook

MAX_BYTES = 4 << 20  # with Plex's poster; the text in it is limited further by the parser
WAY = "webhook"
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
        passed = max(0.0, (now - self._at).total_seconds())  # a clock may be set back
        self._tokens = min(BURST, self._tokens + passed * PER_SECOND)
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
    if not registration.is_enabled(entry):
        return
    webhook_id, local_only = entry.data[CONF_WEBHOOK_ID], registration.is_local_only(entry)
    webhook.async_register(hass, DOMAIN, entry.title, webhook_id, _handler(entry), local_only=local_only, allowed_methods=("POST", "PUT"))
    entry.async_on_unload(lambda: webhook.async_unregister(hass, webhook_id))


def _handler(entry: WatchSyncConfigEntry) -> Callable[[HomeAssistant, str, Request], Awaitable[Response]]:
    bucket, secret, counting = TokenBucket(), entry.options.get(CONF_WEBHOOK_HEADER_SECRET), registration.events_of(entry)
    known = WEBHOOK_EVENTS[ServerKind(entry.data[CONF_KIND])]

    async def handle(hass: HomeAssistant, webhook_id: str, request: Request) -> Response:
        """Answer at once; what cannot be understood is refused, so that its sender shows it."""
        if not bucket.take():
            return Response(status=HTTPStatus.TOO_MANY_REQUESTS)
        message = InboundRequest(request.headers.get(CONTENT_TYPE, ""), b"")
        if secret and not compare_digest(request.headers.get(SECRET_HEADER, "").encode(), secret.encode()):
            return _refused(hass, entry, message, InboundError(f"the header {SECRET_HEADER} is missing or wrong"), HTTPStatus.UNAUTHORIZED)
        registration.heard(hass, entry)
        try:
            message = replace(message, body=await _body(request))
            event = parse_webhook(ServerKind(entry.data[CONF_KIND]), message)
        except InboundTooLarge as error:
            return _refused(hass, entry, message, error, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except InboundError as error:
            return _refused(hass, entry, message, error, HTTPStatus.BAD_REQUEST)
        if event.event in known and event.event not in counting:
            inbound.note(hass, entry, WAY, "ignored", event=event, reason="events of this kind do not count", message=message)
        else:
            hass.loop.call_soon(inbound.route, hass, entry, event, WAY, message)
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


def _refused(hass: HomeAssistant, entry: WatchSyncConfigEntry, message: InboundRequest, error: InboundError, status: HTTPStatus) -> Response:
    LOGGER.debug("Webhook %s of %s refused: %s", masked(entry.data[CONF_WEBHOOK_ID]), entry.title, error)
    inbound.note(hass, entry, WAY, "failed", reason=str(error), message=message)
    return Response(status=status, text=str(error))
