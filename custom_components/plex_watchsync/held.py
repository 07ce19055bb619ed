"""What the breaker holds, as people hear of it: issues to repair, and events on the bus (G2)."""

from collections.abc import Iterable
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN, EVENT_SYNC_FINISHED, EVENT_SYNC_HELD
from .engine.holds import Hold
from .engine.report import Report
from .engine.run import Run
from .engine.viewer import ViewerSync
from .helpers import household_entry, server_name_of
from .service_answers import answer
from .sync.guard import Trip
from .sync.model import ReplicaId

ISSUE = "held_run"
MOST_TITLES = 20


def viewer_name(hass: HomeAssistant, viewer_id: str) -> str:
    """Return what a viewer is called."""
    household = household_entry(hass)
    return household.subentries[viewer_id].title if household and viewer_id in household.subentries else viewer_id


def titles(viewer: ViewerSync, hold: Hold) -> list[str]:
    """Name what is held, as far as it is still known."""
    known = (viewer.baseline.get(one) for one in hold.items)
    items = known if hold.said_here else (item for one in hold.items for item in viewer.baseline.of_replica(ReplicaId(hold.account, one)))
    return sorted({str(item.media) for item in items if item})


def described(hass: HomeAssistant, viewer: ViewerSync, hold: Hold) -> dict[str, Any]:
    """Describe a hold in plain values."""
    return {
        "run_id": hold.run_id,
        "viewer": viewer_name(hass, viewer.viewer),
        "server": server_name_of(hass, hold.account),
        "reason": hold.trip.value,
        "count": len(hold.items),  # not `items`: in a template that is a method
        "titles": titles(viewer, hold)[:MOST_TITLES],
        "time": hold.at.isoformat(),
    }


@callback
def announce_held(hass: HomeAssistant, viewer: ViewerSync, report: Report) -> None:
    """Tell automations what a run held."""
    for hold in report.held:
        hass.bus.async_fire(EVENT_SYNC_HELD, described(hass, viewer, hold))


@callback
def announce(hass: HomeAssistant, viewer: ViewerSync, run: Run, report: Report) -> None:
    """Tell automations what a run held, and that it is over; just looking at single items is no news."""
    announce_held(hass, viewer, report)
    if run.lists or run.explicit:
        facts = answer(hass, Run(run.kind, run_id=report.run_id), [report]) or {}
        hass.bus.async_fire(EVENT_SYNC_FINISHED, {**facts, "viewer": viewer_name(hass, viewer.viewer), "failed": bool(report.errors)})


@callback
def show_issues(hass: HomeAssistant, viewer: ViewerSync) -> None:
    """Have an issue for each run that has something held, and none for those that have not."""
    runs: dict[str, list[Hold]] = {}
    for hold in viewer.holds.held:
        runs.setdefault(hold.run_id, []).append(hold)
    stale = [issue_id for domain, issue_id in ir.async_get(hass).issues if domain == DOMAIN and issue_id.startswith(_prefix(viewer.viewer))]
    for issue_id in stale:
        if issue_id.removeprefix(_prefix(viewer.viewer)) not in runs:
            ir.async_delete_issue(hass, DOMAIN, issue_id)
    for run_id, holds in runs.items():
        trips = {hold.trip for hold in holds}
        ir.async_create_issue(
            hass,
            DOMAIN,
            _prefix(viewer.viewer) + run_id,
            data={"viewer": viewer.viewer, "run_id": run_id},
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key="held_undo" if Trip.UNDO in trips else "held_restore" if Trip.RESTORE in trips else "held_run",
            translation_placeholders=placeholders(hass, viewer, holds),
        )


def placeholders(hass: HomeAssistant, viewer: ViewerSync, holds: Iterable[Hold]) -> dict[str, str]:
    """Say in an issue whose it is, where it was found and what it is about."""
    holds = list(holds)
    names = [name for hold in holds for name in titles(viewer, hold)]
    more = [f"- … {len(names) - MOST_TITLES}"] if len(names) > MOST_TITLES else []
    return {
        "viewer": viewer_name(hass, viewer.viewer),
        "server": ", ".join(sorted({server_name_of(hass, hold.account) or hold.account for hold in holds})),
        "items": str(sum(len(hold.items) for hold in holds)),
        "vanished": str(sum(len(hold.items) for hold in holds if hold.vanished)),
        "titles": "\n".join([f"- {name}" for name in names[:MOST_TITLES]] + more),
    }


def _prefix(viewer_id: str) -> str:
    return f"{ISSUE}_{viewer_id}_"
