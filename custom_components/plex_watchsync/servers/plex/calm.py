"""Holds hints back until Plex is done with an item; pure, the time is an argument."""

from dataclasses import dataclass, field

QUIET = 0.25  # seconds; one act is told of by several messages
BURST = 5
LONGEST = 300.0
FORGET = 60.0


@dataclass(slots=True)
class _Known:
    releases: int = 0
    last: float = 0.0
    due: float | None = None


@dataclass(slots=True)
class Calm:
    """Lets an item through once for all that is heard of it in a moment, and never loses the last word.

    An item that keeps coming waits longer each time. Nobody showed that a plain read makes Plex refresh the item that was read; if it does, this is what keeps the
    reading and the telling from driving each other for ever.
    """

    _items: dict[str, _Known] = field(default_factory=dict)

    def hear(self, item: str, now: float) -> None:
        """Hold an item back, from when it was heard first."""
        known = self._items.setdefault(item, _Known())
        if known.due is None:
            pause = self._pause(known)
            if now - known.last > max(FORGET, 2 * pause):
                known.releases = 0
                pause = QUIET
            known.due = now + pause

    def due(self, now: float) -> list[str]:
        """Let go what has waited long enough, and forget what is quiet."""
        released = [item for item, known in self._items.items() if known.due is not None and known.due <= now]
        for item in released:
            self._items[item] = _Known(self._items[item].releases + 1, now)
        self._items = {item: known for item, known in self._items.items() if known.due is not None or now - known.last <= max(FORGET, 2 * self._pause(known))}
        return released

    def wait(self, now: float) -> float:
        """Return how long there is nothing to let go."""
        return max(0.0, min((known.due for known in self._items.values() if known.due is not None), default=now + LONGEST) - now)

    def _pause(self, known: _Known) -> float:
        return QUIET if known.releases < BURST else min(QUIET * 2.0 ** (known.releases - BURST + 1), LONGEST)
