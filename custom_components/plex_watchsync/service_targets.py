"""What actions have in common: how they are registered, and how they find the servers, viewers and titles that they are about."""

from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any

import probatio

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import service

from .const import CONF_VIEWER, DOMAIN
from .coordinator import ServerCoordinator, WatchSyncConfigEntry
from .engine.viewer import ViewerSync
from .helpers import household_entry, is_household, viewer_subentries
from .hub import Hub
from .ports import ServerError


@dataclass(frozen=True, slots=True)
class Action:
    """One action: its name, what it does, and what it takes."""

    name: str
    handler: Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]
    schema: probatio.Schema | probatio.All[Any]
    response: SupportsResponse = SupportsResponse.OPTIONAL
    admin: bool = False


def register(hass: HomeAssistant, actions: Collection[Action]) -> None:
    """Register actions."""
    for one in actions:
        if one.admin:
            service.async_register_admin_service(hass, DOMAIN, one.name, one.handler, one.schema, one.response)
        else:
            hass.services.async_register(DOMAIN, one.name, one.handler, one.schema, one.response)


def entry_of(call: ServiceCall) -> WatchSyncConfigEntry | None:
    """Return the entry of the one server that an action is about, None for all; refuse one that is not there."""
    if ATTR_CONFIG_ENTRY_ID not in call.data:
        return None
    entry: WatchSyncConfigEntry = service.async_get_config_entry(call.hass, DOMAIN, call.data[ATTR_CONFIG_ENTRY_ID])
    return None if is_household(entry) else entry


def coordinators_of(hub: Hub, call: ServiceCall) -> list[ServerCoordinator]:
    """Return the servers that an action is about: one, or all for the household."""
    entry = entry_of(call)
    return [entry.runtime_data] if entry else list(hub.coordinators.values())


def about(call: ServiceCall) -> Callable[[str], bool]:
    """Return what tells of an account whether an action is about what was found there; what was said here and at no server goes with the household."""
    entry = entry_of(call)
    accounts = entry.runtime_data.accounts if entry else None
    return lambda account: accounts is None or account in accounts


def viewers_of(hub: Hub, call: ServiceCall) -> list[ViewerSync]:
    """Return the viewers that an action is about: the named one, or all; refuse an entry that is not there, and all where there is no household any more."""
    entry_of(call)
    wanted, household = call.data.get(CONF_VIEWER), household_entry(call.hass)
    if household is None:
        raise refused("no_household")
    if wanted is None:
        return list(hub.viewers.values())
    for viewer in viewer_subentries(household):
        if wanted == viewer.subentry_id or wanted.casefold() == viewer.title.casefold():
            if viewer.subentry_id in hub.viewers:
                return [hub.viewers[viewer.subentry_id]]
            raise refused("viewer_stopped", viewer=viewer.title)
    raise refused("unknown_viewer", viewer=wanted)


def viewer_of(hub: Hub, call: ServiceCall) -> ViewerSync:
    """Return the one viewer that an action is about; the name may be left out when there is only one."""
    viewers = viewers_of(hub, call)
    if len(viewers) != 1:
        raise refused("which_viewer")
    return viewers[0]


def refused(key: str, **placeholders: str) -> ServiceValidationError:
    """Say what was wrong with what was asked."""
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)


def failed(server: str, error: ServerError) -> HomeAssistantError:
    """Say that a server could not do what was asked."""
    return HomeAssistantError(translation_domain=DOMAIN, translation_key="server_failed", translation_placeholders={"server": server, "error": str(error)})
