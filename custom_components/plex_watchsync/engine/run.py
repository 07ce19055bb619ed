"""What can be asked of a viewer's sync, and who takes part."""

from dataclasses import dataclass
from enum import StrEnum

from ..ports import Hint, NotAMediaServer, OtherServer, WatchServer
from ..sync.item import Replica
from ..sync.model import ReplicaId
from ..sync.policy import AccountPolicy


class RunKind(StrEnum):
    """Which half of a sync is asked for."""

    IMPORT = "import"
    EXPORT = "export"
    SYNC = "sync"


@dataclass(frozen=True, slots=True)
class Account:
    """One user of one server, as it takes part; `server_id` is whom it is to be, None for whoever answers."""

    server: WatchServer
    policy: AccountPolicy
    libraries: frozenset[str]
    server_id: str | None = None

    def may_write(self, replica: Replica) -> bool:
        """Whether a replica is to be written to at all: by the direction (W1), and by the libraries that take part (I8)."""
        return self.policy.direction.exports and replica.library in self.libraries

    async def playing(self) -> frozenset[str]:
        """Return what plays, before anything is read or written: by the very server that it was, as ids of another mean other titles (G3, R4)."""
        try:
            if self.server_id is not None:
                await recognise(self.server, self.server_id)
        except NotAMediaServer:
            await self.server.playing()  # whoever lets nobody in, be it a proxy, does not say who he is either: that is news of the credentials
            raise
        return await self.server.playing()


async def recognise(server: WatchServer, server_id: str) -> None:
    """See that a server is the one that it was; raises `OtherServer` and the rest of `ServerError`."""
    if (await server.identity()).server_id != server_id:
        message = "another server answers at this address"
        raise OtherServer(message)


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked for.

    `accounts`: which, None for all. `hints`: read just these items instead of whole libraries. `full`: an export compares every item instead of writing
    what is known to be owed. `metadata_only`: learn ids, conclude nothing. `ignore_date`: overwrite whatever the server says. `libraries`: these alone. `run_id`:
    the run's name when others share it. `recent`: of libraries that were read whole before, read only what may have changed since. `explicit`: a person asked for just this, so that no breaker holds it (G2). `gone`: what a person
    said is gone for good, and is forgotten without a second listing (G4).
    """

    kind: RunKind = RunKind.SYNC
    accounts: frozenset[str] | None = None
    hints: tuple[Hint, ...] = ()
    dry_run: bool = False
    full: bool = False
    recent: bool = False
    metadata_only: bool = False
    ignore_date: bool = False
    libraries: frozenset[str] | None = None
    run_id: str = ""
    explicit: bool = False
    gone: frozenset[ReplicaId] = frozenset()

    @property
    def lists(self) -> bool:
        """Whether whole libraries are read."""
        return not self.hints and (self.kind is not RunKind.EXPORT or self.full)

    @property
    def imports(self) -> bool:
        """Whether what people did on servers is agreed on."""
        return self.kind is not RunKind.EXPORT and not self.metadata_only
