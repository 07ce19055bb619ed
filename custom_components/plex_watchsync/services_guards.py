"""Actions that decide on what is held (G2), and that undo (G5)."""

from collections.abc import Sequence
from typing import Any

import probatio

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.util.ulid import ulid_now

from .const import CONF_VIEWER, EVENT_SYNC_UNDONE
from .engine.holds import Hold
from .engine.journal import Note, NoteKind, Query
from .engine.report import Report
from .engine.run import Run
from .engine.undo import Undoing
from .held import described, viewer_name
from .hub import HUB
from .service_answers import answer
from .service_targets import Action, about, refused, viewers_of

ATTR_RUN_ID, ATTR_CHANGE_ID = "run_id", "change_id"
MOST_UNDONE = 100_000

_WHO = {probatio.Optional(ATTR_CONFIG_ENTRY_ID): cv.string, probatio.Optional(CONF_VIEWER): cv.string}
HELD_SCHEMA = probatio.Schema({**_WHO, probatio.Optional(ATTR_RUN_ID): cv.string})
UNDO_SCHEMA = probatio.All(
    probatio.Schema({**_WHO, probatio.Optional(ATTR_RUN_ID): cv.string, probatio.Optional(ATTR_CHANGE_ID): cv.string}),
    cv.has_at_least_one_key(ATTR_RUN_ID, ATTR_CHANGE_ID),
)


async def _approve(call: ServiceCall) -> ServiceResponse:
    return await _decide(call, approve=True)


async def _discard(call: ServiceCall) -> ServiceResponse:
    return await _decide(call, approve=False)


async def _decide(call: ServiceCall, *, approve: bool) -> ServiceResponse:
    """Approve or discard a held run, the only one if none is named; of one server, what is held of it."""
    hub, named, is_about = call.hass.data[HUB], ulid_now(), about(call)
    held = [(viewer, [hold for hold in viewer.holds.held if is_about(hold.account)]) for viewer in viewers_of(hub, call)]
    run_id = call.data.get(ATTR_RUN_ID) or _only([hold for _, holds in held for hold in holds])
    concerned = [(viewer, chosen) for viewer, holds in held if (chosen := [hold for hold in holds if hold in viewer.holds.of(run_id)])]
    if not concerned:
        raise refused("not_held", run_id=run_id)
    rows = [described(call.hass, viewer, hold) for viewer, holds in concerned for hold in holds]
    reports = [report for viewer, holds in concerned for report in await hub.decide(viewer, holds, named, approve=approve)]
    return {**_summed(call, reports), "held": rows}


def _only(holds: Sequence[Hold]) -> str:
    """Return the one run that is held."""
    runs = {hold.run_id for hold in holds}
    if not runs:
        raise refused("nothing_held")
    if len(runs) > 1:
        raise refused("which_run", runs=", ".join(sorted(runs)))
    return runs.pop()


async def _undo(call: ServiceCall) -> ServiceResponse:
    """Undo a run or one change, for everybody whom it concerned, or of one server what was found there; say how much of it the journal does not know any more."""
    hub, run_id, change_id = call.hass.data[HUB], call.data.get(ATTR_RUN_ID), call.data.get(ATTR_CHANGE_ID)
    reports: list[Report] = []
    left: list[tuple[str, str]] = []
    undone = held = forgotten = 0
    run, is_about = Run(explicit=True, run_id=ulid_now()), about(call)
    for viewer in viewers_of(hub, call):
        query = Query(viewers=frozenset({viewer.viewer}), kind=NoteKind.CHANGE, run_id=run_id, change_id=change_id)
        notes = [note for _, note in (await hub.journal.find(query, MOST_UNDONE)).notes]
        if chosen := [note for note in notes if is_about(note.account)]:
            undoing = Undoing(chosen)
            forgotten += _forgotten(notes) if change_id is None else 0
            reports.append(await hub.sync_viewer(viewer, run, undoing))
            undone, held, left = undone + undoing.undone, held + undoing.held, [*left, *undoing.left]
            facts = {"run_id": run_id, "change_id": change_id, "viewer": viewer_name(call.hass, viewer.viewer), "undone": undoing.undone}
            call.hass.bus.async_fire(EVENT_SYNC_UNDONE, facts)
    if not reports:
        raise refused("nothing_to_undo", run=change_id or run_id or "")
    return {
        **_summed(call, reports),
        "undone": undone,
        "held": held,
        "forgotten": forgotten,
        "left": [{"media": media, "reason": reason} for media, reason in left],
    }


def _forgotten(notes: Sequence[Note]) -> int:
    """Count the changes of a run that the journal has dropped: a run numbers them."""
    return max(int(note.change_id.rpartition(".")[2]) for note in notes) - len({note.change_id for note in notes})


def _summed(call: ServiceCall, reports: Sequence[Report]) -> dict[str, Any]:
    """Answer as the sync actions do."""
    run_id = reports[0].run_id if reports else ""
    return answer(call.hass, Run(explicit=True, run_id=run_id), reports) or {}


ACTIONS = (
    Action("approve_held", _approve, HELD_SCHEMA),
    Action("discard_held", _discard, HELD_SCHEMA),
    Action("undo", _undo, UNDO_SCHEMA),
)
