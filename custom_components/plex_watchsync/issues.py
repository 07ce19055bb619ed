"""What stops or slows a server or a viewer, as people hear of it: issues to repair (G3)."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_KIND, DOMAIN
from .ports import ServerKind


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
