"""The push contract on Plex, by socket and by event stream, and what is Plex's own (server-apis §5.2)."""

import asyncio
import json
from typing import Any, override

import pytest

from custom_components.plex_watchsync.ports import AuthFailed, Gap, Playback, ServerKind
from custom_components.plex_watchsync.servers.plex import push
from custom_components.plex_watchsync.servers.plex.calm import BURST, FORGET, LONGEST, QUIET, Calm
from custom_components.plex_watchsync.servers.plex.notifications import Refreshed, understand
from simulators.base import Act, Simulator
from simulators.plex import PlexSimulator

from .place import FILM, SECRET, TITLES
from .push_contract import EPISODE, OTHER, PushContract, PushPlace


class TestPlexSocket(PushContract):
    """By socket."""

    kind = ServerKind.PLEX
    sockets = True

    @classmethod
    @override
    def make(cls) -> Simulator:
        simulator = PlexSimulator("Plex Study", TITLES, {"anna": SECRET, "ben": "ben-secret"})
        simulator.notifications.sockets_allowed = cls.sockets
        return simulator

    @override
    def push(self, place: PushPlace) -> Any:
        return place.simulator.notifications

    @override
    def nonsense(self) -> tuple[str, ...]:
        names = ("PlaySessionStateNotification", "ActivityNotification", "TimelineEntry")
        shapes: tuple[Any, ...] = (
            7,
            [7],
            {},
            [{}],
            [{"event": "ended", "Activity": {}}],
            [{"sessionKey": "1", "ratingKey": "2", "state": "playing", "viewOffset": "x"}],
        )
        return tuple(json.dumps({"NotificationContainer": {name: shape}}) for name in names for shape in shapes)

    async def test_the_way_it_came(self, place: PushPlace) -> None:
        """A server behind a proxy that knows no sockets is heard through its event stream."""
        async with place.listening(await place.connection()):
            assert ("GET /:/eventsource/notifications" in place.simulator.requests) is not self.sockets

    async def test_a_mark_may_be_anybody_s(self, place: PushPlace) -> None:
        """The owner's stream names no user that could be relied on: each account is to look."""
        async with place.listening(await place.connection()) as ear:
            await place.act(Act.MARK_WATCHED, user="ben")
            assert (await ear.event(place.item_id(), may_have_changed=True)).user_id is None

    async def test_the_sessions_tell_who_plays(self, place: PushPlace) -> None:
        """Once for each session that is new, not for each report."""
        ben = (await place.connection("ben")).user_id
        async with place.listening(await place.connection()) as ear:
            await place.act(Act.PLAY, user="ben")
            await ear.event(place.item_id(), playback=Playback.STARTED, user_id=ben)
            for position in (600, 700, 800):
                await place.act(Act.SEEK, position, user="ben")
            await place.act(Act.STOP, 900, user="ben")
            await ear.event(place.item_id(), playback=Playback.STOPPED, user_id=ben)
        assert place.simulator.requests.count("GET /status/sessions") == 2

    async def test_somebody_else_s_stream_is_his(self, place: PushPlace) -> None:
        """Who may not ask for sessions hears of his own only (server-apis §5.2), and if of marks, they are taken for his."""
        place.simulator.notifications.activities_for_all = True
        connection = await place.connection("ben")
        async with place.listening(connection) as ear:
            await place.act(Act.PLAY, user="anna")
            await place.act(Act.PLAY, user="ben", key=OTHER.key)
            await ear.event(place.item_id(OTHER.key), playback=Playback.STARTED, user_id=connection.user_id)
            await place.act(Act.MARK_WATCHED, user="anna", key=EPISODE.key)
            await ear.event(place.item_id(EPISODE.key), user_id=connection.user_id)
        assert place.item_id() not in {one.item_id for one in ear.events()}

    async def test_a_stop_of_nobody_knows_whom_is_a_hint_for_all(self, place: PushPlace) -> None:
        """Of a session that was over before anybody could ask; nothing is said to have been played."""
        entry = {"sessionKey": "77", "ratingKey": place.item_id(), "state": "stopped", "viewOffset": 1000}
        async with place.listening(await place.connection()) as ear:
            await self.say(place, json.dumps({"NotificationContainer": {"PlaySessionStateNotification": [entry | {"state": "playing"}]}}))
            await self.say(place, json.dumps({"NotificationContainer": {"PlaySessionStateNotification": [entry]}}))
            event = await ear.event(place.item_id(), may_have_changed=True)
        assert (event.user_id, event.playback) == (None, None)
        assert len(ear.events()) == 1

    async def test_music_is_not_watched(self, place: PushPlace) -> None:
        """A session of neither a film nor an episode is nobody's business, of the owner and of others."""
        show = str(place.simulator.library.by_title[EPISODE.key][0].parent.parent.key)
        entry = {"sessionKey": "77", "ratingKey": show, "state": "playing", "viewOffset": 1000}
        async with place.listening(await place.connection("ben")) as ear:
            for state in ("playing", "paused", "stopped"):
                await self.say(place, json.dumps({"PlaySessionStateNotification": entry | {"state": state}}))
            await place.act(Act.PLAY, user="ben")
            await ear.event(place.item_id(), playback=Playback.STARTED)
        assert show not in {one.item_id for one in ear.events()}

    async def test_a_lookup_that_fails_is_made_up_for(self, place: PushPlace) -> None:
        """A session that could not be looked up is told of by its next message."""
        async with place.listening(await place.connection()) as ear:
            place.simulator.faults.status = 500
            await place.act(Act.PLAY)
            await asyncio.sleep(0.3)
            assert not ear.events()
            place.simulator.faults.status = None
            await place.act(Act.SEEK, 600)
            await ear.event(place.item_id(), playback=Playback.STARTED)

    async def test_new_items_are_hints(self, place: PushPlace) -> None:
        """`timeline` state 5, once although it is told twice; 9 is not believed (G4)."""
        item = place.simulator.library.by_title[FILM.key][0]
        async with place.listening(await place.connection()) as ear:
            self.push(place).changed(item, 9)
            self.push(place).changed(item, 5)
            await ear.event(place.item_id(), may_have_changed=True)
            await asyncio.sleep(0.4)
        assert len(ear.events()) == 1

    async def test_a_scan_is_read_as_a_whole(self, place: PushPlace, monkeypatch: pytest.MonkeyPatch) -> None:
        """So many items at once are cheaper to list."""
        monkeypatch.setattr(push, "MOST_NAMED", 1)
        async with place.listening(await place.connection()) as ear:
            for title in TITLES[:6]:
                self.push(place).changed(place.simulator.library.by_title[title.key][0], 5)
            await ear.until(lambda: ear.gaps() == 2)
        assert ear.told[-1] == Gap("the library changed")

    async def test_a_token_that_dies_is_told(self, place: PushPlace) -> None:
        """Not taken for a proxy that knows no sockets."""
        connection = await place.connection()
        stream = place.stream(connection)
        place.simulator.accounts.clear()
        with pytest.raises(AuthFailed):
            await anext(stream.listen())


class TestPlexStream(TestPlexSocket):
    """By event stream."""

    sockets = False


def test_a_show_that_is_refreshed_is_named() -> None:
    """What is marked may be a show; what is no rating key is nothing."""
    activity: dict[str, Any] = {"event": "ended", "Activity": {"type": "library.refresh.items", "Context": {"key": "/library/metadata/12"}}}
    assert [*understand({"ActivityNotification": activity})] == [Refreshed("library.refresh.items", "12")]
    activity["Activity"]["Context"]["key"] = "/library/metadata/12/children"
    assert not [*understand({"ActivityNotification": activity})]


def test_calm_lets_an_item_through_once_for_all_that_is_heard_in_a_moment() -> None:
    """And what is heard later once more: the last word is never lost."""
    calm = Calm()
    for now in (0.0, 0.1, 0.2):
        calm.hear("a", now)
    assert (calm.due(0.1), round(calm.wait(0.1), 3)) == ([], QUIET - 0.1)
    assert calm.due(QUIET) == ["a"]
    assert calm.due(10) == []
    calm.hear("a", 10)
    assert calm.due(10 + QUIET) == ["a"]


def test_calm_slows_what_never_ends() -> None:
    """If reading an item made Plex tell of it, each would call for the other for ever: it ends at one read every five minutes."""
    calm, now, reads = Calm(), 0.0, []
    while now < 3600:
        calm.hear("a", now)
        now += calm.wait(now)
        reads += [now] * len(calm.due(now))
    assert len(reads) < 30
    assert reads[BURST] < 2
    assert reads[-1] - reads[-2] == LONGEST


def test_calm_forgets_what_was_quiet() -> None:
    """A mark an hour later is as quick as the first, and nothing is kept for ever."""
    calm, now = Calm(), 0.0
    for _ in range(BURST + 3):
        calm.hear("a", now)
        now += calm.wait(now)
        calm.due(now)
    later = now + FORGET + 1
    calm.hear("a", later)
    assert calm.wait(later) == QUIET
    calm.due(later + QUIET)
    calm.due(later + QUIET + 2 * LONGEST)
    assert not calm._items
