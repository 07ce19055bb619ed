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
    """A plan in numbers and words; of two with the same `content` the same would be written and agreed on."""

    content: int
    placeholders: Mapping[str, str]


async def previewed(hass: HomeAssistant, report: Report, new: str, found: Iterable[Library]) -> Preview:
    """Sum a plan up, which takes a while for 100,000 titles; the server that is `new` is no entry's yet, its libraries were just found."""
    accounts = {write.account for write in report.planned}
    names = {account: {one.library_id: one.name for one in await _libraries(hass, account, found)} for account in accounts}
    servers = {account: server_name_of(hass, account) or new for account in accounts}
    return await hass.async_add_executor_job(_summed, report, servers, names)


def _summed(report: Report, servers: Mapping[str, str], libraries: Mapping[str, Mapping[str, str]]) -> Preview:
    """Count, in all and by server and library, and name a sample of the titles."""
    by_server: dict[str, dict[str, list[Write]]] = defaultdict(lambda: defaultdict(list))
    for write in report.planned:
        by_server[servers[write.account]][libraries[write.account].get(write.library, write.library)].append(write)
    placeholders = {
        "found": str(sum(counts.read for counts in report.counts.values())),
        "news": str(len({change.item_id for change in report.changes})),
        **_counted(report.planned),
        "servers": "\n".join(line for server in sorted(by_server) for line in _lines(server, by_server[server])) or "-",
    }
    return Preview(hash(frozenset([*report.planned, *((change.item_id, change.kind) for change in report.changes)])), placeholders)


def _lines(server: str, by_library: Mapping[str, list[Write]]) -> list[str]:
    writes = [write for some in by_library.values() for write in some]
    parts = [f"  - {library}: {_numbers(by_library[library])}" for library in sorted(by_library)]
    return [f"- **{server}**: {_numbers(writes)}", *parts, f"  - {_sample(writes)}"]


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
