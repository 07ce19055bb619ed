"""What every client must make of listings, whole ones and those of what may have changed."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import aiohttp
import pytest

from custom_components.plex_watchsync.ports import Forbidden, ServerKind, ServerUnavailable, UnexpectedAnswer, WatchServer
from custom_components.plex_watchsync.sync.model import WatchState
from simulators.base import Act, Faults, Simulator
from simulators.catalogue import Title

from .place import FILM, SEEN, TITLES, Place, clock

LONG_AGO, BEGUN, OTHER, EPISODE = TITLES[1], TITLES[2], TITLES[3], next(title for title in TITLES if title.show)
NEW = replace(FILM, name="Newcomer", ids={"imdb": "tt7654321"}, path="Movies/Newcomer.mkv")


class ReadingContract:
    """Part of `WatchServerContract`."""

    kind: ServerKind

    def shrink_pages(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make pages so small that there are several."""
        raise NotImplementedError

    async def sign_in(self, simulator: Simulator, url: str, session: aiohttp.ClientSession, clock: Callable[[], datetime] = clock) -> WatchServer:
        """Sign in by what the server has."""
        raise NotImplementedError

    async def test_many_pages(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """R2: what comes in pages is whole."""
        self.shrink_pages(place, monkeypatch)
        assert len(await place.everything()) == len(TITLES)

    async def test_a_cut_page_proves_nothing(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """R2, pitfalls 1 and 41: a listing that does not add up raises."""
        place.simulator.faults = Faults(truncate=True)
        self.shrink_pages(place, monkeypatch)
        with pytest.raises(UnexpectedAnswer):
            await place.everything()

    @pytest.mark.parametrize("grows", [True, False])
    async def test_a_total_that_moves_proves_nothing(self, place: Place, monkeypatch: pytest.MonkeyPatch, *, grows: bool) -> None:
        """R2: a title that comes or goes between two pages shifts the rest, so that one may be missed; once it is over, the listing is whole."""
        self.shrink_pages(place, monkeypatch)
        titles = [OTHER]

        async def shifted(start: int) -> None:
            if start and titles:
                await (place.simulator.add(NEW) if grows else place.simulator.remove(OTHER.key))
                titles.pop()

        monkeypatch.setattr(place.simulator, "before_page", shifted)
        with pytest.raises(UnexpectedAnswer):
            await place.everything()
        assert len(await place.everything()) == len(TITLES) + (1 if grows else -1)

    async def test_a_view_that_goes_while_views_are_listed(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """R2: the same for what may have changed."""
        self.shrink_pages(place, monkeypatch)
        films = [title for title in TITLES if not title.show]
        for title in films:
            place.simulator.stock("anna", title.key, played=True, count=1, date=SEEN)

        async def unwatched(start: int) -> None:
            if start:
                await place.simulator.act("anna", films.pop(0).key, Act.MARK_UNWATCHED)

        monkeypatch.setattr(place.simulator, "before_page", unwatched)
        with pytest.raises(UnexpectedAnswer):
            await place.recent(clock())

    async def test_a_library_that_is_gone_is_not_an_empty_one(self, place: Place) -> None:
        """R2: neither a missing nor a hidden library lists as nothing, whichever way it is read."""
        for rows in (place.server.list_items(["f" * 32]), place.server.list_recent(["f" * 32], clock())):
            with pytest.raises(Forbidden):
                [page async for page in rows]

    async def changed(self, place: Place) -> dict[str, Title]:
        """Let anna do this and that; return what she ever watched or began, and what is new."""
        place.simulator.stock("anna", LONG_AGO.key, played=True, count=2, date=SEEN)
        await place.simulator.act("anna", FILM.key, Act.MARK_WATCHED)
        await place.simulator.act("anna", EPISODE.key, Act.MARK_WATCHED)
        await place.simulator.act("anna", BEGUN.key, Act.PLAY)
        await place.simulator.act("anna", BEGUN.key, Act.STOP, 900)
        await place.simulator.add(NEW)
        return {place.item_id(title): title for title in (LONG_AGO, FILM, EPISODE, BEGUN, NEW)}

    async def test_what_changed_is_found(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """R1: marks, positions and new titles, as a whole listing shows them; what nobody touched is not read."""
        since = clock() - timedelta(minutes=1)
        changed = await self.changed(place)
        self.shrink_pages(place, monkeypatch)
        found, rows = await place.recent(since), await place.everything()
        assert found == {item_id: rows[item_id] for item_id in changed}

    async def test_a_filter_that_is_ignored_is_not_trusted(self, place: Place) -> None:
        """I7, pitfall 17: each row says itself what it shows, whatever was asked for."""
        changed = await self.changed(place)
        place.simulator.faults = Faults(unfiltered=True)
        found = await place.recent(clock() + timedelta(hours=1))
        assert found == await place.everything()
        assert {item_id for item_id, one in found.items() if one.state != WatchState()} == changed.keys() - {place.item_id(NEW)}

    async def test_what_does_not_come_is_only_a_reason_to_look(self, place: Place) -> None:
        """R5, server-apis §0: no filter shows an unwatch; read by id it is one, while a title that is gone is nothing at all (R2)."""
        for title in (FILM, OTHER):
            await place.simulator.act("anna", title.key, Act.MARK_WATCHED)
        film, other = place.item_id(), place.item_id(OTHER)
        await place.simulator.act("anna", FILM.key, Act.MARK_UNWATCHED)
        await place.simulator.remove(OTHER.key)
        played = {item_id for item_id, one in (await place.recent(clock() + timedelta(hours=1))).items() if one.state.played}
        assert not played
        assert {one.item_id: one.state for one in await place.server.read_items([film, other])} == {film: WatchState()}

    async def test_pages_that_take_a_minute(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pitfall 50: whatever their size: a Jellyfin or an Emby is asked for fewer, larger ones, and said to be slow until it is not."""
        self.shrink_pages(place, monkeypatch)
        passed, slow = timedelta(), False

        async def wait(_start: int) -> None:
            nonlocal passed
            passed += timedelta(minutes=slow)

        monkeypatch.setattr(place.simulator, "before_page", wait)
        place.server = await self.sign_in(place.simulator, place.url, place.session, lambda: clock() + passed)
        counts = []
        for slow in (False, True, False):
            place.simulator.requests.clear()
            assert len(await place.everything()) == len(TITLES)
            assert place.server.slow_pages is (slow and self.kind is not ServerKind.PLEX)
            counts.append(len(place.simulator.requests))
        assert (counts[1] < counts[0]) is (self.kind is not ServerKind.PLEX)

    async def test_one_listing_at_a_time(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """Server-apis §3.2: a Jellyfin or an Emby reads a page for one of its accounts at a time, and single items meanwhile; Plex does more at once."""
        busy = most = 0

        async def wait(_start: int) -> None:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await place.server.read_items([place.item_id()])
            busy -= 1

        monkeypatch.setattr(place.simulator, "before_page", wait)
        await asyncio.gather(place.everything(), place.recent(SEEN))
        assert most == (2 if self.kind is ServerKind.PLEX else 1)

    async def test_a_listing_after_one_that_failed(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """R2, pitfall 11: it begins at the first page again."""
        self.shrink_pages(place, monkeypatch)
        place.simulator.faults = Faults(status=500)
        with pytest.raises(ServerUnavailable):
            await place.everything()
        place.simulator.faults = Faults()
        assert len(await place.everything()) == len(TITLES)
