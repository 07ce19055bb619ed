"""The Jellyfin server as a whole: what people do at it, and what it tells of that."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, override

from aiohttp import web

from ..base import Act, Shown, Simulator
from ..catalogue import Title
from ..faults import Phase
from . import routes
from .auth import Auth, Caller, Device, User
from .check_ins import CheckIns
from .items import Items
from .library import TICKS, Item, Library
from .listing import library_of
from .playback import Session, Sessions
from .records import Records
from .userdata import Record
from .webhook import WebhookPlugin, about_item, about_playback, about_record, about_server, about_session, letters
from .websocket import Sockets

type Json = dict[str, Any]

PLAYING_FIELDS = frozenset({"DateCreated", "Path", "ProviderIds", "PremiereDate"})
API_KEY = "a0c0e0b0d0000000000000000000key1"


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as comparable numbers."""
    return tuple(int(number) for number in version.partition("-")[0].split("."))


class JellyfinSimulator(Simulator):
    """A Jellyfin server of a version, e.g. `10.10.7`, `10.11.11` or `12.0.0`; `users` maps names to passwords, the first is the administrator.

    `ids` gives items by their paths the ids of a real server.
    """

    kind: ClassVar[str] = "jellyfin"
    switches: ClassVar[Mapping[str, str]] = {"installed": "plugin", "every": "check_ins", "quick_connect": "auth", "delay": "sockets", "silence": "sockets"}

    def __init__(
        self,
        name: str,
        titles: tuple[Title, ...],
        users: Mapping[str, str],
        *,
        version: str = "10.11.11",
        ids: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Stock the server."""
        super().__init__(name, titles, clock=clock)
        self.version, self.numbers = version, numbers(version)
        self.server_id = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        self.auth = Auth(self.server_id, legacy=self.numbers < (12,))
        for number, (user, password) in enumerate(users.items()):
            self.auth.add(user, password, administrator=number == 0)
        self.auth.keys[API_KEY] = "demo"
        self.library = Library(titles, datetime(2024, 1, 1, tzinfo=UTC), ids or {})
        self.records = Records(self.numbers)
        self.items = Items(self.server_id, self.records, self.numbers)
        self.sessions = Sessions(self._session_began)
        self.check_ins = CheckIns(self._checked_in)
        self.plugin = WebhookPlugin()
        self.sockets = Sockets(lambda: self.faults.offline, self.sessions, self.items.changed, self.described_sessions)

    @property
    @override
    def users(self) -> tuple[str, ...]:
        return tuple(user.name for user in self.auth.users.values())

    @override
    def credentials(self) -> dict[str, str]:
        first = next(iter(self.auth.users.values()))
        return {"username": first.name, "password": first.password, "api_key": API_KEY}

    @override
    def routes(self, app: web.Application) -> None:
        app.on_shutdown.append(self.sockets.close)
        app.cleanup_ctx.extend((self.sockets.run, self.check_ins.run))
        routes.add(app, self)

    @override
    def shown(self, user: str) -> tuple[Shown, ...]:
        account = self._user(user)
        return tuple(self._shown(account, item, item.title) for item in self.library.videos() if item.title)

    @override
    def stock(self, user: str, key: str, *, played: bool, position: int = 0, count: int = 0, date: datetime | None = None) -> None:
        for item in self.library.by_key[key]:
            record = self.records.edit(self._user(user).user_id, item)
            record.played, record.ticks, record.count, record.date = played, position * TICKS, count, date

    @override
    async def act(self, user: str, key: str, act: Act, position: int | None = None) -> None:
        account, item = self._user(user), self.library.by_key[key][0]
        if act is Act.MARK_WATCHED:
            self.mark(account, item, None)
        elif act is Act.MARK_UNWATCHED:
            self.unmark(account, item)
        else:
            self._play(account, item, act, None if position is None else position * TICKS)

    def now(self) -> datetime:
        """Tell the server's time."""
        return self.time()

    @override
    async def add(self, title: Title, *, first: bool = False) -> str:
        """Put a title on its shelf: the id follows the path, the record comes back by id or, with external ids, by those (server-apis §4.2)."""
        item = self.library.add(title, created=self.now(), first=first)
        self.records.unpark(item)
        self.titles = (*self.titles, title)
        self.sockets.library_changed(added=[item.item_id])
        return item.item_id

    @override
    async def remove(self, key: str, library: str | None = None) -> None:
        for item in [one for one in self.library.by_key[key] if library in (None, library_of(one))]:
            self.records.park(item)
            self.library.remove(item)
            self.sockets.library_changed(removed=[item.item_id])
            self.titles = tuple(title for title in self.titles if title is not item.title)

    @override
    def become(self, version: str) -> None:
        """Be of another version; what becomes of records that copies shared on 10.10 is not recorded: here who was marked keeps them."""
        super().become(version)
        self.numbers = numbers(version)
        self.auth.legacy = self.numbers < (12,)
        self.records.become(self.numbers)
        self.items.version = self.numbers

    @override
    async def goodbye(self) -> None:
        await self.sockets.shut_down()

    @override
    def restarted(self) -> None:
        self.records.restart()
        self.sessions.clear()

    @override
    def starting(self, request: web.Request) -> web.Response:
        """Answer as a server that starts: the public information early, spelled in its own way (pitfall 40)."""
        if self.faults.phase is Phase.COLD and request.path.lower() == "/system/info/public":
            about = {"id": self.server_id, "serverName": self.name, "version": self.version.partition("-")[0], "startupWizardCompleted": False}
            return web.json_response({"localAddress": None, "productName": "Jellyfin Server", "operatingSystem": "", **about})
        return web.Response(status=503, text="Jellyfin Server is loading. Please try again shortly.", content_type="text/plain")

    def described_sessions(self, caller: Caller) -> list[Json]:
        """Describe the sessions that a caller may see: all for an administrator, else his own."""
        mine = [one for one in self.sessions if caller.is_administrator or one.user is caller.user]
        return [one.dto(self.server_id, self.items.row(one.item, None, PLAYING_FIELDS) if one.item else None, self.now()) for one in mine]

    def mark(self, user: User, item: Item, date: datetime | None) -> None:
        """Mark a video, or all videos of a folder, specials included, as played."""
        self._heed_faults()
        for video in item.videos():
            record = self.records.edit_by_folder(user.user_id, video) if item.is_folder else self.records.edit(user.user_id, video)
            record.mark(self.now(), date)
        self._shared(user, item)
        self._saved(user, item.videos(), "TogglePlayed")

    def unmark(self, user: User, item: Item) -> None:
        """Take the views of a video, or of all videos of a folder, away."""
        self._heed_faults()
        for video in item.videos():
            record = self.records.edit_by_folder(user.user_id, video) if item.is_folder else self.records.edit(user.user_id, video)
            record.unmark()
        self._shared(user, item)
        self._saved(user, item.videos(), "TogglePlayed")

    def write(self, user: User, item: Item, body: Json) -> None:
        """Lay a body over the record; on a series it changes neither its videos nor what it shows, but is told."""
        self._heed_faults()
        if not item.is_folder:
            self.records.edit(user.user_id, item).lay_over(body)
        self._saved(user, [item], "UpdateUserData")

    def rate(self, user: User, item: Item, body: Json) -> None:
        """Take a thumb, a heart or their withdrawal: `Likes` None takes the rating away."""
        self._heed_faults()
        record = self.records.edit(user.user_id, item)
        record.lay_over(body)
        if "Likes" in body and body["Likes"] is None:
            record.rating = None
        self._saved(user, [item], "UpdateUserRating")

    @override
    async def rate_title(self, user: str, key: str, rating: float | None) -> None:
        """Rate as a client does: people in Jellyfin's own page have a heart, a number comes from a tool."""
        account, item = self._user(user), self.library.by_key[key][0]
        if rating is None:
            self.rate(account, item, {"Likes": None})
        else:
            self.write(account, item, {"Rating": rating})

    def start(self, session: Session, user: User, item: Item, source: str | None) -> None:
        """Begin to play."""
        self._heed_faults()
        session.user, session.item, session.source, session.ticks, session.paused = user, item, source or item.item_id, 0, False
        self.records.edit(user.user_id, item).start(self.now(), keeps_played=self.numbers >= (12,))
        self._saved(user, [item], "PlaybackStart")
        self._played("PlaybackStart", session, user, item)
        self.check_ins.begin(session)

    def progress(self, session: Session, ticks: int | None, *, paused: bool) -> None:
        """Take a player's position: stored at once, told by the plugin only (server-apis §4.2)."""
        self._heed_faults()
        if session.item is None or session.user is None:
            return
        session.ticks, session.paused = session.ticks if ticks is None else ticks, paused
        self.records.edit(session.user.user_id, session.item).report(session.ticks, session.item)
        self._saved(session.user, [session.item], "PlaybackProgress")
        self._played("PlaybackProgress", session, session.user, session.item)

    def stop(self, session: Session, user: User, item: Item, ticks: int | None) -> None:
        """End playing."""
        self._heed_faults()
        completed = self.records.edit(user.user_id, item).stop(ticks, item)
        session.ticks = session.ticks if ticks is None else ticks
        if self.records.of(user.user_id, item).played:
            self._shared(user, item)
        self._saved(user, [item], "PlaybackFinished")
        self._played("PlaybackStop", session, user, item, PlayedToCompletion=completed)
        session.item, session.ticks = None, 0

    def _play(self, user: User, item: Item, act: Act, ticks: int | None) -> None:
        """Do at the person's player; what plays there already makes room."""
        session = self.sessions.of(Caller(user, Device("Jellyfin Web", f"{user.name}'s player", f"{user.name}-player", "1")))
        if session.item is not item:
            if session.item is not None:
                self.stop(session, user, session.item, session.ticks)
            begun = self.records.of(user.user_id, item).ticks
            self.start(session, user, item, None)
            session.ticks = begun
        if act is Act.STOP:
            self.stop(session, user, item, session.ticks if ticks is None else ticks)
        elif act is Act.FINISH:
            self.stop(session, user, item, item.ticks)
        elif act is not Act.PLAY or ticks is not None:
            self.progress(session, ticks, paused=act is Act.PAUSE)

    def _user(self, name: str) -> User:
        user = self.auth.named(name)
        if user is None:
            raise KeyError(name)
        return user

    def _shown(self, user: User, item: Item, title: Title) -> Shown:
        record = self.records.of(user.user_id, item)
        return Shown(
            title.key, item.item_id, record.played, record.ticks // TICKS, record.count, record.date, self.sessions.is_playing(user, item), record.rating
        )

    def _heed_faults(self) -> None:
        self.records.read_only = self.faults.read_only

    def _shared(self, user: User, item: Item) -> None:
        """Let other versions follow; that the plugin stays silent about them is not recorded."""
        self.sockets.changed(user, self.records.share(user.user_id, item))

    def _saved(self, user: User, items: Iterable[Item], reason: str) -> None:
        """Tell that records were saved: one message for each."""
        saved = list(items)
        if reason != "PlaybackProgress":
            self.sockets.changed(user, saved)
        for item in saved:
            record = Record() if item.is_folder else self.records.of(user.user_id, item)
            self._send("UserDataSaved", {**about_item(item, self.now()), **about_record(record, reason, user)})

    def _played(self, kind: str, session: Session, user: User, item: Item, **more: bool) -> None:
        self.sockets.playing_changed()
        playback = about_playback(session, user, self.now(), stopped=kind == "PlaybackStop")
        self._send(kind, {**about_item(item, self.now()), **playback, **more})

    def _checked_in(self, session: Session) -> None:
        if session.user and session.item:
            self._send("PlaybackProgress", about_item(session.item, self.now()) | about_playback(session, session.user, self.now(), automated=True))

    def _session_began(self, session: Session) -> None:
        self._send("SessionStart", about_session(session))

    def _send(self, kind: str, message: Json) -> None:
        if not self.faults.offline:
            url = self.plugin.configuration.get("ServerUrl", "")
            whole = about_server(self.server_id, self.name, self.version, url, kind) | message
            for letter in letters(self.plugin.destinations(self.webhooks), whole, self.version):
                self.post.put(letter)
