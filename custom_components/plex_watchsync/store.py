"""The engine's documents in Home Assistant's storage, one small file each."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, override

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, UnsupportedStorageVersionError
from homeassistant.helpers.storage import STORAGE_DIR, Store
from homeassistant.util.file import WriteError
from homeassistant.util.json import SerializationError

from .const import DOMAIN
from .logger import LOGGER
from .ports import Documents, StoreError, StoreTooNew

VERSION = 1
HALF_WRITTEN = "tmp????????"  # as the storage helper names a file until it is whole
LARGEST = 2**63 - 1
OLD = 3600  # seconds; no write takes so long


class Document(Store[Any]):
    """A document that remembers why it could not be written; the storage helper only logs it, and goes on as if it were."""

    failure: Exception | None = None

    @override
    async def _async_write_data(self, data: dict[str, Any]) -> None:
        try:
            await super()._async_write_data(data)
        except (OSError, WriteError, SerializationError) as error:
            self.failure = error
            raise


class StoredDocuments(Documents):
    """Documents under `.storage/plex_watchsync/`."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Write with this Home Assistant's storage helper."""
        self._hass = hass
        self._gate = asyncio.Lock()
        self._held = False
        self._unwritten: set[str] = set()

    async def tidy(self) -> None:
        """Remove the half-written files of processes that were killed while they wrote."""
        await self._hass.async_add_executor_job(_tidy, Path(self._hass.config.path(STORAGE_DIR, DOMAIN)))

    async def hold(self) -> None:
        """Let no document change any more: after any write what is on disk is whole, as it is after a crash."""
        if not self._held:
            await self._gate.acquire()
            self._held = True

    def release(self) -> None:
        """Let documents change again."""
        if self._held:
            self._held = False
            self._gate.release()

    @override
    async def load(self, name: str) -> object | None:
        store = self._store(name)
        existed = await self._hass.async_add_executor_job(_was_there, Path(store.path))
        try:
            content = await store.async_load()
        except UnsupportedStorageVersionError as error:
            raise StoreTooNew(name) from error
        except (HomeAssistantError, NotImplementedError) as error:  # not to be read, or no migration for it
            raise StoreError(name) from error
        if content is None and existed:  # the helper moves a corrupt file away and says nothing was there (G3)
            raise StoreError(name)
        return content

    @override
    async def save(self, name: str, content: object) -> None:
        async with self._gate:
            failure = await self._write(name, content)
            if isinstance(failure, SerializationError):  # it would be for ever, and what comes after it waits
                failure = await self._write(name, await self._hass.async_add_executor_job(_spelled, content))
        if failure is None:
            self._unwritten.discard(name)
            return
        if name not in self._unwritten:
            self._unwritten.add(name)
            LOGGER.error("What changed in %s is not on disk, and is lost if Home Assistant stops before it is; it is tried again: %s", name, failure)
        raise StoreError(name) from failure

    @override
    async def remove(self, name: str) -> None:
        store = self._store(name)
        async with self._gate:
            await store.async_remove()
            await self._hass.async_add_executor_job(_clear, Path(store.path))

    async def _write(self, name: str, content: object) -> Exception | None:
        store = self._store(name)
        with suppress(OSError):  # of the folder; of the file the helper tells nothing
            await store.async_save(content)
        return store.failure

    def _store(self, name: str) -> Document:
        return Document(self._hass, VERSION, f"{DOMAIN}/{name}", atomic_writes=True, serialize_in_event_loop=False)


def _spelled(content: object) -> object:
    """Return content as it can be written: what servers say may hold half a character, or a number of more than 64 bits."""
    match content:
        case str():
            return content.encode(errors="replace").decode()
        case int():
            return max(-LARGEST, min(content, LARGEST))
        case list() | tuple():
            return [_spelled(one) for one in content]
        case dict():
            return {_spelled(name): _spelled(one) for name, one in content.items()}
    return content


def _moved(path: Path) -> list[Path]:
    """Return the corrupt files that the helper moved away from a document's place."""
    return list(path.parent.glob(f"{path.name}.corrupt.*"))


def _was_there(path: Path) -> bool:
    """Whether there is, or was, a document: one that was moved away stays lost after a restart too."""
    return path.exists() or bool(_moved(path))


def _clear(path: Path) -> None:
    for one in _moved(path):
        one.unlink(missing_ok=True)


def _tidy(folder: Path) -> None:
    for one in folder.rglob(HALF_WRITTEN):
        if one.is_file() and time.time() - one.stat().st_mtime > OLD:
            one.unlink(missing_ok=True)
