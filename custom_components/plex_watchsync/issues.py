"""What stops or slows a server or a viewer, as people hear of it: issues to repair (G3)."""

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
    issue_id = f"server_replaced_{entry.entry_id}"
    if not replaced:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key="server_replaced",
        translation_placeholders={"server": entry.title, "address": entry.data[CONF_URL]},
    )


@callback
def show_slow(hass: HomeAssistant, entry: ConfigEntry, *, slow: bool) -> None:
    """Have an issue while a Jellyfin takes long for every page, until its database is optimised (pitfall 50); what would help an Emby nobody recorded."""
    issue_id = f"slow_pages_{entry.entry_id}"
    if not slow or entry.data[CONF_KIND] != ServerKind.JELLYFIN:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key="slow_pages",
        translation_placeholders={"server": entry.title},
    )


@callback
def show_lost(hass: HomeAssistant, viewer_id: str, error: StoreError | None) -> None:
    """Have an issue while what was agreed on for a viewer cannot be read; what a newer version wrote is for that to mend."""
    issue_id, too_new = f"baseline_lost_{viewer_id}", isinstance(error, StoreTooNew)
    if error is None:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data={"viewer": viewer_id},
        is_fixable=not too_new,
        severity=ir.IssueSeverity.ERROR,
        translation_key="baseline_newer" if too_new else "baseline_lost",
        translation_placeholders={"viewer": viewer_name(hass, viewer_id), "document": str(error)},
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
