"""The engine's documents in Home Assistant's storage, one small file each."""

from pathlib import Path
from typing import Any, override

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .ports import Documents, StoreError

VERSION = 1


class StoredDocuments(Documents):
    """Documents under `.storage/plex_watchsync/`."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Write with this Home Assistant's storage helper."""
        self._hass = hass

    @override
    async def load(self, name: str) -> object | None:
        store = self._store(name)
        existed = await self._hass.async_add_executor_job(Path(store.path).exists)
        try:
            content = await store.async_load()
        except (HomeAssistantError, NotImplementedError) as error:  # a newer version's file, or no migration for it
            raise StoreError(name) from error
        if content is None and existed:  # the helper moves a corrupt file away and says nothing was there (G3)
            raise StoreError(name)
        return content

    @override
    async def save(self, name: str, content: object) -> None:
        await self._store(name).async_save(content)

    @override
    async def remove(self, name: str) -> None:
        await self._store(name).async_remove()

    def _store(self, name: str) -> Store[Any]:
        return Store(self._hass, VERSION, f"{DOMAIN}/{name}", atomic_writes=True, serialize_in_event_loop=False)
