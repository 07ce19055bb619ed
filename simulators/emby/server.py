"""The Emby server as a whole: what it has, what people do at it, what it tells of that."""

import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, override

from aiohttp import web

from ..base import Act, Shown, Simulator
from ..catalogue import Title
from .auth import Account, Accounts, Caller, hex_id
from .items import Items
from .library import TICKS, Item, Library
from .notifications import Notifications
from .playback import Happening, Playback, Session
from .routes import Routes
from .userdata import LIKED_FROM, Record, Records
from .webhook import letter, payload, test_message
from .websocket import Sockets

type Json = dict[str, Any]

_FIRST_FILE = datetime(2020, 1, 1, tzinfo=UTC)


class EmbySimulator(Simulator):
    """An Emby server of a version; `version` decides the addresses of its public info and the form of its webhooks."""

    kind: ClassVar[str] = "emby"
    switches: ClassVar[Mapping[str, str]] = {"hooks_as_json": "", "premiere": "notifications", "delay": "sockets", "silence": "sockets"}

    def __init__(
        self,
        name: str,
        titles: tuple[Title, ...],
        users: Mapping[str, str],
        *,
        version: str = "4.9.5.0",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Stock the server; `users` are names with passwords, the first is the administrator."""
        super().__init__(name, titles, clock=clock)
        self.version = version
        self.server_id = hex_id(name)
        self.library = Library(first_id=4 + zlib.crc32(name.encode()) % 9000)
        for number, title in enumerate(titles):
            self.library.add(title, _FIRST_FILE + timedelta(minutes=number))
        self.accounts = Accounts(name, users, self._now)
        self.records = Records(self.library, self._now, lambda user_id, item: self.sockets.changed(user_id, item.item_id))
        self.items = Items(self.server_id, self.library, self.records)
        self.playback = Playback(name, self.records, self._now, self._tell)
        self.sockets = Sockets(lambda: self.faults.offline, self._record, self.sessions_for)
        self.hooks_as_json = False
        self.notifications = Notifications()

    @property
    @override
    def users(self) -> tuple[str, ...]:
        return tuple(self.accounts.by_name)

    @override
    def credentials(self) -> dict[str, str]:
        first = next(iter(self.accounts.by_name.values()))
        return {"username": first.name, "password": first.password, "api_key": self.accounts.api_key}

    @override
    def routes(self, app: web.Application) -> None:
        app.on_response_prepare.append(self._sign)
        app.on_shutdown.append(self.sockets.close)
        app.cleanup_ctx.append(self.sockets.run)
        Routes(self).add(app)

    @override
    def shown(self, user: str) -> tuple[Shown, ...]:
        account = self.accounts.by_name[user]
        return tuple(self._shown(account, item, item.title) for item in self.library.videos(None) if item.title is not None)

    @override
    def stock(self, user: str, key: str, *, played: bool, position: int = 0, count: int = 0, date: datetime | None = None) -> None:
        account, item = self.accounts.by_name[user], self.library.by_key[key]
        at = date and date.astimezone(UTC).replace(microsecond=0)
        self.records.put(account.account_id, item, Record(played, position * TICKS, count, at))

    @override
    async def act(self, user: str, key: str, act: Act, position: int | None = None) -> None:
        account, item = self.accounts.by_name[user], self.library.by_key[key]
        if act is Act.MARK_WATCHED:
            self.mark(account, item)
        elif act is Act.MARK_UNWATCHED:
            self.unmark(account, item)
        else:
            self._watch(account, item, act, None if position is None else position * TICKS)

    def mark(self, account: Account, item: Item, date: datetime | None = None) -> None:
        """Mark a video, or all videos of a folder, as played."""
        for video in self.library.videos(item):
            self.records.edit(account.account_id, video).mark(self._now(), date)
        self._tell(Happening("item.markplayed", account, item))

    def unmark(self, account: Account, item: Item) -> None:
        """Mark a video, or all videos of a folder, as never played."""
        for video in self.library.videos(item):
            self.records.edit(account.account_id, video).unmark()
        self._tell(Happening("item.markunplayed", account, item))

    @override
    async def rate_title(self, user: str, key: str, rating: float | None) -> None:
        """Rate with a thumb: Emby has no more."""
        self.like(self.accounts.by_name[user], self.library.by_key[key], None if rating is None else rating >= LIKED_FROM)

    def like(self, account: Account, item: Item, likes: bool | None) -> None:  # noqa: FBT001 - up, down or none is what it is about
        """Put a thumb up or down, or take it away.

        How a record shows it is recorded nowhere; the OpenAPI document has a `Rating` and the common ancestor with Jellyfin kept 10 and 1 in it.
        """
        self.records.edit(account.account_id, item).rating = None if likes is None else 10 if likes else 1
        self._tell(Happening("item.rate", account, item))

    def favour(self, account: Account, item: Item, *, favourite: bool) -> None:
        """Make an item a favourite, or no longer."""
        self.records.edit(account.account_id, item).favourite = favourite
        self._tell(Happening("item.rate", account, item))

    @override
    async def add(self, title: Title, *, first: bool = False) -> str:
        """Put a title on its shelf and return its id; records of an earlier copy of it come back. Listings that nobody sorted go by name."""
        item = self.library.add(title, self._now())
        self.records.unpark(item)
        self.titles = (*self.titles, title)
        await self.sockets.library_changed(added=[item.item_id])
        return item.item_id

    @override
    async def remove(self, key: str, library: str | None = None) -> None:
        """Take a title away, keeping its records for its return. Raises KeyError."""
        if key not in self.library.by_key:
            raise KeyError(key)
        for item in [one for one in self.library.videos(None) if one.title and one.title.key == key and library in (None, one.title.library)]:
            self.records.park(item)
            self.library.remove(item)
            self.titles = tuple(title for title in self.titles if title is not item.title)
            await self.sockets.library_changed(removed=[item.item_id])

    @override
    async def goodbye(self) -> None:
        await self.sockets.close()

    def sessions_for(self, caller: Caller) -> list[Json]:
        """Describe the sessions that a caller may see: all for an administrator, else his own."""
        return [self._session(one) for one in self.playback.sessions if caller.is_administrator or one.account is caller.account]

    def _now(self) -> datetime:
        return self.time()

    def _watch(self, account: Account, item: Item, act: Act, ticks: int | None) -> None:
        """Do at the person's player; what plays there already makes room, what does not play yet begins where it was left."""
        session = self.playback.of_person(account, self.version)
        if session.item is not item:
            self.playback.stop(session, session.ticks)
            self.playback.start(session, item, self.records.of(account.account_id, item).ticks)
        if act is Act.STOP:
            self.playback.stop(session, session.ticks if ticks is None else ticks)
        elif act is Act.FINISH:
            self.playback.stop(session, item.ticks)
        else:
            paused = act is Act.PAUSE or (act is Act.SEEK and session.paused)
            self.playback.progress(session, ticks, paused=paused)

    def _shown(self, account: Account, item: Item, title: Title) -> Shown:
        record = self.records.of(account.account_id, item)
        playing = self.playback.is_playing(account, item)
        return Shown(title.key, item.item_id, record.played, record.ticks // TICKS, record.count, record.date, playing, record.rating)

    def _tell(self, happening: Happening) -> None:
        """Tell everybody who listens, unless the cable is out; only bodies of marks carry the record (see `webhook`)."""
        if happening.session is not None:
            self.sockets.playing_changed()
        wanted = tuple(self.notifications.wanting(happening.event, happening.account, self.accounts.administrators))
        if self.faults.offline or not (self.webhooks or wanted):
            return
        item = self.items.described(happening.item) if happening.session else self.items.whole(happening.account, happening.item)
        body = payload(happening, item, self._about(), self._now())
        for url in self.webhooks:
            self.post.put(letter(url, body, self.version, as_json=self.hooks_as_json))
        for entry in wanted:
            self._notify(entry, body)

    def test(self, entry: Json) -> None:
        """Send the test message of an entry, kept or not."""
        if self.notifications.premiere and not self.faults.offline:
            self._notify(entry, test_message(self._about(), self._now()))

    def _notify(self, entry: Json, body: Json) -> None:
        options = entry.get("Options") or {}
        self.post.put(letter(options.get("Url", ""), body, self.version, as_json=options.get("EnableMultipartFormData") == "false"))

    def _about(self) -> Json:
        return {"Name": self.name, "Id": self.server_id, "Version": self.version}

    def _session(self, session: Session) -> Json:
        watched = session.account and session.item and self.items.row(session.account, session.item, user_data=False)
        return session.dto(self.server_id, watched or None)

    def _record(self, user_id: str, item_id: str) -> Json | None:
        item = self.library.items.get(item_id)
        return None if item is None else self.records.dto(user_id, item)

    async def _sign(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Sign an answer as Emby does."""
        response.headers["Server"] = "UPnP/1.0 DLNADOC/1.50"
