"""What happens to a library while somebody looks at it, on each simulated server: scans, pages that shift, ids that change, copies."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

from simulators.base import CONTROL, Act, Faults, Phase, Simulator, serving
from simulators.catalogue import Show, Title, generate
from simulators.emby import EmbySimulator
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator

type Json = Any

TITLES = generate(7, films=20, shows=1)
FILM = TITLES[0]
WHEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
KINDS = ("plex", "jellyfin", "emby")
pytestmark = pytest.mark.usefixtures("socket_enabled")


def simulated(kind: str, titles: tuple[Title, ...] = TITLES, **more: Json) -> Simulator:
    servers = {"plex": PlexSimulator, "jellyfin": JellyfinSimulator, "emby": EmbySimulator}
    found: Simulator = servers[kind]("attic", titles, {"anna": "secret-anna"}, **more)
    return found


class Client:
    """Lists films by pages, in each server's own words."""

    def __init__(self, session: ClientSession, server: Simulator, url: str) -> None:
        self.session, self.server, self.url = session, server, url

    async def ask(self, path: str, **parameters: Json) -> Json:
        secrets = self.server.credentials()
        headers = {"Accept": "application/json", "X-Plex-Token": secrets.get("token", ""), "X-Emby-Token": secrets.get("api_key", "")}
        async with self.session.get(f"{self.url}{path}", params=parameters, headers=headers) as answer:
            return await answer.json() if answer.status == 200 else answer.status

    async def page(self, start: int = 0, size: int = 100, kinds: str = "Movie", **more: Json) -> tuple[list[Json], int]:
        """Return rows and the total."""
        if isinstance(self.server, PlexSimulator):
            paging = {"X-Plex-Container-Start": start, "X-Plex-Container-Size": size}
            section = 1 if kinds == "Movie" else 2
            found = (await self.ask(f"/library/sections/{section}/all", type=1 if kinds == "Movie" else 4, **paging, **more))["MediaContainer"]
            return found.get("Metadata", []), found["totalSize"]
        fields = {"fields": "Path,ProviderIds", "userId": self.user}
        found = await self.ask(self.listing, recursive="true", includeItemTypes=kinds, startIndex=start, limit=size, **fields, **more)
        return found["Items"], found["TotalRecordCount"]

    @property
    def listing(self) -> str:
        return {"plex": "/library/sections/1/all", "jellyfin": "/Items"}.get(self.server.kind) or f"/emby/Users/{self.user}/Items"

    @property
    def user(self) -> str:
        if isinstance(self.server, EmbySimulator):
            return self.server.accounts.by_name["anna"].account_id
        assert isinstance(self.server, JellyfinSimulator)
        return next(iter(self.server.auth.users))

    async def control(self, route: str, body: Json) -> tuple[int, Json]:
        async with self.session.post(f"{self.url}{CONTROL}/{route}", json=body) as answer:
            return answer.status, await answer.json() if answer.status == 200 else None


@asynccontextmanager
async def client(server: Simulator) -> AsyncIterator[Client]:
    async with serving(server) as url, ClientSession() as session:
        yield Client(session, server, url)


def ids(rows: list[Json]) -> list[str]:
    return [row.get("ratingKey") or row["Id"] for row in rows]


def shown(server: Simulator, key: str) -> Iterator[tuple[bool, int]]:
    return ((row.played, row.count) for row in server.shown("anna") if row.key == key)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_scan_brings_rows_little_by_little(kind: str) -> None:
    """Pitfall 41: each total fits its page, and the totals move."""
    server = simulated(kind)
    server.faults = Faults(scan=5, scan_step=8)
    async with client(server) as there:
        seen = [await there.page() for _ in range(4)]
        running = server.faults.scan is not None
    assert [total for _, total in seen] == [5, 13, 20, 20]
    assert all(len(rows) == total for rows, total in seen)
    assert not running


async def test_a_scan_shows_in_jellyfins_tasks() -> None:
    server = simulated("jellyfin")
    server.faults = Faults(scan=5)
    async with client(server) as there:
        assert {row["Key"]: row["State"] for row in await there.ask("/ScheduledTasks")}["RefreshLibrary"] == "Running"
        assert (await there.ask("/Items/Counts"))["MovieCount"] == 20  # pitfall 41: the counts know of all
        server.faults = Faults()
        assert {row["Key"]: row["State"] for row in await there.ask("/ScheduledTasks")}["RefreshLibrary"] == "Idle"


@pytest.mark.parametrize("kind", KINDS)
async def test_pages_shift_when_a_title_comes_in(kind: str) -> None:
    """The last row of a page comes again at the head of the next, one is never seen, and the total has moved (R2)."""
    server = simulated(kind)
    server.faults = Faults(shift=1)
    async with client(server) as there:
        first, before = await there.page(0, 10)
        second, after = await there.page(10, 10)
    assert (before, after) == (20, 21)
    assert ids(second)[0] == ids(first)[-1]


@pytest.mark.parametrize(
    ("kind", "sort"), [("plex", {"sort": "addedAt:asc"}), ("jellyfin", {"sortBy": "DateCreated,SortName"}), ("emby", {"SortBy": "DateCreated,SortName"})]
)
async def test_pages_by_date_added_do_not_shift(kind: str, sort: dict[str, str]) -> None:
    """What comes in comes last."""
    server = simulated(kind)
    server.faults = Faults(shift=1)
    async with client(server) as there:
        first, _ = await there.page(0, 10, **sort)
        second, total = await there.page(10, 11, **sort)
    assert len({*ids(first), *ids(second)}) == total == 21


async def test_plex_sorts_as_it_is_asked() -> None:
    """By fields, each up or down; what it does not know sorts nothing."""
    server = simulated("plex")
    async with client(server) as there:
        rows, _ = await there.page()
        for key, years in (("year:desc,addedAt", True), ("year", False)):
            found, _ = await there.page(sort=key)
            assert [row["year"] for row in found] == sorted((row["year"] for row in rows), reverse=years)
        assert (await there.page(sort="mood:desc"))[0] == rows


@pytest.mark.parametrize("kind", KINDS)
async def test_pages_can_take_their_time(kind: str) -> None:
    """Pitfall 50: of one row as of all; other requests are quick."""
    server = simulated(kind)
    server.faults = Faults(slow_lists=0.2)
    async with client(server) as there:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(there.page(0, 1), 0.1)
        assert len((await there.page(0, 1))[0]) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_skewed_clock(kind: str) -> None:
    """R7: what is marked is of the server's own time, which the `Date` header tells."""
    server = simulated(kind, clock=lambda: WHEN)
    async with client(server) as there:
        assert (await there.control("faults", {"skew": -3600}))[0] == 200
        async with there.session.get(there.url) as answer:
            assert answer.headers["Date"] == "Mon, 06 May 2024 06:08:09 GMT"
        await server.act("anna", FILM.key, Act.MARK_WATCHED)
    assert [row.date for row in server.shown("anna") if row.key == FILM.key] == [WHEN.replace(hour=6)]


@pytest.mark.parametrize(("kind", "kept"), [("plex", False), ("jellyfin", True), ("emby", True)])
async def test_a_title_that_is_added_again(kind: str, kept: bool) -> None:
    """Pitfall 5: Plex forgets, the others find the record by its id or key; Plex and Emby give a new id."""
    server = simulated(kind)
    server.stock("anna", FILM.key, played=True, count=2, date=WHEN)
    async with client(server) as there:
        [before] = [row.item_id for row in server.shown("anna") if row.key == FILM.key]
        assert (await there.control("library", {"remove": FILM.key}))[0] == 200
        assert (await there.page())[1] == 19
        assert (await there.control("library", {"remove": "Nothing (1900)"}))[0] == 404
        status, body = await there.control("library", {"add": asdict(FILM)})
    assert status == 200
    assert (body["id"] == before) is (kind == "jellyfin")
    assert list(shown(server, FILM.key)) == [(True, 2) if kept else (False, 0)]


@pytest.mark.parametrize("known", [True, False])
async def test_a_renamed_file_on_jellyfin_is_another_item(known: bool) -> None:
    """Pitfalls 5, 46: its record follows by provider ids; without any it is gone."""
    film = FILM if known else replace(FILM, ids={})
    server = simulated("jellyfin", (film,))
    server.stock("anna", film.key, played=True, count=2, date=WHEN)
    async with client(server) as there:
        [before] = ids((await there.page())[0])
        status, body = await there.control("library", {"move": film.key, "path": "Movies/elsewhere.mkv"})
        assert (await there.control("library", {"move": "Nothing (1900)", "path": "x"}))[0] == 404
        assert await there.ask(f"/Items/{before}", userId=there.user) == 404
        assert ids((await there.page())[0]) == [body["id"]]
    assert status == 200
    assert body["id"] != before
    assert list(shown(server, film.key)) == [(True, 2) if known else (False, 0)]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_episode_comes_and_goes_with_its_season(kind: str) -> None:
    show = Show("Solo", 2020, {"tvdb": "1"})
    episode = Title("Pilot", 2020, {}, 1200, "Shows", "Shows/Solo (2020)/Season 01/Solo S01E01.mkv", show, 1, 1)
    server = simulated(kind, (*TITLES, episode))
    async with client(server) as there:
        before = (await there.page(kinds="Episode"))[1]
        await server.remove(episode.key)
        assert (await there.page(kinds="Episode"))[1] == before - 1
        assert (await there.control("library", {"add": asdict(episode)}))[0] == 200
        assert (await there.page(kinds="Episode"))[1] == before


@pytest.mark.parametrize("kind", KINDS)
async def test_a_file_of_two_episodes(kind: str) -> None:
    """I5: one row with a range; on Plex two rows of the same file."""
    show = Show("Solo", 2020, {"tvdb": "1"})
    both = Title("Pilot", 2020, {}, 2400, "Shows", "Shows/Solo (2020)/Season 01/Solo S01E01-E02.mkv", show, 1, 1, 2)
    server = simulated(kind, (FILM, both))
    async with client(server) as there:
        rows, _ = await there.page(kinds="Episode")
    if kind == "plex":
        assert [row["index"] for row in rows] == [1, 2]
        assert len({row["Media"][0]["Part"][0]["file"] for row in rows}) == 1
    else:
        assert [(row["IndexNumber"], row["IndexNumberEnd"]) for row in rows] == [(1, 2)]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_title_in_two_libraries(kind: str) -> None:
    """Pitfall 21, I4: two rows with the same ids, each with a state of its own; on Plex with one guid."""
    again = replace(FILM, library="Movies 4K", path=FILM.path.replace("Movies/", "Movies 4K/"))
    server = simulated(kind, (FILM, again))
    server.stock("anna", FILM.key, played=False)
    async with client(server) as there:
        if kind == "plex":
            rows = [row for key in (1, 2) for row in (await there.ask(f"/library/sections/{key}/all", includeGuids=1))["MediaContainer"]["Metadata"]]
            assert len({row["guid"] for row in rows}) == 1
        else:
            rows, _ = await there.page()
            assert rows[0]["ProviderIds"] == rows[1]["ProviderIds"]
        assert len(set(ids(rows))) == 2
        await server.act("anna", FILM.key, Act.MARK_WATCHED)
    assert sorted(row.played for row in server.shown("anna")) in ([False, True], [True])  # Plex shows a person one of them


async def test_copies_on_jellyfin_10_10_share_a_record_that_each_caches() -> None:
    """Pitfall 51: the other copy answers the old state until a restart, then both show the last write."""
    again = replace(FILM, library="Movies 4K", path=FILM.path.replace("Movies/", "Movies 4K/"))
    server = simulated("jellyfin", (FILM, again), version="10.10.7")
    assert list(shown(server, FILM.key)) == [(False, 0), (False, 0)]
    await server.act("anna", FILM.key, Act.MARK_WATCHED)
    assert list(shown(server, FILM.key)) == [(True, 1), (False, 0)]
    async with client(server) as there:
        rows, _ = await there.page(filters="IsPlayed")
        assert sorted(row["UserData"]["Played"] for row in rows) == [False, True]  # filters go by the stored record
        assert (await there.control("restart", {"pace": 0}))[0] == 200
    assert list(shown(server, FILM.key)) == [(True, 1), (True, 1)]


async def test_jellyfin_10_10_lists_in_any_order() -> None:
    """Pitfall 52: unless one is named, the order is not that in which titles came."""
    server = simulated("jellyfin", version="10.10.7")
    async with client(server) as there:
        unsorted, _ = await there.page()
        by_date, _ = await there.page(sortBy="DateCreated,SortName")
    names = [title.name for title in TITLES if title.show is None]
    assert [row["Name"] for row in by_date] == names
    assert [row["Name"] for row in unsorted] != names


@pytest.mark.parametrize("kind", ["jellyfin", "emby"])
async def test_a_missing_episode_is_listed_unless_nobody_wants_it(kind: str) -> None:
    episode = TITLES[-1]
    server = simulated(kind, (*TITLES[:-1], replace(episode, virtual=True)))
    async with client(server) as there:
        rows, total = await there.page(kinds="Episode")
        wanted, fewer = await there.page(kinds="Episode", isMissing="false")
        same, _ = await there.page(kinds="Episode", excludeLocationTypes="Virtual")
    [virtual] = [row for row in rows if row.get("LocationType") == "Virtual"]
    assert "Path" not in virtual
    assert (fewer, ids(same)) == (total - 1, ids(wanted))


async def test_plex_knows_of_no_missing_episodes() -> None:
    server = simulated("plex", (*TITLES[:-1], replace(TITLES[-1], virtual=True)))
    async with client(server) as there:
        assert (await there.page(kinds="Episode"))[1] == 7


@pytest.mark.parametrize("kind", KINDS)
async def test_more_requests_at_once_than_a_server_takes(kind: str) -> None:
    server = simulated(kind)
    server.faults = Faults(parallel=2, slow_lists=0.1)
    async with client(server) as there:
        found = await asyncio.gather(*(there.ask(there.listing) for _ in range(4)))
    assert found.count(503) == 2


@pytest.mark.parametrize("kind", KINDS)
async def test_names_that_are_no_utf_8(kind: str) -> None:
    """Server-apis §6: bytes have to be decoded with forbearance."""
    server = simulated(kind)
    async with client(server) as there:
        assert (await there.control("faults", {"broken_text": True}))[0] == 200
        with pytest.raises(UnicodeDecodeError):
            await there.ask(there.listing, recursive="true")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_restart(kind: str) -> None:
    """Pitfall 40: goodbye, refused, cold, refused, loading, then as before, with the same identity and records."""
    server = simulated(kind)
    server.stock("anna", FILM.key, played=True, count=2, date=WHEN)
    where = {"plex": "/identity", "jellyfin": "/System/Info/Public"}.get(kind, "/emby/System/Info/Public")
    async with client(server) as there:
        known = await there.ask(where)
        restart = asyncio.create_task(server.restart(0.1))
        seen: list[Json] = []
        while not restart.done():
            try:
                answer: Json = await there.ask(where)
            except ClientError:
                answer = "refused"
            if seen[-1:] != [answer]:
                seen.append(answer)
            await asyncio.sleep(0.01)
        assert await there.ask(where) == known
    cold = {"id", "serverName", "version", "startupWizardCompleted", "localAddress", "productName", "operatingSystem"} if kind == "jellyfin" else 503
    shape = [set(one) if isinstance(one, dict) else one for one in seen if one != known]
    assert shape == ["refused", cold, "refused", 503]
    assert list(shown(server, FILM.key)) == [(True, 2)]


async def test_a_jellyfin_that_loads_says_so() -> None:
    server = simulated("jellyfin")
    server.faults = Faults(phase=Phase.LOADING)
    async with client(server) as there, there.session.get(f"{there.url}/System/Info/Public") as answer:
        assert (answer.status, await answer.text()) == (503, "Jellyfin Server is loading. Please try again shortly.")


@pytest.mark.parametrize(("count", "status"), [(240, 200), (250, 414)])
async def test_too_many_ids_for_one_request_of_jellyfin(count: int, status: int) -> None:
    """Pitfall 44."""
    server = simulated("jellyfin")
    async with client(server) as there:
        found = await there.ask("/Items", userId=there.user, ids=",".join(f"{number:032x}" for number in range(count)), enableImages="false")
    assert (found if isinstance(found, int) else 200) == status
