"""What a user did with a video, and what each write makes of it (server-apis §4.1)."""

from dataclasses import dataclass

from .library import Item

WATCHED_FROM = 90  # percent; the server's preference LibraryVideoPlayedThreshold


@dataclass(slots=True)
class Record:
    """One user's record of a video: positions in milliseconds, times in epoch seconds, 0 where there is none."""

    views: int = 0
    viewed_at: int = 0
    offset: int = 0
    skips: int = 0
    rating: float | None = None
    rated_at: int = 0

    def scrobble(self, now: int) -> None:
        """Count a view; it is of now, whatever date was sent."""
        self.views += 1
        self.viewed_at = now
        self.offset = 0

    def unscrobble(self) -> None:
        """Take views, date and position away."""
        self.views = self.viewed_at = self.offset = 0

    def report(self, item: Item, milliseconds: int, now: int) -> bool:
        """Take a player's position; return whether that made a view of it."""
        if item.duration and milliseconds * 100 >= item.duration * WATCHED_FROM:
            self.scrobble(now)
            return True
        self.offset, self.viewed_at = max(0, milliseconds), now
        return False


class Records:
    """All users' records; `read_only` lets every change go by unseen."""

    def __init__(self) -> None:
        """Start with nobody having watched anything."""
        self._records: dict[tuple[int, int], Record] = {}
        self.read_only = False

    def of(self, account: int, item: Item) -> Record:
        """Return a record to read."""
        return self._records.get((account, item.key), Record())

    def edit(self, account: int, item: Item) -> Record:
        """Return a record to change."""
        return Record() if self.read_only else self._records.setdefault((account, item.key), Record())
