"""Actions on titles: mark, search, report, ignore."""

from collections.abc import Collection
from functools import partial
from typing import Any

import probatio

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.util.ulid import ulid_now

from .engine.acts import Acts
from .engine.ignores import Rule
from .engine.listing import Page, ReportKind, by_name, page, report, search
from .engine.run import Run
from .engine.viewer import ViewerSync
from .facts import titled
from .helpers import server_name_of, utcnow
from .hub import HUB
from .service_answers import answer, item_row
from .service_media import ATTR_ITEM_ID, ATTR_MEDIA, MEDIA, MEDIA_SCHEMA, WHO, items_of
from .service_targets import Action, coordinators_of, refused, viewer_of
from .sync.acts import Act, ActKind
from .sync.item import Item

ATTR_POSITION = "position"
ATTR_RATING = "rating"
ATTR_TEXT = "text"
ATTR_KIND = "kind"
ATTR_LIMIT, ATTR_CURSOR = "limit", "cursor"
MOST_ROWS = 500
LONGEST = 86_400  # seconds, as the form says
USUAL_ROWS = 100

_PAGED = {
    probatio.Optional(ATTR_LIMIT, default=USUAL_ROWS): probatio.All(probatio.Coerce(int), probatio.Range(min=1, max=MOST_ROWS)),
    probatio.Optional(ATTR_CURSOR): cv.string,
}
PROGRESS_SCHEMA = MEDIA_SCHEMA.extend({probatio.Required(ATTR_POSITION): probatio.All(probatio.Coerce(int), probatio.Range(min=0, max=LONGEST))})
RATING_SCHEMA = MEDIA_SCHEMA.extend({probatio.Required(ATTR_RATING): probatio.Any(None, probatio.All(probatio.Coerce(float), probatio.Range(min=0, max=10)))})
SEARCH_SCHEMA = probatio.Schema({**WHO, **_PAGED, probatio.Optional(ATTR_TEXT): cv.string, probatio.Optional(ATTR_MEDIA): MEDIA})
REPORT_SCHEMA = probatio.Schema({**WHO, **_PAGED, probatio.Optional(ATTR_KIND): probatio.Coerce(ReportKind)})


async def _act(call: ServiceCall, kind: ActKind) -> ServiceResponse:
    """Let a viewer have done something now, and write it everywhere."""
    hub, act = call.hass.data[HUB], Act(kind, utcnow(), call.data.get(ATTR_POSITION, 0), call.data.get(ATTR_RATING))
    viewer = viewer_of(hub, call)
    selection, items = await items_of(call, viewer)
    left_alone = sum(viewer.baseline.is_left_alone(item) for item in items)
    if left_alone == len(items):
        raise refused("media_left_alone", media=str(items[0].media))
    run = Run(run_id=ulid_now(), explicit=True)
    done = await hub.sync_viewer(viewer, run, Acts(selection, act))
    return {**(answer(call.hass, run, [done]) or {}), "items": len(items) - left_alone, "left_alone": left_alone}


async def _search(call: ServiceCall) -> ServiceResponse:
    """Find titles by words or by ids, and say what each server shows of them."""
    hub = call.hass.data[HUB]
    viewer = viewer_of(hub, call)
    if ATTR_MEDIA in call.data:
        _selection, found = await items_of(call, viewer)
        items = by_name(found)
    else:
        items = await search(viewer.baseline, call.data.get(ATTR_TEXT, ""), _accounts(call, viewer))
    return _items(call, viewer, items)


async def _get_report(call: ServiceCall) -> ServiceResponse:
    """List the titles of which something is so, or count them by what it is."""
    viewer, kind = viewer_of(call.hass.data[HUB], call), call.data.get(ATTR_KIND)
    accounts = _accounts(call, viewer)
    if kind is None:
        counts: dict[str, Any] = {one.value: len(await report(viewer.baseline, one, accounts)) for one in ReportKind}
        return {"counts": counts | {ReportKind.UNMATCHED.value: sum(viewer.unnamed(account) for account in accounts)}}
    if kind is ReportKind.UNMATCHED:
        return _unmatched(call, viewer, accounts)
    return _items(call, viewer, await report(viewer.baseline, kind, accounts))


async def _ignore(call: ServiceCall) -> ServiceResponse:
    """Leave a film, an episode, a season or a show alone from now on (I8)."""
    viewer = viewer_of(call.hass.data[HUB], call)
    selection, items = await items_of(call, viewer)
    wide = selection.widened(item.known_by for item in items)
    rule = Rule(items[0].media.show or "" if selection.groups else str(items[0].media), wide)
    await viewer.ignore((*viewer.ignores.without(wide), rule))
    return _ignored(call, viewer, len(items))


async def _unignore(call: ServiceCall) -> ServiceResponse:
    """Let titles take part again."""
    viewer = viewer_of(call.hass.data[HUB], call)
    selection, items = await items_of(call, viewer)
    rules = viewer.ignores.without(selection.widened(item.known_by for item in items))
    if rules == viewer.ignores.rules:
        raise refused("not_ignored", media=str(items[0].media))
    await viewer.ignore(rules)
    return _ignored(call, viewer, len(items))


def _ignored(call: ServiceCall, viewer: ViewerSync, items: int) -> ServiceResponse:
    for coordinator in call.hass.data[HUB].coordinators.values():
        coordinator.refresh_numbers()
    return {"items": items, "ignored": [rule.name for rule in viewer.ignores.rules]}


def _accounts(call: ServiceCall, viewer: ViewerSync) -> frozenset[str]:
    """Return the viewer's accounts on the servers that an action is about."""
    return frozenset(account for one in coordinators_of(call.hass.data[HUB], call) for account in one.accounts & viewer.accounts.keys())


def _items(call: ServiceCall, viewer: ViewerSync, items: Collection[Item]) -> ServiceResponse:
    shown = _page(call, list(items))
    return {"items": [item_row(call.hass, viewer, item) for item in shown.rows], "total": shown.total, "next_cursor": shown.next_cursor}


def _unmatched(call: ServiceCall, viewer: ViewerSync, accounts: Collection[str]) -> ServiceResponse:
    """List what no id names; of a long list only the beginning is kept."""
    rows = [(account, one) for account in sorted(accounts) if account in viewer.unmatched for one in viewer.unmatched[account].rows]
    shown = _page(call, rows)
    items: list[Any] = [
        {"server": _server(call.hass, account), ATTR_ITEM_ID: one.item_id, "library": one.library, **titled(one.media, frozenset())}
        for account, one in shown.rows
    ]
    return {"items": items, "total": sum(viewer.unnamed(account) for account in accounts), "next_cursor": shown.next_cursor}


def _server(hass: HomeAssistant, account: str) -> str:
    return server_name_of(hass, account) or account


def _page[Row](call: ServiceCall, rows: list[Row]) -> Page[Row]:
    try:
        return page(rows, call.data[ATTR_LIMIT], call.data.get(ATTR_CURSOR))
    except ValueError as error:
        raise refused("invalid_cursor") from error


ACTIONS = (
    Action("mark_watched", partial(_act, kind=ActKind.MARK_WATCHED), MEDIA_SCHEMA),
    Action("mark_unwatched", partial(_act, kind=ActKind.MARK_UNWATCHED), MEDIA_SCHEMA),
    Action("set_progress", partial(_act, kind=ActKind.SET_PROGRESS), PROGRESS_SCHEMA),
    Action("set_rating", partial(_act, kind=ActKind.SET_RATING), RATING_SCHEMA),
    Action("search", _search, SEARCH_SCHEMA, SupportsResponse.ONLY),
    Action("get_report", _get_report, REPORT_SCHEMA, SupportsResponse.ONLY),
    Action("ignore", _ignore, MEDIA_SCHEMA),
    Action("unignore", _unignore, MEDIA_SCHEMA),
)
