"""Who may do what: users, tokens, API keys, Quick Connect, and the ways to show a token (server-apis §1.2)."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from multidict import CIMultiDict

from .library import item_id
from .userdata import time_text

type Json = dict[str, Any]

CLIENT_FIELDS = ("Client", "Device", "DeviceId", "Version")
POLICY = {"IsHidden": True, "EnableAllFolders": True, "EnabledFolders": [], "EnableRemoteAccess": True, "EnableMediaPlayback": True, "EnableAllDevices": True}


@dataclass(slots=True)
class User:
    """A user; `folders` None: all libraries."""

    user_id: str
    name: str
    password: str
    administrator: bool = False
    disabled: bool = False
    folders: frozenset[str] | None = None

    def sees(self, library: str) -> bool:
        """Whether a library is his to see."""
        return self.folders is None or library in self.folders


@dataclass(frozen=True, slots=True)
class Device:
    """Who asks: the fields that a client puts into its header."""

    client: str
    name: str
    device_id: str
    version: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is behind a request; `user` None for an API key."""

    user: User | None
    device: Device

    @property
    def is_administrator(self) -> bool:
        """Whether he may act for others."""
        return self.user is None or self.user.administrator


@dataclass(slots=True)
class Login:
    """A token and the device that it was made on."""

    user: User
    device: Device


@dataclass(slots=True)
class Auth:
    """All users and what opens the door; `legacy`: the old headers are taken too, `quick_connect`: it is switched on."""

    server_id: str
    legacy: bool
    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, Login] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    codes: dict[str, Json] = field(default_factory=dict)
    quick_connect: bool = True

    def add(self, name: str, password: str, *, administrator: bool = False) -> User:
        """Make a user."""
        user = User(item_id(f"{self.server_id}{name}"), name, password, administrator)
        self.users[user.user_id] = user
        return user

    def named(self, name: str) -> User | None:
        """Find a user by name."""
        return next((user for user in self.users.values() if user.name.casefold() == name.casefold()), None)

    def log_in(self, user: User, device: Device) -> str:
        """Make a token; an older one of this user and device dies (pitfall 43)."""
        for token in [token for token, login in self.tokens.items() if login.user is user and login.device.device_id == device.device_id]:
            del self.tokens[token]
        token = secrets.token_hex(16)
        self.tokens[token] = Login(user, device)
        return token

    def drop(self, user: User, *, but: str | None = None) -> None:
        """Kill a user's tokens."""
        self.tokens = {token: login for token, login in self.tokens.items() if login.user is not user or token == but}

    def caller(self, request: web.Request) -> Caller | None:
        """Find out who asks, None for a bad token or none."""
        given = fields(request.headers, legacy=self.legacy)
        token = self.token(request)
        if token in self.keys:
            return Caller(None, _device(given) or Device(self.keys[token], "Jellyfin Server", self.server_id, "1"))
        login = self.tokens.get(token)
        if login is None or login.user.disabled or login.user.user_id not in self.users:
            return None
        return Caller(login.user, _device(given) or login.device)

    def token(self, request: web.Request) -> str:
        """Return the token that a request shows."""
        given = fields(request.headers, legacy=self.legacy).get("Token") or CIMultiDict(request.query).get("ApiKey") or ""
        if not given and self.legacy:
            given = request.headers.get("X-Emby-Token") or request.headers.get("X-MediaBrowser-Token") or request.query.get("api_key", "")
        return given

    def device(self, request: web.Request) -> Device | None:
        """Return who asks, None unless all fields are there: without them there is no log-in."""
        return _device(fields(request.headers, legacy=self.legacy))

    def begin_quick_connect(self, device: Device, now: datetime) -> Json:
        """Show a code to type elsewhere."""
        state: Json = {
            "Authenticated": False,
            "Secret": secrets.token_hex(32),
            "Code": f"{secrets.randbelow(1000000):06}",
            "DeviceId": device.device_id,
            "DeviceName": device.name,
            "AppName": device.client,
            "AppVersion": device.version,
            "DateAdded": time_text(now),
        }
        self.codes[state["Secret"]] = state
        return state


def fields(headers: Mapping[str, str], *, legacy: bool) -> dict[str, str]:
    """Read the fields of the authorization header."""
    header = headers.get("Authorization", "")
    if legacy and not header:
        header = headers.get("X-Emby-Authorization", "")
    scheme, _, rest = header.partition(" ")
    if scheme != "MediaBrowser" and not (legacy and scheme == "Emby"):
        return {}
    return {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', rest)}


def user_dto(user: User, server_id: str, folders: Mapping[str, str]) -> Json:
    """Render a user; `folders` are the ids of the libraries by name."""
    policy = POLICY | {
        "IsAdministrator": user.administrator,
        "IsDisabled": user.disabled,
        "EnableAllFolders": user.folders is None,
        "EnabledFolders": [folders[name] for name in sorted(user.folders or ()) if name in folders],
    }
    return {
        "Name": user.name,
        "ServerId": server_id,
        "Id": user.user_id,
        "HasPassword": True,
        "HasConfiguredPassword": True,
        "HasConfiguredEasyPassword": False,
        "EnableAutoLogin": False,
        "Configuration": {"PlayDefaultAudioTrack": True, "OrderedViews": [], "HidePlayedInLatest": True},
        "Policy": policy,
    }


def _device(given: Mapping[str, str]) -> Device | None:
    values = [given.get(name) for name in CLIENT_FIELDS]
    return Device(*(str(value) for value in values)) if all(values) else None
