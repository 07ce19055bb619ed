"""What stops a server or a viewer, as people hear of it: issues to repair (G3)."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN


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
