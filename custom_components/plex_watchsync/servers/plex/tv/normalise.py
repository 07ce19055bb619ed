"""From what plex.tv sends to what a flow needs; no clock and no request in here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from xml.etree import ElementTree as ET

from ...http import Json
from .wire import Connection, Resource

WEBHOOKS = "webhooks"
"""The feature of a Plex Pass that lets an account have webhooks."""


@dataclass(frozen=True, slots=True)
class PlexLink:
    """A PIN that somebody may agree to at `url`."""

    number: str
    code: str = field(repr=False)
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PlexAccount:
    """An account; `webhooks`: it may have some."""

    user_id: str
    name: str
    webhooks: bool


@dataclass(frozen=True, slots=True)
class PlexMember:
    """A member of a home; `protected` by a PIN."""

    user_id: str
    uuid: str
    name: str
    protected: bool


@dataclass(frozen=True, slots=True)
class PlexResource:
    """A server as plex.tv tells of it to one account, whose `token` it takes; addresses in tiers, the best first."""

    server_id: str
    name: str
    token: str = field(repr=False)
    owned: bool
    addresses: tuple[tuple[str, ...], ...]


def link(answer: Json) -> PlexLink:
    """Read a new PIN."""
    return PlexLink(str(answer["id"]), answer["code"])


def linked_token(answer: Json) -> str | None:
    """Return the token of whoever agreed to a PIN."""
    token: str | None = answer["authToken"]
    return token


def switched_token(answer: Json) -> str:
    """Return the token of the member of a home that one became."""
    return str(answer["authToken"])


def account(answer: Json) -> PlexAccount:
    """Read whose token it is."""
    features = (answer.get("subscription") or {}).get("features") or ()
    return PlexAccount(str(answer["id"]), _name(answer), WEBHOOKS in features)


def members(answer: Json) -> tuple[PlexMember, ...]:
    """Read a home; a guest without an account of his own is left out with the uuid that he has not."""
    return tuple(PlexMember(str(one["id"]), one["uuid"], _name(one), bool(one.get("protected"))) for one in answer["users"] if one.get("uuid"))


def shared_users(body: bytes) -> Mapping[str, tuple[str, str]]:
    """Return name and token by user id; plex.tv left the tokens out for a while (server-apis §1.1)."""
    try:
        root = ET.fromstring(body)  # noqa: S314 - over TLS from plex.tv; expat itself bounds the growth of entities
    except ET.ParseError as error:
        raise ValueError from error
    rows = [(one.get("userID"), one.get("username") or one.get("email") or "", one.get("accessToken")) for one in root.iter("SharedServer")]
    return {user: (name or user, token) for user, name, token in rows if user and token}


def resources(answer: Json) -> tuple[PlexResource, ...]:
    """Read the servers among all that signed in: players do too."""
    return tuple(_resource(one) for one in answer if "server" in one["provides"].split(",") and one.get("accessToken"))


def _resource(row: Resource) -> PlexResource:
    return PlexResource(row["clientIdentifier"], row["name"], row["accessToken"], bool(row["owned"]), _addresses(row))


def _addresses(row: Resource) -> tuple[tuple[str, ...], ...]:
    """Sort the ways to a server: plainly in the local network, by the name that has a certificate, from outside, relayed.

    Some routers refuse names that lead to local addresses, and where a certificate is a must nothing goes without.
    """
    ways = [(_tier(one), one["uri"].rstrip("/")) for one in row.get("connections", ())]
    if not row.get("httpsRequired"):
        ways += [(0, _plain(one)) for one in row.get("connections", ()) if _tier(one) == 1]
    unique = sorted(dict.fromkeys(ways), key=lambda way: way[0])
    return tuple(tuple(uri for _, uri in some) for _, some in groupby(unique, key=lambda way: way[0]))


def _tier(way: Connection) -> int:
    if way["relay"]:
        return 3
    if not way["local"]:
        return 2
    return 1 if way["uri"].startswith("https:") else 0


def _plain(way: Connection) -> str:
    return f"http://[{way['address']}]:{way['port']}" if way.get("IPv6") else f"http://{way['address']}:{way['port']}"


def _name(row: Json) -> str:
    """Return a name to show; managed users have a title only."""
    return str(row.get("title") or row.get("username") or row["id"])
