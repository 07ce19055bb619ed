"""A user's record of an item and what each call does to it (server-apis §4.3, measured on 4.9.5)."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .library import TICKS, Item, Library

MIN_RESUME_PERCENT = 2
MAX_RESUME_PERCENT = 90
MIN_RESUME_SECONDS = 120
LIKED_FROM = 6.5

type Json = dict[str, Any]


def time_text(at: datetime) -> str:
    """Write a time as Emby does, with seven digits of a second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def read_time(text: str) -> datetime:
    """Read a time of a request, the compact form of DatePlayed too; without a zone it is UTC (from 3.5's source). Raises ValueError."""
    at = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC) if text.isdecimal() else datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


@dataclass(slots=True)
class Record:
    """What one user did with one video; `saved` is when that was last written."""

    played: bool = False
    ticks: int = 0
    count: int = 0
    date: datetime | None = None
    favourite: bool = False
    rating: float | None = None
    saved: datetime | None = None

    def mark(self, now: datetime, date: datetime | None = None) -> None:
        """Mark as played; without a date a second mark changes nothing, not even the date.

        That a date adds one to the count is how the common ancestor of Emby and Jellyfin does it: not measured on Emby.
        """
        self.count = max(1, self.count + (date is not None))
        self.date = (date or self.date or now).replace(microsecond=0)
        self.played, self.ticks = True, 0

    def unmark(self) -> None:
        """Mark as never played."""
        self.played, self.ticks, self.count, self.date = False, 0, 0, None

    def replace(self, body: Mapping[str, Any]) -> None:
        """Take a whole dto: what it leaves out falls to its default, but the count and the date survive. Raises ValueError.

        That the rating falls too is the cautious reading: nobody measured it.
        """
        self.rating = body.get("Rating")
        ticks, count = int(body.get("PlaybackPositionTicks") or 0), body.get("PlayCount")
        date = body.get("LastPlayedDate")
        self.date = read_time(str(date)).replace(microsecond=0) if date else self.date
        self.count = self.count if count is None else int(count)
        self.played, self.ticks, self.favourite = bool(body.get("Played")), ticks, bool(body.get("IsFavorite"))

    def open(self, now: datetime) -> None:
        """Count a play as it starts (recorded frame); a film that was played stays played while it is watched again (server-apis §6)."""
        self.count += 1
        self.date = now.replace(microsecond=0)

    def reach(self, ticks: int | None, length: int) -> bool:
        """Take a player's position and return whether that makes it played; a player that tells none is taken to have finished."""
        if ticks is None or (length and 100 * ticks > MAX_RESUME_PERCENT * length):
            self.played, self.ticks = True, 0
            return True
        if not length or 100 * ticks < MIN_RESUME_PERCENT * length:
            self.ticks = 0
            return False
        short = length < MIN_RESUME_SECONDS * TICKS
        self.played, self.ticks = self.played or short, 0 if short else ticks
        return short


class Records:
    """The records of every user; `saved` is told of each change, with the user's id."""

    def __init__(self, library: Library, clock: Callable[[], datetime], saved: Callable[[str, Item], None]) -> None:
        """Start without any record."""
        self._library = library
        self._clock = clock
        self._saved = saved
        self._records: dict[str, dict[str, Record]] = defaultdict(dict)
        self._parked: dict[tuple[str, str], Record] = {}

    def of(self, user_id: str, item: Item) -> Record:
        """Look at a record; what is not there yet reads as never played."""
        return self._records[user_id].get(item.item_id) or Record()

    def put(self, user_id: str, item: Item, record: Record) -> None:
        """Replace a record without telling anybody."""
        self._records[user_id][item.item_id] = record

    def edit(self, user_id: str, item: Item) -> Record:
        """Return a record to be changed at once."""
        record = self._records[user_id].setdefault(item.item_id, Record())
        record.saved = self._clock()
        self._saved(user_id, item)
        return record

    def park(self, item: Item) -> None:
        """Keep the records of an item that goes: a file that comes back finds them by its ids (server-apis §6)."""
        for user_id, records in self._records.items():
            if item.title is not None and item.item_id in records:
                self._parked[user_id, item.title.key] = records.pop(item.item_id)

    def unpark(self, item: Item) -> None:
        """Give an item that came the records that were kept for it."""
        for user_id, key in [one for one in self._parked if item.title is not None and one[1] == item.title.key]:
            self.put(user_id, item, self._parked.pop((user_id, key)))

    def dto(self, user_id: str, item: Item, *, count: bool = True, date: bool = True) -> Json:
        """Write a record down, without Key and ItemId; a listing shows `count` and `date` only when asked (server-apis §3.3)."""
        if item.is_folder:
            return self._folder_dto(user_id, item)
        record = self.of(user_id, item)
        percent = 100 * record.ticks / item.ticks if item.ticks else 0
        return {
            **({} if record.rating is None else {"Rating": record.rating}),
            **({"PlayedPercentage": int(percent) if percent.is_integer() else percent} if record.ticks else {}),
            "PlaybackPositionTicks": record.ticks,
            "PlayCount": record.count if count else 0,
            "IsFavorite": record.favourite,
            **({"LastPlayedDate": time_text(record.date)} if record.date and date else {}),
            "Played": record.played,
        }

    def _folder_dto(self, user_id: str, item: Item) -> Json:
        """Tell of a folder how much of it is unplayed, and never a count or a date (recorded)."""
        unplayed = sum(not self.of(user_id, video).played for video in self._library.videos(item))
        favourite = self.of(user_id, item).favourite
        return {"UnplayedItemCount": unplayed, "PlaybackPositionTicks": 0, "PlayCount": 0, "IsFavorite": favourite, "Played": unplayed == 0}
