"""What happened and why, newest last: one store for the household, in segments, bounded by count and age (G5).

A line is kept in memory until its segment is on disk; of what is on disk only the open segment stays in memory, so that a long journal costs no memory
and a new line rewrites one small document.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from ..ports import Documents, StoreError
from ..sync.item import Item
from ..sync.model import WatchState
from ..sync.record import state_of, state_row

SEGMENT = 100
"""Lines in a document: some 30 kB."""
REPEATED_WITHIN = 10
"""So many lines back a repeated webhook is looked for: players report their progress once a second (pitfall 48)."""

AGE_CHECK = timedelta(hours=1)

_TEXTS = ("outcome", "account", "item", "reason", "event", "viewer", "server", "item_id", "run_id", "change_id")


class NoteKind(StrEnum):
    """What a line is about."""

    HINT = "hint"
    WEBHOOK = "webhook"
    CHANGE = "change"
    DECISION = "decision"
    OPERATION = "operation"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Note:
    """One line: what became of what, at whose account, in which run, and the readings that led to it; never a secret in it.

    `event`: what people or servers call it; `item` names the title, `item_id` is its id in the agreed state or, of a hint or webhook, the server's own;
    `server` is an entry's id, where no account is known; `more` holds plain texts of any other kind; `dates` are those of the claims after a change.
    """

    at: datetime
    kind: NoteKind
    outcome: str
    account: str = ""
    item: str = ""
    reason: str = ""
    event: str = ""
    viewer: str = ""
    server: str = ""
    item_id: str = ""
    run_id: str = ""
    change_id: str = ""
    before: WatchState | None = None
    after: WatchState | None = None
    reading: WatchState | None = None
    more: Mapping[str, str] = field(default_factory=dict)
    dates: tuple[datetime | None, ...] = ()

    def repeats(self, other: Note) -> bool:
        """Whether a server said the same thing once more."""
        return "way" in self.more and self.kind is other.kind and _sender(self) == _sender(other)


def weakness(*items: Item) -> dict[str, str]:
    """Say of a line's titles that they are matched by name only (I6)."""
    return {"weak": "yes"} if any(item.is_weak for item in items) else {}


@dataclass(frozen=True, slots=True)
class Query:
    """Which lines are wanted; what is None is not asked for. `text` is looked for in title, event, reason and all that is plain text.

    A line is of one of the `servers` when it names one of these accounts or entries.
    """

    since: datetime | None = None
    until: datetime | None = None
    servers: frozenset[str] | None = None
    viewers: frozenset[str] | None = None
    kind: str | None = None
    outcome: str | None = None
    event: str | None = None
    text: str | None = None
    run_id: str | None = None
    change_id: str | None = None
    item_id: str | None = None

    def wants(self, note: Note) -> bool:
        """Whether a line is asked for."""
        named = ("kind", "outcome", "event", "run_id", "change_id", "item_id")
        return (
            all(getattr(self, name) in {None, getattr(note, name)} for name in named)
            and (self.since is None or note.at >= self.since)
            and (self.until is None or note.at <= self.until)
            and (self.servers is None or not self.servers.isdisjoint({note.account, note.server}))
            and (self.viewers is None or note.viewer in self.viewers)
            and (self.text is None or _says(note, self.text.casefold()))
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Lines with their numbers, newest first, and where the next page starts."""

    notes: tuple[tuple[int, Note], ...]
    next_cursor: int | None = None


class Journal:
    """The household's lines; without documents it keeps what fits into memory."""

    def __init__(self, documents: Documents | None = None, on_news: Callable[[], None] = lambda: None) -> None:
        """Start empty; `on_news` hears that there is something to `flush`."""
        self.days, self.entries = 30, 20_000
        self._documents, self._on_news = documents, on_news
        self._segments: dict[int, list[Note]] = {0: []}  # those in memory
        self._first = self._last = 0
        self._unsaved: set[int] = set()
        self._moved = False
        self._look_at_age = datetime.min.replace(tzinfo=UTC)

    def __iter__(self) -> Iterator[Note]:
        """Iterate over what is in memory, from the oldest to the newest."""
        return iter([note for number in sorted(self._segments) for note in self._segments[number]])

    def add(self, note: Note) -> None:
        """Keep a line; an event that repeats another is counted there."""
        notes = self._segments[self._last]
        for back in range(len(notes) - 1, max(-1, len(notes) - 1 - REPEATED_WITHIN), -1):
            if note.repeats(notes[back]):
                notes[back] = _counted(notes[back], note.at)
                break
        else:
            self._append(note)
        self._unsaved.add(self._last)
        if len(self._unsaved) == 1:
            self._on_news()

    async def load(self) -> None:
        """Find what was kept; a journal that is lost starts anew, nothing hangs on it."""
        try:
            kept: Any = await self._store.load("journal/index") or {"first": 0, "last": 0}
            self._first, self._last = int(kept["first"]), int(kept["last"])
        except StoreError, LookupError, TypeError, ValueError:
            self._first = self._last = 0
        self._segments = {self._last: await self._read(self._last)}

    async def flush(self, now: datetime) -> None:
        """Write the segments that changed, and delete those that are too old or too many; what cannot be written is news again."""
        if self._documents is None:
            return
        unsaved, self._unsaved = self._unsaved, set()
        try:
            await self._write(unsaved)
            await self._forget(now)
            if self._moved:
                self._moved = False
                await self._store.save("journal/index", {"first": self._first, "last": self._last})
        except BaseException as error:  # a cancelled flush is tried again too
            self._unsaved, self._moved = self._unsaved | unsaved, True
            self._on_news()
            if not isinstance(error, StoreError):
                raise
            return
        for number in [known for known in self._segments if known != self._last and known not in self._unsaved]:
            del self._segments[number]

    async def find(self, query: Query, limit: int, cursor: int | None = None) -> Page:
        """Return the newest lines that are asked for, older than the cursor."""
        found: list[tuple[int, Note]] = []
        async for number, note in self._backwards(cursor):
            if query.since and note.at < query.since - timedelta(days=1):
                break  # lines are in order, but for a clock that was set
            if query.wants(note):
                if len(found) == limit:
                    return Page(tuple(found), found[-1][0])
                found.append((number, note))
        return Page(tuple(found))

    async def remove(self) -> None:
        """Delete everything."""
        for number in range(self._first, self._last + 1):
            await self._store.remove(_name(number))
        await self._store.remove("journal/index")
        self._segments, self._first, self._last, self._unsaved, self._moved = {0: []}, 0, 0, set(), False

    @property
    def _store(self) -> Documents:
        assert self._documents is not None
        return self._documents

    def _append(self, note: Note) -> None:
        if len(self._segments[self._last]) >= SEGMENT:
            self._last += 1
            self._segments[self._last], self._moved = [], True
            if self._documents is None and len(self._segments) > self._most:
                del self._segments[min(self._segments)]
        self._segments[self._last].append(note)

    @property
    def _most(self) -> int:
        """How many segments are kept."""
        return max(1, -(-self.entries // SEGMENT))

    async def _write(self, numbers: Iterable[int]) -> None:
        for number in sorted(numbers):
            if number in self._segments:
                await self._store.save(_name(number), [_row(note) for note in self._segments[number]])

    async def _forget(self, now: datetime) -> None:
        """Drop the first segments while they are too many or, looked at now and then, wholly too old."""
        old = now >= self._look_at_age
        self._look_at_age = now + AGE_CHECK if old else self._look_at_age
        while self._first < self._last and (self._last - self._first >= self._most or (old and await self._is_older(self._first, now))):
            self._segments.pop(self._first, None)
            await self._store.remove(_name(self._first))
            self._first, self._moved = self._first + 1, True

    async def _is_older(self, number: int, now: datetime) -> bool:
        oldest = now - timedelta(days=self.days)
        return all(note.at < oldest for note in await self._notes(number))

    async def _backwards(self, cursor: int | None) -> AsyncIterator[tuple[int, Note]]:
        newest = self._last if cursor is None else min(self._last, (cursor - 1) // SEGMENT)
        for segment in range(newest, self._first - 1, -1):
            notes = await self._notes(segment)
            for place, note in reversed(list(enumerate(notes))):
                if cursor is None or segment * SEGMENT + place < cursor:
                    yield segment * SEGMENT + place, note

    async def _notes(self, number: int) -> list[Note]:
        if number in self._segments or self._documents is None:
            return self._segments.get(number, [])
        return await self._read(number)

    async def _read(self, number: int) -> list[Note]:
        """Read a segment; one that is lost is empty."""
        try:
            content: Any = await self._store.load(_name(number)) or []
            return [_note(row) for row in content]
        except StoreError, LookupError, TypeError, ValueError:
            return []


def _name(number: int) -> str:
    return f"journal/{number:06}"


def _sender(note: Note) -> tuple[str, ...]:
    return (note.server, note.account, note.event, note.item_id, note.outcome, note.reason, note.more.get("user", ""))


def _counted(note: Note, at: datetime) -> Note:
    times = int(note.more.get("times", "1")) + 1
    return replace(note, more={**note.more, "times": str(times), "last": at.isoformat()})


def _says(note: Note, text: str) -> bool:
    return any(text in one.casefold() for one in (note.item, note.item_id, note.event, note.reason, *note.more.values()))


def _row(note: Note) -> list[Any]:
    states = [state and state_row(state) for state in (note.before, note.after, note.reading)]
    return [
        note.at.timestamp(),
        note.kind.value,
        *(getattr(note, name) for name in _TEXTS),
        *states,
        dict(note.more),
        [at and at.timestamp() for at in note.dates],
    ]


def _note(row: list[Any]) -> Note:
    at, kind, *texts = row[:12]
    before, after, reading = (state and state_of(state) for state in row[12:15])
    dates = tuple(None if one is None else datetime.fromtimestamp(one, UTC) for one in (row[16] if len(row) > 16 else ()))  # older lines have none
    named = dict(zip(_TEXTS, texts, strict=True))
    return Note(datetime.fromtimestamp(at, UTC), NoteKind(kind), before=before, after=after, reading=reading, more=row[15], dates=dates, **named)
