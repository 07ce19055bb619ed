"""Real time: what is marked by hand on one server is on the others in a moment, without a webhook and without a poll."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pytest_homeassistant_custom_component.components.diagnostics import get_diagnostics_for_config_entry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.components import webhook
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.setup import async_setup_component

from custom_components.plex_watchsync.engine.report import Report
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.engine.viewer import ViewerSync
from custom_components.plex_watchsync.following import Following
from custom_components.plex_watchsync.helpers import account_subentries
from custom_components.plex_watchsync.hub import HUB
from custom_components.plex_watchsync.ports import Hint, PushState
from custom_components.plex_watchsync.servers import listener
from simulators.base import Act, Faults

from .conftest import FILM, OTHER, TITLES, House
from .flows import added, below
from .flows import kind as kind_of

pytestmark = pytest.mark.realtime

CONNECTED = {"plex": "binary_sensor.study_connected", "jellyfin": "binary_sensor.attic_connected", "emby": "binary_sensor.cellar_connected"}
STATES = {kind: entity_id.replace("binary_sensor", "sensor").replace("connected", "status") for kind, entity_id in CONNECTED.items()}


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait long before a connection is tried again."""
    monkeypatch.setattr(listener, "FIRST_PAUSE", 0.05)


async def until(what: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(15):
        while not what():  # noqa: ASYNC110 - what is waited for is a server's, which sets no event
            await asyncio.sleep(0.02)


async def all_added(house: House) -> dict[str, ConfigEntry]:
    """Add all servers, and wait until each can be heard and has been caught up with."""
    entries = await house.add_all()
    await until(lambda: all(house.state(entity_id) == STATE_ON for entity_id in CONNECTED.values()))
    await until(lambda: all(one.runtime_data.listeners and all(ear.health.told for ear in one.runtime_data.listeners.values()) for one in entries.values()))
    await house.settle()
    return entries


def watched(house: House, *, on: tuple[str, ...], played: bool = True) -> Callable[[], bool]:
    """Tell whether servers show a film so."""
    return lambda: all(house.places[kind].shown().played is played for kind in on)


@pytest.mark.parametrize("kind", ["plex", "jellyfin", "emby"])
async def test_marks_by_hand_travel(house: House, kind: str) -> None:
    """Pitfall 12: watched, and unwatched again, without a webhook and without a poll."""
    await all_added(house)
    others = tuple(one for one in house.places if one != kind)
    for act, played in ((Act.MARK_WATCHED, True), (Act.MARK_UNWATCHED, False)):
        await house.places[kind].act(act)
        await until(watched(house, on=others, played=played))
        await house.settle()
    assert not any(place.simulator.webhooks for place in house.places.values())


async def test_a_season_marked_on_plex_travels(house: House) -> None:
    """The activity names the season, which is read as its episodes."""
    await all_added(house)
    plex: Any = house.places["plex"].simulator
    season = plex.library.by_title[TITLES[-1].key][0].parent
    plex.mark(plex.accounts["anna"], season)
    await until(lambda: house.places["emby"].shown(TITLES[-1]).played and house.places["jellyfin"].shown(TITLES[-1]).played)


async def test_a_resume_point_travels(house: House) -> None:
    """W3: when it is stopped."""
    await all_added(house)
    await house.places["emby"].act(Act.PLAY)
    await house.places["emby"].act(Act.STOP, position=900)
    await until(lambda: all(abs(house.places[kind].shown().position - 900) <= 10 for kind in ("plex", "jellyfin")))


@pytest.mark.parametrize("kind", ["plex", "jellyfin", "emby"])
async def test_what_is_played_is_told_once(house: House, hass_client_no_auth: ClientSessionGenerator, kind: str) -> None:
    """Pitfall 25: a webhook, a connection and a poll tell of the same play; automations hear of it once."""
    client = await hass_client_no_auth()
    entries = await all_added(house)
    place = house.places[kind]
    place.simulator.webhooks = [str(client.make_url(webhook.async_generate_path(entries[kind].data["webhook_id"])))]
    told: list[str] = []

    @callback
    def count(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        told.append(str(state and state.attributes.get("event_type")))

    async_track_state_change_event(house.hass, ["event.anna_watch"], count)
    if kind == "emby":  # whose frames come half a second later, so that the whole play would fall into one
        place.simulator.sockets.delay = 0.02  # type: ignore[attr-defined]
    await place.act(Act.PLAY)
    await until(lambda: "started" in told)
    await asyncio.sleep(0.2)
    await place.act(Act.FINISH)
    await until(lambda: "stopped" in told and "watched" in told)
    journal = house.hass.data[HUB].journal
    await until(lambda: {"webhook", "push"} <= {note.more["way"] for note in journal if note.outcome == "processed" and _is_stop(note.event)})
    await house.call("sync", config_entry_id=entries[kind].entry_id)
    await house.settle()
    assert Counter(told) == {"started": 1, "stopped": 1, "watched": 1}


def _is_stop(event: str) -> bool:
    return event in {"media.stop", "playing stopped", "PlaybackStop", "playback.stop", "Sessions"}


async def test_what_happened_during_an_outage_is_caught_up_with(house: House) -> None:
    """Nothing is replayed: after each reconnect what can have changed is read (M2, M5)."""
    await all_added(house)
    jellyfin = house.places["jellyfin"]
    jellyfin.simulator.faults = Faults(offline=True)
    await until(lambda: house.state(CONNECTED["jellyfin"]) == STATE_OFF)
    await jellyfin.act(Act.MARK_WATCHED)
    await house.places["plex"].act(Act.MARK_WATCHED, OTHER)
    await until(lambda: house.places["emby"].shown(OTHER).played)
    assert not house.places["plex"].shown().played
    jellyfin.simulator.faults = Faults()
    await until(lambda: house.state(CONNECTED["jellyfin"]) == STATE_ON)
    await until(lambda: watched(house, on=("plex", "emby"))() and jellyfin.shown(OTHER).played)
    await house.settle()
    assert house.state(STATES["jellyfin"]) == "idle"


async def test_withdrawn_credentials_start_a_new_sign_in(house: House) -> None:
    """Pitfall 43: as soon as the connection cannot be opened any more, not at the next poll."""
    entries = await all_added(house)
    jellyfin: Any = house.places["jellyfin"].simulator
    jellyfin.auth.drop(jellyfin.auth.named("anna"))
    await jellyfin.sockets.cut(entries["jellyfin"].data["device_id"])
    await until(lambda: bool(entries["jellyfin"].runtime_data.problem) or any(house.hass.config_entries.flow.async_progress()))
    assert [flow["context"]["source"] for flow in house.hass.config_entries.flow.async_progress()] == [SOURCE_REAUTH]
    (health,) = [one.health for one in entries["jellyfin"].runtime_data.listeners.values()]
    assert (health.state, house.state(CONNECTED["jellyfin"])) == (PushState.REFUSED, STATE_OFF)


async def test_unloading_hangs_up(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """No connection is left open, and nothing is logged about it."""
    entries = await all_added(house)
    for entry in entries.values():
        await house.hass.config_entries.async_unload(entry.entry_id)
    servers = [house.places[kind].simulator for kind in ("jellyfin", "emby")]
    await until(lambda: not any(one.sockets._listeners for one in servers))  # type: ignore[attr-defined]
    plex: Any = house.places["plex"].simulator
    await until(lambda: not plex.notifications._listeners)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING and "plex_watchsync" in record.name]


async def test_it_can_be_switched_off(house: House) -> None:
    """Then the server is polled, and connected means that it answered the last time."""
    entry = await house.add("emby")
    await house.options(entry, realtime=False)
    assert (entry.runtime_data.listeners, house.state(CONNECTED["emby"])) == ({}, STATE_ON)
    house.places["emby"].simulator.faults.offline = True
    await house.later(3700)
    assert house.state(CONNECTED["emby"]) == STATE_OFF


@pytest.mark.parametrize("path", ["jellyfin_api_key", "emby_api_key"])
async def test_an_api_key_is_polled_and_says_so(house: House, hass_client: ClientSessionGenerator, path: str) -> None:
    """It has no user, and so nobody's doings are told (server-apis §5.4)."""
    kind = path.partition("_")[0]
    entry = await added(house.hass, house.places[kind], path)
    await house.settle()
    assert await async_setup_component(house.hass, "diagnostics", {})
    found: Any = await get_diagnostics_for_config_entry(house.hass, hass_client, entry)
    assert [*found["realtime"].values()] == [{"state": "polled"}]
    assert house.state(CONNECTED[kind]) == STATE_ON


async def test_each_account_has_its_own(house: House) -> None:
    """Pitfall 39: further users who sign in are heard on devices of their own; one for whom an administrator acts is polled."""
    entry = await house.add("jellyfin")
    walk = await below(house.hass, entry, "account")
    await walk.keep(viewer="ben")
    await walk.keep()
    assert kind_of(await walk.fill()) == "create_entry"
    await house.settle()
    listeners = [*entry.runtime_data.listeners.values()]
    assert [one is None for one in listeners] == [False, True]


async def test_an_owner_without_an_account_is_listened_for(house: House) -> None:
    """Of marks in Plex only the owner may be told: whoever has just somebody else's account here still hears of them."""
    entry = await house.add("plex")
    await house.add("emby")
    plex: Any = house.places["plex"].simulator
    ben, (account,) = plex.accounts["ben"], account_subentries(entry)
    data = {**account.data, "token": ben.token, "user_id": str(ben.account_id), "device_id": "ben's"}
    house.hass.config_entries.async_update_subentry(entry, account, data=data)
    await house.settle()
    assert {*entry.runtime_data.listeners} == {account.subentry_id, entry.entry_id}
    await until(lambda: house.state(CONNECTED["plex"]) == STATE_ON)
    await house.settle()
    await plex.act("ben", FILM.key, Act.MARK_WATCHED)
    await until(watched(house, on=("emby",)))


async def test_diagnostics_tell_how_it_does(house: House, hass_client: ClientSessionGenerator) -> None:
    """Since when, how often, and what is wrong: without a token."""
    entries = await all_added(house)
    house.places["emby"].simulator.faults = Faults(offline=True)
    await until(lambda: house.state(CONNECTED["emby"]) == STATE_OFF)
    assert await async_setup_component(house.hass, "diagnostics", {})
    for kind, state in (("plex", "connected"), ("emby", "waiting")):
        found: Any = await get_diagnostics_for_config_entry(house.hass, hass_client, entries[kind])
        (health,) = found["realtime"].values()
        assert (health["state"], health["connects"], bool(health["problem"])) == (state, 1, state == "waiting")
        assert entries[kind].data["token"] not in json.dumps(found)


async def test_an_idle_hour_costs_next_to_nothing(house: House) -> None:
    """At most 15 requests of each server, the hourly import among them."""
    await all_added(house)
    await asyncio.sleep(0.5)
    await house.settle()
    before = {kind: len(place.simulator.requests) for kind, place in house.places.items()}
    await house.later(3700)
    spent = {kind: len(place.simulator.requests) - before[kind] for kind, place in house.places.items()}
    assert all(0 < requests <= 15 for requests in spent.values()), spent


async def test_reading_and_telling_do_not_drive_each_other(house: House) -> None:
    """Nobody showed that a plain read makes Plex refresh the item; if it did, each look would call for the next one."""
    await all_added(house)
    plex: Any = house.places["plex"].simulator
    plex.notifications.refreshes_on_read = True
    plex.requests.clear()
    await house.places["plex"].act(Act.MARK_WATCHED)
    await until(watched(house, on=("jellyfin", "emby")))
    await asyncio.sleep(6)
    first = len(plex.requests)
    await asyncio.sleep(6)
    assert len(plex.requests) - first < first / 2
    assert first < 60


async def test_what_comes_during_a_run_waits_for_one_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that tells of a thousand items one by one does not cost a thousand runs."""
    entry = await house.add("jellyfin")
    await until(lambda: house.state("binary_sensor.attic_connected") == "on")
    await house.settle()
    hub = house.hass.data[HUB]
    runs: list[Run] = []
    sync_viewer = hub.sync_viewer

    async def counted(viewer: ViewerSync, run: Run) -> Report:
        runs.append(run)
        return await sync_viewer(viewer, run)

    monkeypatch.setattr(hub.following, "sync", counted)
    (account,) = account_subentries(entry)
    hub.following.catch_up(account.data["viewer"], account.subentry_id)
    for number in range(100):
        hub.following.hint(account.data["viewer"], [Hint(account.subentry_id, f"{number:032}", house.clock(), again=True)])
        await asyncio.sleep(0)
    await house.settle()
    assert sum(len(run.hints) for run in runs) == 100
    assert len([run for run in runs if run.hints]) < 30
    assert [run.accounts for run in runs if not run.hints] == [frozenset({account.subentry_id})]


async def test_the_word_of_a_waiting_hint_stays(house: House) -> None:
    """R5, G2: a webhook says that a person marked it unwatched; what the socket tells of the same mark, while that waits, does not unsay it."""
    await house.add("jellyfin")
    viewers, at = house.hass.data[HUB].viewers, house.clock()
    (viewer,) = viewers
    (account,) = viewers[viewer].accounts
    looked: list[tuple[Hint, ...]] = []

    async def sync(_viewer: ViewerSync, run: Run) -> Report:
        looked.append(run.hints)
        return Report("", dry_run=False, started=at)

    following = Following(house.hass, viewers, sync)
    word, frame = Hint(account, "1", at, unplayed=True), Hint(account, "1", at + timedelta(seconds=1), again=True)
    for hints in ([word, frame], [frame, word], [frame, replace(frame, at=at)]):
        following.hint(viewer, hints)
        await house.settle()
    assert looked == [(word,), (word,), (frame,)]


async def test_a_catching_up_of_nobody_is_nothing(hass: HomeAssistant, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that left meanwhile is not read."""
    await house.add("plex")
    runs: list[Run] = []
    hub = hass.data[HUB]

    async def sync_viewer(_viewer: ViewerSync, run: Run) -> Report:
        runs.append(run)
        return Report("", dry_run=False, started=house.clock())

    await until(lambda: house.state(CONNECTED["plex"]) == STATE_ON)
    await house.settle()
    monkeypatch.setattr(hub.following, "sync", sync_viewer)
    for viewer in (*hub.viewers, "gone"):
        hub.following.catch_up(viewer, "nobody")
    await house.settle()
    assert not runs


assert FILM in TITLES
