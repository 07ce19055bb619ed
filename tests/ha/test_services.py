"""Actions: what they do, answer, and refuse."""

from typing import Any

import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockUser

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized

from custom_components.plex_watchsync.const import DOMAIN
from custom_components.plex_watchsync.helpers import account_subentries, household_entry, viewer_subentries
from simulators.base import Act

from .conftest import FILM, OTHER, TITLES, House

COUNTS = {"read", "changed", "written", "skipped", "failed", "held"}


@pytest.fixture
async def loaded(house: House) -> dict[str, ConfigEntry]:
    """Add the three servers."""
    return await house.add_all()


@pytest.fixture
def household(house: House, loaded: dict[str, ConfigEntry]) -> str:
    """Return the id of the household's entry."""
    entry = household_entry(house.hass)
    assert entry is not None
    return entry.entry_id


async def test_import_reads_and_writes_nothing(house: House, loaded: dict[str, ConfigEntry]) -> None:
    """The answer has the promised shape; the others learn of it at the next export."""
    await house.places["plex"].act(Act.MARK_WATCHED)
    answer = await house.call("import_state", config_entry_id=loaded["plex"].entry_id)
    assert set(answer) == {"run_id", "dry_run", "servers", "changes", "duration"}
    assert list(answer["servers"]) == ["Study"]
    assert set(answer["servers"]["Study"]) == COUNTS
    assert (answer["servers"]["Study"]["read"], answer["servers"]["Study"]["changed"]) == (len(TITLES), 1)
    assert [(change["kind"], change["server"]) for change in answer["changes"]] == [("watched", "Study")]
    assert not house.places["emby"].shown().played
    answer = await house.call("export_state", config_entry_id=loaded["emby"].entry_id)
    assert answer["servers"]["Cellar"]["written"] == 1
    assert [(change["kind"], change["server"]) for change in answer["changes"]] == [("mark_watched", "Cellar")]
    assert house.places["emby"].shown().played
    assert not house.places["jellyfin"].shown().played


async def test_all_servers_by_the_household(house: House, household: str) -> None:
    """The household's entry stands for all servers."""
    await house.places["plex"].act(Act.MARK_WATCHED)
    await house.places["emby"].act(Act.MARK_WATCHED, OTHER)
    answer = await house.call("sync", config_entry_id=household)
    assert set(answer["servers"]) == {"Study", "Attic", "Cellar"}
    assert all(place.shown(title).played for place in house.places.values() for title in (FILM, OTHER))


@pytest.mark.parametrize("action", ["sync", "import_state"])
async def test_a_dry_run_changes_nothing(house: House, household: str, action: str) -> None:
    """It says what would be agreed and written, and does neither (G6)."""
    await house.places["plex"].act(Act.MARK_WATCHED)
    for _ in range(2):
        answer = await house.call(action, config_entry_id=household, dry_run=True)
        assert answer["dry_run"] is True
        assert answer["servers"]["Study"]["changed"] == 1
        assert not any(counts["written"] for counts in answer["servers"].values())
        assert {change["server"] for change in answer["changes"]} >= {"Study"}
    assert not house.places["emby"].shown().played


async def test_an_export_overwrites_what_is_newer_if_it_is_told(house: House, loaded: dict[str, ConfigEntry]) -> None:
    """What a person changed meanwhile is left for the next import, unless the date is to be ignored."""
    for kind in ("plex", "jellyfin"):
        house.places[kind].simulator.stock("anna", FILM.key, played=True, count=1)
    await house.call("sync", config_entry_id=loaded["plex"].entry_id)
    await house.places["emby"].act(Act.MARK_UNWATCHED)
    await house.call("export_state", config_entry_id=loaded["emby"].entry_id, force_full=True)
    assert not house.places["emby"].shown().played
    await house.call("export_state", config_entry_id=loaded["emby"].entry_id, force_full=True, ignore_date=True)
    assert house.places["emby"].shown().played


async def test_learning_ids_concludes_nothing(house: House, loaded: dict[str, ConfigEntry]) -> None:
    """Metadata alone is read, not what was watched."""
    await house.places["plex"].act(Act.MARK_WATCHED)
    answer = await house.call("import_state", config_entry_id=loaded["plex"].entry_id, metadata_only=True, force_full=True)
    assert (answer["servers"]["Study"]["read"], answer["changes"]) == (len(TITLES), [])


@pytest.mark.parametrize("by", ["name", "id"])
async def test_one_viewer(house: House, loaded: dict[str, ConfigEntry], household: str, by: str) -> None:
    """A viewer is named as shown, or by id."""
    entry = house.hass.config_entries.async_get_entry(household)
    assert entry is not None
    (viewer,) = viewer_subentries(entry)
    wanted = viewer.title.upper() if by == "name" else viewer.subentry_id
    answer = await house.call("sync", config_entry_id=loaded["plex"].entry_id, viewer=wanted)
    assert answer["servers"]["Study"]["read"] == len(TITLES)


async def test_an_unknown_viewer_is_refused(house: House, household: str) -> None:
    """The error names who was looked for."""
    with pytest.raises(ServiceValidationError) as caught:
        await house.call("sync", config_entry_id=household, viewer="Nobody")
    assert (caught.value.translation_key, caught.value.translation_placeholders) == ("unknown_viewer", {"viewer": "Nobody"})


async def test_some_libraries(house: House, loaded: dict[str, ConfigEntry]) -> None:
    """Libraries are named as shown, or by id; only they are read."""
    (account,) = account_subentries(loaded["plex"])
    read = 0
    for library in account.data["libraries"]:
        answer = await house.call("sync", config_entry_id=loaded["plex"].entry_id, libraries=[library])
        assert 0 < answer["servers"]["Study"]["read"] < len(TITLES)
        read += answer["servers"]["Study"]["read"]
    assert read == len(TITLES)
    named = await house.call("sync", config_entry_id=loaded["plex"].entry_id, libraries=["movies"])
    assert 0 < named["servers"]["Study"]["read"] < len(TITLES)


async def test_an_unknown_library_is_refused(house: House, loaded: dict[str, ConfigEntry]) -> None:
    """The error names what was looked for."""
    with pytest.raises(ServiceValidationError) as caught:
        await house.call("sync", config_entry_id=loaded["plex"].entry_id, libraries=["Movies", "Cellar tapes"])
    assert (caught.value.translation_key, caught.value.translation_placeholders) == ("unknown_library", {"library": "cellar tapes"})


@pytest.mark.parametrize("fields", [{}, {"libraries": ["Movies"]}])
async def test_a_server_that_is_away_is_an_error(house: House, loaded: dict[str, ConfigEntry], fields: dict[str, Any]) -> None:
    """One server: an error in words that name it and why, with no secret in it."""
    house.places["plex"].simulator.faults.status = 500
    with pytest.raises(HomeAssistantError) as caught:
        await house.call("sync", config_entry_id=loaded["plex"].entry_id, **fields)
    assert caught.value.translation_key == "server_failed"
    assert caught.value.translation_placeholders is not None
    assert caught.value.translation_placeholders["server"] == "Study"
    assert "500" in caught.value.translation_placeholders["error"]
    assert loaded["plex"].data["token"] not in str(caught.value.translation_placeholders)


async def test_of_all_servers_those_that_are_there_are_synced(house: House, household: str) -> None:
    """For the household one server that is away stops nobody else."""
    house.places["emby"].simulator.faults.status = 500
    await house.places["plex"].act(Act.MARK_WATCHED)
    answer = await house.call("sync", config_entry_id=household)
    assert house.places["jellyfin"].shown().played
    assert answer["servers"]["Cellar"]["read"] == 0


async def test_of_all_servers_those_that_have_the_library_are_synced(house: House, household: str) -> None:
    """One that is away stops nobody else; what nobody has who answers may be there."""
    house.places["emby"].simulator.faults.status = 500
    await house.places["plex"].act(Act.MARK_WATCHED)
    with pytest.raises(HomeAssistantError, match="Cellar could not be synced"):
        await house.call("sync", config_entry_id=household, libraries=["Elsewhere"])
    answer = await house.call("sync", config_entry_id=household, libraries=["Movies"])
    assert house.places["jellyfin"].shown().played
    assert answer["servers"]["Cellar"]["read"] == 0


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        *((action, {"media": {"imdb": FILM.ids["imdb"]}}) for action in ("mark_watched", "mark_unwatched", "explain", "search", "ignore", "unignore")),
        ("set_progress", {"media": {"imdb": FILM.ids["imdb"]}, "position": 600}),
        ("set_rating", {"media": {"imdb": FILM.ids["imdb"]}, "rating": 8}),
        *((action, {}) for action in ("get_report", "get_journal", "approve_held", "discard_held", "backup", "restore")),
        ("undo", {"run_id": "any"}),
    ],
)
async def test_an_unknown_entry_is_refused_where_it_may_be_left_out(house: House, action: str, fields: dict[str, Any]) -> None:
    """Whoever names an entry that is not there meant something else than all of them."""
    await house.add("plex")
    with pytest.raises(ServiceValidationError) as refused:
        await house.call(action, config_entry_id="nonsense", **fields)
    assert refused.value.translation_key == "service_config_entry_not_found"
    assert not house.places["plex"].shown().played


@pytest.mark.parametrize("action", ["import_state", "export_state", "sync", "get_webhook"])
async def test_an_unknown_entry_is_refused(house: House, loaded: dict[str, ConfigEntry], action: str) -> None:
    """No such entry, one that is not loaded, and none at all."""
    with pytest.raises(ServiceValidationError):
        await house.call(action, config_entry_id="nonsense")
    await house.hass.config_entries.async_unload(loaded["plex"].entry_id)
    with pytest.raises(ServiceValidationError):
        await house.call(action, config_entry_id=loaded["plex"].entry_id)
    with pytest.raises(probatio.Invalid):
        await house.call(action)


async def test_actions_are_there_without_any_entry(house: House) -> None:
    """They are registered with the component, not with an entry, and go with neither."""
    entry = await house.add("plex")
    household = household_entry(house.hass)
    assert household is not None
    for one in (entry, household):
        await house.hass.config_entries.async_remove(one.entry_id)
    assert {"import_state", "export_state", "sync", "get_webhook"} <= set(house.hass.services.async_services_for_domain(DOMAIN))


async def test_the_webhook_is_shown(house: House, loaded: dict[str, ConfigEntry]) -> None:
    """With its address, and whether it listens, and to whom."""
    entry = loaded["plex"]
    answer = await house.call("get_webhook", config_entry_id=entry.entry_id)
    assert answer["webhook_id"] == entry.data["webhook_id"]
    assert answer["url"] == f"http://127.0.0.1:8123/api/webhook/{entry.data['webhook_id']}"
    assert (answer["enabled"], answer["local_only"]) == (True, True)
    await house.options(entry, webhook_enabled=False, webhook_local_only=False)
    answer = await house.call("get_webhook", config_entry_id=entry.entry_id)
    assert (answer["enabled"], answer["local_only"]) == (False, False)


async def test_the_household_has_no_webhook(house: House, household: str) -> None:
    """A server must be named."""
    with pytest.raises(ServiceValidationError) as caught:
        await house.call("get_webhook", config_entry_id=household)
    assert caught.value.translation_key == "no_webhook"


async def test_the_webhook_is_for_administrators(house: House, loaded: dict[str, ConfigEntry], hass_read_only_user: MockUser) -> None:
    """Whoever has the address can send events."""
    with pytest.raises(Unauthorized):
        await house.hass.services.async_call(
            DOMAIN,
            "get_webhook",
            {"config_entry_id": loaded["plex"].entry_id},
            blocking=True,
            return_response=True,
            context=Context(user_id=hass_read_only_user.id),
        )
