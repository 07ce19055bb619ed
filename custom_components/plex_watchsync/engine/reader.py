"""Reads an account: whole libraries or single items, with what plays there; learns ids on the way (R2, I8)."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from ..ports import Hint
from ..sync.baseline import Baseline
from ..sync.match import attach
from ..sync.merge import NEVER
from ..sync.model import Observation, ReplicaId
from ..sync.reconcile import Sighting
from .pace import paced
from .run import Account
from .unmatched import Nameless, Unnamed


@dataclass(slots=True)
class Reading:
    """What an account's server said: by item id the sightings that may matter, all ids seen, the libraries listed to the end, titles without ids."""

    account: str
    sightings: dict[str, Sighting] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    listed: frozenset[str] = frozenset()
    count: int = 0
    unmatched: Unnamed = field(default_factory=Unnamed)


@dataclass(slots=True)
class Reader:
    """Reads one account into a baseline's index."""

    account_id: str
    account: Account
    baseline: Baseline
    clock: Callable[[], datetime]

    async def list(self, libraries: frozenset[str] | None) -> Reading:
        """Read the account's libraries, or those of them that are named; raises `ServerError` and then nothing of it counts."""
        chosen = self.account.libraries if libraries is None else self.account.libraries & libraries
        reading = Reading(self.account_id, listed=chosen)
        at, playing = self.clock(), await self.account.server.playing()
        async for page in self.account.server.list_items(chosen):
            async for observation in paced(page):
                self._take(reading, observation, at, playing)
        return reading

    async def look(self, hints: Collection[Hint]) -> Reading:
        """Read the items that somebody pointed at."""
        unplayed = {hint.item_id: hint.at for hint in hints if hint.unplayed}
        return await self.read({hint.item_id for hint in hints}, unplayed=unplayed)

    async def read(self, item_ids: Collection[str], *, unplayed: dict[str, datetime] | None = None, confirmed: bool = False) -> Reading:
        """Read items by id; `unplayed` says of which the server named an unwatch, and when; `confirmed`: this is the second read (R5)."""
        reading = Reading(self.account_id)
        at, playing = self.clock(), await self.account.server.playing()
        for observation in await self.account.server.read_items(sorted(item_ids)):
            self._take(reading, observation, at, playing, (unplayed or {}).get(observation.item_id), confirmed=confirmed)
        return reading

    def take(self, observations: Iterable[Observation], playing: frozenset[str]) -> Reading:
        """Use items that were read a moment ago."""
        reading = Reading(self.account_id)
        for observation in observations:
            self._take(reading, observation, self.clock(), playing)
        return reading

    def _take(
        self,
        reading: Reading,
        observation: Observation,
        at: datetime,
        playing: frozenset[str],
        unplayed_at: datetime | None = None,
        *,
        confirmed: bool = False,
    ) -> None:
        replica_id = ReplicaId(self.account_id, observation.item_id)
        if observation.library not in self.account.libraries:  # I8
            return
        reading.count += 1
        reading.seen.add(observation.item_id)
        if unplayed_at is None and self.baseline.is_settled(replica_id, observation):
            return
        if not attach(self.baseline, self.account_id, observation):
            reading.unmatched.add(Nameless(observation.item_id, observation.library, observation.parts[0].media))
            return
        sighting = Sighting(observation.state, at, observation.runtime, observation.item_id in playing, unplayed_at, confirmed)
        if unplayed_at is not None or self._may_matter(replica_id, sighting):
            reading.sightings[observation.item_id] = sighting
        elif not any(self.baseline.is_ambiguous(item) for item in self.baseline.of_replica(replica_id)):  # those are tried anew each time
            self.baseline.settle(replica_id, observation)

    def _may_matter(self, replica_id: ReplicaId, sighting: Sighting) -> bool:
        """Whether there is anything to reconcile: most of a library is as it was, and is not kept in memory."""
        return any(
            replica.reading != sighting.state or replica.revision != item.revision or replica.missing or (replica.at or NEVER) < item.changed_at
            for item in self.baseline.of_replica(replica_id)
            for replica in (item.replicas[replica_id],)
        )
