"""Documents on a real disk: the test package's `hass` never writes one (pitfall 36)."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import patch

import pytest

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util.file import WriteError

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.ports import StoreError
from custom_components.plex_watchsync.store import HALF_WRITTEN, StoredDocuments

WRITER = """
import asyncio, sys
from homeassistant.core import HomeAssistant
from custom_components.plex_watchsync.store import StoredDocuments

async def write():
    documents, number = StoredDocuments(HomeAssistant(sys.argv[1])), 0
    while True:
        await documents.save("anna/items_00", {"number": number, "padding": "x" * 200_000, "again": number})
        number += 1
        print(number, flush=True)

asyncio.run(write())
"""


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[StoredDocuments]:
    """Keep documents in a folder of their own."""
    hass = HomeAssistant(str(tmp_path))
    await ir.async_load(hass)
    yield StoredDocuments(hass)
    await hass.async_stop(force=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where they are."""
    return tmp_path / ".storage" / DOMAIN


async def test_what_was_saved_is_there(documents: StoredDocuments, folder: Path) -> None:
    """One file each; what was never saved is nothing, and no error."""
    assert await documents.load("anna/viewer") is None
    await documents.save("anna/viewer", {"synced": ["a"]})
    await documents.save("anna/items_07", [1, 2])
    assert await documents.load("anna/viewer") == {"synced": ["a"]}
    assert {path.name for path in (folder / "anna").iterdir()} == {"viewer", "items_07"}
    await documents.save("anna/viewer", {"synced": []})
    assert await documents.load("anna/viewer") == {"synced": []}


async def test_what_was_removed_is_gone(documents: StoredDocuments, folder: Path) -> None:
    """Removing what is not there is no error."""
    await documents.save("anna/viewer", {})
    for _ in range(2):
        await documents.remove("anna/viewer")
    assert await documents.load("anna/viewer") is None
    assert not (folder / "anna" / "viewer").exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"\x00" * 100, b"nonsense"])
async def test_a_corrupt_file_is_no_first_run(documents: StoredDocuments, folder: Path, damage: bytes) -> None:
    """Home Assistant moves it away and says that there was nothing; we do not, at the next start neither, until it is restored or removed (G3)."""
    await documents.save("anna/viewer", {"synced": ["a"]})
    (folder / "anna" / "viewer").write_bytes(damage)
    for _restart in range(2):
        with pytest.raises(StoreError):
            await documents.load("anna/viewer")
    await documents.save("anna/viewer", {"synced": ["restored"]})
    assert await documents.load("anna/viewer") == {"synced": ["restored"]}
    await documents.remove("anna/viewer")
    assert await documents.load("anna/viewer") is None
    assert not list((folder / "anna").iterdir())


async def test_a_newer_file_is_left_alone(documents: StoredDocuments, folder: Path) -> None:
    """A version that we do not know is neither read nor overwritten (G3)."""
    await documents.save("anna/viewer", {"synced": ["a"]})
    path = folder / "anna" / "viewer"
    content = json.loads(path.read_bytes()) | {"version": 99}
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError):
        await documents.load("anna/viewer")
    assert json.loads(path.read_bytes()) == content


@pytest.mark.parametrize("broken", ["homeassistant.helpers.storage.write_utf8_file_atomic", "homeassistant.helpers.storage.os.makedirs"])
async def test_a_full_disk_is_told_of_once(documents: StoredDocuments, caplog: pytest.LogCaptureFixture, broken: str) -> None:
    """Home Assistant logs that it could not write, and goes on as if it had; who has what was agreed on must know (G3)."""
    await documents.save("anna/viewer", {"synced": ["a"]})
    error = WriteError("no space left") if "write" in broken else OSError("read-only")
    with patch(broken, side_effect=error):
        for _ in range(2):
            with pytest.raises(StoreError):
                await documents.save("anna/viewer", {"synced": ["b"]})
    assert caplog.text.count("anna/viewer is not on disk") == 1
    assert await documents.load("anna/viewer") == {"synced": ["a"]}
    await documents.save("anna/viewer", {"synced": ["b"]})
    assert await documents.load("anna/viewer") == {"synced": ["b"]}


async def test_what_cannot_be_spelled_keeps_nothing_from_disk(documents: StoredDocuments, caplog: pytest.LogCaptureFixture) -> None:
    """G3: a server may send half a character, or a number of more than 64 bits, with which Home Assistant writes nothing of a document."""
    caplog.set_level(logging.CRITICAL, "homeassistant.helpers.storage")  # which names the half character; test workers cannot tell each other
    await documents.save("anna/items_00", ["Film \ud83c", {"\ud83c": 10**30}, (-(10**30), 7), True, None, 1.5, "ok"])
    assert await documents.load("anna/items_00") == ["Film ?", {"?": 2**63 - 1}, [1 - 2**63, 7], True, None, 1.5, "ok"]
    assert "is not on disk" not in caplog.text


async def test_what_is_no_json_at_all_is_not_taken_for_saved(documents: StoredDocuments) -> None:
    """Home Assistant only logs it."""
    with pytest.raises(StoreError):
        await documents.save("anna/items_00", [documents.load])


async def test_half_written_files_are_cleared_away(documents: StoredDocuments, folder: Path, tmp_path: Path) -> None:
    """Only those that nobody can be writing any more, and only ours; without a folder there is nothing to do."""
    await documents.tidy()
    await documents.save("anna/viewer", {"synced": ["a"]})
    old, new, other = folder / "anna" / "tmpab12_xyz", folder / "anna" / "tmpcd34_xyz", tmp_path / ".storage" / "tmpab12_xyz"
    for path in (old, new, other):
        path.write_text('{"half":')
    for path in (old, other, folder / "anna" / "viewer"):
        os.utime(path, (0, 0))
    await documents.tidy()
    assert {path.name for path in (folder / "anna").iterdir()} == {"viewer", new.name}
    assert other.exists()
    assert await documents.load("anna/viewer") == {"synced": ["a"]}


async def test_a_kill_while_writing_leaves_a_whole_document(documents: StoredDocuments, tmp_path: Path) -> None:
    """A document is the old one or the new one, never a half (G3)."""
    for round_number in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "."}
        )
        assert process.stdout is not None
        async with asyncio.timeout(60):
            for _ in range(3 + 5 * round_number):
                await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        found = await documents.load("anna/items_00")
        assert isinstance(found, dict)
        assert found["number"] == found["again"]
        assert len(found["padding"]) == 200_000
    assert all(path.match(HALF_WRITTEN) for path in (tmp_path / ".storage" / DOMAIN / "anna").iterdir() if path.name != "items_00")
