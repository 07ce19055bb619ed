"""The border between the sync engine and everything outside it: media servers, stores, and what comes in from webhooks."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from .sync.model import MediaKind, Observation, WatchState
from .sync.policy import Traits


class ServerKind(StrEnum):
    """The media servers that are spoken to."""

    PLEX = "plex"
    JELLYFIN = "jellyfin"
    EMBY = "emby"


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Who a server says it is, before any log-in."""

    kind: ServerKind
    server_id: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class ServerUser:
    """One user of a server that the credentials at hand may act for; `protected`: not without his PIN."""

    user_id: str
    name: str
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Library:
    """A library that holds films or shows; `kinds` are the media kinds that it can list."""

    library_id: str
    name: str
    kinds: frozenset[MediaKind]


class WatchServer(Protocol):
    """One server as one of its users sees it.

    Every call raises a `ServerError` and nothing else when it cannot answer.
    """

    @property
    def traits(self) -> Traits:
        """What this kind of server can and cannot do with a watch state."""

    async def identity(self) -> ServerIdentity:
        """Ask the server who it is; needs no credentials."""

    async def users(self) -> tuple[ServerUser, ...]:
        """List the users that the credentials may act for."""

    async def libraries(self) -> tuple[Library, ...]:
        """List the libraries with films or shows that the user may see."""

    def list_items(self, libraries: Collection[str]) -> AsyncIterator[tuple[Observation, ...]]:
        """Yield the films and episodes of these libraries page by page.

        It ends without an error only when every page came and the count fits the total (R2).
        """

    def list_recent(self, libraries: Collection[str], since: datetime) -> AsyncIterator[tuple[Observation, ...]]:
        """Yield page by page all that the user has watched or begun in these libraries, and what was added since then.

        Rows may come twice, and a server that ignores a filter sends too many: each row is true by itself (I7). It ends without an error only when every
        page came: what did not come is most likely neither watched nor begun, which a read by id is to confirm (R5).
        """

    @property
    def slow_pages(self) -> bool:
        """Whether a page took so long as only a server takes whose database wants to be optimised, and no whole listing was quick since (server-apis §3.2)."""

    async def read_items(self, item_ids: Collection[str]) -> tuple[Observation, ...]:
        """Read items anew by id, by the same kind of read as the listing (W7); unknown ids are left out."""

    async def write(self, item_id: str, wanted: WatchState, shown: WatchState) -> None:
        """Make an item show the wanted state, given what it shows now, by the best writes that the server has (W7)."""

    async def playing(self) -> frozenset[str]:
        """Return the ids of the items that the user plays at this moment; empty where the credentials may not know."""


class ServerError(Exception):
    """A server could not do what was asked; the message never holds a secret."""


class ServerUnavailable(ServerError):
    """No answer, an answer that broke off, or 5xx: try later; `retry_after` in seconds when the server named it."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Keep what the server said about when to come back."""
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(ServerUnavailable):
    """429: the server asks for a pause."""


class CertificateInvalid(ServerUnavailable):
    """The TLS certificate is not trusted or not for this host."""


class AuthFailed(ServerError):
    """The credentials are wrong or were withdrawn."""


class Forbidden(ServerError):
    """The credentials are right but may not do this."""


class PinRefused(Forbidden):
    """The PIN of a protected user is missing or wrong."""


class NotSupported(ServerError):
    """The server lacks what this needs: a plugin, a subscription or a newer version."""


class LinkRefused(ServerError):
    """The server lets nobody sign in by a code."""


class LinkExpired(ServerError):
    """Nobody agreed to a code in time."""


class ItemNotFound(ServerError):
    """The item is unknown to the server, or hidden from this user: final, not a fault to retry."""


class UnexpectedAnswer(ServerError):
    """The answer is not what this server documents; nothing is concluded from it."""


class NotAMediaServer(UnexpectedAnswer):
    """Something else answers at this address."""


class OtherServer(UnexpectedAnswer):
    """A media server answers, but not the one that it was."""


class OtherServerKind(OtherServer):
    """A media server of another kind answers at this address."""

    def __init__(self, message: str, found: ServerKind) -> None:
        """Keep which kind it is."""
        super().__init__(message)
        self.found = found


class ServerTooOld(UnexpectedAnswer):
    """The server's version lacks what is needed."""

    def __init__(self, message: str, version: str) -> None:
        """Keep the version that was found."""
        super().__init__(message)
        self.version = version


@dataclass(frozen=True, slots=True)
class Hint:
    """Look there, something may have changed; the state itself is read from the server.

    `unplayed` is a server's explicit word that a person marked the item unwatched (R5); `at` is when it happened; `again`: this look is the last one.
    """

    account: str
    item_id: str
    at: datetime
    unplayed: bool = False
    again: bool = False


class Playback(StrEnum):
    """What a player did, for automations; never a watch state by itself (R6)."""

    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """A webhook's body as it came, whatever framework took it in."""

    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """What a server told, by webhook or over a push stream, understood.

    `event` is the sender's own name of it; `server_id`, `user_id`, `user_name` and `item_id` as far as the sender gives them. `may_have_changed` tells
    whether the item's watch state may have changed, `settled` that the server has saved it: one look is enough. `unplayed` as in `Hint`.
    """

    kind: ServerKind
    event: str
    server_id: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    item_id: str | None = None
    library: str | None = None
    playback: Playback | None = None
    position: int | None = None
    may_have_changed: bool = False
    settled: bool = False
    unplayed: bool = False
    at: datetime | None = None


class InboundError(ValueError):
    """A webhook body that cannot be understood; the message says why, without quoting it."""


class InboundTooLarge(InboundError):
    """A webhook body beyond what is read."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something may have gone untold: nobody listened until now, or too much changed at once to name. Whoever hears it reads what can have changed."""

    reason: str


type Told = InboundEvent | Gap


class PushStream(Protocol):
    """What a server tells one of its users by itself, as long as a connection is open."""

    def listen(self) -> AsyncGenerator[Told]:
        """Connect and tell of a gap, then of what happens, until the connection ends.

        Raises a `ServerError` and nothing else when it cannot be opened or breaks; other users' news and what cannot be understood is passed over.
        """


class PushState(StrEnum):
    """How a push stream is doing; refused: the credentials are no good any more."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PushHealth:
    """The state of a push stream since when, why it is not open, how often it was opened, and how much it told."""

    state: PushState
    since: datetime
    problem: str = ""
    connects: int = 0
    told: int = 0


@dataclass(frozen=True, slots=True)
class OwnWebhook:
    """Where a server is to send to, and what.

    `url` is a secret. One of `marks` stands in every address that this webhook ever had. `events` by the sender's own names; `headers` go along where
    a server can send any.
    """

    url: str = field(repr=False)
    marks: frozenset[str] = field(repr=False)
    events: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def is_at(self, url: object) -> bool:
        """Whether an address in a server's list is this webhook's."""
        return isinstance(url, str) and any(mark in url for mark in self.marks)


class WebhookRegistrar(Protocol):
    """A server's own list of webhooks; what others wrote into it stays.

    Every call raises a `ServerError`: `AuthFailed` or `Forbidden` where the credentials may not do it, `NotSupported` where the server cannot.
    """

    async def ensure(self, hook: OwnWebhook) -> bool:
        """Make the server send to the webhook: add it, or mend it where it is not as it should be; return whether anything was to do."""

    async def withdraw(self, hook: OwnWebhook) -> None:
        """Take the webhook out of the list, if it is there."""

    async def provoke(self, hook: OwnWebhook) -> bool:
        """Make the server send something, which changes nothing; False where that cannot be."""


class Documents(Protocol):
    """Named JSON documents that survive a restart, all or nothing each."""

    async def load(self, name: str) -> object | None:
        """Return the document's content, or nothing when there is none; raises `StoreError` when it is broken."""

    async def save(self, name: str, content: object) -> None:
        """Write the document; the content must not be changed afterwards; raises `StoreError` when it could not be written."""

    async def remove(self, name: str) -> None:
        """Delete the document if it is there."""


class StoreError(Exception):
    """A document was there and cannot be read any more (G3), or it cannot be written."""


class StoreTooNew(StoreError):
    """A document was written by a newer version; it stays as it is."""
