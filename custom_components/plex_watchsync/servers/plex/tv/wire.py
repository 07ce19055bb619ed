"""What plex.tv sends of servers, as far as it is read."""

from typing import TypedDict


class Connection(TypedDict, total=False):
    """A way to a server, as plex.tv tells of it."""

    address: str
    port: int
    uri: str
    local: bool
    relay: bool
    IPv6: bool


class Resource(TypedDict, total=False):
    """Whatever signed in to plex.tv; servers have a token for whoever asks."""

    name: str
    clientIdentifier: str
    provides: str
    accessToken: str
    owned: bool
    httpsRequired: bool
    connections: list[Connection]
