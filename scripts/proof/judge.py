"""The judge: sees every act as it truly happens, and knows which ends are right.

A server dates most acts to the second; what it does not date (an unwatch that no hint told of) happened somewhere between the last look that did not
show it and now. So more than one end may be right. An end is wrong when another act that can be seen is certainly later than the one it goes back to.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import NamedTuple

NAMELESS = ""  # where an act was done that is earlier than all that is to come
LOOKS = frozenset({"read", "kept", "wrote"})
PLACES = 100  # more than a copy has dates
POSITION_TOLERANCE = 20  # roundings and the tolerance of the rules


class Wrong(Exception):
    """A watch state was lost or invented, or the servers do not agree."""


class Clear(Enum):
    """Whether what an act leaves looks like nothing else."""

    YES = auto()
    NO = auto()
    UNLESS_BLANK = auto()


class Event(NamedTuple):
    """What the judge is told of a step; `at` is in seconds since the step began, `where` a copy, or of what is told to automations a server.

    `dated`: the server will say when it was; else it was at some time after the last look.
    """

    what: str
    where: str = ""
    at: int = 0
    item: str = ""
    played: bool | None = None
    position: int | None = None
    dated: bool = True
    clear: Clear = Clear.YES


class Act(NamedTuple):
    """What one act makes of one register of one item.

    It was done between `earliest` and `latest`, as far as anybody can tell; `certain`: the server still shows it, and it looks like nothing else; `seen`:
    a run has read it.
    """

    copy: str
    value: int
    earliest: int
    latest: int
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
        if not any(other.certain and (other.earliest > one.latest or (place[other] > place[one] and other.copy == one.copy != NAMELESS)) for other in by)
    )


@dataclass(slots=True)
class Judge:
    """Everything that people did, as far as it may still matter.

    By item the two registers, and by copy what automations have not been told of. `looked`: when a run last read a copy; `wrote`: when one was read back after
    a write, which is not on disk yet; `blank`: copies of which that was lost; `stored`: when a copy was last read as far as that is on disk, by item. `touched`: copies that somebody began to play, which no run has read;
    `unsure`: copies to which, for all that is on disk, an unwatch was sent.
    """

    views: dict[str, Register]
    spots: dict[str, Register]
    untold: frozenset[tuple[bool, str, str]] = frozenset()
    looked: dict[str, int] = field(default_factory=dict)
    wrote: dict[str, int] = field(default_factory=dict)
    blank: frozenset[str] = frozenset()
    stored: dict[tuple[str, str], int] = field(default_factory=dict)
    touched: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()

    @classmethod
    def of(cls, copies: Iterable[str], *, played: bool) -> Judge:
        """Begin with servers that agree and were all read."""
        names = tuple(copies)
        items = tuple(dict.fromkeys(item for name in names for item in holds(name)))
        begin = Act(NAMELESS, played, 0, 0, seen=True)
        return cls(
            {item: Register((begin,)) for item in items},
            {item: Register((begin._replace(value=0),)) for item in items},
            looked=dict.fromkeys(names, 1),
            stored={(name, item): 1 for name in names for item in holds(name)},
        )

    def copy(self) -> Judge:
        """Return another that knows the same."""
        views, spots = ({item: Register(one.acts) for item, one in some.items()} for some in (self.views, self.spots))
        return replace(self, views=views, spots=spots, looked={**self.looked}, wrote={**self.wrote}, stored={**self.stored})

    def follow(self, events: Iterable[Event]) -> None:
        """See a step; raises `Wrong`."""
        now, looks = max(self._dates(), default=0) + 1, dict[tuple[str, int], int]()
        for date, event in enumerate(events, now + 1):  # at one moment of the clock much may happen, one after the other
            if event.what in LOOKS:
                looks.setdefault((event.where, event.at), date)
            _HANDLERS[event.what](self, event, looks.get((event.where, event.at), now) if event.what == "stored" else date)

    def act(self, copy: str, since: int, now: int, *, played: bool | None = None, position: int | None = None, certain: bool = True) -> None:
        """Take note of an act; what the copy had to tell that no run has read looks like something else from now on."""
        held = holds(copy)
        for item in held:
            clear = certain and not self._unseen(copy, item)
            self._hide(copy, item, now)
            if played is not None:
                self.views[item].add(Act(copy, played, since, now, clear))
                self.untold |= {(played, copy, item)}
            if position is not None:
                self.spots[item].add(Act(copy, position, since, now, clear and len(held) == 1))

    def check_end(self, item: str, *, played: bool, position: int) -> None:
        """See that the servers agree on what an act left that may be the last; raises `Wrong`."""
        views, spots = self.views[item].values, self.spots[item].values
        if played not in views:
            raise Wrong(f"all show {item} {'watched' if played else 'unwatched'}, and the last act left it {_words(views)}")
        if not any(abs(position - one) <= POSITION_TOLERANCE for one in spots):
            raise Wrong(f"all show {item} at {position} s, and the last act left it at {' or '.join(map(str, sorted(spots)))} s")

    def settled(self) -> Judge:
        """Return one that will judge alike, with the least dates.

        Acts are compared by the earliest date of the one and the latest of the other, looks only with those of the same copy and as earliest dates of acts there.
        So latest dates keep their order, any other its place among them and among those of its copy.
        """
        for register in self._registers():
            register.acts = tuple(dict.fromkeys(self._nameless(one, register) for one in register.acts))
        latest = sorted({one.latest for register in self._registers() for one in register.acts})
        own = {name: self._places(name, latest) for name in (NAMELESS, *self.looked)}
        for register in self._registers():
            register.acts = tuple(
                one._replace(earliest=own[one.copy][one.earliest], latest=(bisect_left(latest, one.latest) + 1) * PLACES) for one in register.acts
            )
        for known in (self.looked, self.wrote):
            known.update({name: own[name][at] for name, at in known.items()})
        self.stored = {known: own[known[0]][at] for known, at in self.stored.items()}
        return self

    def _nameless(self, one: Act, register: Register) -> Act:
        """Forget where an act was done if whatever is done there from now on is later by its date as well."""
        name = one.copy
        stored = [self.stored.get((name, item), 0) for item in holds(name)]
        looks = (*stored, self.looked.get(name, 0), self.wrote.get(name, self.looked.get(name, 0)))
        return one._replace(copy=NAMELESS) if one.seen and not register.unseen(name) and min(looks) > one.latest else one

    def _places(self, name: str, latest: Sequence[int]) -> Mapping[int, int]:
        """Give a copy's dates places: on a latest date, or in their order in front of it."""
        acts = (one.earliest for register in self._registers() for one in register.acts if one.copy == name)
        looks = (self.looked.get(name, 0), self.wrote.get(name, 0), *(at for (copy, _), at in self.stored.items() if copy == name))
        found: dict[int, int] = {}
        for date in sorted({*acts, *looks}):
            place = bisect_left(latest, date)
            if place < len(latest) and latest[place] == date:
                found[date] = (place + 1) * PLACES
            else:
                found[date] = max(place * PLACES, max(found.values(), default=0)) + 1
        return found

    @property
    def key(self) -> object:
        """What makes it another than others; their dates being the least."""
        registers = tuple(register.acts for register in self._registers())
        known = tuple(frozenset(one.items()) for one in (self.looked, self.wrote, self.stored))
        return (registers, self.untold, known, self.blank, self.touched, self.unsure)

    def _acted(self, event: Event, now: int) -> None:
        name = event.where
        since = now if event.dated else max(self.looked[name], self.wrote.get(name, 0))
        certain = event.clear is Clear.YES or (event.clear is Clear.UNLESS_BLANK and name not in self.blank)
        self.act(name, since, now, played=event.played, position=event.position, certain=certain)
        if event.played is None:
            self.touched |= {name}
            self._doubt(name, now)

    def _unsure(self, event: Event, now: int) -> None:
        """See that nobody remembers whether an unwatch was sent."""
        self.unsure |= {event.where}
        self._doubt(event.where, now)

    def _doubt(self, name: str, now: int) -> None:
        """Let a touch be taken for a view, which ends where it began, if a mark may have been sent that nobody remembers: rather so than a view lost (M3)."""
        for item in holds(name) if name in self.touched & (self.unsure | self.blank) else ():
            self.views[item].add(Act(name, True, 0, now, certain=False))
            self.spots[item].add(Act(name, 0, 0, now, certain=False))
            self.untold |= {(True, name, item)}

    def _cut(self, event: Event, _now: int) -> None:
        """See a server take a write, and nobody read it back."""
        self.blank |= {event.where}

    def _hidden(self, event: Event, now: int) -> None:
        """See a tool go over a record, or its file replaced: what no run has read may never be known."""
        for item in holds(event.where):
            self._hide(event.where, item, now)

    def _replaced(self, event: Event, now: int) -> None:
        self._hidden(event, now)
        self.wrote.pop(event.where, None)

    def _read(self, event: Event, now: int) -> None:
        """See a run read a copy."""
        for register in self._registers():
            register.change(event.where, unseen=True, seen=True)
            register.prune()
        self.untold = frozenset(one for one in self.untold if one[1] != event.where)  # what was not told by then never will be
        self._kept(event, now)
        self.wrote.pop(event.where, None)
        self.touched -= {event.where}
        self.unsure -= {event.where}

    def _kept(self, event: Event, now: int) -> None:
        self.looked[event.where] = now
        self.blank -= {event.where}

    def _wrote(self, event: Event, now: int) -> None:
        self.wrote[event.where] = now

    def _stored(self, event: Event, now: int) -> None:
        self.stored[event.where, event.item] = now

    def _unstored(self, event: Event, _now: int) -> None:
        self.stored.pop((event.where, event.item), None)

    def _rested(self, _event: Event, _now: int) -> None:
        self.looked |= self.wrote
        self.blank -= frozenset(self.wrote)
        self.wrote.clear()

    def _crashed(self, _event: Event, _now: int) -> None:
        """See that Home Assistant knows what is on disk; of a look at which nothing had changed, nothing is."""
        for name in self.looked:
            some = [at for (copy, _), at in self.stored.items() if copy == name]
            stored = min(some) if len(some) == len(holds(name)) else 0
            if name in self.wrote or stored < self.looked[name]:
                self.looked[name] = min(stored, self.looked[name])
                self._forget(name, self.looked[name], blank=name in self.wrote)
        self.blank |= frozenset(self.wrote)
        self.wrote.clear()

    def _forget(self, copy: str, since: int, *, blank: bool) -> None:
        """Forget with Home Assistant when it looked at a copy after `since`, and, if `blank`, what it read there after a write."""
        for register in self._registers():
            register.acts = tuple(
                one._replace(certain=one.certain and not blank, earliest=min(one.earliest, since))
                if one.copy == copy and not one.seen and one.earliest < one.latest
                else one
                for one in register.acts
            )

    def _told(self, event: Event, _now: int) -> None:
        """Let no act be told to automations that nobody did, none twice."""
        played = bool(event.played)
        mine = [(played, copy, event.item) for copy in sorted(self.looked) if server(copy) == event.where and (played, copy, event.item) in self.untold]
        if not mine:
            raise Wrong(f"automations were told of {event.item} {_words([played])} on {event.where}, and nobody did that there")
        self.untold -= {mine[0]}

    def _ended(self, event: Event, _now: int) -> None:
        self.check_end(event.item, played=bool(event.played), position=event.position or 0)

    def _dates(self) -> Iterable[int]:
        yield from (date for register in self._registers() for one in register.acts for date in (one.earliest, one.latest))
        yield from (*self.looked.values(), *self.wrote.values(), *self.stored.values())

    def _unseen(self, copy: str, item: str) -> bool:
        return self.views[item].unseen(copy) or self.spots[item].unseen(copy)

    def _hide(self, copy: str, item: str, now: int) -> None:
        for register in (self.views[item], self.spots[item]):
            register.change(copy, unseen=True, certain=False, latest=now)

    def _registers(self) -> Iterable[Register]:
        return (*self.views.values(), *self.spots.values())


_HANDLERS: Mapping[str, Callable[[Judge, Event, int], None]] = {
    "acted": Judge._acted,  # noqa: SLF001 - here is where they are named
    "cut": Judge._cut,  # noqa: SLF001 - the same
    "hidden": Judge._hidden,  # noqa: SLF001 - the same
    "replaced": Judge._replaced,  # noqa: SLF001 - the same
    "read": Judge._read,  # noqa: SLF001 - the same
    "kept": Judge._kept,  # noqa: SLF001 - the same
    "wrote": Judge._wrote,  # noqa: SLF001 - the same
    "stored": Judge._stored,  # noqa: SLF001 - the same
    "unstored": Judge._unstored,  # noqa: SLF001 - the same
    "rested": Judge._rested,  # noqa: SLF001 - the same
    "unsure": Judge._unsure,  # noqa: SLF001 - the same
    "crashed": Judge._crashed,  # noqa: SLF001 - the same
    "told": Judge._told,  # noqa: SLF001 - the same
    "ended": Judge._ended,  # noqa: SLF001 - the same
}


def server(copy: str) -> str:
    """Return the server of a copy, which is named `server:one` or `server:one+two`."""
    return copy.partition(":")[0]


def holds(copy: str) -> list[str]:
    """Return the films or episodes that a copy holds."""
    return copy.partition(":")[2].split("+")


def _words(views: Iterable[int]) -> str:
    return " or ".join("watched" if one else "unwatched" for one in sorted(views))
