"""What the simulated Plex answers, and what each write makes of a record (server-apis §3.1, §4.1, §9)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from aiohttp import ClientSession

from simulators.base import Act, Faults, Phase, serving
from simulators.catalogue import generate
from simulators.plex import PlexSimulator
from simulators.plex.routes import MOST_AT_ONCE

type Json = Any

TITLES = generate(7, films=12, shows=1)
FILM = TITLES[0]
WHEN, NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LIBRARY = "com.plexapp.plugins.library"
STATE = ("viewCount", "lastViewedAt", "viewOffset", "skipCount", "userRating", "lastRatedAt")
pytestmark = pytest.mark.usefixtures("socket_enabled")


class Plex:
    """A client that says who asks."""

    def __init__(self, simulator: PlexSimulator, url: str, session: ClientSession) -> None:
        self.simulator, self.url, self.session = simulator, url, session

    async def ask(self, path: str, who: str = "anna", method: str = "GET", *, headers: dict[str, str] | None = None, **query: Json) -> tuple[int, Json]:
        given = {"X-Plex-Token": f"token-{who}", "Accept": "application/json"} | (headers or {})
        async with self.session.request(method, self.url + path, params=query, headers=given) as answer:
            return answer.status, await answer.json() if answer.content_type == "application/json" else await answer.text()

    async def films(self, **query: Json) -> Json:
        return (await self.ask("/library/sections/1/all", **query))[1]["MediaContainer"]

    async def write(self, what: str, key: str, who: str = "anna", method: str = "GET", **query: Json) -> int:
        return (await self.ask(f"/:/{what}", who, method, key=key, identifier=LIBRARY, **query))[0]

    async def timeline(self, key: str, who: str = "anna", player: str | None = "a-player", **query: Json) -> Json:
        headers = {"X-Plex-Client-Identifier": player} if player else {}
        about = {"ratingKey": key, "key": f"/library/metadata/{key}", "identifier": LIBRARY}
        return (await self.ask("/:/timeline", who, "POST", headers=headers, **about, **query))[1]["MediaContainer"]

    async def record(self, key: str, who: str = "anna") -> Json:
        """Return what a row says of a record."""
        [row] = (await self.ask(f"/library/metadata/{key}", who))[1]["MediaContainer"]["Metadata"]
        return {name: row[name] for name in STATE if name in row}

    async def history(self, who: str = "anna", **query: Json) -> list[Json]:
        rows: list[Json] = (await self.ask("/status/sessions/history/all", who, **query))[1]["MediaContainer"].get("Metadata", [])
        return rows


@pytest.fixture
async def plex() -> AsyncIterator[Plex]:
    simulator = PlexSimulator("study", TITLES, {"anna": "token-anna", "bob": "token-bob"}, clock=lambda: NOW)
    async with serving(simulator) as url, ClientSession() as session:
        yield Plex(simulator, url, session)


@pytest.fixture
def film(plex: Plex) -> str:
    return str(plex.simulator.library.by_title[FILM.key][0].key)


@pytest.fixture
def show(plex: Plex) -> str:
    return str(next(item.key for item in plex.simulator.library.by_rating_key.values() if item.title == TITLES[-1].show.name))  # type: ignore[union-attr]


@pytest.mark.parametrize("accept", [None, "*/*", "text/xml"])
async def test_xml_unless_json_is_asked_for(plex: Plex, accept: str | None) -> None:
    headers = {"X-Plex-Token": "token-anna"} | ({"Accept": accept} if accept else {})
    async with plex.session.get(f"{plex.url}/library/sections/1/all", headers=headers) as answer:
        assert answer.content_type == "text/xml"
        container = ET.fromstring(await answer.text())  # noqa: S314 - our own server's
    assert (container.tag, container.get("size"), {row.tag for row in container}) == ("MediaContainer", "12", {"Video"})


async def test_a_key_for_nothing_is_absent(plex: Plex, film: str) -> None:
    """Zero, none and empty: no key; without rows no Metadata; booleans and numbers are JSON's own where there is something."""
    assert await plex.record(film) == {}
    plex.simulator.stock("anna", FILM.key, played=True, count=2, date=WHEN)
    assert await plex.record(film) == {"viewCount": 2, "lastViewedAt": int(WHEN.timestamp())}
    assert "Metadata" not in await plex.films(**{"addedAt>>": int(NOW.timestamp())})


async def test_some_zeros_are_there(plex: Plex, show: str) -> None:
    """How much of a show is watched (recorded), and the number of the season of specials."""
    [row] = (await plex.ask(f"/library/metadata/{show}"))[1]["MediaContainer"]["Metadata"]
    assert row["viewedLeafCount"] == 0
    special = await plex.simulator.add(replace(TITLES[-1], season=0, episode=1, path="Shows/special.mkv"))
    [row] = (await plex.ask(f"/library/metadata/{special}"))[1]["MediaContainer"]["Metadata"]
    assert (row["parentIndex"], row["index"], "viewCount" in row) == (0, 1, False)


async def test_guids_come_on_request_and_with_single_items(plex: Plex, film: str) -> None:
    assert all("Guid" not in row for row in (await plex.films())["Metadata"])
    assert all("Guid" in row for row in (await plex.films(includeGuids=1))["Metadata"])
    assert "Guid" in (await plex.ask(f"/library/metadata/{film}"))[1]["MediaContainer"]["Metadata"][0]


async def test_rows_are_trimmed_by_a_newer_server_that_is_asked_by_version(plex: Plex) -> None:
    """From 1.41.9 on, and only with the header that names the API's version."""
    query, versioned = {"excludeElements": "Media,Genre", "excludeFields": "summary"}, {"X-Plex-Pms-Api-Version": "1.0"}
    seen = []
    for version, headers in (("1.42.2", versioned), ("1.42.2", {}), ("1.41.8", versioned)):
        plex.simulator.become(version)
        [row, *_] = (await plex.films(headers=headers, **query))["Metadata"]
        seen.append("Media" in row or "summary" in row)
    assert seen == [False, True, True]


@pytest.mark.parametrize("by", ["header", "argument", "both"])
async def test_pages_by_header_or_argument(plex: Plex, by: str) -> None:
    """A page tells total and offset, also in headers; all rows at once tell neither; size 0 is the total alone."""
    whole = await plex.films()
    assert (whole["size"], whole.keys() & {"totalSize", "offset"}) == (12, set())

    async def page(start: int, size: int) -> Json:
        paging = {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)}
        return await plex.films(headers=paging if by != "argument" else {}, **(paging if by != "header" else {}))

    pages = [await page(start, 5) for start in (0, 5, 10)]
    assert [(one["size"], one["totalSize"], one["offset"]) for one in pages] == [(5, 12, 0), (5, 12, 5), (2, 12, 10)]
    assert [row["ratingKey"] for one in pages for row in one["Metadata"]] == [row["ratingKey"] for row in whole["Metadata"]]
    alone = await page(0, 0)
    assert (alone["size"], alone["totalSize"], "Metadata" in alone) == (0, 12, False)
    paging = {"X-Plex-Container-Start": "5", "X-Plex-Container-Size": "5", "X-Plex-Token": "token-anna"}
    async with plex.session.get(f"{plex.url}/library/sections/1/all", headers=paging) as answer:
        assert (answer.headers["X-Plex-Container-Start"], answer.headers["X-Plex-Container-Total-Size"]) == ("5", "12")


@pytest.mark.parametrize("path", ["/", "/library/sections", "/:/scrobble?key=1", "/status/sessions/history/all"])
@pytest.mark.parametrize("token", ["wrong", None])
async def test_a_bad_token_is_refused_in_html(plex: Plex, path: str, token: str | None) -> None:
    headers = {"Accept": "application/json"} | ({"X-Plex-Token": token} if token else {})
    async with plex.session.get(plex.url + path, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (401, "text/html")
        assert "<html>" in await answer.text()
    async with plex.session.get(f"{plex.url}/identity", headers=headers) as answer:  # who it is it tells everybody
        assert (await answer.json())["MediaContainer"]["machineIdentifier"] == plex.simulator.machine_identifier


async def test_a_token_may_be_an_argument(plex: Plex) -> None:
    async with plex.session.get(f"{plex.url}/library/sections?X-Plex-Token=token-bob") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_scrobble_counts_and_is_of_now_whatever_date_is_sent(plex: Plex, film: str, method: str) -> None:
    """Pitfalls 22, 26: each one adds a view and moves the date; the position goes."""
    plex.simulator.stock("anna", FILM.key, played=True, position=600, count=1, date=WHEN)
    now = int(NOW.timestamp())
    assert await plex.write("scrobble", film, method=method, viewedAt=int(WHEN.timestamp()), lastViewedAt=1) == 200
    assert await plex.record(film) == {"viewCount": 2, "lastViewedAt": now}
    assert await plex.write("scrobble", film, method=method) == 200
    assert await plex.record(film) == {"viewCount": 3, "lastViewedAt": now}


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_an_unscrobble_deletes_three_keys(plex: Plex, film: str, method: str) -> None:
    """And may be repeated; the rating stays."""
    plex.simulator.stock("anna", FILM.key, played=True, position=600, count=2, date=WHEN)
    await plex.write("rate", film, rating=7)
    before = await plex.record(film)
    for _ in range(2):
        assert await plex.write("unscrobble", film, method=method) == 200
        after = await plex.record(film)
        assert before.keys() - after.keys() == {"viewCount", "lastViewedAt", "viewOffset"}
    assert after == {"userRating": 7, "lastRatedAt": int(NOW.timestamp())}


async def test_a_show_scrobbles_all_its_leaves_in_one_second(plex: Plex, show: str) -> None:
    """Server-apis §3.1: ties in the date; the show counts them."""
    assert await plex.write("scrobble", show) == 200
    leaves = (await plex.ask(f"/library/metadata/{show}/allLeaves"))[1]["MediaContainer"]["Metadata"]
    assert {(row["viewCount"], row["lastViewedAt"]) for row in leaves} == {(1, int(NOW.timestamp()))}
    [row] = (await plex.ask(f"/library/metadata/{show}"))[1]["MediaContainer"]["Metadata"]
    assert (row["leafCount"], row["viewedLeafCount"], row["viewCount"]) == (8, 8, 8)


@pytest.mark.parametrize(("key", "status"), [("999999", 404), ("", 400), ("nonsense", 400)])
@pytest.mark.parametrize("what", ["scrobble", "unscrobble", "rate", "progress"])
async def test_what_is_not_there_is_refused(plex: Plex, what: str, key: str, status: int) -> None:
    assert await plex.write(what, key, rating=5, time=1000) == status


async def test_a_timeline_sets_the_position_and_moves_the_date(plex: Plex, film: str) -> None:
    """Server-apis §4.1: without a run time or a player's name it is ignored; a partial play dates the item without a view (pitfall 23)."""
    assert await plex.timeline(film, player=None, state="stopped", time=600_000, duration=FILM.runtime * 1000) == {
        "size": 0,
        "playbackState": "stopped",
        "skipCount": 0,
        "viewCount": 0,
        "viewOffset": 0,
    }
    await plex.timeline(film, state="stopped", time=600_000)
    assert await plex.record(film) == {}
    told = await plex.timeline(film, state="stopped", time=600_000, duration=FILM.runtime * 1000)
    assert (told["viewOffset"], told["viewCount"]) == (600_000, 0)
    assert await plex.record(film) == {"viewOffset": 600_000, "lastViewedAt": int(NOW.timestamp())}


async def test_a_timeline_near_the_end_is_a_view(plex: Plex, film: str) -> None:
    """From the preference's 90 % on; that one is in the history."""
    await plex.timeline(film, state="stopped", time=FILM.runtime * 899, duration=FILM.runtime * 1000)
    assert "viewCount" not in await plex.record(film)
    await plex.timeline(film, state="stopped", time=FILM.runtime * 900, duration=FILM.runtime * 1000)
    assert await plex.record(film) == {"viewCount": 1, "lastViewedAt": int(NOW.timestamp())}
    assert [row["ratingKey"] for row in await plex.history()] == [film]


async def test_progress_sets_a_position_but_not_zero(plex: Plex, film: str) -> None:
    await plex.write("progress", film, time=600_000, state="stopped")
    assert (await plex.record(film))["viewOffset"] == 600_000
    await plex.write("progress", film, time=0, state="stopped")
    assert (await plex.record(film))["viewOffset"] == 600_000


async def test_ratings(plex: Plex, film: str, show: str) -> None:
    """From 0 to 10 on anything; -1 clears; the future is refused."""
    at = int(WHEN.timestamp())
    for key in (film, show):
        assert await plex.write("rate", key, method="PUT", rating=7.5, ratedAt=at) == 200
        assert (await plex.record(key)) == {"userRating": 7.5, "lastRatedAt": at}
        assert await plex.write("rate", key, rating=1, ratedAt=int(NOW.timestamp()) + 1) == 400
        assert await plex.write("rate", key, rating=-1) == 200
        assert await plex.record(key) == {}


async def test_each_token_has_a_state_of_its_own(plex: Plex, film: str) -> None:
    """And sees neither the sessions nor the accounts nor, in the history, what others watched; the owner, who is account 1, sees all."""
    await plex.write("scrobble", film, "bob")
    assert await plex.record(film) == {}
    assert (await plex.record(film, "bob"))["viewCount"] == 1
    await plex.simulator.act("anna", FILM.key, Act.FINISH)
    await plex.simulator.act("bob", TITLES[1].key, Act.FINISH)
    assert [row["accountID"] for row in await plex.history()] == [31646101, 1]
    assert [row["accountID"] for row in await plex.history("bob")] == [31646101]
    assert [(await plex.ask(path, "bob"))[0] for path in ("/status/sessions", "/accounts")] == [403, 403]


async def test_a_mark_of_one_title_leaves_no_history_and_of_a_season_does(plex: Plex, film: str, show: str) -> None:
    """Server-apis §3.1: since 1.40 history is not the state."""
    await plex.write("scrobble", film)
    assert await plex.history() == []
    [first, _] = (await plex.ask(f"/library/metadata/{show}/children"))[1]["MediaContainer"]["Metadata"]
    await plex.write("scrobble", first["ratingKey"])
    rows = await plex.history()
    assert len(rows) == 4
    assert {(row["grandparentTitle"], row["parentIndex"]) for row in rows} == {(TITLES[-1].show.name, 1)}  # type: ignore[union-attr]


async def test_the_history_is_filtered_sorted_and_paged(plex: Plex, film: str, show: str) -> None:
    """By time, account, library and item, a show's id for all of it; rows of what is gone lack a key."""
    for number, title in enumerate((TITLES[0], TITLES[1], TITLES[-1])):
        plex.simulator.clock = lambda number=number: datetime(2026, 1, 1 + number, tzinfo=UTC)  # type: ignore[misc]
        await plex.simulator.act("anna", title.key, Act.FINISH)
    second = int(datetime(2026, 1, 2, tzinfo=UTC).timestamp())
    assert [row["title"] for row in await plex.history()] == [TITLES[-1].name, TITLES[1].name, TITLES[0].name]
    assert [row["viewedAt"] for row in await plex.history(sort="viewedAt")] == [second - 86400, second, second + 86400]
    since: Json = {"viewedAt>": second}
    after: Json = {"viewedAt>>": second}
    assert [len(await plex.history(**query)) for query in (since, after)] == [2, 1]
    assert [row["ratingKey"] for row in await plex.history(metadataItemID=film)] == [film]
    assert [row["grandparentKey"] for row in await plex.history(metadataItemID=show)] == [f"/library/metadata/{show}"]
    assert len(await plex.history(librarySectionID=2)) == 1
    assert await plex.history(accountID=31646101) == []
    paging: Json = {"X-Plex-Container-Start": 1, "X-Plex-Container-Size": 1}
    page = (await plex.ask("/status/sessions/history/all", **paging))[1]["MediaContainer"]
    assert (page["size"], page["totalSize"], page["offset"], page["Metadata"][0]["title"]) == (1, 3, 1, TITLES[1].name)
    await plex.simulator.remove(FILM.key)
    assert [("key" in row, "ratingKey" in row) for row in await plex.history()] == [(True, True), (True, True), (False, False)]


async def test_filters(plex: Plex) -> None:
    """Operators are a part of the name; dates know after and before; an unwatch is found by none (§0.3)."""
    for number in range(3):
        plex.simulator.stock("anna", TITLES[number].key, played=number < 2, position=600, count=1, date=WHEN.replace(day=6 + number))
    when = int(WHEN.timestamp())
    seen = {name: (await plex.films(type=1, **{name: value}))["size"] for name, value in (
        ("lastViewedAt>>", when), ("lastViewedAt<<", when), ("viewCount>", 1), ("viewCount", 0), ("viewOffset!", 0), ("addedAt>>", when), ("nonsense>>", 1),
    )}  # fmt: skip
    assert seen == {"lastViewedAt>>": 2, "lastViewedAt<<": 9, "viewCount>": 2, "viewCount": 10, "viewOffset!": 3, "addedAt>>": 0, "nonsense>>": 12}
    await plex.simulator.act("anna", TITLES[2].key, Act.MARK_UNWATCHED)
    assert (await plex.films(**{"lastViewedAt>>": when}))["size"] == 1


async def test_old_agents(plex: Plex) -> None:
    """Server-apis §6: the id stands in the guid, an episode's is its show's, there is no list of guids."""
    simulator = PlexSimulator("attic", TITLES, {"anna": "token-anna"}, legacy=True)
    async with serving(simulator) as url:
        old = Plex(simulator, url, plex.session)
        [film, *_] = (await old.films(includeGuids=1))["Metadata"]
        [episode, *_] = (await old.ask("/library/sections/2/all", type=4, includeGuids=1))[1]["MediaContainer"]["Metadata"]
    assert film["guid"] == f"com.plexapp.agents.imdb://{FILM.ids['imdb']}?lang=en"
    assert episode["guid"] == f"com.plexapp.agents.thetvdb://{TITLES[-1].show.ids['tvdb']}/1/1?lang=en"  # type: ignore[union-attr]
    assert not {"Guid"} & (film.keys() | episode.keys())


async def test_what_no_agent_knows(plex: Plex) -> None:
    """Server-apis §6: a film, an episode and a show that nothing was found for have a guid of this server alone, but a file."""
    nothing = [replace(title, ids={}, show=title.show and replace(title.show, ids={})) for title in (FILM, TITLES[-1])]
    async with serving(PlexSimulator("attic", tuple(nothing), {"anna": "token-anna"})) as url:
        home = Plex(plex.simulator, url, plex.session)
        kinds = [(1, 1), (2, 4), (2, 2)]
        rows = [(await home.ask(f"/library/sections/{library}/all", type=kind, includeGuids=1))[1]["MediaContainer"]["Metadata"][0] for library, kind in kinds]
    assert [row["guid"] for row in rows] == [f"local://{row['ratingKey']}" for row in rows]
    assert not any("Guid" in row for row in rows)
    assert [row["Media"][0]["Part"][0]["file"] for row in rows[:2]] == [f"/media/{title.path}" for title in nothing]


async def test_several_ids_in_one_read(plex: Plex, film: str) -> None:
    """Unknown ones are left out, none at all is a 404."""
    status, body = await plex.ask(f"/library/metadata/{film},999999")
    assert (status, [row["ratingKey"] for row in body["MediaContainer"]["Metadata"]]) == (200, [film])
    assert (await plex.ask("/library/metadata/999999"))[0] == 404


async def test_too_much_at_once_and_a_start_are_503(plex: Plex) -> None:
    """Server-apis §3.1; an open socket does not count among those that are busy."""
    plex.simulator.faults = Faults(slow_lists=0.2)
    found = await asyncio.gather(*(plex.ask("/library/sections/1/all") for _ in range(MOST_AT_ONCE + 4)))
    assert [status for status, _ in found].count(503) == 4
    for phase in Phase:
        plex.simulator.faults = Faults(phase=phase)
        assert [(await plex.ask(path))[0] for path in ("/identity", "/library/sections")] == [503, 503]


async def test_an_empty_show_goes_with_its_last_episode(plex: Plex, show: str) -> None:
    for title in [one for one in TITLES if one.show]:
        await plex.simulator.remove(title.key)
    assert (await plex.ask(f"/library/metadata/{show}"))[0] == 404
    await plex.simulator.add(replace(TITLES[-1], path="Shows/again.mkv"))
    rows = (await plex.ask("/library/sections/2/all"))[1]["MediaContainer"]["Metadata"]
    assert [(row["ratingKey"] == show, row["leafCount"]) for row in rows] == [(False, 1)]
