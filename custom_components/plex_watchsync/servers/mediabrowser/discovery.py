"""Jellyfin and Emby servers in the local network: they answer a broadcast (server-apis §7)."""

import asyncio
from collections.abc import Iterable
from typing import override

from ...ports import ServerKind
from .normalise import Announced, announced

PORT = 7359
PATIENCE = 0.7  # seconds; they answer within milliseconds
_QUESTIONS = {ServerKind.JELLYFIN: b"who is JellyfinServer?", ServerKind.EMBY: b"who is EmbyServer?"}


class _Ear(asyncio.DatagramProtocol):
    """Hears the answers; whatever is none is passed over."""

    def __init__(self) -> None:
        self.heard: dict[str, Announced] = {}

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if server := announced(data):
            self.heard.setdefault(server.server_id, server)


async def discover(kind: ServerKind, broadcasts: Iterable[str]) -> tuple[Announced, ...]:
    """Ask a network who is there, by its broadcast addresses; nobody where one may not ask."""
    try:
        way, ear = await asyncio.get_running_loop().create_datagram_endpoint(_Ear, local_addr=("0.0.0.0", 0), allow_broadcast=True)
    except OSError:
        return ()
    try:
        for address in broadcasts:
            way.sendto(_QUESTIONS[kind], (address, PORT))
        await asyncio.sleep(PATIENCE)
    finally:
        way.close()
    return tuple(ear.heard.values())
