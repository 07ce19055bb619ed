"""The simulated plex.tv (server-apis §1.1), held against recordings where there are any."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from aiohttp import ClientSession, FormData, ServerDisconnectedError

from simulators.base import serving
from simulators.catalogue import generate
from simulators.plex import PlexSimulator
from simulators.plex_tv import PlexTvSimulator
from tests.recordings import PAYLOADS, needs_recordings

TITLES = generate(3, films=2, shows=1, episodes_per_show=2)
CLIENT = {"X-Plex-Client-Identifier": "a-client", "X-Plex-Product": "tests", "Accept": "application/json"}
OWNER = {**CLIENT, "X-Plex-Token": "anna-token"}

pytestmark = pytest.mark.usefixtures("socket_enabled")


@dataclass
class Place:
    """plex.tv, and who asks."""

    tv: PlexTvSimulator
    server: PlexSimulator
    session: ClientSession
    url: str

    async def ask(self, method: str, path: str, status: int = 200, headers: Mapping[str, str] = OWNER, **more: Any) -> Any:
        async with self.session.request(method, self.url + path, headers=headers, **more) as answer:
            assert answer.status == status, (answer.status, await answer.text())
            return await answer.json() if answer.content_type == "application/json" else await answer.text()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """Serve it: anna owns a server, ben has a PIN, kid is managed, cora was invited from outside."""
    server = PlexSimulator("Study", TITLES, {name: f"{name}-token" for name in ("anna", "ben", "kid", "cora")})
    tv = PlexTvSimulator()
    tv.join(server, "http://127.0.0.1:32400", pins={"ben": "1234"}, managed=["kid"], invited=["cora"])
    async with serving(tv) as url, ClientSession() as session:
        yield Place(tv, server, session, url)


async def test_signing_in(place: Place) -> None:
    """A PIN has no token until somebody agreed; it dies in half an hour, and no other client sees it."""
    pin = await place.ask("POST", "/api/v2/pins", 201, CLIENT, data={"strong": "true"})
    assert (pin["authToken"], len(pin["code"])) == (None, 24)
    path = f"/api/v2/pins/{pin['id']}"
    assert (await place.ask("GET", path, headers=CLIENT))["authToken"] is None
    await place.ask("GET", path, 404, {**CLIENT, "X-Plex-Client-Identifier": "another"})
    await place.ask("POST", "/_simulator/agree", 404, json={"code": "nonsense", "user": "anna"})
    await place.ask("POST", "/_simulator/agree", json={"code": pin["code"], "user": "anna"})
    assert (await place.ask("GET", path, headers=CLIENT))["authToken"] == "anna-token"
    place.tv.clock = lambda: datetime.now(UTC) + timedelta(hours=1)
    assert (await place.ask("GET", path, 404, CLIENT))["errors"][0]["code"] == 1020
    await place.ask("GET", "/api/v2/pins/nonsense", 404, CLIENT)
    await place.ask("POST", "/api/v2/pins", 400, {"Accept": "application/json"})


async def test_linking_by_code(place: Place) -> None:
    """A short code is typed at plex.tv/link by somebody who is signed in."""
    pin = await place.ask("POST", "/api/v2/pins", 201, CLIENT)
    assert len(pin["code"]) == 4
    await place.ask("PUT", "/api/v2/pins/link", 404, data={"code": "none"})
    await place.ask("PUT", "/api/v2/pins/link", 204, data={"code": pin["code"]})
    assert (await place.ask("GET", f"/api/v2/pins/{pin['id']}", headers=CLIENT))["authToken"] == "anna-token"


async def test_the_page(place: Place) -> None:
    """Whoever has a log-in can be chosen."""
    page = await place.ask("GET", "/auth")
    assert [name in page for name in ("'anna'", "'ben'", "'kid'", "'cora'")] == [True, True, False, True]


async def test_who_is_there(place: Place) -> None:
    """Nothing without a token; the owner's opens his server, others have one for each server."""
    assert (await place.ask("GET", "/api/v2/user", 401, CLIENT))["errors"][0]["code"] == 1001
    assert (await place.ask("GET", "/api/v2/user"))["title"] == "anna"
    await place.ask("GET", "/api/v2/ping")
    player, server = await place.ask("GET", "/api/v2/resources")
    assert "server" not in player["provides"]
    assert (server["clientIdentifier"], server["accessToken"], server["owned"]) == (place.server.machine_identifier, "anna-token", True)
    _, shared = await place.ask("GET", "/api/v2/resources", headers={**CLIENT, "X-Plex-Token": "cora-at-plex-tv"})
    assert (shared["accessToken"], shared["owned"], shared["sourceTitle"]) == ("cora-token", False, "anna")
    home = await place.ask("GET", "/api/v2/home/users")
    shown = [(one["title"], one["protected"], one["restricted"], one["username"]) for one in home["users"]]
    assert shown == [("anna", False, False, "anna"), ("ben", True, False, "ben"), ("kid", False, True, "")]
    alone = await place.ask("GET", "/api/v2/home/users/", headers={**CLIENT, "X-Plex-Token": "cora-at-plex-tv"})
    assert [one["title"] for one in alone["users"]] == ["cora"]


async def test_becoming_somebody_else(place: Place) -> None:
    """A PIN is needed where there is one, and many switches are too many (pitfall 28)."""
    users = {one["title"]: one["uuid"] for one in (await place.ask("GET", "/api/v2/home/users"))["users"]}
    path = f"/api/v2/home/users/{users['ben']}/switch"
    for pin in ("", "?pin=0000"):
        assert (await place.ask("POST", path + pin, 403))["errors"][0]["code"] == 1041
    token = (await place.ask("POST", f"{path}?pin=1234", 201))["authToken"]
    assert (await place.ask("GET", "/api/v2/resources", headers={**CLIENT, "X-Plex-Token": token}))[1]["accessToken"] == "ben-token"
    await place.ask("POST", f"/api/v2/home/users/{users['kid']}/switch", 201)
    await place.ask("POST", "/api/v2/home/users/nobody/switch", 404)
    place.tv.refused_switches = 1
    await place.ask("POST", f"/api/v2/home/users/{users['kid']}/switch", 429)
    place.tv.refused_switches, place.tv.retry_after = 1, 7
    async with place.session.post(f"{place.url}/api/v2/home/users/{users['kid']}/switch", headers=OWNER) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")


async def test_those_who_were_invited(place: Place) -> None:
    """Others are listed in XML, whatever is asked for; their tokens stand there or not."""
    users = ET.fromstring(await place.ask("GET", "/api/users"))  # noqa: S314 - our own
    assert [(one.get("title"), one.get("home"), one.get("username")) for one in users] == [("ben", "1", "ben"), ("kid", "1", ""), ("cora", "0", "cora")]
    path = f"/api/servers/{place.server.machine_identifier}/shared_servers"
    shared = ET.fromstring(await place.ask("GET", path))  # noqa: S314 - our own
    assert [one.get("accessToken") for one in shared] == ["ben-token", "kid-token", "cora-token"]
    place.tv.tells_shared_tokens = False
    assert "accessToken" not in await place.ask("GET", path)
    await place.ask("GET", "/api/servers/unknown/shared_servers", 404)
    assert "User id" not in await place.ask("GET", "/api/users/", headers={**CLIENT, "X-Plex-Token": "cora-at-plex-tv"})


async def test_webhooks_are_replaced_as_a_whole(place: Place) -> None:
    """The list is the account's, of all that it owns; what is not posted again is gone."""
    path = "/api/v2/user/webhooks"
    assert await place.ask("GET", path) == []
    two = FormData([("urls[]", "http://one.invalid"), ("urls[]", "http://two.invalid")])
    assert await place.ask("POST", path, 201, data=two) == [{"url": "http://one.invalid"}, {"url": "http://two.invalid"}]
    assert place.server.webhooks == ["http://one.invalid", "http://two.invalid"]
    await place.ask("POST", path, 201, data={"urls[]": "http://three.invalid"})
    assert await place.ask("GET", path) == [{"url": "http://three.invalid"}]
    await place.ask("POST", path, 400, data={"url": "http://four.invalid"})
    await place.ask("POST", path, 201, data={"urls": ""})
    assert (await place.ask("GET", path), place.server.webhooks) == ([], [])
    await place.ask("POST", path, 403, {**CLIENT, "X-Plex-Token": "cora-at-plex-tv"}, data={"urls": ""})


async def test_faults_and_moves(place: Place) -> None:
    """It can be away, and servers move, by control routes too."""
    await place.ask("POST", "/_simulator/faults", json={"status": 500})
    await place.ask("GET", "/api/v2/user", 500)
    await place.ask("POST", "/_simulator/faults", json={})
    await place.ask("POST", "/_simulator/move", 404, json={"server": "Elsewhere", "urls": []})
    await place.ask("POST", "/_simulator/move", json={"server": "Study", "urls": ["https://relay.invalid:8443"]})
    _, server = await place.ask("GET", "/api/v2/resources")
    assert [(one["uri"], one["port"]) for one in server["connections"]] == [("https://relay.invalid:8443", 8443)]
    place.tv.faults.offline = True
    with pytest.raises(ServerDisconnectedError):
        await place.ask("GET", "/api/v2/user")
    assert place.tv.requests.count("GET /api/v2/user") >= 2


async def test_switches(place: Place) -> None:
    """So many switches of users are too many (pitfall 28); shared servers without their tokens."""
    users = {one["title"]: one["uuid"] for one in (await place.ask("GET", "/api/v2/home/users"))["users"]}
    switches = {"refused_switches": 1, "retry_after": 7, "tells_shared_tokens": False}
    assert await place.ask("POST", "/_simulator/switches", json=switches) == switches
    path = f"/api/v2/home/users/{users['kid']}/switch"
    async with place.session.post(place.url + path, headers=OWNER) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    await place.ask("POST", path, 201)
    assert "accessToken" not in await place.ask("GET", f"/api/servers/{place.server.machine_identifier}/shared_servers")


@needs_recordings
@pytest.mark.parametrize(
    ("method", "path", "recorded", "status"),
    [
        ("POST", "/api/v2/pins", "andrey-yantsen__plex-api.rs/myplex/api/v2/pins_new.json", 201),
        ("GET", "/api/v2/resources", "andrey-yantsen__plex-api.rs/myplex/api/v2/resources.json", 200),
        ("GET", "/api/v2/home/users", "lcharlick__PlexKit/Tests/PlexKitTests/Resources/home_users.json", 200),
        ("GET", "/api/v2/user", "andrey-yantsen__plex-api.rs/myplex/api/v2/user/user_info_plexpass.json", 200),
    ],
)
async def test_shapes_are_the_recorded_ones(place: Place, method: str, path: str, recorded: str, status: int) -> None:
    """Every key that is answered stands in the recording too, with a value of the same type."""
    real = json.loads((PAYLOADS / recorded).read_text())
    answer = await place.ask(method, path, status)
    _same(answer[-1] if isinstance(answer, list) else answer, real[0] if isinstance(real, list) else real)


def _same(ours: Any, real: Any, where: str = "") -> None:
    if isinstance(ours, dict) and isinstance(real, dict):
        for key, value in ours.items():
            assert key in real, f"{where}.{key}"
            _same(value, real[key], f"{where}.{key}")
    elif isinstance(ours, list) and isinstance(real, list) and ours and real:
        _same(ours[0], real[0], f"{where}[]")
    elif ours is not None and real is not None:
        assert type(ours) is type(real), where
