"""The doors: open a server, find out who answers, sign in, read a webhook."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import ClientSession

from ..ports import (
    InboundEvent,
    InboundRequest,
    NotAMediaServer,
    OtherServerKind,
    PushStream,
    ServerIdentity,
    ServerKind,
    ServerUser,
    WatchServer,
    WebhookRegistrar,
)
from .connection import Connection
from .http import PROBE_TIMEOUT, HttpClient
from .mediabrowser import (
    EMBY_EVENTS,
    JELLYFIN_EVENTS,
    EmbyRegistrar,
    EmbyServer,
    JellyfinRegistrar,
    JellyfinServer,
    MediaBrowserPush,
    QuickConnect,
    headers,
    parse_emby,
    parse_jellyfin,
)
from .mediabrowser import identify as identify_mediabrowser
from .mediabrowser import log_in as log_in_mediabrowser
from .plex import EVENTS as PLEX_EVENTS
from .plex import PlexPush, PlexRegistrar, PlexServer, parse_plex
from .plex import identify as identify_plex


@dataclass(frozen=True, slots=True)
class LogIn:
    """What a server gave for a password."""

    token: str = field(repr=False)
    user: ServerUser


_SERVERS: dict[ServerKind, Callable[[ClientSession, Connection, Callable[[], datetime]], WatchServer]] = {
    ServerKind.PLEX: PlexServer.open,
    ServerKind.JELLYFIN: JellyfinServer.open,
    ServerKind.EMBY: EmbyServer.open,
}
_STREAMS: dict[ServerKind, Callable[[ClientSession, Connection, Callable[[], datetime]], PushStream | None]] = {
    ServerKind.PLEX: PlexPush.open,
    ServerKind.JELLYFIN: MediaBrowserPush.open,
    ServerKind.EMBY: MediaBrowserPush.open,
}
_WEBHOOKS: dict[ServerKind, Callable[[InboundRequest], InboundEvent]] = {
    ServerKind.PLEX: parse_plex,
    ServerKind.JELLYFIN: parse_jellyfin,
    ServerKind.EMBY: parse_emby,
}
_REGISTRARS: dict[ServerKind, Callable[[ClientSession, Connection, Callable[[], datetime]], WebhookRegistrar]] = {
    ServerKind.PLEX: PlexRegistrar.open,
    ServerKind.JELLYFIN: JellyfinRegistrar.open,
    ServerKind.EMBY: EmbyRegistrar.open,
}
WEBHOOK_EVENTS: dict[ServerKind, tuple[str, ...]] = {
    ServerKind.PLEX: PLEX_EVENTS,
    ServerKind.JELLYFIN: JELLYFIN_EVENTS,
    ServerKind.EMBY: EMBY_EVENTS,
}
"""What each kind of server can tell that matters, by its own names."""


def open_server(session: ClientSession, connection: Connection, *, clock: Callable[[], datetime]) -> WatchServer:
    """Make a client of a connection; sends nothing."""
    return _SERVERS[connection.kind](session, connection, clock)


def open_stream(session: ClientSession, connection: Connection, *, clock: Callable[[], datetime]) -> PushStream | None:
    """Make a connection's push stream, None where there is none and only polling finds what happens; sends nothing."""
    return _STREAMS[connection.kind](session, connection, clock)


def open_registrar(session: ClientSession, connection: Connection, *, clock: Callable[[], datetime]) -> WebhookRegistrar:
    """Open the list of webhooks that a connection may change; Plex's is that of an account of plex.tv, by its token. Sends nothing."""
    return _REGISTRARS[connection.kind](session, connection, clock)


async def probe(session: ClientSession, url: str, expected: ServerKind, *, verify_ssl: bool) -> ServerIdentity:
    """Ask who answers at an address.

    Raises CertificateInvalid, ServerUnavailable, ServerTooOld, OtherServerKind for a media server of another kind and NotAMediaServer for anything else.
    """
    http = HttpClient(session, url, headers={"Accept": "application/json"}, verify_ssl=verify_ssl, clock=_now, timeout=PROBE_TIMEOUT)
    families = [identify_plex, identify_mediabrowser]
    for identify in families if expected is ServerKind.PLEX else reversed(families):
        if (found := await identify(http)) is not None:
            break
    else:
        message = "no media server answers there"
        raise NotAMediaServer(message)
    if found.kind is not expected:
        message = f"{found.kind} answers there"
        raise OtherServerKind(message, found.kind)
    return found


async def log_in(session: ClientSession, kind: ServerKind, url: str, username: str, password: str, *, device_id: str, verify_ssl: bool) -> LogIn:
    """Exchange a password for a token, on Jellyfin and Emby; raises AuthFailed and the rest of `ServerError`."""
    http = HttpClient(session, url, headers=headers(kind, device_id), verify_ssl=verify_ssl, clock=_now)
    return LogIn(*await log_in_mediabrowser(http, kind, username, password))


async def quick_connect(session: ClientSession, url: str, *, device_id: str, verify_ssl: bool) -> QuickConnect:
    """Get a code from a Jellyfin, to be typed there; raises LinkRefused and the rest of `ServerError`."""
    return await QuickConnect.begin(HttpClient(session, url, headers=headers(ServerKind.JELLYFIN, device_id), verify_ssl=verify_ssl, clock=_now))


def parse_webhook(kind: ServerKind, request: InboundRequest) -> InboundEvent:
    """Understand a webhook of a kind of server; raises InboundError."""
    return _WEBHOOKS[kind](request)


def _now() -> datetime:
    return datetime.now(UTC)
