"""Sessions: one for each client and device, with the user who used it last (server-apis §1.2)."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .auth import Caller, Device, User
from .library import Item
from .userdata import time_text

type Json = dict[str, Any]


@dataclass(slots=True)
class Session:
    """What a device does."""

    device: Device
    user: User | None = None
    item: Item | None = None
    source: str | None = None
    ticks: int = 0
    paused: bool = False

    @property
    def session_id(self) -> str:
        """The id that clients name it by."""
        return hashlib.md5(f"{self.device.client}{self.device.device_id}".encode(), usedforsecurity=False).hexdigest()

    def dto(self, server_id: str, now_playing: Json | None, now: datetime) -> Json:
        """Render the session."""
        state: Json = {"CanSeek": self.item is not None, "IsPaused": self.paused, "IsMuted": False, "RepeatMode": "RepeatNone", "PlaybackOrder": "Default"}
        if self.item:
            state |= {"PositionTicks": self.ticks, "MediaSourceId": self.source, "PlayMethod": "DirectPlay"}
        found: Json = {
            "PlayState": state,
            "AdditionalUsers": [],
            "Capabilities": {"PlayableMediaTypes": [], "SupportedCommands": [], "SupportsMediaControl": False, "SupportsPersistentIdentifier": True},
            "RemoteEndPoint": "127.0.0.1",
            "PlayableMediaTypes": [],
            "Id": self.session_id,
            "UserId": self.user.user_id if self.user else "0" * 32,
            "Client": self.device.client,
            "LastActivityDate": time_text(now),
            "LastPlaybackCheckIn": time_text(now),
            "DeviceName": self.device.name,
            "DeviceId": self.device.device_id,
            "ApplicationVersion": self.device.version,
            "IsActive": True,
            "SupportsMediaControl": False,
            "SupportsRemoteControl": False,
            "NowPlayingQueue": [],
            "HasCustomDeviceName": False,
            "ServerId": server_id,
            "SupportedCommands": [],
        }
        if self.user:
            found["UserName"] = self.user.name
        if now_playing:
            found["NowPlayingItem"] = now_playing
        return found


class Sessions:
    """All sessions."""

    def __init__(self, began: Callable[[Session], None]) -> None:
        """Start with nobody there; `began` is told of each session that begins. When a real one begins for a key without any fields is not quite recorded."""
        self._began = began
        self._sessions: dict[tuple[str, str], Session] = {}

    def __iter__(self) -> Iterator[Session]:
        """Iterate over the sessions."""
        return iter(list(self._sessions.values()))

    def of(self, caller: Caller) -> Session:
        """Return a caller's session: it stays whose it was, whoever's token asks (pitfall 49)."""
        key = caller.device.client, caller.device.device_id
        if key not in self._sessions:
            self._sessions[key] = Session(caller.device, caller.user)
            self._began(self._sessions[key])
        return self._sessions[key]

    def end(self, device: Device) -> None:
        """End all sessions of a device."""
        self._sessions = {key: session for key, session in self._sessions.items() if key[1] != device.device_id}

    def clear(self) -> None:
        """Forget all of them."""
        self._sessions.clear()

    def is_playing(self, user: User, item: Item) -> bool:
        """Whether a user plays an item anywhere."""
        return any(session.user is user and session.item is item for session in self._sessions.values())
