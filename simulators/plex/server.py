"""The Plex server as a whole: who has an account, what people do at their players, what it tells of that."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, ClassVar, override

from aiohttp import web

from ..base import Act, Shown, Simulator
from ..catalogue import Title
from .history import View
from .library import NAMES, Item, Library
from .notifications import DONE, GONE, Notifications
from .records import Records
from .routes import Routes
from .webhook import letter
from .wire import row

type Json = dict[str, Any]

OWNER = 1
FIRST_OTHER = 31646100  # others have plex.tv's own, large numbers (server-apis §2)


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the server."""

    account_id: int
    name: str
    token: str


@dataclass(slots=True)
class Session:
    """What an account plays on one player; `offset` in milliseconds."""

    key: str
    account: Account
    item: Item
    player: str
    offset: int = 0
    state: str = "playing"


class PlexSimulator(Simulator):
    """A Plex server; `users` maps names to tokens, the first is the owner. `legacy` stocks it by the old agents."""

    kind: ClassVar[str] = "plex"
    switches: ClassVar[Mapping[str, str]] = {
        "allowed_without_token": "",
        **dict.fromkeys(("sockets_allowed", "activities_for_all", "refreshes_on_read", "tells_of_ratings"), "notifications"),
    }

    def __init__(
        self,
        name: str,
        titles: tuple[Title, ...],
        users: Mapping[str, str],
        *,
        version: str = "1.42.2.10156-f737b826c",
        legacy: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Stock the server."""
        super().__init__(name, titles, clock=clock)
        self.version = version
        self.machine_identifier = f"{zlib.crc32(name.encode()):08x}" * 5
        self.accounts = {user: Account(OWNER if number == 0 else FIRST_OTHER + number, user, token) for number, (user, token) in enumerate(users.items())}
        self.library = Library(titles, legacy=legacy, added_at=int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()))
        self.records = Records()
        self.sessions: dict[tuple[int, str], Session] = {}
        self.history: list[View] = []
        self.notifications = Notifications(self)
        self.allowed_without_token = False
        """Whether who shows no token is taken for the owner, as a network that the owner lists is."""
        self._session_keys = count(1)

    @property
    @override
    def users(self) -> tuple[str, ...]:
        return tuple(self.accounts)

    @override
    def credentials(self) -> dict[str, str]:
        return {"token": next(iter(self.accounts.values())).token}

    @override
    def routes(self, app: web.Application) -> None:
        app.on_shutdown.append(self.notifications.close)
        app.cleanup_ctx.append(self.notifications.run)
        Routes(self).add(app)

    def account_of(self, token: str) -> Account | None:
        """Return whose token it is."""
        if not token and self.allowed_without_token:
            return next(iter(self.accounts.values()))
        return next((account for account in self.accounts.values() if account.token == token), None)

    def now(self) -> int:
        """Tell the server's time in epoch seconds."""
        return int(self.time().timestamp())

    @override
    def shown(self, user: str) -> tuple[Shown, ...]:
        account = self.accounts[user]
        return tuple(self._shown(account, key, items[0]) for key, items in self.library.by_title.items() if items)

    @override
    def stock(self, user: str, key: str, *, played: bool, position: int = 0, count: int = 0, date: datetime | None = None) -> None:
        for item in self.library.by_title[key]:
            record = self.records.edit(self.accounts[user].account_id, item)
            record.views = max(count, 1) if played else 0
            record.offset, record.viewed_at = position * 1000, int(date.timestamp()) if date else 0

    @override
    async def act(self, user: str, key: str, act: Act, position: int | None = None) -> None:
        account, item = self.accounts[user], self.library.by_title[key][0]
        if act is Act.MARK_WATCHED:
            self.mark(account, item)
        elif act is Act.MARK_UNWATCHED:
            self.unmark(account, item)
        else:
            self._play(account, item, act, position)

    @override
    async def add(self, title: Title, *, first: bool = False) -> str:
        """Put a title on its shelf under a new rating key: nothing of what was watched of an earlier copy is known (server-apis §6)."""
        self.library.added_at = self.now()
        items = self.library.add(title, first=first)
        self.titles = (*self.titles, title)
        for item in items:
            self.notifications.changed(item, DONE)
        return str(items[0].key) if items else ""

    @override
    async def remove(self, key: str, library: str | None = None) -> None:
        for item in [one for one in self.library.by_title[key] if library in (None, one.section.title)]:
            self.library.remove(item)
            self.notifications.changed(item, GONE)
            self.titles = tuple(title for title in self.titles if title is not item.source)

    @override
    async def goodbye(self) -> None:
        await self.notifications.close()

    @override
    def restarted(self) -> None:
        self.sessions.clear()

    def mark(self, account: Account, item: Item) -> None:
        """Count a view of a video, or of all videos below: no webhook tells of it, and only shows and seasons leave a history (server-apis §3.1)."""
        self._sync_faults()
        for leaf in item.leaves():
            self.records.edit(account.account_id, leaf).scrobble(self.now())
            if leaf is not item:
                self._remember(account, leaf)
        self.notifications.refreshed(account, item)

    def unmark(self, account: Account, item: Item) -> None:
        """Take the views of a video, or of all videos below, away."""
        self._sync_faults()
        for leaf in item.leaves():
            self.records.edit(account.account_id, leaf).unscrobble()
        self.notifications.refreshed(account, item)

    @override
    async def rate_title(self, user: str, key: str, rating: float | None) -> None:
        self.set_rating(self.accounts[user], self.library.by_title[key][0], -1 if rating is None else rating, self.now())

    def set_rating(self, account: Account, item: Item, rating: float, at: int) -> None:
        """Rate an item, or with a negative number take the rating back; a webhook tells of it, with the number beside the event.

        Whether sockets hear anything of it, and what number a withdrawal tells, is recorded nowhere: the first is switchable, the second as it was sent.
        """
        self._sync_faults()
        record = self.records.edit(account.account_id, item)
        record.rating, record.rated_at = (None, 0) if rating < 0 else (rating, at)
        self._tell("media.rate", Session("", account, item, f"{account.name}-player"), rating=rating)
        if self.notifications.tells_of_ratings:
            self.notifications.refreshed(account, item)

    def report(self, account: Account, item: Item, player: str, state: str, offset: int) -> None:
        """Take a player's report, with the sessions and webhooks that follow."""
        self._sync_faults()
        known = self.sessions.get((account.account_id, player))
        new = known is None or known.item is not item
        session = Session(str(next(self._session_keys)), account, item, player) if known is None or new else known
        event = _event(session.state, state, new=new)
        session.state, session.offset = state, offset
        self.sessions[account.account_id, player] = session
        viewed = self.records.edit(account.account_id, item).report(item, offset, self.now())
        if viewed:
            self._remember(account, item)
            self._tell("media.scrobble", session)
        if event:
            self._tell(event, session)
        self.notifications.played(session)
        if state == "stopped":
            del self.sessions[account.account_id, player]

    def _play(self, account: Account, item: Item, act: Act, position: int | None) -> None:
        """Do at the person's player."""
        player = f"{account.name}-player"
        known = self.sessions.get((account.account_id, player))
        at = known.offset if known and known.item is item else self.records.of(account.account_id, item).offset
        offset = at if position is None else position * 1000
        if known is None or known.item is not item:
            self.report(account, item, player, "playing", at)
        if act is Act.FINISH:
            offset = item.duration
        if act is not Act.PLAY or position is not None:
            state = {Act.PAUSE: "paused", Act.STOP: "stopped", Act.FINISH: "stopped"}.get(act, "playing")
            self.report(account, item, player, state, offset)

    def _remember(self, account: Account, item: Item) -> None:
        self.history.append(View(len(self.history) + 1, account.account_id, item, self.now()))

    def _shown(self, account: Account, key: str, item: Item) -> Shown:
        record = self.records.of(account.account_id, item)
        playing = any(session.item is item and session.account is account for session in self.sessions.values())
        date = datetime.fromtimestamp(record.viewed_at, UTC) if record.viewed_at else None
        return Shown(key, str(item.key), record.views > 0, record.offset // 1000, record.views, date, playing, record.rating)

    def _sync_faults(self) -> None:
        self.records.read_only = self.faults.read_only

    def _tell(self, event: str, session: Session, **more: float) -> None:
        """Send a webhook as the owner's account has it, unless the cable is out."""
        if self.faults.offline:
            return
        item, account = session.item, session.account
        metadata = row(item, account.account_id, self.records, guids=True, home=True)
        metadata = {name: value for name, value in metadata.items() if name not in ("Media", "duration")}
        payload = {
            "event": event,
            **more,
            "user": account.account_id == OWNER,
            "owner": True,
            "Account": {"id": account.account_id, "thumb": f"https://plex.tv/users/{account.account_id}/avatar", "title": account.name},
            "Server": {"title": self.name, "uuid": self.machine_identifier},
            "Player": {"local": True, "publicAddress": "127.0.0.1", "title": "Simulated", "uuid": session.player},
            "Metadata": {"librarySectionType": NAMES[item.section.kind], **metadata},
        }
        for url in self.webhooks:
            self.post.put(letter(url, payload, self.version))


def _event(before: str, after: str, *, new: bool) -> str | None:
    """Name the webhook of a change of state; none while it goes on."""
    if after == "stopped":
        return "media.stop"
    if new:
        return "media.play"
    if before == after:
        return None
    return "media.pause" if after == "paused" else "media.resume"
