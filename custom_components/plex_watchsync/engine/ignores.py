"""What a viewer wants left alone (I8), kept beside what was agreed on; what of that a server tells."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..ports import Documents, StoreError
from ..sync.baseline import Baseline
from ..sync.model import ReplicaId
from ..sync.selection import NOTHING, Selection
from .listing import covered
from .run import Account


@dataclass(frozen=True, slots=True)
class Rule:
    """A film, an episode, a season or a show that is ignored, and what it was called then."""

    name: str
    selection: Selection


def selection_of(rules: Iterable[Rule]) -> Selection:
    """Select what any of the rules names."""
    found = NOTHING
    for rule in rules:
        found |= rule.selection
    return found


@dataclass(slots=True)
class Ignores:
    """One viewer's rules."""

    name: str
    documents: Documents
    rules: tuple[Rule, ...] = field(default=())
    _changed: bool = False

    @property
    def selection(self) -> Selection:
        """All that is ignored."""
        return selection_of(self.rules)

    async def load(self) -> None:
        """Read the rules; raises `StoreError`, as what is to be left alone must not be written for want of them."""
        content: Any = await self.documents.load(self.name) or []
        try:
            self.rules = tuple(Rule(name, Selection(frozenset(keys), frozenset(groups))) for name, keys, groups in content)
        except (TypeError, ValueError) as error:
            raise StoreError(self.name) from error

    async def change(self, rules: tuple[Rule, ...], baseline: Baseline) -> None:
        """Keep other rules, and let the baseline follow them."""
        before, self.rules, after = self.selection, rules, selection_of(rules)
        self._changed = True
        baseline.ignore(after, await covered(baseline, before | after))

    async def save(self) -> None:
        """Write the document if the rules changed; raises `StoreError`, and the next time it is written anew."""
        if self._changed:
            await self.documents.save(self.name, [[rule.name, sorted(rule.selection.keys), sorted(rule.selection.groups)] for rule in self.rules])
            self._changed = False

    def without(self, selection: Selection) -> tuple[Rule, ...]:
        """Return the rules but those that name one of the selected."""
        return tuple(rule for rule in self.rules if not rule.selection.meets(selection))


def takes_part(baseline: Baseline, account: Account, replica_id: ReplicaId, library: str | None) -> bool | None:
    """Whether what happens at a replica, in a library if its server names one, is to be told of; None when only the server can tell (I8)."""
    if library is not None and library not in account.libraries:
        return False
    items = baseline.of_replica(replica_id)
    return all(item.replicas[replica_id].library in account.libraries and not baseline.is_ignored(item) for item in items) if items else None


async def found_to_take_part(ignored: Selection, account: Account, item_id: str) -> bool:
    """Ask a server of something that is not known yet; raises `ServerError`."""
    rows = await account.server.read_items([item_id])
    return any(row.library in account.libraries and not any(ignored.covers(part.keys) for part in row.parts) for row in rows)
