"""What a user did with a video, and what each write makes of it in each version (server-apis §4.2)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .library import TICKS, Item

MIN_PERCENT, MAX_PERCENT = 5, 90
SHORT = 300 * TICKS

type Json = dict[str, Any]


@dataclass(slots=True)
class Record:
    """One user's record of a video; `key` is the name that it was stored under."""

    key: str = ""
    played: bool = False
    ticks: int = 0
    count: int = 0
    date: datetime | None = None
    favourite: bool = False
    rating: float | None = None

    def mark(self, now: datetime, date: datetime | None) -> None:
        """Mark as played: with a date one view more, of that date; without, the old date stays (#8492)."""
        self.played, self.ticks = True, 0
        self.count = self.count + 1 if date else max(1, self.count)
        self.date = date or self.date or now

    def unmark(self) -> None:
        """Take views and date away."""
        self.played, self.ticks, self.count, self.date = False, 0, 0, None

    def lay_over(self, body: Json) -> None:
        """Take the fields that a body has; nothing is checked, and a null changes nothing."""
        for name, value in body.items():
            if value is None:
                continue
            if name == "Played":
                self.played = value
            elif name == "PlaybackPositionTicks":
                self.ticks = value
            elif name == "PlayCount":
                self.count = value
            elif name == "LastPlayedDate":
                self.date = parse_time(value)
            elif name == "IsFavorite":
                self.favourite = value
            elif name == "Rating":
                self.rating = value
            elif name == "Likes":
                self.rating = 10 if value else 1

    def start(self, now: datetime, *, keeps_played: bool) -> None:
        """Begin to play: counted and dated at once; before 12 a watched title is unwatched by that (pitfalls 4, 37)."""
        self.count += 1
        self.date = now
        self.played = self.played and keeps_played

    def report(self, ticks: int, item: Item) -> bool:
        """Take a player's position, at a stop or before; return whether it is at the end. A short clip is watched once a bit of it ran (pitfall 42)."""
        self.ticks = ticks
        if not item.ticks:
            return False
        percent = ticks * 100 / item.ticks
        if percent < MIN_PERCENT:
            self.ticks = 0
            return False
        if percent > MAX_PERCENT or ticks >= item.ticks - TICKS or item.ticks < SHORT:
            self.played, self.ticks = True, 0
            return True
        return False

    def stop(self, ticks: int | None, item: Item) -> bool:
        """End playing; return whether it was to the end. Without a position it counts as watched, and once more."""
        if ticks is not None:
            return self.report(ticks, item)
        self.played, self.ticks = True, 0
        self.count += 1
        return True

    def percent(self, item: Item) -> float | None:
        """Return how much of it ran."""
        return self.ticks * 100 / item.ticks if self.ticks > 0 and item.ticks else None


def dto(record: Record, item: Item, key: str, *, zero_ids: bool) -> Json:
    """Render a record; what is nothing is absent. 10.10 gives no item id outside of frames (server-apis §3.2)."""
    found: Json = {} if record.rating is None else {"Rating": record.rating}
    percent = record.percent(item)
    found |= {} if percent is None else {"PlayedPercentage": percent}
    found |= {"PlaybackPositionTicks": record.ticks, "PlayCount": record.count, "IsFavorite": record.favourite}
    found |= {} if record.rating is None else {"Likes": record.rating >= 6.5}
    found |= {} if record.date is None else {"LastPlayedDate": time_text(record.date)}
    return found | {"Played": record.played, "Key": key, "ItemId": "0" * 32 if zero_ids else item.item_id}


def folder_dto(records: list[Record], item: Item, key: str, *, percent: bool) -> Json:
    """Render what a series or season shows of its videos; 12.0 gives their share too."""
    left = sum(not record.played for record in records)
    share: Json = {"PlayedPercentage": 100 * (len(records) - left) / max(1, len(records))} if percent else {}
    return share | {
        "UnplayedItemCount": left,
        "PlaybackPositionTicks": 0,
        "PlayCount": 0,
        "IsFavorite": False,
        "Played": not left,
        "Key": key,
        "ItemId": item.item_id,
    }


def time_text(at: datetime) -> str:
    """Write a time with up to seven digits of a second, without trailing zeros (server-apis §6)."""
    text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}Z"


def parse_time(text: str) -> datetime:
    """Read a time, ISO or compact, as UTC unless it says otherwise; raises ValueError."""
    if text.isdecimal():
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
