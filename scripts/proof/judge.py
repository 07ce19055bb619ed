"""The judge: sees every act as it truly happens, and knows which ends are right.

A server dates most acts to the second; what it does not date (an unwatch that no hint told of) happened somewhere between the last look that did not
show it and now. So more than one end may be right. An end is wrong when another act that can be seen is certainly later than the one it goes back to.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from custom_components.plex_watchsync.engine.report import Change, ChangeKind

POSITION_TOLERANCE = 20  # roundings and the tolerance of the rules


class Wrong(Exception):
    """A watch state was lost or invented, or the servers do not agree."""


class Act(NamedTuple):
    """What one act makes of one register of one item.

    It was done between `earliest` and `latest`, as far as anybody can tell; `certain`: the server still shows it, and it looks like nothing else; `seen`:
    a run has read it.
    """

    copy: str
    value: int
    earliest: datetime
    latest: datetime
    certain: bool = True
    seen: bool = False


@dataclass(slots=True)
class Register:
    """The acts on one register of one item that may be the last."""

    acts: tuple[Act, ...]

    def add(self, act: Act) -> None:
        """Add an act; what is certainly earlier than one that a run has read is history."""
        self.acts = (*self.acts, act)

    def prune(self) -> None:
        """Forget what cannot be the last any more; what no run has read may still get another date."""
        acts = tuple(dict.fromkeys(self.acts))
        self.acts = tuple(one for one in acts if not one.seen or one in _standing(acts, by=tuple(other for other in acts if other.seen)))

    def change(self, copy: str, *, unseen: bool, **changes: object) -> None:
        """Change what is known of a copy's acts, or of those that no run has read."""
        self.acts = tuple(one._replace(**changes) if one.copy == copy and not (unseen and one.seen) else one for one in self.acts)  # type: ignore[arg-type]

    def unseen(self, copy: str) -> bool:
        """Whether a copy has acts that no run has read."""
        return any(one.copy == copy and not one.seen for one in self.acts)

    @property
    def values(self) -> frozenset[int]:
        """What may be right."""
        return frozenset(one.value for one in _standing(self.acts, by=self.acts))


def _standing(acts: tuple[Act, ...], by: tuple[Act, ...]) -> tuple[Act, ...]:
    """Leave out what one of the others certainly came after; acts on the same copy happened in their order."""
    place = {one: number for number, one in enumerate(acts)}
    return tuple(
        one
        for one in acts
        if not any(other.certain and (other.earliest > one.latest or (place[other] > place[one] and other.copy == one.copy)) for other in by)
    )


@dataclass(slots=True)
class Judge:
    """Everything that people did; by item the two registers."""

    views: dict[str, Register]
    spots: dict[str, Register]
    untold: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: {"watched": set(), "unwatched": set()})
    telling: list[tuple[ChangeKind, str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, items: Iterable[str], now: datetime, *, played: bool) -> Judge:
        """Begin with servers that agree."""
        known = tuple(items)
        views = {item: Register((Act("", played, now, now, seen=True),)) for item in known}
        return cls(views, {item: Register((Act("", 0, now, now, seen=True),)) for item in known})

    def act(
        self, copy: str, items: Iterable[str], since: datetime, now: datetime, *, played: bool | None = None, position: int | None = None, certain: bool = True
    ) -> None:
        """Take note of an act; what the copy had to tell that no run has read looks like something else from now on."""
        for item in items:
            clear = certain and not self._unseen(copy, item)
            self._hide(copy, item, now)
            if played is not None:
                self.views[item].add(Act(copy, played, since, now, clear))
                self.untold["watched" if played else "unwatched"].add((copy, item))
            if position is not None:
                self.spots[item].add(Act(copy, position, since, now, clear and len(tuple(items)) == 1))

    def hide(self, copy: str, items: Iterable[str], now: datetime) -> None:
        """Take note that a file was replaced, or a tool went over its record: what no run has read may never be known."""
        for item in items:
            self._hide(copy, item, now)

    def read(self, copies: Iterable[str]) -> None:
        """Take note that a run has read these copies."""
        for copy in copies:
            for register in self._registers():
                register.change(copy, unseen=True, seen=True)
                register.prune()

    def forgotten(self, copy: str, since: datetime, *, blank: bool) -> None:
        """Take note that Home Assistant lost when it looked at a copy after `since`, and, if `blank`, what it read there after a write."""
        for register in self._registers():
            register.acts = tuple(
                one._replace(certain=one.certain and not blank, earliest=min(one.earliest, since))
                if one.copy == copy and not one.seen and one.earliest < one.latest
                else one
                for one in register.acts
            )

    def hear(self, change: Change) -> None:
        """Listen to what automations are told."""
        self.telling.append((change.kind, change.account, change.item_id.rpartition("/")[2]))

    def check_told(self, copies: dict[str, list[str]]) -> None:
        """No act is told that nobody did, none twice; raises `Wrong`."""
        told, self.telling = self.telling, []
        for kind, server, item in told:
            if kind is ChangeKind.PROGRESS:
                continue
            untold = self.untold[kind.value]
            mine = [(copy, item) for copy in copies[server] if (copy, item) in untold]
            if not mine:
                raise Wrong(f"automations were told of {item} {kind.value} on {server}, and nobody did that there")
            untold.discard(mine[0])

    def check_end(self, item: str, *, played: bool, position: int) -> None:
        """See that the servers agree on what an act left that may be the last; raises `Wrong`."""
        views, spots = self.views[item].values, self.spots[item].values
        if played not in views:
            raise Wrong(f"all show {item} {'watched' if played else 'unwatched'}, and the last act left it {_words(views)}")
        if not any(abs(position - one) <= POSITION_TOLERANCE for one in spots):
            raise Wrong(f"all show {item} at {position} s, and the last act left it at {' or '.join(map(str, sorted(spots)))} s")

    def _unseen(self, copy: str, item: str) -> bool:
        return self.views[item].unseen(copy) or self.spots[item].unseen(copy)

    def _hide(self, copy: str, item: str, now: datetime) -> None:
        for register in (self.views[item], self.spots[item]):
            register.change(copy, unseen=True, certain=False, latest=now)

    def _registers(self) -> Iterable[Register]:
        return (*self.views.values(), *self.spots.values())


def _words(views: frozenset[int]) -> str:
    return " or ".join("watched" if one else "unwatched" for one in sorted(views))
