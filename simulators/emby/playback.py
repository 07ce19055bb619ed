"""Sessions of clients, and what plays in them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .auth import Account, Caller, Client, hex_id
from .library import Item
from .userdata import Records, time_text

type Json = dict[str, Any]


@dataclass(slots=True)
class Session:
    """One client on one device; `ticks` is where its player is."""

    session_id: str
    client: Client
    active: datetime
    account: Account | None = None
    item: Item | None = None
    ticks: int = 0
    paused: bool = False

    def dto(self, server_id: str, now_playing: Json | None) -> Json:
        """Describe the session; NowPlayingItem is absent while nothing plays (shape of 4.9.5)."""
        user = {"UserId": self.account.account_id, "UserName": self.account.name} if self.account else {}
        state: Json = {"PositionTicks": self.ticks} if self.item else {}
        state |= {
            "CanSeek": self.item is not None,
            "IsPaused": self.paused,
            "IsMuted": False,
            "PlaybackRate": 1,
            "RepeatMode": "RepeatNone",
        }
        return {
            "Id": self.session_id,
            **user,
            "Client": self.client.name,
            "DeviceName": self.client.device,
            "DeviceId": self.client.device_id,
            "ApplicationVersion": self.client.version,
            "LastActivityDate": time_text(self.active),
            "Protocol": "HTTP/1.1",
            "RemoteEndPoint": "127.0.0.1",
            "ServerId": server_id,
            "SupportsRemoteControl": False,
            "SupportedCommands": [],
            "PlayableMediaTypes": [],
            "AdditionalUsers": [],
            "PlaylistIndex": 0 if self.item else -1,
            "PlaylistLength": 1 if self.item else 0,
            **({"NowPlayingItem": now_playing} if now_playing else {}),
            "PlayState": state,
        }


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that the server tells of; `session` for playback, `completed` when it ended."""

    event: str
    account: Account
    item: Item
    session: Session | None = None
    completed: bool | None = None


class Playback:
    """Every session of the server."""

    def __init__(self, server: str, records: Records, clock: Callable[[], datetime], tell: Callable[[Happening], None]) -> None:
        """Start without any; `tell` hears of each start, pause, unpause and stop."""
        self._server = server
        self._records = records
        self._clock = clock
        self._tell = tell
        self._sessions: dict[tuple[str, str], Session] = {}

    @property
    def sessions(self) -> tuple[Session, ...]:
        """All sessions."""
        return tuple(self._sessions.values())

    def session(self, caller: Caller) -> Session:
        """Return the session of a client, a new one when it is not known."""
        client = caller.client
        key = client.name, client.device_id
        if key not in self._sessions:
            self._sessions[key] = Session(hex_id(self._server, "session", *key), client, self._clock())
        session = self._sessions[key]
        session.account, session.active = caller.account or session.account, self._clock()
        return session

    def of_person(self, account: Account, version: str) -> Session:
        """Return the session of the browser that a person watches in."""
        return self.session(Caller(account, Client("Emby Web", "Firefox", hex_id(self._server, "browser", account.name), version)))

    def is_playing(self, account: Account, item: Item) -> bool:
        """Whether a person watches an item now."""
        return any(session.account is account and session.item is item for session in self._sessions.values())

    def start(self, session: Session, item: Item, ticks: int) -> None:
        """Begin to play: counts at once, whatever comes of it (recorded frame)."""
        session.item, session.ticks, session.paused = item, ticks, False
        if session.account is not None:
            self._records.edit(session.account.account_id, item).open(self._clock())
        self._told("playback.start", session)

    def progress(self, session: Session, ticks: int | None = None, *, paused: bool) -> None:
        """Take a player's report; a position of None leaves it where it is."""
        if ticks is not None:
            session.ticks = ticks
            self._reach(session, ticks)
        if paused is not session.paused:
            session.paused = paused
            self._told("playback.pause" if paused else "playback.unpause", session)

    def stop(self, session: Session, ticks: int | None) -> None:
        """End it; without a position it is taken for finished, as the common ancestor of Emby and Jellyfin does it (not measured)."""
        if session.item is None:
            return
        session.ticks = session.item.ticks if ticks is None else ticks
        completed = self._reach(session, ticks)
        self._told("playback.stop", session, completed=completed)
        session.item, session.ticks, session.paused = None, 0, False

    def _reach(self, session: Session, ticks: int | None) -> bool:
        if session.item is None or session.account is None:
            return False
        return self._records.edit(session.account.account_id, session.item).reach(ticks, session.item.ticks)

    def _told(self, event: str, session: Session, *, completed: bool | None = None) -> None:
        if session.account is not None and session.item is not None:
            self._tell(Happening(event, session.account, session.item, session, completed))
