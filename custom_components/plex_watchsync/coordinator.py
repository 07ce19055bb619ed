"""A server's health and numbers, which its entities read; polls the server through the hub."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import CONF_IMPORT_INTERVAL, DEFAULT_IMPORT_INTERVAL, DOMAIN
from .engine.listing import ReportKind
from .engine.report import Report
from .engine.run import Run, RunKind
from .helpers import account_subentries
from .issues import show_replaced, show_slow
from .logger import LOGGER
from .moves import async_follow
from .ports import AuthFailed, OtherServer, PushState, ServerError, ServerUnavailable
from .servers import Listener

if TYPE_CHECKING:
    from .hub import Hub

RETRY_SECONDS = 60  # a server that is away is looked for more often than it is polled


class Status(StrEnum):
    """What a server's sync is doing."""

    IDLE = "idle"
    IMPORTING = "importing"
    EXPORTING = "exporting"
    HELD = "held"
    UNAVAILABLE = "unavailable"
    ERROR = "error"


class Numbers(NamedTuple):
    """A server's counts; `owed_items` do not stand for what was agreed, `unmatched_items` have no ids, `reported` is what reports listed after the last whole sync."""

    items: int = 0
    watched_items: int = 0
    pending_writes: int = 0
    unmatched_items: int = 0
    owed_items: int = 0
    reported: Counter[ReportKind] | None = None


NO_NUMBERS = Numbers()


class WebhookState(StrEnum):
    """What is known of a server's sending to us."""

    UNKNOWN = "unknown"
    MANUAL = "manual"
    REGISTERED = "registered"
    PROVED = "proved"
    UNREACHABLE = "unreachable"


@dataclass(slots=True)
class WebhookHealth:
    """How the webhook does; `reason` why it is left to a person, `heard` when something came in last."""

    state: WebhookState = WebhookState.UNKNOWN
    reason: str = ""
    heard: datetime | None = None


@dataclass(frozen=True, slots=True)
class ServerData:
    """What a server's entities show."""

    status: Status = Status.IDLE
    last_sync: datetime | None = None
    numbers: Numbers = NO_NUMBERS
    connected: bool = True

    @property
    def in_sync(self) -> bool:
        """Whether the server was read without a fault, and shows and was told all that was agreed."""
        calm = self.status in {Status.IDLE, Status.IMPORTING, Status.EXPORTING} and self.last_sync is not None
        return calm and not self.numbers.pending_writes and not self.numbers.owed_items


class ServerCoordinator(DataUpdateCoordinator[ServerData]):
    """One media server."""

    config_entry: WatchSyncConfigEntry

    def __init__(self, hass: HomeAssistant, entry: WatchSyncConfigEntry, hub: Hub) -> None:
        """Poll as often as the options say."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=timedelta(minutes=entry.options.get(CONF_IMPORT_INTERVAL, DEFAULT_IMPORT_INTERVAL)),
            always_update=False,
        )
        self.hub = hub
        self.data = ServerData()
        self.problem: ServerError | None = None
        self._work: list[Status] = []
        self.webhook = WebhookHealth()
        self.listeners: dict[str, Listener | None] = {}  # by account: what hears of it at once, None for one of which nothing is told

    @property
    def accounts(self) -> frozenset[str]:
        """The ids of the entry's accounts."""
        return frozenset(subentry.subentry_id for subentry in account_subentries(self.config_entry))

    @override
    async def _async_update_data(self) -> ServerData:
        """Import what changed on the server, and write what follows from it everywhere."""
        await self.hub.sync(Run(accounts=self.accounts, recent=True))
        if self.problem is not None:
            await async_follow(self.hass, self.config_entry, self.problem)
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="server_failed",
                translation_placeholders={"server": self.config_entry.title, "error": str(self.problem)},
                retry_after=RETRY_SECONDS,
            )
        return self.data

    @contextmanager
    def at(self, status: Status) -> Iterator[None]:
        """Show that something is being done that takes its time."""
        self._work.append(status)
        self.refresh_numbers()
        try:
            yield
        finally:
            self._work.remove(status)
            self.refresh_numbers()

    def take(self, report: Report) -> None:
        """Show what a run did to this server."""
        errors = [report.errors[account] for account in self.accounts if account in report.errors]
        self.problem = errors[0] if errors else None
        if any(isinstance(error, AuthFailed) for error in errors):
            self.config_entry.async_start_reauth(self.hass)
        show_replaced(self.hass, self.config_entry, replaced=isinstance(self.problem, OtherServer))
        show_slow(self.hass, self.config_entry, slow=self.hub.is_slow(self.config_entry))
        self._set(self.data.last_sync if errors else report.started)

    def refresh_numbers(self) -> None:
        """Show the numbers as they are now."""
        self._set(self.data.last_sync)

    def _set(self, last_sync: datetime | None) -> None:
        data = ServerData(self._status(), last_sync, self.hub.numbers(self.config_entry), self._is_connected())
        if data != self.data:
            self.data = data
            self.async_update_listeners()

    def _status(self) -> Status:
        if self._work:
            return self._work[-1]
        if self.problem:
            return Status.UNAVAILABLE if isinstance(self.problem, ServerUnavailable) else Status.ERROR
        return Status.HELD if self.hub.is_held(self.config_entry) else Status.IDLE

    def _is_connected(self) -> bool:
        """Whether the server can be heard; where nobody listens, whether it answered the last time."""
        states = [listener.health.state for listener in self.listeners.values() if listener]
        return all(state is PushState.CONNECTED for state in states) if states else not isinstance(self.problem, ServerUnavailable)


def run_status(kind: RunKind) -> Status:
    """Return what a run of this kind is shown as."""
    return Status.EXPORTING if kind is RunKind.EXPORT else Status.IMPORTING


type WatchSyncConfigEntry = ConfigEntry[ServerCoordinator]
"""A server's entry; the household's has no runtime data."""
