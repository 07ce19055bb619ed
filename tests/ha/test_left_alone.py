"""What is ignored is ignored on every way in (I8): automations hear nothing of it, and nothing of it travels."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry

from custom_components.plex_watchsync.engine.journal import NoteKind
from custom_components.plex_watchsync.helpers import account_subentries
from custom_components.plex_watchsync.hub import HUB
from simulators.base import Act
from simulators.catalogue import Title

from .conftest import FILM, TITLES, House, Place, defaults, until

EPISODE = TITLES[-1]
WAYS = [pytest.param("webhook"), pytest.param("push", marks=pytest.mark.realtime)]
KINDS = ["plex", "jellyfin", "emby"]


class Ears:
    """What automations hear of a viewer."""

    def __init__(self, house: House) -> None:
        self.told: list[dict[str, Any]] = []
        house.hass.bus.async_listen("state_changed", self._hear)

    def _hear(self, event: Any) -> None:
        state = event.data["new_state"]
        if event.data["entity_id"] == "event.anna_watch" and state and state.attributes.get("event_type"):
            self.told.append(dict(state.attributes))

    def has_heard(self, what: str) -> Callable[[], bool]:
        """Tell whether something was told of."""
        return lambda: any(one["event_type"] == what for one in self.told)


async def open_way(house: House, client: Any, way: str, kind: str, entry: ConfigEntry) -> Ears:
    """Let a server tell us by one way only."""
    if way == "webhook":
        house.places[kind].simulator.webhooks = [str(client.make_url(webhook.async_generate_path(entry.data["webhook_id"])))]
    else:
        await until(lambda: all(ear.health.told for ear in entry.runtime_data.listeners.values()) and bool(entry.runtime_data.listeners))
        if kind == "emby":  # whose frames come half a second later, so that the whole play would fall into one
            house.places[kind].simulator.sockets.delay = 0.02  # type: ignore[attr-defined]
    await house.settle()
    return Ears(house)


async def view(house: House, ears: Ears, place: Place, title: Title, *, heard: bool) -> None:
    """Watch a title to its end, and wait until that is told, or would have been."""
    processed = len(notes(house))
    await place.act(Act.PLAY, title)
    await until(ears.has_heard("started") if heard else lambda: len(notes(house)) > processed)
    await place.act(Act.FINISH, title)
    await until(ears.has_heard("watched") if heard else lambda: len(notes(house)) > processed + 1)
    await house.settle()


def notes(house: House) -> list[Any]:
    """Return what came in."""
    return [note for note in house.hass.data[HUB].journal if note.kind in {NoteKind.WEBHOOK, NoteKind.HINT} and "way" in note.more]


async def shows_of(house: House, kind: str) -> list[str]:
    """Return the libraries of shows, as the flow names them."""
    form = await house.start(kind)
    form = await house.fill(form, **house.places[kind].form())
    form = await house.fill(form, **defaults(form))
    house.hass.config_entries.flow.async_abort(form["flow_id"])
    schema = form["data_schema"]
    assert schema is not None
    options = schema.schema["libraries"].config["options"]
    return [one["value"] for one in options if one["label"].casefold().startswith(("tv", "show"))]


def others(house: House, kind: str, title: Title) -> set[bool]:
    """Return what the other servers show."""
    return {place.shown(title).played for one, place in house.places.items() if one != kind}


async def only_the_other_travels(house: House, ears: Ears, entry: ConfigEntry, kind: str) -> None:
    """See that an episode is told of and written, and the film is not, even by a whole sync."""
    await view(house, ears, house.places[kind], EPISODE, heard=True)
    await until(lambda: others(house, kind, EPISODE) == {True})
    await house.call("sync", config_entry_id=entry.entry_id)
    assert others(house, kind, FILM) == {False}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
async def test_an_ignored_title(house: House, hass_client_no_auth: ClientSessionGenerator, kind: str, way: str) -> None:
    """Neither that it is played nor that it was watched is told, and no server is asked of it; of another all is."""
    client = await hass_client_no_auth()
    entries = await house.add_all()
    await house.call("ignore", media={"imdb": FILM.ids["imdb"]})
    ears, place = await open_way(house, client, way, kind, entries[kind]), house.places[kind]
    await view(house, ears, place, FILM, heard=False)
    assert not ears.told
    assert {(note.outcome, note.reason) for note in notes(house) if note.item_id == place.shown(FILM).item_id} == {
        ("ignored", "it is about no title that takes part here"),
    }
    await only_the_other_travels(house, ears, entries[kind], kind)
    assert not [one for one in ears.told if place.shown(FILM).item_id == one.get("item_id") or one.get("title") == FILM.name]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
async def test_an_ignored_library(house: House, hass_client_no_auth: ClientSessionGenerator, kind: str, way: str) -> None:
    """Pitfall 15: whether the event names its library, by a number even, or does not; its titles were never read."""
    client = await hass_client_no_auth()
    shows = await shows_of(house, kind)
    entries = {one: await house.add(one, **({"libraries": shows} if one == kind else {})) for one in house.places}
    ears, place = await open_way(house, client, way, kind, entries[kind]), house.places[kind]
    await view(house, ears, place, FILM, heard=False)
    assert not ears.told
    await only_the_other_travels(house, ears, entries[kind], kind)
    assert not [one for one in ears.told if place.shown(FILM).item_id == one.get("item_id") or one.get("title") == FILM.name]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_library_that_was_left_out_later(house: House, hass_client_no_auth: ClientSessionGenerator, kind: str) -> None:
    """What is known of its titles from before does not let them in."""
    client = await hass_client_no_auth()
    shows = await shows_of(house, kind)
    entries = await house.add_all()
    (account,) = account_subentries(entries[kind])
    house.hass.config_entries.async_update_subentry(entries[kind], account, data={**account.data, "libraries": shows})
    await house.settle()
    ears, place = await open_way(house, client, "webhook", kind, entries[kind]), house.places[kind]
    await view(house, ears, place, FILM, heard=False)
    assert not ears.told
    assert others(house, kind, FILM) == {False}


@pytest.mark.parametrize("ignored", [True, False])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_new_episode(house: House, hass_client_no_auth: ClientSessionGenerator, kind: str, *, ignored: bool) -> None:
    """One that was never read is asked for: it may be of a show that is ignored."""
    client = await hass_client_no_auth()
    entries = await house.add_all()
    assert EPISODE.show is not None
    if ignored:
        await house.call("ignore", media={"show": EPISODE.show.ids})
    ears, place = await open_way(house, client, "webhook", kind, entries[kind]), house.places[kind]
    place.simulator.webhooks, hooks = [], place.simulator.webhooks
    new = replace(EPISODE, episode=99, name="Newcomer", ids={}, path=f"{EPISODE.path.rpartition('/')[0]}/newcomer.mkv")
    await place.simulator.add(new)
    place.simulator.webhooks = hooks
    await view(house, ears, place, new, heard=not ignored)
    assert bool(ears.told) is not ignored


async def test_a_server_that_cannot_be_asked(house: House, hass_client_no_auth: ClientSessionGenerator) -> None:
    """Then nothing is told of what is not known: better silent than wrong."""
    client = await hass_client_no_auth()
    entries = {"emby": await house.add("emby")}
    ears, place = await open_way(house, client, "webhook", "emby", entries["emby"]), house.places["emby"]
    place.simulator.faults.status = 500
    body = {"Event": "playback.start", "User": {"Name": "anna"}, "Item": {"Id": "4242", "Type": "Movie"}, "Server": {}}
    answer = await client.post(webhook.async_generate_path(entries["emby"].data["webhook_id"]), json=body)
    await house.settle()
    assert (answer.status, ears.told) == (200, [])


async def test_a_player_without_a_title(house: House, hass_client_no_auth: ClientSessionGenerator) -> None:
    """What names no title cannot be told apart from what is ignored."""
    client = await hass_client_no_auth()
    entries = {"plex": await house.add("plex")}
    ears = await open_way(house, client, "webhook", "plex", entries["plex"])
    answer = await client.post(webhook.async_generate_path(entries["plex"].data["webhook_id"]), json={"action": "play", "user": "anna"})
    await house.settle()
    assert (answer.status, ears.told) == (200, [])
