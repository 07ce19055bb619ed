"""The calls to plex.tv: signing in by a PIN, an account's servers, their users and tokens (server-apis §1.1).

The PIN is the classic one; the flow by JWT would replace `begin_link` and `PlexTv.linked` and hand out short-lived tokens, nothing else.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from aiohttp import ClientSession

from ....ports import Forbidden, ItemNotFound, LinkExpired, PinRefused, RateLimited, ServerError, ServerTooOld, ServerUnavailable, ServerUser
from ...http import PROBE_TIMEOUT, WRITE_TIMEOUT, HttpClient, Json
from ..client import PRODUCT, headers, identify
from ..normalise import OWNER, understood
from .normalise import PlexAccount, PlexLink, PlexMember, PlexResource, account, link, linked_token, members, resources, shared_users, switched_token

PLEX_TV = "https://plex.tv"
URL_VARIABLE = "PLEX_TV_URL"
"""The environment variable that puts another base in the place of plex.tv, clients.plex.tv and app.plex.tv."""

POLL_SECONDS = 1.0
ATTEMPTS = 6
PAUSE = 2.0  # seconds, longer each time; plex.tv refuses many questions in a row, switches above all, and rarely says for how long (pitfall 28)
LONGEST_PAUSE = 30.0


def plex_tv_url() -> str:
    """Return where plex.tv is."""
    return os.environ.get(URL_VARIABLE, "").rstrip("/") or PLEX_TV


def sign_in_url(code: str, client_id: str) -> str:
    """Return the page on which a person agrees to a PIN; the real one has a host of its own."""
    query = urlencode({"clientID": client_id, "code": code, "context[device][product]": PRODUCT})
    return f"{plex_tv_url().replace('://plex.tv', '://app.plex.tv')}/auth#?{query}"


class PlexTv:
    """plex.tv as one account sees it, or nobody yet."""

    def __init__(self, session: ClientSession, client_id: str, token: str | None, clock: Callable[[], datetime]) -> None:
        """Ask as a client, with its id, of an account; sends nothing."""
        self._session, self._client_id, self._token, self._clock = session, client_id, token, clock
        self._http = self._client(plex_tv_url(), token)

    @property
    def token(self) -> str:
        """The account's token."""
        return self._token or ""

    async def begin_link(self) -> PlexLink:
        """Get a PIN, to be agreed to at its page."""
        answer = await self._json("POST", "/api/v2/pins", {"strong": "true"})
        with understood("the PIN"):
            begun = link(answer)
        return replace(begun, url=sign_in_url(begun.code, self._client_id))

    async def linked(self, begun: PlexLink) -> PlexTv:
        """Wait until somebody agreed, and return plex.tv as he sees it; raises LinkExpired when nobody did before the PIN died."""
        while True:
            try:
                answer = await self._json("GET", f"/api/v2/pins/{begun.number}")
            except ItemNotFound:
                message = "nobody agreed to the PIN in time"
                raise LinkExpired(message) from None
            with understood("the PIN"):
                token = linked_token(answer)
            if token:
                return PlexTv(self._session, self._client_id, token, self._clock)
            await asyncio.sleep(POLL_SECONDS)

    async def account(self) -> PlexAccount:
        """Tell whose token it is; raises AuthFailed for a dead one."""
        answer = await self._json("GET", "/api/v2/user")
        with understood("the account"):
            return account(answer)

    async def servers(self) -> tuple[PlexResource, ...]:
        """List the servers that the account may use, with its token for each."""
        answer = await self._json("GET", "/api/v2/resources", {"includeHttps": "1", "includeRelay": "1", "includeIPv6": "1"})
        with understood("the list of servers"):
            return resources(answer)

    async def server(self, server_id: str) -> PlexResource:
        """Return one of the account's servers; raises ItemNotFound."""
        found = next((one for one in await self.servers() if one.server_id == server_id), None)
        if found is None:
            message = "the account has no such server"
            raise ItemNotFound(message)
        return found

    async def users(self, server: PlexResource) -> tuple[ServerUser, ...]:
        """List whom the account may act for on a server, himself first: on his own also the members of his home and those whom he shares it with."""
        me = await self.account()
        if not server.owned:
            return (ServerUser(me.user_id, me.name),)
        shared = {user: ServerUser(user, name) for user, (name, _) in (await self._shared(server)).items()}
        home = {one.user_id: ServerUser(one.user_id, one.name, one.protected) for one in await self._home() if one.user_id != me.user_id}
        return (ServerUser(OWNER.user_id, me.name), *(home | {user: one for user, one in shared.items() if user not in home}).values())

    async def token_for(self, server: PlexResource, user: ServerUser, pin: str | None) -> str:
        """Return a user's own token for a server; raises PinRefused, Forbidden for somebody who must sign in himself."""
        if user.user_id == OWNER.user_id or not server.owned:
            return server.token
        member = next((one for one in await self._home() if one.user_id == user.user_id), None)
        if member is not None:
            return (await (await self._switched(member, pin)).server(server.server_id)).token
        if shared := (await self._shared(server)).get(user.user_id):
            return shared[1]
        message = "plex.tv tells no token of this user"
        raise Forbidden(message)

    async def address_of(self, server: PlexResource) -> str:
        """Return the best address at which the very server answers; its token goes nowhere before that. Raises ServerUnavailable, ServerTooOld."""
        for tier in server.addresses:
            answers = await asyncio.gather(*(self._answers(url, server.server_id) for url in tier))
            if found := [url for url, answered in zip(tier, answers, strict=True) if answered]:
                return found[0]
        message = f"none of {sum(map(len, server.addresses))} addresses answers"
        raise ServerUnavailable(message)

    async def _answers(self, url: str, server_id: str) -> bool:
        """Whether a server answers at an address."""
        http = HttpClient(self._session, url, headers={"Accept": "application/json"}, verify_ssl=True, clock=self._clock, timeout=PROBE_TIMEOUT)
        try:
            identity = await identify(http)
        except ServerTooOld:
            raise
        except ServerError:
            return False
        return identity is not None and identity.server_id == server_id

    async def _home(self) -> tuple[PlexMember, ...]:
        """List the members of the account's home; how plex.tv tells that there is none is documented nowhere."""
        try:
            answer = await self._json("GET", "/api/v2/home/users")
        except Forbidden, ItemNotFound:
            return ()
        with understood("the home"):
            return members(answer)

    async def _shared(self, server: PlexResource) -> Mapping[str, tuple[str, str]]:
        """Return names and tokens of those with whom a server is shared, without those whose token is not told: they sign in themselves (pitfall 29)."""
        try:
            answer = await self._http.ask("GET", f"/api/servers/{server.server_id}/shared_servers")
        except Forbidden, ItemNotFound:
            return {}
        with understood("the list of shared servers"):
            return shared_users(answer.body)

    async def _switched(self, member: PlexMember, pin: str | None) -> PlexTv:
        """Become a member of the home."""
        try:
            answer = await self._json("POST", f"/api/v2/home/users/{member.uuid}/switch", {"pin": pin} if pin else None)
        except Forbidden:
            message = "the PIN is missing or wrong"
            raise PinRefused(message) from None
        with understood("the user"):
            return PlexTv(self._session, self._client_id, switched_token(answer), self._clock)

    async def _json(self, method: str, path: str, params: Mapping[str, str] | None = None) -> Json:
        """Ask, again after a pause where plex.tv asks for one, but not for ever; raises `ServerError`."""
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._http.json(method, path, params=params)
            except RateLimited as error:
                await asyncio.sleep(min(error.retry_after or PAUSE * attempt, LONGEST_PAUSE))
        return await self._http.json(method, path, params=params)

    def _client(self, url: str, token: str | None) -> HttpClient:
        return HttpClient(self._session, url, headers=headers(self._client_id, token), verify_ssl=True, clock=self._clock, timeout=WRITE_TIMEOUT)
