"""Actions: import, export and sync servers; the others are in files of their own."""

import probatio

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.util.ulid import ulid_now

from . import services_backup, services_explain, services_guards, services_journal, services_media, services_webhook
from .const import CONF_LIBRARIES, CONF_VIEWER
from .coordinator import ServerCoordinator
from .engine.run import Run, RunKind
from .helpers import server_name_of
from .hub import HUB, Hub
from .ports import ServerError
from .service_answers import answer
from .service_targets import Action, coordinators_of, failed, refused, register, viewers_of

ATTR_FORCE_FULL = "force_full"
ATTR_METADATA_ONLY = "metadata_only"
ATTR_IGNORE_DATE = "ignore_date"
ATTR_DRY_RUN = "dry_run"

SYNC_SCHEMA = probatio.Schema(
    {
        probatio.Required(ATTR_CONFIG_ENTRY_ID): cv.string,
        probatio.Optional(CONF_VIEWER): cv.string,
        probatio.Optional(CONF_LIBRARIES): probatio.All(cv.ensure_list, [cv.string]),
        probatio.Optional(ATTR_DRY_RUN, default=False): cv.boolean,
    }
)
IMPORT_SCHEMA = SYNC_SCHEMA.extend(
    {
        probatio.Optional(ATTR_FORCE_FULL, default=False): cv.boolean,
        probatio.Optional(ATTR_METADATA_ONLY, default=False): cv.boolean,
    }
)
EXPORT_SCHEMA = SYNC_SCHEMA.extend(
    {
        probatio.Optional(ATTR_FORCE_FULL, default=False): cv.boolean,
        probatio.Optional(ATTR_IGNORE_DATE, default=False): cv.boolean,
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    register(hass, ACTIONS)
    register(hass, services_backup.ACTIONS)
    register(hass, services_explain.ACTIONS)
    register(hass, services_guards.ACTIONS)
    register(hass, services_journal.ACTIONS)
    register(hass, services_media.ACTIONS)
    register(hass, services_webhook.ACTIONS)


async def run_for(coordinator: ServerCoordinator, kind: RunKind, *, full: bool) -> None:
    """Do a run for all accounts of a server; raises `HomeAssistantError` when the server cannot be read."""
    await coordinator.hub.sync(Run(kind, accounts=coordinator.accounts, full=full))
    if coordinator.problem is not None:
        raise failed(coordinator.config_entry.title, coordinator.problem)


async def _import(call: ServiceCall) -> ServiceResponse:
    return await _run(call, RunKind.IMPORT)


async def _export(call: ServiceCall) -> ServiceResponse:
    return await _run(call, RunKind.EXPORT)


async def _sync(call: ServiceCall) -> ServiceResponse:
    return await _run(call, RunKind.SYNC)


async def _run(call: ServiceCall, kind: RunKind) -> ServiceResponse:
    """Do what was asked for, for each viewer concerned, and answer with what came of it."""
    hub = call.hass.data[HUB]
    coordinators = coordinators_of(hub, call)
    accounts = frozenset(account for coordinator in coordinators for account in coordinator.accounts)
    run = Run(
        kind,
        accounts=accounts,
        dry_run=call.data[ATTR_DRY_RUN],
        full=call.data.get(ATTR_FORCE_FULL, False),
        metadata_only=call.data.get(ATTR_METADATA_ONLY, False),
        ignore_date=call.data.get(ATTR_IGNORE_DATE, False),
        libraries=await _libraries(hub, call, accounts),
        run_id=ulid_now(),
    )
    viewers = viewers_of(hub, call)
    reports = [await hub.sync_viewer(viewer, run) for viewer in viewers if viewer.accounts.keys() & accounts]
    for report in reports:
        for account, error in report.errors.items():
            if len(coordinators) == 1 and account in accounts:
                raise failed(coordinators[0].config_entry.title, error)
    return answer(call.hass, run, reports)


async def _libraries(hub: Hub, call: ServiceCall, accounts: frozenset[str]) -> frozenset[str] | None:
    """Return the ids of the libraries that were named by name or id; a server that is away stops nobody who has one of them."""
    wanted = {name.casefold() for name in call.data.get(CONF_LIBRARIES, ())}
    if not wanted:
        return None
    found, names, away = set(), set(), list[HomeAssistantError]()
    for viewer in hub.viewers.values():
        for account_id in viewer.accounts.keys() & accounts:
            try:
                libraries = await viewer.accounts[account_id].server.libraries()
            except ServerError as error:
                away.append(failed(server_name_of(call.hass, account_id) or account_id, error))
                continue
            chosen = [one for one in libraries if {one.library_id.casefold(), one.name.casefold()} & wanted]
            found |= {one.library_id for one in chosen}
            names |= {name for one in chosen for name in (one.library_id.casefold(), one.name.casefold())}
    if away and not found:
        raise away[0]
    if (unknown := wanted - names) and not away:
        raise refused("unknown_library", library=", ".join(sorted(unknown)))
    return frozenset(found)


ACTIONS = (
    Action("import_state", _import, IMPORT_SCHEMA),
    Action("export_state", _export, EXPORT_SCHEMA),
    Action("sync", _sync, SYNC_SCHEMA),
)
