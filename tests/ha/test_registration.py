"""Webhooks that set themselves up: registered, proved, mended, and taken out again; and what is left to a person."""

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.engine.journal import NoteKind
from custom_components.plex_watchsync.hub import HUB
from simulators.base import Act, serving
from simulators.emby import EmbySimulator
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator
from simulators.plex_tv import PlexTvSimulator

from .conftest import FILM, PEOPLE, TITLES, House, Place, defaults, until
from .flows import Walk, added, below

KINDS = ("plex", "jellyfin", "emby")
SECRET = {"X-Webhook-Secret": "hush"}
HOURS = 3600


@pytest.fixture
async def town(house: House, plex_tv: PlexTvSimulator, hass_client_no_auth: ClientSessionGenerator) -> House:
    """Let the servers reach Home Assistant, and anna's Plex server be known to plex.tv."""
    place = house.places["plex"]
    assert isinstance(place.simulator, PlexSimulator)
    plex_tv.join(place.simulator, place.url)
    client = await hass_client_no_auth()
    await house.hass.config.async_update(internal_url=str(client.make_url("")).rstrip("/"))
    return house


async def add(house: House, kind: str) -> ConfigEntry:
    """Add a server, Plex as somebody who signed in at plex.tv."""
    entry = await house.add(kind)
    if kind == "plex":
        house.hass.config_entries.async_update_entry(entry, data={**entry.data, "plex_tv": entry.data["token"]})
        await house.settle()
    return entry


def listed(place: Place, tv: PlexTvSimulator) -> list[str]:
    """Return the addresses in a server's own list."""
    simulator = place.simulator
    if isinstance(simulator, JellyfinSimulator):
        return [row["WebhookUri"] for row in simulator.plugin.configuration["GenericOptions"]]
    if isinstance(simulator, EmbySimulator):
        return [row["Options"]["Url"] for row in simulator.notifications.of(simulator.accounts.by_name["anna"])]
    return tv.people["anna"].webhooks


def url_of(house: House, entry: ConfigEntry) -> str:
    """Return the webhook's address."""
    return webhook.async_generate_url(house.hass, entry.data["webhook_id"])


def state_of(entry: ConfigEntry) -> str:
    """Return what is known of the webhook."""
    return str(entry.runtime_data.webhook.state)


def issue_of(house: House, entry: ConfigEntry) -> ir.IssueEntry | None:
    """Return the repair issue about the webhook."""
    return ir.async_get(house.hass).async_get_issue(DOMAIN, f"webhook_unreachable_{entry.entry_id}")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_webhook_registers_and_proves_itself(town: House, plex_tv: PlexTvSimulator, kind: str) -> None:
    """Nobody pastes anything: the server sends, and what people do there travels."""
    entry, place = await add(town, kind), town.places[kind]
    assert listed(place, plex_tv) == [url_of(town, entry)]
    if kind != "plex":  # nothing can be provoked there
        await until(lambda: state_of(entry) == "proved")
    await place.act(Act.FINISH)
    await until(lambda: state_of(entry) == "proved")
    await until(lambda: town.state("sensor.anna_last_watched") == FILM.key)
    await town.later(60)
    assert issue_of(town, entry) is None
    answer = await town.call("get_webhook", config_entry_id=entry.entry_id)
    assert (answer["state"], answer["url"], answer["heard"] is not None) == ("proved", url_of(town, entry), True)


@pytest.mark.parametrize("kind", ["jellyfin", "emby"])
async def test_a_webhook_that_does_not_arrive_is_an_issue(town: House, plex_tv: PlexTvSimulator, kind: str) -> None:
    """It names the server and where it was to send, without the secret; something that arrives ends it."""
    reachable = town.hass.config.internal_url
    await town.hass.config.async_update(internal_url="http://127.0.0.1:1")
    entry = await add(town, kind)
    assert issue_of(town, entry) is None
    await town.later(31)
    issue = issue_of(town, entry)
    assert issue is not None
    assert (issue.translation_key, issue.translation_placeholders) == ("webhook_unreachable", {"server": entry.title, "address": "http://127.0.0.1:1"})
    assert state_of(entry) == "unreachable"
    await town.later(6 * HOURS)
    await town.later(31)
    assert state_of(entry) == "unreachable"
    await town.hass.config.async_update(internal_url=reachable)  # is news at once
    await until(lambda: state_of(entry) == "proved")
    assert issue_of(town, entry) is None
    assert listed(town.places[kind], plex_tv) == [url_of(town, entry)]


async def test_an_issue_goes_with_its_entry(town: House) -> None:
    """A server that is gone has no webhook to mend."""
    await town.hass.config.async_update(internal_url="http://127.0.0.1:1")
    entry = await add(town, "jellyfin")
    await town.later(31)
    assert issue_of(town, entry) is not None
    await town.hass.config_entries.async_remove(entry.entry_id)
    assert issue_of(town, entry) is None


@pytest.mark.parametrize("kind", KINDS)
async def test_what_somebody_took_out_comes_back(town: House, plex_tv: PlexTvSimulator, kind: str) -> None:
    """The server's list is looked at now and then."""
    entry, simulator = await add(town, kind), town.places[kind].simulator
    if isinstance(simulator, JellyfinSimulator):
        simulator.plugin.configure({"GenericOptions": []})
    elif isinstance(simulator, EmbySimulator):
        anna = simulator.accounts.by_name["anna"]
        simulator.notifications.delete(anna, simulator.notifications.of(anna)[0]["Id"])
    else:
        plex_tv.people["anna"].webhooks = ["http://else.invalid"]
    await town.later(6 * HOURS + 1)
    assert listed(town.places[kind], plex_tv)[-1] == url_of(town, entry)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_webhook_goes_with_its_entry(town: House, plex_tv: PlexTvSimulator, kind: str) -> None:
    """Removed, nothing stays in the server's list."""
    entry = await add(town, kind)
    await town.hass.config_entries.async_remove(entry.entry_id)
    await town.settle()
    assert listed(town.places[kind], plex_tv) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_is_away_can_be_removed(town: House, plex_tv: PlexTvSimulator, kind: str) -> None:
    """What stays in its list reaches nobody."""
    entry = await add(town, kind)
    town.places[kind].simulator.faults.offline = plex_tv.faults.offline = True
    await town.hass.config_entries.async_remove(entry.entry_id)
    assert town.hass.config_entries.async_get_entry(entry.entry_id) is None


@pytest.mark.parametrize("kind", KINDS)
async def test_switched_off_and_on(town: House, plex_tv: PlexTvSimulator, kind: str) -> None:
    """The switch takes it out of the server's list and puts it back, with the same address."""
    entry, place = await add(town, kind), town.places[kind]
    switch = f"switch.{place.name.lower()}_webhook"
    assert town.state(switch) == "on"
    for action, state, urls in (("turn_off", "off", []), ("turn_on", "on", [url_of(town, entry)])):
        await town.hass.services.async_call("switch", action, {ATTR_ENTITY_ID: switch}, blocking=True)
        await town.settle()
        assert (town.state(switch), listed(place, plex_tv)) == (state, urls)


@pytest.mark.parametrize("by", ["action", "button"])
@pytest.mark.parametrize("kind", KINDS)
async def test_regenerated(town: House, plex_tv: PlexTvSimulator, kind: str, by: str, hass_client_no_auth: ClientSessionGenerator) -> None:
    """The old address is dead at once, the new one stands in the server's list."""
    entry, place = await add(town, kind), town.places[kind]
    old = entry.data["webhook_id"]
    if by == "action":
        answer = await town.call("regenerate_webhook", config_entry_id=entry.entry_id)
        assert answer["webhook_id"] == entry.data["webhook_id"]
        assert answer["url"] == url_of(town, entry)
    else:
        await town.hass.services.async_call("button", "press", {ATTR_ENTITY_ID: f"button.{place.name.lower()}_regenerate_webhook"}, blocking=True)
    await town.settle()
    assert entry.data["webhook_id"] != old
    assert len(entry.data["webhook_id"]) == 64
    assert listed(place, plex_tv) == [url_of(town, entry)]
    assert old not in town.hass.data["webhook"]


@pytest.mark.parametrize("action", ["get_webhook", "regenerate_webhook"])
async def test_without_an_address_the_path_is_told(house: House, action: str) -> None:
    """Nobody knows where Home Assistant is: whoever asks puts the path behind the address that he knows."""
    await house.hass.config.async_update(internal_url=None, external_url=None)
    assert house.hass.config.api is not None
    house.hass.config.api.local_ip = "127.0.0.1"
    entry = await house.add("jellyfin")
    answer = await house.call(action, config_entry_id=entry.entry_id)
    assert answer["url"] == answer["path"] == f"/api/webhook/{entry.data['webhook_id']}"
    await house.settle()
    assert state_of(entry) == "manual"


async def test_a_plain_user_pastes_it_himself(town: House, plex_tv: PlexTvSimulator) -> None:
    """Without rights nothing is tried again and again, and nothing is called broken."""
    place = town.places["jellyfin"]
    entry = await added(town.hass, place, "jellyfin_password", {"username": "ben", "password": "ben-secret"})
    await town.later(31)
    assert (state_of(entry), issue_of(town, entry), listed(place, plex_tv)) == ("manual", None, [])
    assert entry.runtime_data.webhook.reason


async def test_whoever_may_registers_it(town: House, plex_tv: PlexTvSimulator) -> None:
    """Where the entry's credentials lack the rights, those of a further account may have them; what it registered it takes out again.

    On Emby nobody lacks them: each user has a list of his own.
    """
    place = town.places["jellyfin"]
    entry = await added(town.hass, place, "jellyfin_password", {"username": "ben", "password": "ben-secret"})
    assert (state_of(entry), listed(place, plex_tv)) == ("manual", [])
    walk = await below(town.hass, entry, "account")
    await walk.fill(username="anna", password="anna-secret")
    await walk.keep()
    await walk.keep()
    await walk.fill()
    await town.settle()
    await until(lambda: state_of(entry) == "proved")
    assert listed(place, plex_tv) == [url_of(town, entry)]
    assert not entry.runtime_data.webhook.reason
    await town.hass.config_entries.async_remove(entry.entry_id)
    assert listed(place, plex_tv) == []


async def test_without_the_plugin(town: House) -> None:
    """Jellyfin has no webhooks of its own."""
    simulator = town.places["jellyfin"].simulator
    assert isinstance(simulator, JellyfinSimulator)
    simulator.plugin.installed = False
    assert state_of(await add(town, "jellyfin")) == "manual"


async def test_plex_tv_is_not_asked_by_those_who_did_not_sign_in_there(town: House, plex_tv: PlexTvSimulator) -> None:
    """A token that was typed stays in the house."""
    entry = await town.add("plex")
    assert (state_of(entry), plex_tv.requests) == ("manual", [])


async def test_plex_tv_lets_us_in_no_more(town: House, plex_tv: PlexTvSimulator) -> None:
    """Neither a dead token nor a missing subscription stops the server's sync."""
    plex_tv.people["anna"].plex_pass = False
    entry = await add(town, "plex")
    assert state_of(entry) == "manual"
    plex_tv.faults.status = 401
    await town.later(6 * HOURS + 1)
    assert (state_of(entry), town.state("sensor.study_status")) == ("manual", "idle")


async def test_an_outage_is_waited_out(town: House, plex_tv: PlexTvSimulator) -> None:
    """A list that cannot be read is looked at again."""
    plex_tv.faults.status = 500
    entry = await add(town, "plex")
    assert state_of(entry) == "unknown"
    plex_tv.faults.status = None
    await town.later(6 * HOURS + 1)
    assert listed(town.places["plex"], plex_tv) == [url_of(town, entry)]


async def test_a_new_address_is_proved_too(town: House, plex_tv: PlexTvSimulator) -> None:
    """That the old one was heard a moment ago says nothing about it."""
    entry = await add(town, "jellyfin")
    await until(lambda: state_of(entry) == "proved")
    await town.hass.config.async_update(internal_url="http://127.0.0.1:1")
    await town.settle()
    assert listed(town.places["jellyfin"], plex_tv) == [url_of(town, entry)]
    await town.later(31)
    assert state_of(entry) == "unreachable"
    assert issue_of(town, entry) is not None


async def test_what_was_heard_lately_needs_no_other_proof(town: House) -> None:
    """The server is not made to send again and again."""
    entry, simulator = await add(town, "emby"), town.places["emby"].simulator
    await until(lambda: state_of(entry) == "proved")
    simulator.requests.clear()
    await town.later(6 * HOURS + 1)
    assert [one for one in simulator.requests if "Notifications" in one] == ["GET /emby/Notifications/Services/Configured"]


async def test_a_secret_header(town: House, plex_tv: PlexTvSimulator, hass_client_no_auth: ClientSessionGenerator) -> None:
    """Jellyfin's plugin sends it by itself; whoever does not is refused."""
    entry, place = await add(town, "jellyfin"), town.places["jellyfin"]
    await town.options(entry, webhook_header_secret="hush")
    await until(lambda: state_of(entry) == "proved")
    await place.act(Act.FINISH)
    await until(lambda: town.state("sensor.anna_last_watched") == FILM.key)
    client = await hass_client_no_auth()
    path = webhook.async_generate_path(entry.data["webhook_id"])
    body = b'{"NotificationType": "Generic"}'
    statuses = [(await client.post(path, data=body, headers=headers)).status for headers in ({}, {"X-Webhook-Secret": "wrong"}, SECRET)]
    assert statuses == [401, 401, 200]


@pytest.mark.parametrize("kind", ["plex", "emby"])
async def test_who_cannot_send_a_secret_is_not_registered(town: House, plex_tv: PlexTvSimulator, kind: str) -> None:
    """Its messages would all be refused: it is taken out of the list, and comes back with the secret gone."""
    entry = await add(town, kind)
    await town.options(entry, webhook_header_secret="hush")
    assert (state_of(entry), listed(town.places[kind], plex_tv)) == ("manual", [])
    await town.options(entry, webhook_header_secret=None)
    assert listed(town.places[kind], plex_tv) == [url_of(town, entry)]


async def test_events_that_do_not_count(town: House, hass_client_no_auth: ClientSessionGenerator) -> None:
    """They are not asked for, and passed over when they come all the same."""
    entry, place = await add(town, "jellyfin"), town.places["jellyfin"]
    await town.options(entry, webhook_events=["PlaybackStop"])
    assert isinstance(place.simulator, JellyfinSimulator)
    assert place.simulator.plugin.configuration["GenericOptions"][0]["NotificationTypes"] == ["PlaybackStop"]
    client = await hass_client_no_auth()
    body = b'{"NotificationType": "UserDataSaved", "ItemType": "Movie"}'
    assert (await client.post(webhook.async_generate_path(entry.data["webhook_id"]), data=body)).status == 200
    await town.settle()
    notes = [(note.outcome, note.event, note.reason) for note in town.hass.data[HUB].journal if note.kind is NoteKind.WEBHOOK]
    assert notes[-1] == ("ignored", "UserDataSaved", "events of this kind do not count")


async def test_the_last_page_shows_the_address_at_home(town: House, plex_tv: PlexTvSimulator) -> None:
    """A webhook begins with the local network only: the address from outside would be refused."""
    await town.hass.config.async_update(external_url="https://away.example")
    shown = await town.fill(await town.to_preview("emby"))
    await town.settle()
    entry = shown["result"]
    at_home = f"{town.hass.config.internal_url}/api/webhook/{entry.data['webhook_id']}"
    assert (shown["description_placeholders"] or {})["webhook_url"] == at_home
    assert listed(town.places["emby"], plex_tv) == [at_home]
    await town.options(entry, webhook_local_only=False)
    assert listed(town.places["emby"], plex_tv) == [f"https://away.example/api/webhook/{entry.data['webhook_id']}"]


@pytest.mark.parametrize("known", [True, False])
async def test_the_options_show_the_address(town: House, *, known: bool) -> None:
    """Whoever has to paste it finds it there, or its path; which events count and the secret are kept."""
    entry, manager = await add(town, "jellyfin"), town.hass.config_entries.options
    if not known:
        await town.hass.config.async_update(internal_url=None)
        assert town.hass.config.api is not None
        town.hass.config.api.local_ip = "127.0.0.1"
    walk = Walk(town.hass, manager, await manager.async_init(entry.entry_id))
    address = url_of(town, entry) if known else f"/api/webhook/{entry.data['webhook_id']}"
    assert walk.shown["description_placeholders"]["webhook_url"] == address
    assert defaults(walk.shown)["webhook_events"] == ["ItemAdded", "PlaybackStart", "PlaybackStop", "UserDataSaved"]
    await walk.keep(webhook_events=["PlaybackStop"], webhook_header_secret="hush")
    await town.settle()
    assert (entry.options["webhook_events"], entry.options["webhook_header_secret"]) == (["PlaybackStop"], "hush")
    walk = Walk(town.hass, manager, await manager.async_init(entry.entry_id))
    assert walk.suggested() == {"webhook_header_secret": "hush"}
    await walk.keep()
    await town.settle()
    assert "webhook_header_secret" not in entry.options


class Cloud(ModuleType):
    """Home Assistant Cloud's component, as far as it is used: its own needs packages that tests do not have."""

    def __init__(self, hass: HomeAssistant) -> None:
        super().__init__("homeassistant.components.cloud")
        self.hooks: dict[str, dict[str, Any]] = {}
        self.connected, self.fails = True, False
        self.listeners: list[Callable[[object], None]] = []
        hass.data["cloud"] = SimpleNamespace(client=SimpleNamespace(cloudhooks=self.hooks))

    def async_active_subscription(self, hass: HomeAssistant) -> bool:
        return True

    def async_is_connected(self, hass: HomeAssistant) -> bool:
        return self.connected

    async def async_get_or_create_cloudhook(self, hass: HomeAssistant, webhook_id: str) -> str:
        if self.fails:
            raise RuntimeError("the cloud has a bad day")
        return str(self.hooks.setdefault(webhook_id, {"cloudhook_url": f"https://hooks.invalid/{len(self.hooks)}"})["cloudhook_url"])

    async def async_delete_cloudhook(self, hass: HomeAssistant, webhook_id: str) -> None:
        if self.fails:
            raise RuntimeError("the cloud has a bad day")
        del self.hooks[webhook_id]

    def async_listen_connection_change(self, hass: HomeAssistant, target: Callable[[object], None]) -> Callable[[], None]:
        self.listeners.append(target)
        return lambda: self.listeners.remove(target)


@pytest.fixture
def cloud(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Put the cloud in the place of the real one."""
    found = Cloud(hass)
    monkeypatch.setitem(sys.modules, found.__name__, found)
    monkeypatch.setattr("homeassistant.components.cloud", found, raising=False)
    hass.config.components.add("cloud")
    return found


@pytest.mark.parametrize("kind", KINDS)
async def test_through_the_cloud(town: House, plex_tv: PlexTvSimulator, cloud: Cloud, kind: str) -> None:
    """Let in from outside, the webhook has an address of the cloud; kept within, the one at home. Removed, the cloud's is gone too."""
    entry, place = await add(town, kind), town.places[kind]
    at_home = url_of(town, entry)
    assert (listed(place, plex_tv), cloud.hooks) == ([at_home], {})
    await town.options(entry, webhook_local_only=False)
    assert listed(place, plex_tv) == ["https://hooks.invalid/0"]
    assert (await town.call("get_webhook", config_entry_id=entry.entry_id))["url"] == "https://hooks.invalid/0"
    await town.options(entry, webhook_local_only=True)
    assert listed(place, plex_tv) == [at_home]
    await town.options(entry, webhook_local_only=False)
    await town.hass.config_entries.async_remove(entry.entry_id)
    assert (listed(place, plex_tv), cloud.hooks, cloud.listeners) == ([], {}, [])


async def test_the_cloud_comes_later(town: House, plex_tv: PlexTvSimulator, cloud: Cloud) -> None:
    """While it is not connected the address at home is used; as soon as it is, the cloud's."""
    cloud.connected = False
    entry, place = await add(town, "jellyfin"), town.places["jellyfin"]
    await town.options(entry, webhook_local_only=False)
    assert listed(place, plex_tv) == [url_of(town, entry)]
    cloud.connected = True
    for listener in cloud.listeners:
        listener("cloud_connected")
    await town.settle()
    assert listed(place, plex_tv) == ["https://hooks.invalid/0"]


async def test_the_cloud_has_a_bad_day(town: House, plex_tv: PlexTvSimulator, cloud: Cloud) -> None:
    """Whatever goes wrong there, the webhook is one at home, and a removal goes on."""
    cloud.fails = True
    entry, place = await add(town, "jellyfin"), town.places["jellyfin"]
    await town.options(entry, webhook_local_only=False)
    assert listed(place, plex_tv) == [url_of(town, entry)]
    cloud.hooks[entry.data["webhook_id"]] = {"cloudhook_url": "https://hooks.invalid/9"}
    await town.hass.config_entries.async_remove(entry.entry_id)
    assert listed(place, plex_tv) == []


def told_by(house: House, entity_id: str) -> list[str]:
    """Collect the types of an event entity's events."""
    told: list[str] = []

    @callback
    def hear(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if event.data["entity_id"] == entity_id and state and state.state != "unavailable":
            told.append(state.attributes["event_type"])

    house.hass.bus.async_listen("state_changed", hear)
    return told


async def test_one_view_is_told_once_whichever_ways_it_comes(town: House, plex_tv: PlexTvSimulator) -> None:
    """Webhook, socket and poll tell of the same play: it is one start, one stop and one view (pitfall 25)."""
    entries = {kind: await add(town, kind) for kind in KINDS}
    told = told_by(town, "event.anna_watch")
    for kind, title in zip(KINDS, TITLES, strict=False):
        told.clear()
        await town.places[kind].act(Act.PLAY, title)
        await town.settle()
        await town.places[kind].act(Act.FINISH, title)
        await until(lambda: "watched" in told)
        await town.settle()
        await town.call("sync", config_entry_id=entries[kind].entry_id)
        await town.later(4)
        assert sorted(told) == ["started", "stopped", "watched"], kind


async def test_two_servers_of_one_plex_account(town: House, plex_tv: PlexTvSimulator) -> None:
    """Each server sends to both webhooks: every message finds its own server, and one view is told once (pitfall 25)."""
    second = PlexSimulator("Garage", TITLES, PEOPLE)
    async with serving(second) as url:
        plex_tv.join(second, url)
        first, town.places["plex"] = town.places["plex"], Place(second, url)
        town.places["garage"] = town.places["plex"]
        garage = await add(town, "plex")
        town.places["plex"] = first
        study = await add(town, "plex")
        assert sorted(listed(first, plex_tv)) == sorted(url_of(town, entry) for entry in (garage, study))
        for entry in (garage, study):
            await town.options(entry, realtime=False)
        told = told_by(town, "event.anna_watch")
        received = {name: told_by(town, f"event.{name}_webhook_received") for name in ("garage", "study")}
        await town.places["garage"].act(Act.PLAY)
        await town.settle()
        await town.places["garage"].act(Act.FINISH)
        await until(lambda: "watched" in told)
        await town.settle()
        assert first.shown().played
        assert sorted(told) == ["started", "stopped", "watched"]
        assert (set(received["garage"]), received["study"]) == ({"processed"}, [])
        await town.hass.config_entries.async_remove(garage.entry_id)
        assert listed(first, plex_tv) == [url_of(town, study)]
