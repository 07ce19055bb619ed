"""What a person decides of what the breaker holds (G2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..ports import Hint, ServerError, ServerUnavailable
from ..sync.guard import Trip
from ..sync.item import Replica
from ..sync.merge import NO_CLAIMS, View, merge
from ..sync.model import ReplicaId, WatchState
from ..sync.policy import Policy
from ..sync.reconcile import Sighting, has_position, usable_position
from .acts import adopt
from .cycle import Cycle
from .holds import Hold
from .journal import Note, NoteKind
from .pace import paced
from .reader import Reader
from .run import Run

NOT_LOADED = ServerUnavailable("its server is not loaded")


def approving(holds: Sequence[Hold], run_id: str) -> list[Run]:
    """Ask for what servers showed to be followed: a person says now that it was meant, as of when it was seen; the breaker holds whatever else is seen."""
    unwatched = [hold for hold in holds if not hold.vanished and not hold.said_here]
    hints = tuple(Hint(hold.account, item, hold.at, unplayed=True) for hold in unwatched for item in sorted(hold.items))
    vanished = [hold for hold in holds if hold.vanished]
    gone = frozenset(ReplicaId(hold.account, item) for hold in vanished for item in hold.items)
    runs = [Run(accounts=frozenset(hold.account for hold in unwatched), hints=hints, explicit=True, run_id=run_id)] if hints else []
    return [*runs, Run(accounts=frozenset(hold.account for hold in vanished), run_id=run_id, gone=gone)] if gone else runs


@dataclass(frozen=True, slots=True)
class Unwatching:
    """Agree on what a restore or an undo says of what it makes unwatched, as of when it was asked for: what was watched since stays so (M1)."""

    holds: Sequence[Hold]

    async def __call__(self, cycle: Cycle) -> frozenset[str]:
        """Agree on it; no account was read for it."""
        async for hold, item_id in paced([(one, item_id) for one in self.holds for item_id in sorted(one.items)]):
            item = cycle.baseline.get(item_id)
            if item and not cycle.baseline.is_left_alone(item):
                claims = replace(hold.claims.get(item_id, NO_CLAIMS), view=View(hold.at, played=False))
                adopt(cycle, item, merge(item.claims, claims), f"{hold.trip}, approved", new=hold.trip is Trip.UNDO)
        return frozenset()


@dataclass(frozen=True, slots=True)
class Restoring:
    """Let the held servers be told again what is agreed: what they show is acknowledged as seen, and owed a write (R3).

    What a server does not answer for stays held. What vanished can't be restored; it stays known, and is looked for again by the next listing. Nothing
    followed from what was said here.
    """

    holds: Sequence[Hold]

    async def __call__(self, cycle: Cycle) -> frozenset[str]:
        """Read the held items; no account was listed for it."""
        for hold in self.holds:
            if not hold.said_here:
                cycle.report.take_part([hold.account])
            if hold.vanished or hold.said_here or await self._restore(cycle, hold):
                cycle.holds.remove([hold])
                note = Note(cycle.clock(), NoteKind.DECISION, "discarded", hold.account, viewer=cycle.viewer, run_id=hold.run_id)
                cycle.journal.add(note)
        return frozenset()

    async def _restore(self, cycle: Cycle, hold: Hold) -> bool:
        if hold.account not in cycle.accounts:
            cycle.report.errors[hold.account] = NOT_LOADED
            return False
        try:
            reading = await Reader(hold.account, cycle.accounts[hold.account], cycle.baseline, cycle.clock).read(hold.items)
        except ServerError as error:
            cycle.report.errors[hold.account] = error
            return False
        for server_item, sighting in reading.sightings.items():
            replica_id = ReplicaId(hold.account, server_item)
            for item in cycle.baseline.of_replica(replica_id):
                cycle.baseline.put(item.with_replica(replica_id, _seen(item.replicas[replica_id], sighting, cycle.policy, hold.account)))
                cycle.touched.add(item.item_id)
        return True


def _seen(replica: Replica, sighting: Sighting, policy: Policy, account: str) -> Replica:
    """Acknowledge that a replica lost its view; a rating and a position that came meanwhile are left to be found before it is written (M4, R5)."""
    shown, known = sighting.state, replica.reading or WatchState()
    goes_on = has_position(replica, policy.accounts[account]) and usable_position(shown.position, sighting.runtime, policy)
    reading = replace(shown, rating=known.rating, position=known.position if goes_on else shown.position)
    return replace(replica, reading=reading, revision=0, at=sighting.at if reading == shown else replica.at)
