"""Who may ask: accounts, log-in, tokens and the API key (server-apis §1.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote
from urllib.request import parse_http_list, parse_keqv_list
from uuid import NAMESPACE_URL, uuid4, uuid5

from aiohttp import web

from .userdata import time_text

type Json = dict[str, Any]


def hex_id(*names: str) -> str:
    """Return 32 hex digits, the same for the same names."""
    return uuid5(NAMESPACE_URL, "/".join(names)).hex


@dataclass(slots=True)
class Account:
    """A person with an account; `hidden` are the names of libraries that he may not see."""

    name: str
    password: str = field(repr=False)
    account_id: str
    administrator: bool
    hidden: set[str] = field(default_factory=set)
    disabled: bool = False
    seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """What a client says of itself."""

    name: str = ""
    device: str = ""
    device_id: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; no account means the API key."""

    account: Account | None
    client: Client

    @property
    def is_administrator(self) -> bool:
        """Whether everything is allowed; an API key is an administrator without a user."""
        return self.account is None or self.account.administrator


class Accounts:
    """The accounts of one server."""

    def __init__(self, server: str, users: Mapping[str, str], clock: Callable[[], datetime]) -> None:
        """Make an account per name and password; the first is the administrator."""
        self.api_key = hex_id(server, "api key")
        self._clock = clock
        self._server_id = hex_id(server)
        self._tokens: dict[str, tuple[Account, Client]] = {}
        first = next(iter(users))
        accounts = [Account(name, password, hex_id(server, "user", name), name == first) for name, password in users.items()]
        self.by_name = {account.name: account for account in accounts}
        self.by_id = {account.account_id: account for account in accounts}

    @property
    def administrators(self) -> frozenset[str]:
        """The ids of those who may do everything."""
        return frozenset(one.account_id for one in self.by_id.values() if one.administrator)

    def log_in(self, client: Client, username: str, password: str) -> tuple[str, Account]:
        """Exchange a password for a token; raises the answers that Emby gives instead."""
        for part, parameter in ((client.name, "appName"), (client.device_id, "reportedDeviceId")):
            if not part:
                raise web.HTTPBadRequest(text=f"Value cannot be null. (Parameter '{parameter}')")
        account = next((one for one in self.by_name.values() if one.name.lower() == username.lower()), None)
        if account is None or account.password != password or account.disabled:
            raise web.HTTPUnauthorized(text="Invalid username or password entered.")
        account.seen = self._clock()
        token = uuid4().hex
        self._tokens[token] = account, client
        return token, account

    def revoke(self, name: str) -> None:
        """End every log-in of a person."""
        self._tokens = {token: login for token, login in self._tokens.items() if login[0].name != name}

    def forget(self, token: str) -> None:
        """End one log-in."""
        self._tokens.pop(token, None)

    def caller(self, request: web.Request) -> Caller | None:
        """Tell who asks, None without a good token; what a request does not say of its client, the log-in said."""
        token = token_of(request)
        if token == self.api_key:
            return Caller(None, client_of(request))
        if token not in self._tokens or self._tokens[token][0].disabled:
            return None
        account, client = self._tokens[token]
        account.seen = self._clock()
        return Caller(account, client)

    def dto(self, account: Account, *, whole: bool = True) -> Json:
        """Describe an account; without a log-in only in part (recorded on 4.9.5)."""
        seen = {} if account.seen is None else {"LastLoginDate": time_text(account.seen), "LastActivityDate": time_text(account.seen)}
        policy = {"IsAdministrator": account.administrator, "IsHidden": False, "IsDisabled": account.disabled}
        return {
            "Name": account.name,
            "ServerId": self._server_id,
            "Prefix": account.name[:1].upper(),
            "Id": account.account_id,
            "HasPassword": bool(account.password),
            "HasConfiguredPassword": bool(account.password),
            **seen,
            **({"Configuration": {}, "Policy": policy} if whole else {}),
        }


def token_of(request: web.Request) -> str:
    """Return the token that stands in a header or in the query, empty without."""
    plain = (request.headers.get(name) or request.query.get(name) for name in ("X-Emby-Token", "X-MediaBrowser-Token"))
    return next(filter(None, (*plain, request.query.get("api_key"), _scheme(request).get("Token"))), "")


def client_of(request: web.Request) -> Client:
    """Return what a request says of its client, in one header or in several."""
    scheme = _scheme(request)

    def told(name: str, header: str) -> str:
        return scheme.get(name) or unquote(request.headers.get(header) or request.query.get(header, ""))

    return Client(
        told("Client", "X-Emby-Client"),
        told("Device", "X-Emby-Device-Name"),
        told("DeviceId", "X-Emby-Device-Id"),
        told("Version", "X-Emby-Client-Version"),
    )


def _scheme(request: web.Request) -> dict[str, str]:
    """Read `MediaBrowser Client="…", …` or `Emby …`."""
    for header in ("X-Emby-Authorization", "Authorization"):
        scheme, _, fields = request.headers.get(header, "").partition(" ")
        if scheme.lower() in {"mediabrowser", "emby"}:
            pairs = [pair for pair in parse_http_list(fields) if "=" in pair]
            return {name: unquote(value) for name, value in parse_keqv_list(pairs).items()}
    return {}
