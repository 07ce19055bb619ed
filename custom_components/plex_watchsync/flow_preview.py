"""What the preview of a first sync shows: the numbers of its plan by server and library, and some of the titles (G1)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from homeassistant.core import HomeAssistant

from .const import DOMAIN
from .engine.report import Report, Write
from .helpers import server_name_of, server_of
from .ports import Library, ServerError
from .sync.plan import WriteKind

MOST_TITLES = 10
WEAK = " ≈"
SIGNS = {  # what takes something away is shown first
    WriteKind.MARK_UNWATCHED: "✗",
    WriteKind.MARK_WATCHED: "✓",
    WriteKind.SET_POSITION: "▸",
    WriteKind.SET_DATE: "▸",
    WriteKind.RATE: "★",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan, and what its accounts' servers and libraries are called."""

    report: Report
    servers: Mapping[str, str]
    libraries: Mapping[str, Mapping[str, str]]

    @property
    def content(self) -> frozenset[object]:
        """All that would be written or agreed on: a preview with the same content says the same."""
        return frozenset([*self.report.planned, *((change.item_id, change.kind) for change in self.report.changes)])

    def placeholders(self) -> dict[str, str]:
        """Return the numbers, in all and by server and library, with a sample of the titles."""
        by_server: dict[str, list[Write]] = defaultdict(list)
        for write in self.report.planned:
            by_server[self.servers[write.account]].append(write)
        return {
            "found": str(sum(counts.read for counts in self.report.counts.values())),
            "news": str(len({change.item_id for change in self.report.changes})),
            **_counted(self.report.planned),
            "servers": "\n".join(line for server in sorted(by_server) for line in self._lines(server, by_server[server])) or "-",
        }

    def _lines(self, server: str, writes: Iterable[Write]) -> list[str]:
        by_library: dict[str, list[Write]] = defaultdict(list)
        for write in writes:
            by_library[self.libraries[write.account].get(write.library, write.library)].append(write)
        return [
            f"- **{server}**: {_numbers(writes)}",
            *(f"  - {library}: {_numbers(by_library[library])}" for library in sorted(by_library)),
            f"  - {_sample(writes)}",
        ]


async def previewed(hass: HomeAssistant, report: Report, new: str, found: Iterable[Library]) -> Preview:
    """Name the servers and libraries of a plan; the server that is `new` is no entry's yet, its libraries were just found."""
    accounts = {write.account for write in report.planned}
    servers = {account: server_name_of(hass, account) or new for account in accounts}
    return Preview(report, servers, {account: {one.library_id: one.name for one in await _libraries(hass, account, found)} for account in accounts})


async def _libraries(hass: HomeAssistant, account_id: str, found: Iterable[Library]) -> Iterable[Library]:
    """Return an account's libraries; none of a server that does not answer, whose ids must do."""
    entry = next((entry for entry in hass.config_entries.async_entries(DOMAIN) if account_id in entry.subentries), None)
    if entry is None:
        return found
    try:
        return await server_of(hass, entry, entry.subentries[account_id]).libraries()
    except ServerError:
        return ()


def _counted(writes: Iterable[Write]) -> dict[str, str]:
    kinds = Counter(write.kind for write in writes)
    moved = kinds[WriteKind.SET_POSITION] + kinds[WriteKind.SET_DATE]
    counts = {"watched": kinds[WriteKind.MARK_WATCHED], "unwatched": kinds[WriteKind.MARK_UNWATCHED], "moved": moved, "rated": kinds[WriteKind.RATE]}
    return {name: str(count) for name, count in counts.items()}


def _numbers(writes: Iterable[Write]) -> str:
    return " / ".join(_counted(writes).values())


def _sample(writes: Iterable[Write]) -> str:
    order = list(SIGNS)
    named = sorted({(order.index(write.kind), f"{SIGNS[write.kind]} {write.media}{WEAK if write.weak else ''}") for write in writes})
    more = [f"… {len(named) - MOST_TITLES}"] if len(named) > MOST_TITLES else []
    return "; ".join([name for _, name in named[:MOST_TITLES]] + more)
