"""The action that tells why a title is as it is."""

from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse

from .engine.explain import Copy, Explanation
from .engine.journal import NoteKind, Query
from .engine.listing import by_name
from .engine.outbox import Entry
from .engine.viewer import ViewerSync
from .facts import titled
from .helpers import server_name_of
from .hub import HUB
from .service_answers import state_row
from .service_media import MEDIA_SCHEMA, items_of
from .service_targets import Action, viewer_of
from .sync.identity import ids_of, without_names
from .sync.merge import NEVER, Claims
from .sync.plan import Operation

MOST_TITLES = 10
"""So many are explained at once: each is read anew from every server."""
MOST_NOTES = 20


async def _explain(call: ServiceCall) -> ServiceResponse:
    viewer = viewer_of(call.hass.data[HUB], call)
    _selection, items = await items_of(call, viewer)
    found = [await viewer.explain(item) for item in by_name(items)[:MOST_TITLES]]
    return {"items": [await _row(call.hass, viewer, one) for one in found], "total": len(items)}


async def _row(hass: HomeAssistant, viewer: ViewerSync, found: Explanation) -> dict[str, Any]:
    """Put an explanation into plain values, the newest of its history first."""
    item, asked = found.item, Query(viewers=frozenset({viewer.viewer}), item_id=found.item.item_id)
    notes = [note for _number, note in (await viewer.journal.find(asked, MOST_NOTES)).notes]
    decided = next((note for note in notes if note.kind is NoteKind.CHANGE), None)
    return {
        **titled(item.media, item.keys),
        "agreed": {**state_row(item.claims.state), **_dates(item.claims), "revision": item.revision},
        "decided": decided and {"server": server_name_of(hass, decided.account), "rule": decided.reason, "time": decided.at.isoformat()},
        "ambiguous": bool(found.rivals),
        "weak": item.is_weak,
        "ignored": found.ignored,
        "rivals": [titled(one.media, one.keys) for one in found.rivals],
        "copies": [_copy(hass, viewer, one) for one in found.copies],
        "missing_on": sorted({_server(hass, account) for account in viewer.accounts.keys() - {one.replica_id.account for one in found.copies}}),
        "next": {
            "agreed": state_row(found.then),
            "writes": [_write(hass, one.next) for one in found.copies if one.next],
        },
        "history": [
            {"time": note.at.isoformat(), "kind": note.kind.value, "outcome": note.outcome, "server": server_name_of(hass, note.account), "reason": note.reason}
            for note in notes
        ],
    }


def _copy(hass: HomeAssistant, viewer: ViewerSync, one: Copy) -> dict[str, Any]:
    ids, known, account = ids_of(one.known.keys), one.known, viewer.accounts.get(one.replica_id.account)
    return {
        "server": _server(hass, one.replica_id.account),
        "item_id": one.replica_id.item,
        "library": known.library,
        "direction": account.policy.direction.value if account else None,
        "ids": ids.own,
        "show_ids": ids.show,
        "weak": not without_names(known.keys),
        "several_episodes": known.several,
        "listings_without_it": known.missing,
        "acknowledged": known.reading and {**state_row(known.reading), "time": known.at and known.at.isoformat()},
        "in_step": one.in_step,
        "shown": one.shown and state_row(one.shown),
        "playing": one.playing,
        "rule": one.rule,
        "error": one.error,
        "next": one.next and _write(hass, one.next),
        "why_not": one.why_not,
        "waiting": one.waiting and _waiting(hass, one.waiting),
    }


def _write(hass: HomeAssistant, operation: Operation) -> dict[str, Any]:
    return {
        "server": _server(hass, operation.replica.account),
        "item_id": operation.replica.item,
        "kind": operation.kind.value,
        "wanted": state_row(operation.wanted),
        "reason": operation.reason,
    }


def _waiting(hass: HomeAssistant, entry: Entry) -> dict[str, Any]:
    return {**_write(hass, entry.operation), "attempts": entry.attempts, "not_before": entry.not_before.isoformat()}


def _dates(claims: Claims) -> dict[str, Any]:
    """Tell since when what is agreed; what nobody dated has no date."""
    registers = {"watched_since": claims.view, "position_since": claims.spot}
    return {name: register.at.isoformat() if register and register.at > NEVER else None for name, register in registers.items()}


def _server(hass: HomeAssistant, account: str) -> str:
    return server_name_of(hass, account) or account


ACTIONS = (Action("explain", _explain, MEDIA_SCHEMA, SupportsResponse.ONLY),)
