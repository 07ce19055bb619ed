"""What actions answer."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from homeassistant.core import HomeAssistant, ServiceResponse

from .engine.report import Report
from .engine.run import Run
from .engine.viewer import ViewerSync
from .facts import titled
from .helpers import server_name_of
from .sync.item import Item
from .sync.model import UNWATCHED, WatchState

MOST_CHANGES = 100


def answer(hass: HomeAssistant, run: Run, reports: Iterable[Report]) -> ServiceResponse:
    """Sum the viewers' reports up by server."""
    servers: dict[str, Any] = {}
    changes: list[Any] = []
    duration = 0.0
    for report in reports:
        duration += report.duration
        for account, counts in report.counts.items():
            if run.accounts is None or account in run.accounts or any(asdict(counts).values()):
                title = server_name_of(hass, account) or account
                sums = servers.setdefault(title, dict.fromkeys(asdict(counts), 0))
                for name, count in asdict(counts).items():
                    sums[name] += count
        changes += _rows(hass, report)
    return {"run_id": run.run_id, "dry_run": run.dry_run, "servers": servers, "changes": changes[:MOST_CHANGES], "duration": round(duration, 3)}


def _rows(hass: HomeAssistant, report: Report) -> list[dict[str, Any]]:
    """Describe what was agreed, and what was or would be written for it, as much as is answered."""
    agreed = [
        {"kind": change.kind.value, "media": str(change.media), "server": server_name_of(hass, change.account), "reason": change.reason}
        for change in report.changes[:MOST_CHANGES]
    ]
    writes = [
        {"kind": write.kind.value, "media": str(write.media), "server": server_name_of(hass, write.account), "reason": write.reason, "weak": write.weak}
        for write in report.planned[:MOST_CHANGES]
    ]
    return agreed + writes


def state_row(state: WatchState) -> dict[str, Any]:
    """Describe a watch state as a person sees it."""
    last = state.last_played.isoformat() if state.last_played else None
    return {"watched": state.played, "position": state.position, "play_count": state.play_count, "last_watched": last, "rating": state.rating}


def item_row(hass: HomeAssistant, viewer: ViewerSync, item: Item) -> dict[str, Any]:
    """Describe an item, with what each of the viewer's servers shows of it; None where that has no copy."""
    servers: dict[str, Any] = {server_name_of(hass, account) or account: None for account in viewer.accounts}
    for replica_id, replica in sorted(item.replicas.items()):
        server = server_name_of(hass, replica_id.account) or replica_id.account
        row = state_row(replica.reading or UNWATCHED)
        known = servers.get(server) or {"item_ids": [], "in_step": True, "pending": False}
        servers[server] = {
            **(known if known.get("watched") else row),  # of several copies, one that was watched speaks for all (I4)
            "item_ids": [*known["item_ids"], replica_id.item],
            "in_step": known["in_step"] and not item.is_owed(replica_id),
            "pending": known["pending"] or replica_id in viewer.outbox.entries,
        }
    return {
        **titled(item.media, item.keys),
        **state_row(item.claims.state),
        "ambiguous": viewer.baseline.is_ambiguous(item),
        "weak": item.is_weak,
        "ignored": viewer.baseline.is_ignored(item),
        "servers": servers,
    }
