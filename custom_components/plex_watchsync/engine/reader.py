"""Reads an account: whole libraries or single items, with what plays there; learns ids on the way (R2, I8)."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from ..ports import Hint
from ..sync.baseline import Baseline
from ..sync.identity import without_names
from ..sync.match import attach, named
from ..sync.merge import NEVER
from ..sync.model import Observation, ReplicaId
from ..sync.rating import heard
from ..sync.reconcile import Sighting
from .pace import paced
from .run import Account
from .unmatched import Nameless, Unnamed

FEW_GONE = 50
PERCENT_GONE = 5


@dataclass(slots=True)
class Reading:
    """What an account's server said since `at`: by item id the sightings that may matter, all ids seen, the libraries listed to the end, titles without ids.

    `new_names`: a title without ids was met for the first time, by its name; what has ids and that name is found when libraries are read whole again (I6).
    """

    account: str
    at: datetime
    sightings: dict[str, Sighting] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    listed: frozenset[str] = frozenset()
    count: int = 0
    new_names: bool = False
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
        reading = Reading(self.account_id, self.clock(), listed=chosen)
        at, playing = self.clock(), await self.account.playing()
        async for page in self.account.server.list_items(chosen):
            async for observation in paced(page):
                self._take(reading, observation, at, playing)
        return reading

    async def recent(self, libraries: frozenset[str] | None, since: datetime) -> Reading:
        """Read what may have changed since: what is watched or begun, what was added, and by id what was watched or begun and did not come (R5).

        If that is too much to be people's doing, the libraries are read whole instead. Nothing is concluded from what is missing: that takes a
        listing (G4).
        """
        chosen = self.account.libraries if libraries is None else self.account.libraries & libraries
        at = self.clock()
        reading, playing = Reading(self.account_id, at), await self.account.playing()
        async for page in self.account.server.list_recent(chosen, since):
            async for observation in paced(page):
                self._take(reading, observation, at, playing)
        begun = self.baseline.begun(self.account_id)
        gone = {item for item in begun - reading.seen if self._is_in(item, chosen)}
        if len(gone) > max(FEW_GONE, len(begun) * PERCENT_GONE // 100):
            return await self.list(libraries)
        for observation in await self.account.server.read_items(sorted(gone)) if gone else ():
            self._take(reading, observation, at, playing)
        return reading

    def _is_in(self, item: str, libraries: frozenset[str]) -> bool:
        replica_id = ReplicaId(self.account_id, item)
        return any(known.replicas[replica_id].library in libraries for known in self.baseline.of_replica(replica_id))

    async def look(self, hints: Collection[Hint]) -> Reading:
        """Read the items that somebody pointed at."""
        told = {hint.item_id: hint for hint in sorted(hints, key=lambda hint: (hint.unplayed, hint.at))}
        return await self.read(told.keys(), told=told)

    async def read(self, item_ids: Collection[str], *, told: Mapping[str, Hint] = MappingProxyType({}), confirmed: bool = False) -> Reading:
        """Read items by id; `told` is what the server said of them; `confirmed`: this is the second read (R5)."""
        reading = Reading(self.account_id, self.clock())
        at, playing = self.clock(), await self.account.playing()
        for observation in await self.account.server.read_items(sorted(item_ids)):
            self._take(reading, observation, at, playing, told.get(observation.item_id), confirmed=confirmed)
        return reading

    def take(self, observations: Iterable[Observation], playing: frozenset[str]) -> Reading:
        """Use items that were read a moment ago."""
        reading = Reading(self.account_id, self.clock())
        for observation in observations:
            self._take(reading, observation, self.clock(), playing)
        return reading

    def _take(
        self,
        reading: Reading,
        observation: Observation,
        at: datetime,
        playing: frozenset[str],
        hint: Hint | None = None,
        *,
        confirmed: bool = False,
    ) -> None:
        replica_id = ReplicaId(self.account_id, observation.item_id)
        if observation.library not in self.account.libraries:  # I8
            return
        reading.count += 1
        reading.seen.add(observation.item_id)
        observation = named(self.baseline, heard(observation, self.account.policy), self.account.policy)
        unplayed_at = hint.at if hint and hint.unplayed else None
        if unplayed_at is None and self.baseline.is_settled(replica_id, observation):
            return
        keys = observation.parts[0].keys
        reading.new_names |= bool(keys) and not without_names(keys) and not self.baseline.of_replica(replica_id)
        if not attach(self.baseline, self.account_id, observation):
            reading.unmatched.add(Nameless(observation.item_id, observation.library, observation.parts[0].media))
            return
        told_at = hint.at if hint else None
        sighting = Sighting(
            observation.state,
            at,
            observation.runtime,
            observation.item_id in playing,
            unplayed_at,
            confirmed,
            told_at,
            looked_at=self.baseline.looked_at(replica_id),
        )
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
