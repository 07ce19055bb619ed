"""The push contract on the sockets of Jellyfin and Emby, and what is their own (server-apis §1.2, §5.4, §5.6)."""

import asyncio
import json
from dataclasses import replace
from typing import Any, override

import pytest

from custom_components.plex_watchsync.ports import Gap, Playback, ServerKind
from custom_components.plex_watchsync.servers import open_stream
from custom_components.plex_watchsync.servers.mediabrowser import frames, push
from custom_components.plex_watchsync.servers.mediabrowser.frames import Ear
from simulators.base import Act, Simulator
from simulators.emby import EmbySimulator
from simulators.jellyfin import JellyfinSimulator
from tests.recordings import PAYLOADS, needs_recordings

from .place import FILM, SECRET, TITLES, clock
from .push_contract import EPISODE, OTHER, PushContract, PushPlace

PEOPLE = {"anna": SECRET, "ben": "ben-secret"}


class MediaBrowserPushContract(PushContract):
    """What Jellyfin and Emby share."""

    @override
    def push(self, place: PushPlace) -> Any:
        return place.simulator.sockets

    @override
    def nonsense(self) -> tuple[str, ...]:
        kinds = ("UserDataChanged", "LibraryChanged", "Sessions")
        return tuple(json.dumps({"MessageType": kind, "Data": data}) for kind in kinds for data in (None, 7, [], {}, [7], {"UserId": 3}))

    async def test_others_are_passed_over(self, place: PushPlace) -> None:
        """Pitfall 39: of an administrator's socket too, who sees everybody's sessions."""
        async with place.listening(await place.connection()) as ear:
            await place.act(Act.PLAY, user="ben")
            await place.act(Act.STOP, 600, user="ben")
            await place.act(Act.MARK_WATCHED, user="ben", key=OTHER.key)
            await place.act(Act.MARK_WATCHED, key=EPISODE.key)
            await ear.event(place.item_id(EPISODE.key))
        assert {one.item_id for one in ear.events()} == {place.item_id(EPISODE.key)}

    async def test_each_account_hears_its_own(self, place: PushPlace) -> None:
        """Each on its own device (pitfall 39)."""
        async with place.listening(await place.connection()) as anna, place.listening(await place.connection("ben")) as ben:
            await place.act(Act.MARK_WATCHED)
            await place.act(Act.MARK_WATCHED, user="ben", key=OTHER.key)
            assert (await anna.event(place.item_id())).user_id == (await place.connection()).user_id
            await ben.event(place.item_id(OTHER.key))
        assert not {place.item_id()} & {one.item_id for one in ben.events()}

    async def test_who_acts_for_another_has_no_stream(self, place: PushPlace) -> None:
        """An API key has no user, and an administrator's token hears the administrator (server-apis §5.4)."""
        connection = await place.connection()
        assert open_stream(place.session, replace(connection, own=False), clock=clock) is None
        assert open_stream(place.session, replace(connection, user_id=None), clock=clock) is None

    async def test_it_stays_alive(self, place: PushPlace, monkeypatch: pytest.MonkeyPatch) -> None:
        """Emby hangs up after 30 s of silence, Jellyfin after 60 (server-apis §5.4, §5.6): both are told that we are there."""
        monkeypatch.setattr(push, "KEEP_ALIVE", 0.1)
        place.simulator.sockets.silence = 0.6
        async with place.listening(await place.connection()) as ear:
            await asyncio.sleep(1.2)
            await place.act(Act.MARK_WATCHED)
            await ear.event(place.item_id())
            assert ear.gaps() == 1

    async def test_what_a_frame_tells_is_saved_already(self, place: PushPlace) -> None:
        """It comes half a second after: a second look would find nothing (server-apis §5.4, §5.6)."""
        async with place.listening(await place.connection()) as ear:
            await place.act(Act.MARK_WATCHED)
            assert (await ear.event(place.item_id())).settled

    async def test_a_small_change_of_the_library_is_looked_at(self, place: PushPlace) -> None:
        """New and changed items one by one; what is said to be gone is not believed (G4)."""
        async with place.listening(await place.connection()) as ear:
            await self.library_changed(place, ["a1"], ["b2"])
            await ear.event("a1", may_have_changed=True)
            await place.act(Act.MARK_WATCHED)
            await ear.event(place.item_id())
            assert "b2" not in {one.item_id for one in ear.events()}

    async def test_a_large_change_of_the_library_is_read_as_a_whole(self, place: PushPlace) -> None:
        """So many items at once are cheaper to list."""
        async with place.listening(await place.connection()) as ear:
            await self.library_changed(place, [f"{number:032}" for number in range(frames.MOST_NAMED + 1)], [])
            await ear.until(lambda: ear.gaps() == 2)
            assert ear.told[-1] == Gap("the library changed")

    async def test_a_storm_of_writes_is_read_as_a_whole(self, place: PushPlace, monkeypatch: pytest.MonkeyPatch) -> None:
        """One frame at its end, with as many rows as there were writes (server-apis §5.4)."""
        monkeypatch.setattr(frames, "MOST_NAMED", 1)
        async with place.listening(await place.connection()) as ear:
            for title in TITLES[:4]:
                await place.act(Act.MARK_WATCHED, key=title.key)
            await ear.until(lambda: ear.gaps() == 2)
            assert ear.told[-1] == Gap("much was changed")

    async def library_changed(self, place: PushPlace, added: list[str], removed: list[str]) -> None:
        """Have the server tell of a change of the library."""
        result = place.simulator.sockets.library_changed(added=added, removed=removed)
        if result is not None:
            await result


class TestEmby49(MediaBrowserPushContract):
    """Emby 4.9."""

    kind = ServerKind.EMBY

    @classmethod
    @override
    def make(cls) -> Simulator:
        simulator = EmbySimulator("Emby Cellar", TITLES, PEOPLE)
        simulator.sockets.delay = 0.02
        return simulator


class TestJellyfin1011(MediaBrowserPushContract):
    """Jellyfin 10.11."""

    kind = ServerKind.JELLYFIN
    version = "10.11.11"

    @classmethod
    @override
    def make(cls) -> Simulator:
        simulator = JellyfinSimulator("Jellyfin Attic", TITLES, PEOPLE, version=cls.version)
        simulator.sockets.delay = simulator.sockets.library_delay = 0.02
        return simulator

    async def test_of_two_sockets_ours_hears(self, place: PushPlace) -> None:
        """Pitfall 39: it speaks as soon as it is open, and so a forgotten one of the same device is the deaf one."""
        connection = await place.connection()
        async with place.listening(connection) as old, place.listening(connection) as new:
            await place.act(Act.MARK_WATCHED)
            await new.event(place.item_id())
            assert not old.events()

    async def test_a_session_that_was_taken_is_not_ours(self, place: PushPlace) -> None:
        """Pitfall 49: marking for ben with anna's token makes her socket hear him: nothing of that is taken for hers."""
        connection, ben = await place.connection(), (await place.connection("ben")).user_id
        async with place.listening(connection) as ear:
            headers = {"Authorization": f'MediaBrowser Client="plex_watchsync", Device="x", DeviceId="device-anna", Version="1", Token="{connection.token}"'}
            await place.session.post(f"{place.url}/UserPlayedItems/{place.item_id()}?userId={ben}", headers=headers)
            await asyncio.sleep(0.3)
            assert not ear.events()
            await self.push(place).close()
            await ear.until(lambda: ear.gaps() == 2)
            await place.act(Act.MARK_WATCHED, key=OTHER.key)
            await ear.event(place.item_id(OTHER.key))

    async def test_a_restart(self, place: PushPlace) -> None:
        """The server says goodbye; what follows is a connection like any other."""
        async with place.listening(await place.connection()) as ear:
            await place.simulator.sockets.shut_down()
            await ear.until(lambda: ear.gaps() == 2)


class TestJellyfin1010(TestJellyfin1011):
    """Jellyfin 10.10."""

    version = "10.10.7"


class TestJellyfin12(TestJellyfin1011):
    """Jellyfin 12.0."""

    version = "12.0.0"


@needs_recordings
@pytest.mark.parametrize("version", ["10.10.7", "10.11.11", "12.0-rc5"])
@pytest.mark.parametrize("part", ["basic", "edges"])
def test_what_real_sockets_said_is_understood(version: str, part: str) -> None:
    """Every recorded frame: of each user's own nothing is missed, of others' and of folders nothing is taken (pitfalls 39, 45)."""
    lines = [json.loads(line) for line in (PAYLOADS / f"jellyfin-{version}-recorded" / part / "frames.jsonl").read_text().splitlines()]
    told = [line["frame"] for line in lines if "frame" in line]
    users = {frame["Data"]["UserId"] for frame in told if frame["MessageType"] == "UserDataChanged"}
    assert users
    for user in users:
        ear = Ear(ServerKind.JELLYFIN, user, "ours")
        heard = [[*ear.hear(frame["MessageType"], frame.get("Data"))] for frame in told]
        for frame, events in zip(told, heard, strict=True):
            rows = frame["Data"]["UserDataList"] if frame["MessageType"] == "UserDataChanged" and frame["Data"]["UserId"] == user else None
            if rows is not None:
                assert [one.item_id for one in events if not isinstance(one, Gap)] == [row["ItemId"] for row in rows if "UnplayedItemCount" not in row]
            elif frame["MessageType"] == "UserDataChanged":
                assert not events


@needs_recordings
def test_a_real_player_s_acts_are_told_once_each() -> None:
    """Of all recorded frames of an administrator's socket: bob opened, stopped half-way, finished and watched again."""
    lines = [json.loads(line) for line in (PAYLOADS / "jellyfin-10.11.11-recorded" / "basic" / "frames.jsonl").read_text().splitlines()]
    sessions = [line["frame"]["Data"] for line in lines if line.get("frame", {}).get("MessageType") == "Sessions"]
    bob = next(one["UserId"] for some in sessions for one in some if one.get("UserName") == "bob")
    ear = Ear(ServerKind.JELLYFIN, bob, "ours")
    heard = [one.playback for data in sessions for one in ear.hear("Sessions", data) if not isinstance(one, Gap)]
    assert heard == [Playback.STARTED, Playback.STOPPED] * 5


@needs_recordings
def test_what_a_real_emby_said_is_understood() -> None:
    """Recorded on 4.9.5, and of the shape that another client checked."""
    recorded = json.loads((PAYLOADS / "moooyo__goby" / "websocket-frames.json").read_text())["frames"]
    ear = Ear(ServerKind.EMBY, "5760844f98b54d16b1c13073e5c9d73f", "ours")
    heard = [one.item_id for frame in recorded for one in ear.hear(frame["MessageType"], frame["Data"]) if not isinstance(one, Gap)]
    assert heard[:5] == ["28", "37", "38", "39", "40"]


assert FILM in TITLES
