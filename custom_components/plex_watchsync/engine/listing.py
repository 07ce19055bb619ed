"""Finds items for people: by ids, by title, by what is wrong with them; a page at a time."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..sync.baseline import Baseline
from ..sync.item import Item
from ..sync.selection import Selection, groups_of
from .pace import paced


class ReportKind(StrEnum):
    """What can be wrong with items."""

    PARTIAL = "partial"
    UNMATCHED = "unmatched"
    AMBIGUOUS = "ambiguous"
    WEAK = "weak"
    DUPLICATES = "duplicates"
    DISAGREEING = "disagreeing"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """A part of a list; `next_cursor` asks for what follows, None at the end."""

    rows: Sequence[Row]
    total: int
    next_cursor: str | None


def page[Row](rows: Sequence[Row], limit: int, cursor: str | None) -> Page[Row]:
    """Cut a page out; raises ValueError for a cursor that was never given out."""
    start = int(cursor or 0)
    if start < 0:
        raise ValueError(cursor)
    end = start + limit
    return Page(rows[start:end], len(rows), str(end) if end < len(rows) else None)


async def covered(baseline: Baseline, selection: Selection) -> tuple[Item, ...]:
    """Return every item that a selection covers."""
    groups = selection.groups
    below = {key async for key in paced(baseline.keys() if groups else ()) if any(group in groups for group in groups_of(key))}
    return baseline.meant_by(selection.keys | below)


async def find(baseline: Baseline, selection: Selection) -> tuple[Item, ...]:
    """Return the items that somebody means: of those that share a title's ids, the ones that have most of them."""
    found = await covered(baseline, selection)
    if selection.groups:
        return found
    most = max((len(item.known_by & selection.keys) for item in found), default=0)
    return tuple(item for item in found if item.known_by <= selection.keys or len(item.known_by & selection.keys) == most)


async def search(baseline: Baseline, text: str, accounts: frozenset[str]) -> list[Item]:
    """Return the items whose title or show has these words, on any of the accounts or on none any more, by name."""
    words = text.casefold().split()
    found = [item async for item in paced(baseline) if _is_on(item, accounts) and all(word in str(item.media).casefold() for word in words)]
    return by_name(found)


async def report(baseline: Baseline, kind: ReportKind, accounts: Iterable[str]) -> list[Item]:
    """Return the items of which it is so on one of the accounts, by name; titles without ids are no items."""
    if kind is ReportKind.UNMATCHED:
        return []
    wanted, check = frozenset(accounts), _CHECKS[kind]
    return by_name([item async for item in paced(baseline) if (baseline.is_ignored(item) == (kind is ReportKind.IGNORED)) and check(baseline, item, wanted)])


async def tally(baseline: Baseline, accounts: Iterable[str]) -> dict[str, Counter[ReportKind]]:
    """Count in one pass what `report` would list of each account."""
    sums = {account: Counter[ReportKind]() for account in accounts}
    async for item in paced(baseline):
        kinds = [kind for kind in _CHECKS if (kind is ReportKind.IGNORED) == baseline.is_ignored(item)]
        for account, counts in sums.items():
            counts.update(kind for kind in kinds if _CHECKS[kind](baseline, item, frozenset({account})))
    return sums


def by_name(items: Iterable[Item]) -> list[Item]:
    """Sort items as people look for them."""
    return sorted(items, key=lambda item: (_name(item), item.media.season or 0, item.media.episode or 0, item.item_id))


def _name(item: Item) -> str:
    return (item.media.show or item.media.title).casefold()


def _is_on(item: Item, accounts: frozenset[str]) -> bool:
    return not item.replicas or any(replica_id.account in accounts for replica_id in item.replicas)


def _is_partial(_baseline: Baseline, item: Item, accounts: frozenset[str]) -> bool:
    return not accounts <= {replica_id.account for replica_id in item.replicas}


def _is_ambiguous(baseline: Baseline, item: Item, accounts: frozenset[str]) -> bool:
    return _is_on(item, accounts) and baseline.is_ambiguous(item)


def _is_double(_baseline: Baseline, item: Item, accounts: frozenset[str]) -> bool:
    """Whether an account has several copies of it (I4)."""
    own = [replica_id.account for replica_id in item.replicas if replica_id.account in accounts]
    return len(own) > len(set(own))


def _is_disagreeing(_baseline: Baseline, item: Item, accounts: frozenset[str]) -> bool:
    return any(item.is_owed(replica_id) for replica_id in item.replicas if replica_id.account in accounts)


_CHECKS: Mapping[ReportKind, Callable[[Baseline, Item, frozenset[str]], bool]] = {
    ReportKind.PARTIAL: _is_partial,
    ReportKind.AMBIGUOUS: _is_ambiguous,
    ReportKind.WEAK: lambda _baseline, item, accounts: _is_on(item, accounts) and item.is_weak,
    ReportKind.DUPLICATES: _is_double,
    ReportKind.DISAGREEING: _is_disagreeing,
    ReportKind.IGNORED: lambda _baseline, item, accounts: _is_on(item, accounts),
}
