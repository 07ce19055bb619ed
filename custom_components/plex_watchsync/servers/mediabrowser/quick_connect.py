"""Signing in to Jellyfin by a code that somebody who is signed in already types there (server-apis §1.2)."""

import asyncio
from dataclasses import dataclass, field
from typing import Self

from ...ports import AuthFailed, ItemNotFound, LinkExpired, LinkRefused, ServerUser
from ..http import HttpClient, Json
from . import wire
from .normalise import server_user, understood

POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class QuickConnect:
    """A code, waiting to be typed."""

    code: str
    _secret: str = field(repr=False)
    _http: HttpClient = field(repr=False)

    @classmethod
    async def begin(cls, http: HttpClient) -> Self:
        """Get a code; raises LinkRefused where it is switched off."""
        try:
            state: Json = await http.json("POST", "/QuickConnect/Initiate")
        except AuthFailed:
            message = "Quick Connect is switched off"
            raise LinkRefused(message) from None
        with understood("the code"):
            return cls(state["Code"], state["Secret"], http)

    async def linked(self) -> tuple[str, ServerUser]:
        """Wait until somebody typed the code, and return his token and who he is; raises LinkExpired when nobody did in time."""
        while True:
            try:
                if await self._is_typed():
                    break
            except ItemNotFound:
                message = "nobody typed the code in time"
                raise LinkExpired(message) from None
            await asyncio.sleep(POLL_SECONDS)
        answer: wire.Authentication = await self._http.json("POST", "/Users/AuthenticateWithQuickConnect", body={"Secret": self._secret})
        with understood("the answer to the log-in"):
            return answer["AccessToken"], server_user(answer["User"])

    async def _is_typed(self) -> bool:
        state: Json = await self._http.json("GET", "/QuickConnect/Connect", params={"secret": self._secret})
        with understood("the state of the code"):
            return bool(state["Authenticated"])
