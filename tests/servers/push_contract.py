"""What every media server's push stream must do, whichever server it is: one class, run against each simulator."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from custom_components.plex_watchsync.ports import (
    AuthFailed,
    Gap,
    InboundEvent,
    Playback,
    PushHealth,
    PushState,
    PushStream,
    ServerKind,
    ServerUnavailable,
    Told,
)
from custom_components.plex_watchsync.servers import Connection, Listener, log_in, open_stream
from simulators.base import Act, Faults, Simulator, serving

from .place import FILM, SECRET, TITLES, clock

OTHER, EPISODE = TITLES[1], next(title for title in TITLES if title.show)
NONSENSE = ("not JSON", "[]", "7", "null", "{}", '{"MessageType": 3}', "[" * 200_000)


@dataclass
class Ear:
    """Listens in the background and keeps what it hears."""

    told: list[Told] = field(default_factory=list)
    healths: list[PushHealth] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, told: Told) -> None:
        """Keep what was told."""
        self.told.append(told)
        self._more.set()

    def note(self, health: PushHealth) -> None:
        """Keep how the stream is doing."""
        self.healths.append(health)
        self._more.set()

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(10):
            while not what():
                self._more.clear()
                await self._more.wait()

    async def event(self, of: str, **values: Any) -> InboundEvent:
        """Wait for an event about an item."""
        found: list[InboundEvent] = []

        def heard() -> bool:
            found[:] = [one for one in self.events(of) if all(getattr(one, name) == value for name, value in values.items())]
            return bool(found)

        await self.until(heard)
        return found[0]

    def events(self, of: str | None = None) -> list[InboundEvent]:
        """Return the events about an item, or all."""
        return [one for one in self.told if isinstance(one, InboundEvent) and of in {None, one.item_id}]

    def gaps(self) -> int:
        """Count the gaps."""
        return sum(isinstance(one, Gap) for one in self.told)


class PushPlace:
    """A simulator that is served, and what opens streams of its users."""

    def __init__(self, kind: ServerKind, simulator: Any, url: str, session: aiohttp.ClientSession) -> None:
        """Keep what the tests need."""
        self.kind, self.simulator, self.url, self.session = kind, simulator, url, session
        self.sleeps: list[float] = []

    async def connection(self, name: str = "anna") -> Connection:
        """Sign somebody in, on a device of his own."""
        device = f"device-{name}"
        if self.kind is ServerKind.PLEX:
            account = self.simulator.accounts[name]
            return Connection(self.kind, self.url, account.token, device, str(account.account_id))
        entered = await log_in(self.session, self.kind, self.url, name, f"{name}-secret", device_id=device, verify_ssl=True)
        return Connection(self.kind, self.url, entered.token, device, entered.user.user_id, own=True)

    def stream(self, connection: Connection) -> PushStream:
        """Open a connection's stream."""
        stream = open_stream(self.session, connection, clock=clock)
        assert stream is not None
        return stream

    @asynccontextmanager
    async def listening(self, connection: Connection) -> AsyncIterator[Ear]:
        """Listen until the end of the block, and be connected at its beginning."""
        ear = Ear()
        listener = Listener(self.stream(connection), clock, ear.hear, ear.note, sleep=self._sleep)
        task = asyncio.create_task(listener.run())
        try:
            await ear.until(lambda: bool(ear.told))
            yield ear
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await asyncio.sleep(0.01)

    def item_id(self, key: str = FILM.key) -> str:
        """Return the server's id of a title."""
        return next(str(row.item_id) for row in self.simulator.shown("anna") if row.key == key)

    async def act(self, act: Act, position: int | None = None, *, user: str = "anna", key: str = FILM.key) -> None:
        """Do as a person would."""
        await self.simulator.act(user, key, act, position)


class PushContract:
    """Subclasses say how to make the simulator, and what is its own."""

    kind: ServerKind

    @classmethod
    def make(cls) -> Simulator:
        """Make the simulator, in a hurry."""
        raise NotImplementedError

    def push(self, place: PushPlace) -> Any:
        """Return what pushes."""
        raise NotImplementedError

    async def say(self, place: PushPlace, text: str) -> None:
        """Send a text to whoever listens."""
        said: Coroutine[Any, Any, None] | None = self.push(place).say(text)
        if said is not None:
            await said

    @pytest.fixture
    async def place(self, socket_enabled: None) -> AsyncIterator[PushPlace]:
        """Serve the simulator."""
        simulator = self.make()
        async with serving(simulator) as url, aiohttp.ClientSession() as session:
            yield PushPlace(self.kind, simulator, url, session)

    async def test_it_begins_with_a_gap(self, place: PushPlace) -> None:
        """Nothing is replayed: whoever connects reads what can have changed (server-apis §5.4)."""
        await place.act(Act.MARK_WATCHED)
        async with place.listening(await place.connection()) as ear:
            assert isinstance(ear.told[0], Gap)
            await place.act(Act.MARK_WATCHED, key=OTHER.key)
            await ear.event(place.item_id(OTHER.key))
            assert place.item_id() not in {one.item_id for one in ear.events()}
            assert [one.state for one in ear.healths] == [PushState.CONNECTED]

    @pytest.mark.parametrize("act", [Act.MARK_WATCHED, Act.MARK_UNWATCHED])
    async def test_marks_by_hand_are_hints(self, place: PushPlace, act: Act) -> None:
        """Pitfall 12: no webhook tells of them. A hint says where to look, never what is there (R5)."""
        place.simulator.stock("anna", FILM.key, played=act is Act.MARK_UNWATCHED, count=1)
        async with place.listening(await place.connection()) as ear:
            await place.act(act)
            event = await ear.event(place.item_id(), may_have_changed=True)
        assert (event.kind, event.playback, event.unplayed) == (self.kind, None, False)

    async def test_a_play_from_start_to_stop(self, place: PushPlace) -> None:
        """For automations: started, paused, resumed, stopped, once each, however often a player reports; only pause and stop are hints (W3, R6)."""
        async with place.listening(await place.connection()) as ear:
            await place.act(Act.PLAY)
            started = await ear.event(place.item_id(), playback=Playback.STARTED)
            for position in (600, 610):
                await place.act(Act.SEEK, position)
                await asyncio.sleep(0.05)
            for act, playback in ((Act.PAUSE, Playback.PAUSED), (Act.PLAY, Playback.RESUMED), (Act.STOP, Playback.STOPPED)):
                await place.act(act, 620)
                event = await ear.event(place.item_id(), playback=playback)
                assert event.may_have_changed is (playback is not Playback.RESUMED)
        assert started.user_id == (await place.connection()).user_id
        assert event.position is None or abs(event.position - 620) <= 10
        assert [one.playback for one in ear.events() if one.playback] == [Playback.STARTED, Playback.PAUSED, Playback.RESUMED, Playback.STOPPED]

    async def test_what_plays_already_did_not_start(self, place: PushPlace) -> None:
        """After a reconnect in the middle of a film."""
        await place.act(Act.PLAY)
        async with place.listening(await place.connection()) as ear:
            await place.act(Act.SEEK, 600)
            await place.act(Act.STOP, 620)
            await ear.event(place.item_id(), playback=Playback.STOPPED)
        assert [one.playback for one in ear.events() if one.playback] == [Playback.STOPPED]

    async def test_one_device_plays_the_next_title(self, place: PushPlace) -> None:
        """The first stopped, the second started."""
        async with place.listening(await place.connection()) as ear:
            await place.act(Act.PLAY)
            await ear.event(place.item_id(), playback=Playback.STARTED)
            await place.act(Act.PLAY, key=EPISODE.key)
            await ear.event(place.item_id(EPISODE.key), playback=Playback.STARTED)
            if self.kind is not ServerKind.PLEX:  # whose simulated player plays both
                await ear.event(place.item_id(), playback=Playback.STOPPED)

    async def test_it_comes_back_after_a_cut(self, place: PushPlace) -> None:
        """With a gap each time it was connected anew; the first pause is short."""
        async with place.listening(await place.connection()) as ear:
            for cuts in (1, 2):
                result = self.push(place).close()
                await result
                await ear.until(lambda cuts=cuts: ear.gaps() == cuts + 1)  # type: ignore[misc]
            await place.act(Act.MARK_WATCHED)
            await ear.event(place.item_id())
        assert [one.state for one in ear.healths] == [PushState.CONNECTED, PushState.WAITING] * 2 + [PushState.CONNECTED]
        assert (ear.healths[-1].connects, ear.healths[1].problem) == (3, "the connection ended")
        assert 0.5 <= place.sleeps[0] <= 1

    async def test_it_waits_for_a_server_that_is_away(self, place: PushPlace) -> None:
        """Longer and longer, with a problem that names no secret; and it is there when the server is."""
        connection = await place.connection()
        async with place.listening(connection) as ear:
            place.simulator.faults = Faults(offline=True)
            await ear.until(lambda: len(place.sleeps) >= 3)
            place.simulator.faults = Faults()
            await ear.until(lambda: ear.gaps() == 2)
        assert [0.5 * 2**number <= pause <= 2**number for number, pause in enumerate(place.sleeps[:3])] == [True] * 3
        problems = " ".join(one.problem for one in ear.healths)
        assert not [secret for secret in (connection.token, connection.device_id, place.url) if secret in problems]

    async def test_a_server_that_names_a_pause_gets_it(self, place: PushPlace) -> None:
        """Retry-After."""
        place.simulator.faults = Faults(status=503, retry_after=7)
        with pytest.raises(ServerUnavailable) as raised:
            await anext(place.stream(await self.signed_in(place)).listen())
        assert raised.value.retry_after == 7

    async def test_a_dead_token_is_told_from_a_server_that_is_away(self, place: PushPlace) -> None:
        """Also where the handshake lets anybody in, as Emby's does (server-apis §5.6)."""
        connection = Connection(self.kind, place.url, "0" * 32, "device-x", "1" * 32, own=True)
        with pytest.raises(AuthFailed):
            await anext(place.stream(connection).listen())

    async def test_nonsense_is_passed_over(self, place: PushPlace) -> None:
        """A frame that nobody understands ends nothing."""
        async with place.listening(await place.connection()) as ear:
            for text in (*NONSENSE, *self.nonsense()):
                await self.say(place, text)
            await place.act(Act.MARK_WATCHED)
            await ear.event(place.item_id())
            assert ear.gaps() == 1

    def nonsense(self) -> tuple[str, ...]:
        """Return texts that are nearly understood."""
        return ()

    async def signed_in(self, place: PushPlace) -> Connection:
        """Sign anna in, whatever is wrong with the server at this moment."""
        faults, place.simulator.faults = place.simulator.faults, Faults()
        connection = await place.connection()
        place.simulator.faults = faults
        return connection


assert SECRET == "anna-secret"
