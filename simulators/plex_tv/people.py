"""Who has an account, which servers there are, and who may be what on them."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from ..plex.server import OWNER, Account, PlexSimulator

type Json = dict[str, Any]

OWNER_ID = 31646099
"""The owner's number at plex.tv; on his own server he is 1 (server-apis §2)."""

PIN_LIFE = timedelta(seconds=1800)


@dataclass(slots=True)
class Person:
    """An account; `home`: a member of the owner's home rather than somebody invited from outside, `managed`: made by the owner, without a log-in."""

    name: str
    number: int
    token: str = field(repr=False)
    pin: str | None = field(default=None, repr=False)
    home: bool = True
    managed: bool = False
    plex_pass: bool = False
    webhooks: list[str] = field(default_factory=list)

    @property
    def uuid(self) -> str:
        """The account's long name."""
        return hashlib.md5(self.name.encode(), usedforsecurity=False).hexdigest()[:16]

    @property
    def is_owner(self) -> bool:
        """Whether the servers are his."""
        return self.number == OWNER_ID


@dataclass(frozen=True, slots=True)
class Listed:
    """A server that signed in to plex.tv, and where it says that it can be reached."""

    server: PlexSimulator
    connections: tuple[Json, ...]
    https_required: bool = False

    def account(self, person: Person) -> Account | None:
        """Return the person's account on the server."""
        number = OWNER if person.is_owner else person.number
        return next((one for one in self.server.accounts.values() if one.account_id == number), None)


@dataclass(slots=True)
class Link:
    """A PIN; `token` is there once somebody agreed."""

    number: int
    code: str
    client: str
    product: str
    created: datetime
    token: str | None = field(default=None, repr=False)

    def dto(self) -> Json:
        """Render it as recorded."""
        return {
            "id": self.number,
            "code": self.code,
            "product": self.product,
            "trusted": False,
            "clientIdentifier": self.client,
            "location": {"code": "NL", "country": "Netherlands", "city": "Amsterdam", "time_zone": "Europe/Amsterdam"},
            "expiresIn": int(PIN_LIFE.total_seconds()),
            "createdAt": f"{self.created:%Y-%m-%dT%H:%M:%SZ}",
            "expiresAt": f"{self.created + PIN_LIFE:%Y-%m-%dT%H:%M:%SZ}",
            "authToken": self.token,
            "newRegistration": None if self.token is None else False,
        }


def people_of(server: PlexSimulator, *, pins: Mapping[str, str], managed: Iterable[str], invited: Iterable[str]) -> list[Person]:
    """Give everyone with an account on a server one at plex.tv; only the owner's token there opens the server too."""
    return [
        Person(
            account.name,
            OWNER_ID if account.account_id == OWNER else account.account_id,
            account.token if account.account_id == OWNER else f"{account.name}-at-plex-tv",
            pin=pins.get(account.name),
            home=account.name not in invited,
            managed=account.name in managed,
            plex_pass=account.account_id == OWNER,
        )
        for account in server.accounts.values()
    ]


def connection(uri: str, *, local: bool = True, relay: bool = False) -> Json:
    """Describe a way to reach a server."""
    parts = urlsplit(uri)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"protocol": parts.scheme, "address": parts.hostname, "port": port, "uri": uri, "local": local, "relay": relay, "IPv6": False}


def code(*, strong: bool) -> str:
    """Make up a code: long for a browser, four characters to type."""
    return secrets.token_hex(12) if strong else "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(4))
