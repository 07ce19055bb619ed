"""What actions answer."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from homeassistant.core import HomeAssistant, ServiceResponse

from .engine.report import Report
from .engine.run import Run
from .helpers import server_name_of

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
    """Describe what was agreed, and what was or would be written for it."""
    agreed = [
        {"kind": change.kind.value, "media": str(change.media), "server": server_name_of(hass, change.account), "reason": change.reason}
        for change in report.changes
    ]
    writes = [
        {"kind": write.kind.value, "media": str(write.media), "server": server_name_of(hass, write.account), "reason": write.reason} for write in report.planned
    ]
    return agreed + writes
