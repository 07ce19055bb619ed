"""Home Assistant's own backups hold what was agreed on: written before, and still while the snapshot is taken."""

from homeassistant.core import HomeAssistant

from .hub import HUB


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Put everything on disk and keep it as it is."""
    if hub := hass.data.get(HUB):
        await hub.pause()


async def async_post_backup(hass: HomeAssistant) -> None:
    """Write again."""
    if hub := hass.data.get(HUB):
        hub.resume()
