"""G2 and G5 as people meet them: the held run, its issue, its events, its actions; undo."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from homeassistant.config_entries import ConfigEntry
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from custom_components.plex_watchsync.const import (
    DOMAIN,
    EVENT_SYNC_APPROVED,
    EVENT_SYNC_DISCARDED,
    EVENT_SYNC_FINISHED,
    EVENT_SYNC_HELD,
    EVENT_SYNC_UNDONE,
)
from custom_components.plex_watchsync.helpers import account_subentries, household_entry
from custom_components.plex_watchsync.hub import HUB, Hub
from simulators.base import Act

from .conftest import FILM, OTHER, TITLES, House
from .flows import added, joined
from .translations import ENGLISH


@pytest.fixture
async def entries(house: House) -> dict[str, ConfigEntry]:
    """Add all servers with everything watched, and let two unwatches be too many."""
    for title in TITLES:
        house.places["plex"].simulator.stock("anna", title.key, played=True, count=1)
    entries = await house.add_all()
    household = next(entry for entry in house.hass.config_entries.async_entries(DOMAIN) if entry.title == "Household")
    house.hass.config_entries.async_update_entry(household, options={"breaker_items": 1, "breaker_percent": 5, "vanished_percent": 20})
    await house.settle()
    return entries


async def held(house: House, entries: dict[str, ConfigEntry]) -> str:
    """Have three titles marked unwatched at once; return the run."""
    for title in TITLES[:3]:
        await house.places["emby"].act(Act.MARK_UNWATCHED, title)
    answer = await house.call("sync", config_entry_id=entries["emby"].entry_id)
    assert answer["servers"]["Cellar"]["held"] == 3
    run_id: str = answer["run_id"]
    return run_id


def unwatched(house: House) -> list[int]:
    """Count what each server shows as unwatched."""
    return [sum(not place.shown(title).played for title in TITLES) for place in house.places.values()]


def issues(house: House) -> list[ir.IssueEntry]:
    """Return the issues of held runs."""
    return [issue for (domain, _), issue in ir.async_get(house.hass).issues.items() if domain == DOMAIN and issue.translation_key == "held_run"]


async def test_it_is_shown(house: House, entries: dict[str, ConfigEntry]) -> None:
    """Status, event and issue, after a reload too."""
    told, finished = (async_capture_events(house.hass, event) for event in (EVENT_SYNC_HELD, EVENT_SYNC_FINISHED))
    run_id = await held(house, entries)
    assert unwatched(house) == [0, 0, 3]
    assert house.state("sensor.cellar_status") == "held"
    assert house.state("sensor.study_status") == "idle"
    (event,) = told
    assert event.data | {"time": ""} == {
        "run_id": run_id,
        "viewer": "anna",
        "server": "Cellar",
        "reason": "unwatches",
        "count": 3,
        "titles": sorted(str(item) for item in event.data["titles"]),
        "time": "",
    }
    assert len(event.data["titles"]) == 3
    assert finished[-1].data["run_id"] == run_id
    assert finished[-1].data["servers"]["Cellar"]["held"] == 3
    (issue,) = issues(house)
    assert issue.is_fixable
    assert FILM.key in str(issue.translation_placeholders)
    texts = str(ENGLISH["issues"]["held_run"])
    assert issue.translation_placeholders is not None
    assert all(f"{{{name}}}" in texts for name in issue.translation_placeholders)
    await house.hass.config_entries.async_reload(entries["emby"].entry_id)
    await house.settle()
    assert house.state("sensor.cellar_status") == "held"
    assert issues(house)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("options", "why_not"),
    [
        ({}, None),
        ({"viewer": "Anna"}, None),
        ({"viewer": "her id"}, None),
        ({"config_entry_id": "emby"}, None),
        ({"config_entry_id": "household"}, None),
        ({"viewer": "ben"}, "viewer_mismatch"),
        ({"config_entry_id": "plex"}, "server_mismatch"),
        ({"config_entry_id": "gone"}, "server_mismatch"),
    ],
)
async def test_it_triggers_an_automation(
    house: House, entries: dict[str, ConfigEntry], hass_ws_client: WebSocketGenerator, options: dict[str, str], why_not: str | None
) -> None:
    """G2: an automation hears of it, and its trace says why it did not when another server or viewer was chosen."""
    household = household_entry(house.hass)
    assert household is not None
    known = {**{kind: entry.entry_id for kind, entry in entries.items()}, "household": household.entry_id, "her id": next(iter(household.subentries))}
    options = {name: known.get(chosen, chosen) for name, chosen in options.items()}
    action = {"event": "heard", "event_data": {"text": "{{ trigger.count }} {{ trigger.server }} {{ trigger.viewer }}", "why": "{{ trigger.description }}"}}
    automation = {"id": "held", "alias": "Held", "triggers": {"trigger": f"{DOMAIN}.sync_held", "options": options}, "actions": action}
    assert await async_setup_component(house.hass, "automation", {"automation": [automation]})
    await house.settle()
    heard = async_capture_events(house.hass, "heard")
    await held(house, entries)
    await house.settle()
    assert [event.data for event in heard] == ([] if why_not else [{"text": "3 Cellar anna", "why": "3 titles of Cellar are held"}])
    client, about = await hass_ws_client(), {"domain": "automation", "item_id": "held"}
    await client.send_json_auto_id({"type": "trace/list", **about})
    (trace,) = (await client.receive_json())["result"]
    await client.send_json_auto_id({"type": "trace/get", "run_id": trace["run_id"], **about})
    assert (why_not or "finished") in str((await client.receive_json())["result"])


@pytest.mark.parametrize("named", ["first", "later", ""])
async def test_approve(house: House, entries: dict[str, ConfigEntry], named: str) -> None:
    """G2: by the run that had it held, by one that answered later that it is held, or the only one."""
    told = async_capture_events(house.hass, EVENT_SYNC_APPROVED)
    run_id = await held(house, entries)
    later: str = (await house.call("sync", config_entry_id=entries["emby"].entry_id))["run_id"]
    answer = await house.call("approve_held", **({"run_id": run_id if named == "first" else later} if named else {}))
    await house.settle()
    assert unwatched(house) == [3, 3, 3]
    assert [one["run_id"] for one in answer["held"]] == [run_id]
    assert answer["servers"]["Study"]["written"] == 3
    assert told[0].data["run_id"] == run_id
    assert not issues(house)
    assert house.state("sensor.cellar_status") == "idle"


async def test_discard(house: House, entries: dict[str, ConfigEntry]) -> None:
    """R3: the held server gets back what was agreed."""
    told = async_capture_events(house.hass, EVENT_SYNC_DISCARDED)
    run_id = await held(house, entries)
    await house.call("discard_held", run_id=run_id, viewer="anna")
    await house.settle()
    assert unwatched(house) == [0, 0, 0]
    assert len(told) == 1
    assert not issues(house)


async def test_what_cannot_be_decided_is_said(house: House, entries: dict[str, ConfigEntry]) -> None:
    with pytest.raises(ServiceValidationError, match="Nothing is held"):
        await house.call("approve_held")
    with pytest.raises(ServiceValidationError, match="of the run nonsense"):
        await house.call("discard_held", run_id="nonsense")
    await held(house, entries)
    for title in TITLES[3:6]:
        await house.places["jellyfin"].act(Act.MARK_UNWATCHED, title)
    await house.call("sync", config_entry_id=entries["jellyfin"].entry_id)
    assert len(issues(house)) == 2
    with pytest.raises(ServiceValidationError, match="More than one run is held"):
        await house.call("approve_held")


async def test_what_is_held_of_one_server(house: House, entries: dict[str, ConfigEntry]) -> None:
    """G2, G5: who names a server decides on what was found there, and undoes that; another one has nothing of it."""
    elsewhere, there = {"config_entry_id": entries["plex"].entry_id}, {"config_entry_id": entries["emby"].entry_id}
    run_id = await held(house, entries)
    for named in ({}, {"run_id": run_id}):
        with pytest.raises(ServiceValidationError, match=r"Nothing is held"):
            await house.call("approve_held", **elsewhere, **named)
    assert unwatched(house) == [0, 0, 3]
    answer = await house.call("approve_held", **there)
    await house.settle()
    assert unwatched(house) == [3, 3, 3]
    with pytest.raises(ServiceValidationError, match="knows no change"):
        await house.call("undo", run_id=answer["run_id"], **elsewhere)
    assert (await house.call("undo", run_id=answer["run_id"], **there))["undone"] == 3
    assert unwatched(house) == [0, 0, 0]


async def step(client: Any, address: str, content: dict[str, Any]) -> dict[str, Any]:
    """Go one step in a repair's flow."""
    answer = await client.post(address, json=content)
    assert answer.status == HTTPStatus.OK
    result: dict[str, Any] = await answer.json()
    return result


@pytest.mark.parametrize(("choice", "left"), [("approve", [3, 3, 3]), ("discard", [0, 0, 0])])
@pytest.mark.parametrize("away", ["offline", "unloaded", ""])
async def test_repair(house: House, entries: dict[str, ConfigEntry], hass_client: ClientSessionGenerator, *, choice: str, left: list[int], away: str) -> None:
    """G2: the issue's own flow does the same; what is decided while the server is away, or not loaded, is not lost."""
    assert await async_setup_component(house.hass, "repairs", {})
    client = await hass_client()
    await held(house, entries)
    (issue,) = issues(house)
    shown = await step(client, "/api/repairs/issues/fix", {"handler": DOMAIN, "issue_id": issue.issue_id})
    assert (shown["type"], shown["menu_options"]) == ("menu", ["approve", "discard"])
    address = f"/api/repairs/issues/fix/{shown['flow_id']}"
    told = [async_capture_events(house.hass, event) for event in (EVENT_SYNC_APPROVED, EVENT_SYNC_DISCARDED)]
    if away:
        house.places["emby"].simulator.faults.offline = away == "offline"
        if away == "unloaded":
            await house.hass.config_entries.async_unload(entries["emby"].entry_id)
        again = await step(client, address, {"next_step_id": choice})
        assert (again["type"], again["reason"]) == ("abort", "cannot_connect")
        assert issues(house)
        assert not any(told)
        house.places["emby"].simulator.faults.offline = False
        if away == "unloaded":
            await house.hass.config_entries.async_setup(entries["emby"].entry_id)
            await house.settle()
        shown = await step(client, "/api/repairs/issues/fix", {"handler": DOMAIN, "issue_id": issue.issue_id})
        address = f"/api/repairs/issues/fix/{shown['flow_id']}"
    done = await step(client, address, {"next_step_id": choice})
    assert done["type"] == "create_entry"
    await house.settle()
    assert unwatched(house) == left
    assert not issues(house)


async def test_it_is_shown_while_no_server_answers(house: House, entries: dict[str, ConfigEntry]) -> None:
    """G2: what is held has its issue after a restart at which every server is away."""
    await held(house, entries)
    everything = house.hass.config_entries.async_entries(DOMAIN)
    for entry in everything:
        await house.hass.config_entries.async_unload(entry.entry_id)
    house.hass.data[HUB] = Hub(house.hass)
    (issue,) = issues(house)
    ir.async_delete_issue(house.hass, DOMAIN, issue.issue_id)
    for place in house.places.values():
        place.simulator.faults.offline = True
    for entry in everything:
        await house.hass.config_entries.async_setup(entry.entry_id)
    await house.settle()
    assert [one.issue_id for one in issues(house)] == [issue.issue_id]


async def test_a_repair_that_is_late(house: House, entries: dict[str, ConfigEntry], hass_client: ClientSessionGenerator) -> None:
    """What was decided elsewhere meanwhile is not decided twice."""
    assert await async_setup_component(house.hass, "repairs", {})
    client = await hass_client()
    await held(house, entries)
    (issue,) = issues(house)
    next(iter(house.hass.data[DOMAIN].viewers.values())).holds.held.clear()
    late = await step(client, "/api/repairs/issues/fix", {"handler": DOMAIN, "issue_id": issue.issue_id})
    assert (late["type"], late["reason"]) == ("abort", "not_held")


@pytest.mark.parametrize("kind", ["plex", "jellyfin", "emby"])
async def test_a_library_that_is_unmounted(house: House, entries: dict[str, ConfigEntry], kind: str) -> None:
    """G2, G4, R2, pitfalls 1 and 8: however often it is looked for, nothing is concluded and an issue says so; acts on other titles go on; back again, all is well."""
    place, others = house.places[kind], [one for known, one in house.places.items() if known != kind]
    films = [title for title in TITLES if title.library == FILM.library]
    await place.simulator.unmount(FILM.library)
    for _ in range(4):
        answer = await house.call("import_state", config_entry_id=entries[kind].entry_id, force_full=True)
        assert answer["servers"][place.name]["held"] == len(films)
        assert not answer["changes"]
    (issue,) = issues(house)
    assert (issue.translation_placeholders or {})["vanished"] == str(len(films))
    assert house.state(f"sensor.{place.name.lower()}_status") == "held"
    await others[0].act(Act.MARK_UNWATCHED, TITLES[-1])
    await house.call("sync", config_entry_id=next(entry for entry in entries.values() if entry.title == others[0].name).entry_id)
    assert not place.shown(TITLES[-1]).played
    assert all(one.shown(film).played for one in others for film in films)
    await place.simulator.mount(FILM.library)
    for _ in range(3):  # its titles may have other ids and be unwatched by now (R4)
        await house.call("sync", config_entry_id=entries[kind].entry_id)
        await house.later(60)
    assert all(one.shown(film).played for one in house.places.values() for film in films)
    assert not issues(house)


async def test_what_an_approval_has_held_is_told_too(house: House, entries: dict[str, ConfigEntry]) -> None:
    """G2: what is seen for the first time when something else is approved has its event and its issue."""
    cellar, told = house.places["emby"], async_capture_events(house.hass, EVENT_SYNC_HELD)
    await cellar.simulator.unmount(FILM.library)
    await house.call("sync", config_entry_id=entries["emby"].entry_id)
    gone, left = [title for title in TITLES if title.library == FILM.library], [title for title in TITLES if title.library != FILM.library]
    for title in left:
        await cellar.act(Act.MARK_UNWATCHED, title)
    await house.call("approve_held")
    assert [(event.data["reason"], event.data["count"]) for event in told] == [("vanished", len(gone)), ("unwatches", len(left))]
    assert [(issue.translation_placeholders or {})["items"] for issue in issues(house)] == [str(len(left))]


async def test_undo(house: House, entries: dict[str, ConfigEntry]) -> None:
    """A run, and a single change."""
    told = async_capture_events(house.hass, EVENT_SYNC_UNDONE)
    await house.places["plex"].act(Act.MARK_UNWATCHED)
    answer = await house.call("sync", config_entry_id=entries["plex"].entry_id)
    assert unwatched(house) == [1, 1, 1]
    undone = await house.call("undo", run_id=answer["run_id"])
    assert (undone["undone"], undone["left"]) == (1, [])
    assert unwatched(house) == [0, 0, 0]
    assert told[0].data["undone"] == 1
    (change,) = (await house.call("get_journal", kind="change", run_id=undone["run_id"]))["entries"]
    assert change["reason"].startswith("undo of ")
    await house.call("undo", change_id=change["change_id"])
    assert unwatched(house) == [1, 1, 1]
    assert [one["reason"] for one in (await house.call("undo", run_id=answer["run_id"]))["left"]] == ["it was changed since"]
    with pytest.raises(ServiceValidationError, match="knows no change of nonsense"):
        await house.call("undo", run_id="nonsense")


async def test_an_undo_that_unwatches_many_is_held(house: House, entries: dict[str, ConfigEntry]) -> None:
    """G2, G5: it has an issue of its own, and is approved as anything else that is held."""
    for title in TITLES[:3]:
        for place in house.places.values():
            place.simulator.stock("anna", title.key, played=False, count=0)
    await house.call("approve_held", run_id=(await house.call("sync", config_entry_id=entries["emby"].entry_id))["run_id"])
    for title in TITLES[:3]:
        await house.places["plex"].act(Act.MARK_WATCHED, title)
    run_id = (await house.call("sync", config_entry_id=entries["plex"].entry_id))["run_id"]
    assert unwatched(house) == [0, 0, 0]
    answer = await house.call("undo", run_id=run_id)
    assert (answer["undone"], answer["held"]) == (0, 3)
    assert unwatched(house) == [0, 0, 0]
    (issue,) = [one for (domain, _), one in ir.async_get(house.hass).issues.items() if domain == DOMAIN]
    assert (issue.translation_key, issue.is_fixable) == ("held_undo", True)
    assert issue.translation_placeholders is not None
    assert all(f"{{{name}}}" in str(ENGLISH["issues"]["held_undo"]) for name in ("viewer", "items", "titles"))
    await house.call("approve_held")
    await house.settle()
    assert unwatched(house) == [3, 3, 3]
    assert not [one for domain, one in ir.async_get(house.hass).issues if domain == DOMAIN]


async def test_an_undo_says_what_is_forgotten(house: House, entries: dict[str, ConfigEntry]) -> None:
    """G5: the journal is bounded; what it has dropped of a run is counted, not passed over in silence."""
    for title in TITLES[:3]:
        await house.places["plex"].act(Act.MARK_UNWATCHED, title)
    await house.options(next(entry for entry in house.hass.config_entries.async_entries(DOMAIN) if entry.title == "Household"), breaker_items=10)
    run_id = (await house.call("sync", config_entry_id=entries["plex"].entry_id))["run_id"]
    assert unwatched(house) == [3, 3, 3]
    for notes in house.hass.data[HUB].journal._segments.values():
        notes[:] = [note for note in notes if note.run_id != run_id or not note.change_id.endswith((".1", ".2"))]
    answer = await house.call("undo", run_id=run_id)
    assert (answer["undone"], answer["forgotten"], answer["left"]) == (1, 2, [])
    assert unwatched(house) == [2, 2, 2]
    (change,) = (await house.call("get_journal", kind="change", run_id=answer["run_id"]))["entries"]
    assert (await house.call("undo", change_id=change["change_id"]))["forgotten"] == 0


@pytest.fixture
async def two(house: House) -> tuple[str, Callable[[], tuple[int, int]]]:
    """Have two viewers on one server, let each watch a film, and sync it; return the run, and how to count what each has watched."""
    entry = await added(house.hass, house.places["jellyfin"], "jellyfin_api_key")
    await joined(house.hass, entry)
    simulator = house.places["jellyfin"].simulator
    await simulator.act("anna", FILM.key, Act.MARK_WATCHED)
    await simulator.act("ben", OTHER.key, Act.MARK_WATCHED)
    run_id: str = (await house.call("sync", config_entry_id=entry.entry_id))["run_id"]

    def watched() -> tuple[int, int]:
        anna, ben = (sum(record.played for record in simulator.shown(name)) for name in ("anna", "ben"))
        return anna, ben

    assert watched() == (1, 1)
    return run_id, watched


async def test_a_change_is_one_viewers(house: House, two: tuple[str, Callable[[], tuple[int, int]]]) -> None:
    """G5: viewers share a run, and its changes have names of their own, so that to undo one takes nothing from anybody else."""
    run_id, watched = two
    changes = (await house.call("get_journal", kind="change", run_id=run_id))["entries"]
    assert len({change["change_id"] for change in changes}) == 2
    anna = next(change["change_id"] for change in changes if change["viewer"] == "anna")
    assert (await house.call("undo", change_id=anna))["undone"] == 1
    assert watched() == (0, 1)


async def test_an_undo_of_several_viewers_is_one_run(house: House, two: tuple[str, Callable[[], tuple[int, int]]]) -> None:
    """G5: what one action did is undone by the one run that it answers with."""
    run_id, watched = two
    answer = await house.call("undo", run_id=run_id)
    assert (answer["undone"], watched()) == (2, (0, 0))
    assert (await house.call("undo", run_id=answer["run_id"]))["undone"] == 2
    assert watched() == (1, 1)


async def test_removal_takes_the_issue_along(house: House, entries: dict[str, ConfigEntry]) -> None:
    await held(house, entries)
    for entry in house.hass.config_entries.async_entries(DOMAIN):
        await house.hass.config_entries.async_remove(entry.entry_id)
    assert not issues(house)


@pytest.mark.parametrize("what", ["server", "account"])
async def test_what_is_held_of_a_server_goes_with_it(house: House, entries: dict[str, ConfigEntry], what: str) -> None:
    """G2: nothing is left to decide on once the server, or the account, is removed."""
    await held(house, entries)
    assert issues(house)
    if what == "server":
        await house.hass.config_entries.async_remove(entries["emby"].entry_id)
    else:
        (account,) = account_subentries(entries["emby"])
        house.hass.config_entries.async_remove_subentry(entries["emby"], account.subentry_id)
    await house.settle()
    assert not issues(house)
