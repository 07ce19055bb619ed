"""How Jellyfin and Emby tell of themselves: they answer a question that is broadcast to port 7359 (server-apis §7)."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast, override

from .base import Simulator
from .emby import EmbySimulator
from .jellyfin import JellyfinSimulator

PORT = 7359
_QUESTIONS = {"jellyfin": "who is jellyfinserver?", "emby": "who is embyserver?"}


class _Voice(asyncio.DatagramProtocol):
    """Answers for the servers of a machine."""

    def __init__(self, servers: Mapping[str, Simulator]) -> None:
        self._servers = servers

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer each question in it, in any case; a server without its cable says nothing."""
        asked = data.decode(errors="replace").lower()
        for url, server in self._servers.items():
            if isinstance(server, JellyfinSimulator | EmbySimulator) and _QUESTIONS[server.kind] in asked and not server.faults.offline:
                told = {"Address": url, "Id": server.server_id, "Name": server.name}
                answer = told | ({"EndpointAddress": None} if server.kind == "jellyfin" else {})
                self._transport.sendto(json.dumps(answer).encode(), addr)


@asynccontextmanager
async def announcing(servers: Mapping[str, Simulator], port: int = PORT) -> AsyncIterator[int]:
    """Answer on 127.0.0.1 for these servers, by their addresses, and yield the port."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Voice(servers), local_addr=("127.0.0.1", port))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
