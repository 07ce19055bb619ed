"""The control page's routes: servers side by side, acts and faults handed on."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer

from simulators.base import serving
from simulators.catalogue import generate
from simulators.control import PAGE, Control, Place, differ
from simulators.emby import EmbySimulator

type Json = Any

TITLES = generate(7, films=3, shows=0)
FIRST, SECOND, THIRD = sorted(title.key for title in TITLES)

pytestmark = pytest.mark.usefixtures("socket_enabled")


def server(kind: str, *keys: str) -> EmbySimulator:
    titles = tuple(title for title in TITLES if title.key in keys)
    return EmbySimulator(kind, titles, {"anna": "secret-anna", "ben": "secret-ben"})


@pytest.fixture
def servers() -> dict[str, EmbySimulator]:
    return {"one": server("one", FIRST, SECOND), "two": server("two", SECOND, THIRD)}


@pytest.fixture
async def control(servers: dict[str, EmbySimulator]) -> AsyncIterator[TestClient[Any, Any]]:
    async with AsyncExitStack() as stack:
        places = [Place(kind, kind.title(), await stack.enter_async_context(serving(one))) for kind, one in servers.items()]
        runtimes = {title.key: title.runtime for title in TITLES}
        app = Control(places, runtimes, ("anna", "ben")).application()
        yield await stack.enter_async_context(TestClient(TestServer(app, host="127.0.0.1")))


async def titles(control: TestClient[Any, Any], **parameters: str) -> Json:
    async with control.get("/titles", params=parameters) as answer:
        assert answer.status == 200
        return await answer.json()


async def test_titles_stand_side_by_side(control: TestClient[Any, Any], servers: dict[str, EmbySimulator]) -> None:
    servers["one"].stock("anna", SECOND, played=True, count=1, date=datetime(2025, 1, 1, tzinfo=UTC))
    answer = await titles(control)
    assert [title["key"] for title in answer["titles"]] == [FIRST, SECOND, THIRD]
    assert [title["differs"] for title in answer["titles"]] == [False, True, False]
    assert answer["titles"][0]["shown"]["two"] is None
    assert [answer["titles"][1]["shown"][kind]["played"] for kind in ("one", "two")] == [True, False]
    assert (answer["matching"], answer["differing"]) == (3, 1)
    assert answer["counts"] == {"one": {"titles": 2, "watched": 1}, "two": {"titles": 2, "watched": 0}}


async def test_titles_are_searched_limited_and_narrowed_to_differences(control: TestClient[Any, Any], servers: dict[str, EmbySimulator]) -> None:
    servers["two"].stock("anna", SECOND, played=False, position=600)
    assert [title["key"] for title in (await titles(control, search=THIRD.upper()))["titles"]] == [THIRD]
    assert [title["key"] for title in (await titles(control, limit="1"))["titles"]] == [FIRST]
    assert [title["key"] for title in (await titles(control, differing="true"))["titles"]] == [SECOND]
    assert (await titles(control, user="ben", differing="true"))["titles"] == []


async def test_what_did_not_change_is_not_sent_again(control: TestClient[Any, Any], servers: dict[str, EmbySimulator]) -> None:
    async with control.get("/titles") as first:
        version = first.headers["X-Version"]
    async with control.get("/titles", params={"version": version}) as second:
        assert second.status == 204
    servers["one"].stock("anna", FIRST, played=True)
    async with control.get("/titles", params={"version": version}) as third:
        assert third.status == 200


async def test_acts_and_faults_are_handed_on(control: TestClient[Any, Any], servers: dict[str, EmbySimulator]) -> None:
    async with control.post("/servers/one/act", json={"user": "anna", "key": FIRST, "act": "mark_watched"}) as answer:
        assert answer.status == 200
    assert {row.key: row.played for row in servers["one"].shown("anna")} == {FIRST: True, SECOND: False}
    async with control.post("/servers/one/act", json={"user": "anna", "key": THIRD, "act": "play"}) as answer:
        assert (answer.status, THIRD in await answer.text()) == (404, True)
    async with control.post("/servers/two/faults", json={"offline": True}) as answer:
        assert (await answer.json())["offline"] is True
    assert (await titles(control))["faults"]["two"]["offline"] is True
    async with control.get("/servers/one/state", params={"user": "ben"}) as answer:
        assert list((await answer.json())["users"]) == ["ben"]


@pytest.mark.parametrize("path", ["/servers/three/state", "/servers/one/webhooks", "/servers/one/Users"])
async def test_only_known_control_routes_are_handed_on(control: TestClient[Any, Any], path: str) -> None:
    async with control.get(path) as answer:
        assert answer.status == 404


async def test_the_page_works_offline(control: TestClient[Any, Any]) -> None:
    async with control.get("/") as answer:
        assert await answer.text() == PAGE.read_text()
    addresses = [word for word in PAGE.read_text().split('"') if "://" in word]
    assert set(addresses) == {"http://www.w3.org/2000/svg"}  # the name of a vocabulary, not a place
    async with control.get("/household") as answer:
        household = await answer.json()
    assert [one["name"] for one in household["servers"]] == ["One", "Two"]
    async with ClientSession() as session, session.get(f"{household['servers'][0]['url']}/System/Ping") as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [((True, 0), (True, 8), False), ((True, 0), (False, 0), True), ((False, 600), (False, 611), True), ((False, 600), (False, 610), False)],
)
def test_what_counts_as_different(first: tuple[bool, int], second: tuple[bool, int], expected: bool) -> None:
    assert differ({"played": played, "position": position} for played, position in (first, second)) is expected
