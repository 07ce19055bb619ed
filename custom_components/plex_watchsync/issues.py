"""What stops or slows a server or a viewer, as people hear of it: issues to repair (G3)."""

from collections.abc import Collection

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_KIND, CONF_SYNCED, DOMAIN
from .held import viewer_name
from .helpers import household_entry
from .ports import ServerKind, StoreError, StoreTooNew


@callback
def show_replaced(hass: HomeAssistant, entry: ConfigEntry, *, replaced: bool) -> None:
    """Have an issue while another server answers at a server's address."""
    named = {"server": entry.title, "address": entry.data[CONF_URL]}
    _set_issue(hass, f"server_replaced_{entry.entry_id}", ir.IssueSeverity.ERROR, named, translation_key="server_replaced" if replaced else None)


@callback
def show_slow(hass: HomeAssistant, entry: ConfigEntry, *, slow: bool) -> None:
    """Have an issue while a Jellyfin takes long for every page, until its database is optimised (pitfall 50); what would help an Emby nobody recorded."""
    slow = slow and entry.data[CONF_KIND] == ServerKind.JELLYFIN
    _set_issue(hass, f"slow_pages_{entry.entry_id}", ir.IssueSeverity.WARNING, {"server": entry.title}, translation_key="slow_pages" if slow else None)


@callback
def show_ownerless(hass: HomeAssistant, entry: ConfigEntry, accounts: Collection[str]) -> None:
    """Have an issue while accounts of a server, these by name, are those of a viewer who was removed."""
    named = {"server": entry.title, "accounts": ", ".join(accounts)}
    _set_issue(hass, f"no_viewer_{entry.entry_id}", ir.IssueSeverity.WARNING, named, translation_key="no_viewer" if accounts else None)


@callback
def show_lost(hass: HomeAssistant, viewer_id: str, error: StoreError | None) -> None:
    """Have an issue while what was agreed on for a viewer cannot be read; what a newer version wrote is for that to mend."""
    mends = None if isinstance(error, StoreTooNew) else viewer_id
    _set_issue(
        hass,
        f"baseline_lost_{viewer_id}",
        ir.IssueSeverity.ERROR,
        {"viewer": viewer_name(hass, viewer_id), "document": str(error)},
        translation_key=None if error is None else "baseline_lost" if mends else "baseline_newer",
        mends=mends,
    )


@callback
def _set_issue(
    hass: HomeAssistant, issue_id: str, severity: ir.IssueSeverity, named: dict[str, str], *, translation_key: str | None, mends: str | None = None
) -> None:
    """Have an issue that tells of something, or none if there is nothing to tell; `mends`: the viewer that its fix is for, if it has one."""
    if translation_key is None:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data={"viewer": mends} if mends else None,
        is_fixable=mends is not None,
        severity=severity,
        translation_key=translation_key,
        translation_placeholders=named,
    )


@callback
def remember_synced(hass: HomeAssistant, viewer_id: str) -> None:
    """Say in the household's entry that something was agreed on and stored: if that is gone later, it is no first run (G3)."""
    viewer = _viewer(hass, viewer_id)
    if (household := household_entry(hass)) and viewer and CONF_SYNCED not in viewer.data:
        hass.config_entries.async_update_subentry(household, viewer, data={**viewer.data, CONF_SYNCED: True})


def was_synced(hass: HomeAssistant, viewer_id: str) -> bool:
    """Whether something was agreed on and stored once."""
    viewer = _viewer(hass, viewer_id)
    return viewer is not None and CONF_SYNCED in viewer.data


def _viewer(hass: HomeAssistant, viewer_id: str) -> ConfigSubentry | None:
    household = household_entry(hass)
    return household.subentries.get(viewer_id) if household else None
