"""Home Assistant Cloud's way in, where somebody has it.

The cloud's component is imported only where it is loaded: it is large, and needs packages that are not everywhere.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant

from .logger import LOGGER

if TYPE_CHECKING:
    from types import ModuleType

CLOUD = "cloud"


async def create(hass: HomeAssistant, webhook_id: str) -> str | None:
    """Return the cloud's address of a webhook, made if there is none yet; None where there is no cloud."""
    cloud = _loaded(hass)
    if cloud is None or not (cloud.async_active_subscription(hass) and cloud.async_is_connected(hass)):
        return None
    try:
        url: str = await cloud.async_get_or_create_cloudhook(hass, webhook_id)
    except Exception as error:  # noqa: BLE001 - its client has errors of its own; whatever it is, there is no such way in then
        LOGGER.debug("The cloud gives no address: %s", type(error).__name__)
        return None
    return url


def known(hass: HomeAssistant, webhook_id: str) -> str | None:
    """Return the cloud's address of a webhook if there is one."""
    if _loaded(hass) is None or (cloud := hass.data.get(CLOUD)) is None:
        return None
    hook = cloud.client.cloudhooks.get(webhook_id)
    return hook and str(hook["cloudhook_url"])


async def delete(hass: HomeAssistant, webhook_id: str) -> None:
    """Take a webhook out of the cloud if it is there."""
    if (cloud := _loaded(hass)) is None or known(hass, webhook_id) is None:
        return
    try:
        await cloud.async_delete_cloudhook(hass, webhook_id)
    except Exception as error:  # noqa: BLE001 - as above; what stays there leads to an id that nobody listens at
        LOGGER.debug("The cloud keeps an address: %s", type(error).__name__)


def listen(hass: HomeAssistant, look: Callable[[object], None]) -> Callable[[], None]:
    """Look whenever the cloud comes or goes; return how to stop."""
    if (cloud := _loaded(hass)) is None:
        return lambda: None
    stop: Callable[[], None] = cloud.async_listen_connection_change(hass, look)
    return stop


def _loaded(hass: HomeAssistant) -> ModuleType | None:
    if CLOUD not in hass.config.components:
        return None
    from homeassistant.components import cloud  # noqa: PLC0415 - see above

    return cloud
