"""The client of plex.tv against the simulated one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession

from custom_components.plex_watchsync.ports import (
    AuthFailed,
    Forbidden,
    ItemNotFound,
    LinkExpired,
    PinRefused,
    RateLimited,
    ServerTooOld,
    ServerUnavailable,
    UnexpectedAnswer,
)
from custom_components.plex_watchsync.servers import PlexResource, PlexTv
from custom_components.plex_watchsync.servers.http import Answer
from custom_components.plex_watchsync.servers.plex.tv import client
from custom_components.plex_watchsync.servers.plex.tv.normalise import resources
from simulators.base import serving
from simulators.catalogue import generate
from simulators.plex import PlexSimulator
from simulators.plex_tv import PlexTvSimulator
from simulators.plex_tv.people import connection

TITLES = generate(3, films=2, shows=1, episodes_per_show=2)

pytestmark = pytest.mark.usefixtures("socket_enabled")


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Place:
    """plex.tv, a server that is signed in there, and a client."""

    tv: PlexTvSimulator
    server: PlexSimulator
    url: str
    session: ClientSession

    def seen_by(self, token: str | None = "anna-token") -> PlexTv:
        return PlexTv(self.session, "a-client", token, now)


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """Serve both: anna owns the server, ben has a PIN, kid is managed, cora was invited from outside."""
    server = PlexSimulator("Study", TITLES, {name: f"{name}-token" for name in ("anna", "ben", "kid", "cora")})
    tv = PlexTvSimulator()
    monkeypatch.setattr(client, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(client, "PAUSE", 0.001)
    async with serving(server) as url, serving(tv) as tv_url, ClientSession() as session:
        monkeypatch.setenv(client.URL_VARIABLE, f"{tv_url}/")
        tv.join(server, url, pins={"ben": "1234"}, managed=["kid"], invited=["cora"])
        yield Place(tv, server, url, session)


def test_where_plex_tv_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one has a host for its pages; the variable puts one base in the place of all."""
    monkeypatch.delenv(client.URL_VARIABLE, raising=False)
    assert client.plex_tv_url() == "https://plex.tv"
    assert client.sign_in_url("c0de", "me") == "https://app.plex.tv/auth#?clientID=me&code=c0de&context%5Bdevice%5D%5Bproduct%5D=plex_watchsync"
    monkeypatch.setenv(client.URL_VARIABLE, "http://127.0.0.1:1/")
    assert client.plex_tv_url() == "http://127.0.0.1:1"
    assert client.sign_in_url("c0de", "me").startswith("http://127.0.0.1:1/auth#?clientID=me&code=c0de&")


async def test_signing_in(place: Place) -> None:
    """One waits until somebody agreed, and then asks as he; the token is in no representation."""
    nobody = place.seen_by(None)
    assert not nobody.token
    begun = await nobody.begin_link()
    assert f"code={begun.code}" in begun.url
    assert begun.code not in repr(begun)
    place.tv.agree(begun.code, "ben")
    ben = await nobody.linked(begun)
    assert (ben.token, (await ben.account()).name) == ("ben-at-plex-tv", "ben")


async def test_waiting_for_somebody_who_does_not_come(place: Place) -> None:
    """A PIN that died ends the waiting."""
    nobody = place.seen_by(None)
    begun = await nobody.begin_link()
    place.tv.clock = lambda: now() + (timedelta(hours=1) if sum("/pins/" in one for one in place.tv.requests) > 3 else timedelta())
    with pytest.raises(LinkExpired):
        await nobody.linked(begun)
    assert place.tv.requests.count(f"GET /api/v2/pins/{begun.number}") > 2


async def test_whose_token_it_is(place: Place) -> None:
    """The owner has a Plex Pass; a dead token is told from plex.tv being away."""
    assert ((await place.seen_by().account()).webhooks, (await place.seen_by("cora-at-plex-tv").account()).webhooks) == (True, False)
    with pytest.raises(AuthFailed):
        await place.seen_by("dead").account()
    place.tv.faults.offline = True
    with pytest.raises(ServerUnavailable):
        await place.seen_by().account()


async def test_the_servers_of_an_account(place: Place) -> None:
    """Players are none; each account has a token of its own, which is in no representation."""
    (server,) = await place.seen_by().servers()
    assert (server.server_id, server.name, server.token, server.owned) == (place.server.machine_identifier, "Study", "anna-token", True)
    assert "anna-token" not in repr(server)
    shared = await place.seen_by("cora-at-plex-tv").server(place.server.machine_identifier)
    assert (shared.token, shared.owned) == ("cora-token", False)
    with pytest.raises(ItemNotFound):
        await place.seen_by().server("unknown")


async def test_the_users_of_a_server(place: Place) -> None:
    """The owner, who is 1 there, acts for his home and for those whom he shares with; others for themselves."""
    anna = place.seen_by()
    server = await anna.server(place.server.machine_identifier)
    ids = {name: str(account.account_id) for name, account in place.server.accounts.items()}
    assert [(one.user_id, one.name, one.protected) for one in await anna.users(server)] == [
        ("1", "anna", False),
        (ids["ben"], "ben", True),
        (ids["kid"], "kid", False),
        (ids["cora"], "cora", False),
    ]
    cora = place.seen_by("cora-at-plex-tv")
    shared = await cora.server(server.server_id)
    (me,) = await cora.users(shared)
    assert (me.user_id, me.name, await cora.token_for(shared, me, None)) == (ids["cora"], "cora", "cora-token")


async def test_every_user_has_a_token_of_his_own(place: Place) -> None:
    """Members of the home by switching, a PIN where there is one (pitfall 28); those who were invited as far as plex.tv tells it (pitfall 29)."""
    anna = place.seen_by()
    server = await anna.server(place.server.machine_identifier)
    owner, ben, kid, cora = await anna.users(server)
    assert await anna.token_for(server, owner, None) == "anna-token"
    assert await anna.token_for(server, ben, "1234") == "ben-token"
    assert await anna.token_for(server, kid, None) == "kid-token"
    assert await anna.token_for(server, cora, None) == "cora-token"
    for pin in (None, "0000"):
        with pytest.raises(PinRefused):
            await anna.token_for(server, ben, pin)
    place.tv.tells_shared_tokens = False
    assert cora not in await anna.users(server)
    with pytest.raises(Forbidden):
        await anna.token_for(server, cora, None)


async def test_429_is_waited_out(place: Place) -> None:
    """plex.tv refuses many switches in a row, for as long as it says or not; for ever is too long (pitfall 28)."""
    anna = place.seen_by()
    server = await anna.server(place.server.machine_identifier)
    kid = (await anna.users(server))[2]
    place.tv.refused_switches = 3
    assert await anna.token_for(server, kid, None) == "kid-token"
    place.tv.refused_switches, place.tv.retry_after = 1, 0
    assert await anna.token_for(server, kid, None) == "kid-token"
    place.tv.refused_switches = client.ATTEMPTS
    with pytest.raises(RateLimited):
        await anna.token_for(server, kid, None)
    assert place.tv.refused_switches == 0


async def test_429_is_waited_out_whatever_was_asked(place: Place) -> None:
    """A list of servers is refused too when it is asked for often (server-apis §6)."""
    anna = place.seen_by()
    place.tv.faults.status = 429

    async def calm_down() -> None:
        while place.tv.requests.count("GET /api/v2/resources") < 3:  # noqa: ASYNC110 - a server sets no event
            await asyncio.sleep(0.001)
        place.tv.faults.status = None

    found, _ = await asyncio.gather(anna.servers(), calm_down())
    assert [one.server_id for one in found] == [place.server.machine_identifier]
    place.tv.requests.clear()
    place.tv.faults.status = 429
    with pytest.raises(RateLimited):
        await anna.account()
    assert len(place.tv.requests) == client.ATTEMPTS


async def test_an_account_without_a_home(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """How plex.tv says that there is no home, or nothing shared, is unknown: refusal and absence are taken for it."""
    anna = place.seen_by()
    server = await anna.server(place.server.machine_identifier)

    async def refuse(*_asked: object, **_more: object) -> None:
        raise Forbidden("no")

    account = await anna.account()

    async def me() -> object:
        return account

    monkeypatch.setattr(anna, "account", me)
    monkeypatch.setattr(anna._http, "json", refuse)
    monkeypatch.setattr(anna._http, "ask", refuse)
    assert [one.name for one in await anna.users(server)] == ["anna"]


async def test_the_first_address_that_answers(place: Place) -> None:
    """Local before remote before relay, all tried; another server at an address does not count, and no token goes there."""
    other = PlexSimulator("Other", TITLES, {"anna": "x"})
    async with serving(other) as other_url, serving(place.server) as second_url:
        place.tv.move(place.server, connection(second_url, local=False, relay=True), connection(place.url, local=False), "http://127.0.0.1:1", other_url)
        anna = place.seen_by()
        server = await anna.server(place.server.machine_identifier)
        assert await anna.address_of(server) == place.url
        place.tv.move(place.server, "http://127.0.0.1:1", connection(second_url, local=False, relay=True))
        assert await anna.address_of(await anna.server(server.server_id)) == second_url
        place.tv.move(place.server, "http://127.0.0.1:1", other_url)
        with pytest.raises(ServerUnavailable, match="none of 2"):
            await anna.address_of(await anna.server(server.server_id))
    assert set(other.requests) == {"GET /identity"}


async def test_a_server_that_is_too_old(place: Place) -> None:
    """It is said, rather than taken for one that does not answer."""
    anna = place.seen_by()
    place.server.version = "1.18.0.1"
    with pytest.raises(ServerTooOld):
        await anna.address_of(await anna.server(place.server.machine_identifier))


@pytest.mark.parametrize("https_required", [False, True])
def test_the_order_of_addresses(*, https_required: bool) -> None:
    """Plainly in the local network unless a certificate is a must, then plex.direct, remote, relay."""
    ways = [
        connection("https://178-3-2-1.id.plex.direct:8443", local=False, relay=True),
        connection("https://example.org:443", local=False),
        {**connection("https://192-168-1-9.id.plex.direct:32400"), "address": "192.168.1.9"},
        {**connection("https://fd00--9.id.plex.direct:32400"), "address": "fd00::9", "IPv6": True},
    ]
    row = {"name": "a", "clientIdentifier": "b", "provides": "server", "accessToken": "c", "owned": True, "httpsRequired": https_required, "connections": ways}
    (found,) = resources([row])
    direct = ("https://192-168-1-9.id.plex.direct:32400", "https://fd00--9.id.plex.direct:32400")
    plain = () if https_required else (("http://192.168.1.9:32400", "http://[fd00::9]:32400"),)
    assert found.addresses == (*plain, direct, ("https://example.org:443",), ("https://178-3-2-1.id.plex.direct:8443",))


def test_servers_that_cannot_be_used() -> None:
    """Without a token or without an address there is nothing to try."""
    row = {"name": "a", "clientIdentifier": "b", "provides": "client,server", "owned": False}
    assert resources([row, {**row, "accessToken": "c"}]) == (PlexResource("b", "a", "c", owned=False, addresses=()),)


async def test_answers_of_another_shape(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is concluded from what is not understood, and nothing of it is quoted."""
    anna = place.seen_by()

    async def answer(*_asked: object, **_more: object) -> object:
        return {"secret": "s3cret"}

    async def page(*_asked: object) -> Answer:
        return Answer(200, b"<html>s3cret")

    server = PlexResource("b", "a", "c", owned=True, addresses=())
    monkeypatch.setattr(anna._http, "json", answer)
    monkeypatch.setattr(anna._http, "ask", page)
    for asking in (anna.begin_link(), anna.account(), anna.servers(), anna._home(), anna._shared(server)):
        with pytest.raises(UnexpectedAnswer) as error:
            await asking
        assert "s3cret" not in str(error.value)
