"""The cycle: what is concluded from reading, and what is not."""

from datetime import timedelta

import pytest

from custom_components.plex_watchsync.engine.report import ChangeKind
from custom_components.plex_watchsync.engine.run import Account, Run, RunKind
from custom_components.plex_watchsync.ports import ServerUnavailable, UnexpectedAnswer
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Part, ReplicaId, WatchState
from custom_components.plex_watchsync.sync.plan import WriteKind
from custom_components.plex_watchsync.sync.policy import AccountPolicy, Direction, Traits

from .conftest import House
from .fakes import LIBRARY, START, ModelServer

NOTHING = {"plex": 0, "jellyfin": 0, "emby": 0}
EVERYWHERE = {"plex": True, "jellyfin": True, "emby": True}
NOWHERE = {"plex": False, "jellyfin": False, "emby": False}


async def test_a_view_reaches_all(house: House) -> None:
    """R1, W4: watched on Jellyfin, marked on the others with its date where they take one."""
    house.servers["jellyfin"].watch("tt1")
    seen = house.clock()
    report = await house.sync()
    assert house.played("tt1") == EVERYWHERE
    assert house.servers["emby"].records["tt1"].last_played == seen
    assert report.counts["jellyfin"].changed == 1
    assert report.counts["plex"].written == report.counts["emby"].written == 1
    assert [(change.kind, change.item_id, change.account) for change in house.changes] == [(ChangeKind.WATCHED, "movie/imdb/tt1", "jellyfin")]


async def test_a_second_run_writes_nothing(house: House) -> None:
    """W6, pitfall 22: an echo is no change."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    house.writes()
    report = await house.sync()
    assert house.writes() == NOTHING
    assert not report.changes


async def test_a_hint_reads_only_its_item(house: House) -> None:
    """A push is a hint to look: one item is read, and written to the others."""
    house.servers["plex"].watch("tt1")
    house.servers["plex"].reads.clear()
    report = await house.hint("plex", "tt1")
    assert house.servers["plex"].reads == [("tt1",)]
    assert house.played("tt1") == EVERYWHERE
    assert report.counts["plex"].read == 1


async def test_an_unreachable_server_is_not_empty(house: House) -> None:
    """R2, pitfall 1: nothing follows from no answer."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    house.servers["jellyfin"].error = ServerUnavailable("down")
    house.writes()
    for _ in range(3):
        report = await house.sync()
    assert isinstance(report.errors["jellyfin"], ServerUnavailable)
    assert house.writes() == NOTHING
    assert house.viewer.counts("jellyfin").items == 2


async def test_a_listing_that_breaks_off_counts_for_nothing(house: House) -> None:
    """R2, pitfall 11: the page that came is not believed, and nothing is lost when the rest comes."""
    house.servers["emby"].watch("tt1")
    house.servers["emby"].cut = True
    await house.sync()
    assert house.played("tt1") == NOWHERE | {"emby": True}
    house.servers["emby"].cut = False
    await house.sync()
    assert house.played("tt1") == EVERYWHERE


async def test_a_server_that_was_down_is_told_when_it_returns(house: House) -> None:
    """M2, pitfall 14."""
    house.servers["emby"].error = ServerUnavailable("down")
    house.servers["plex"].watch("tt1")
    await house.sync()
    assert house.viewer.pending("emby") == 1
    house.servers["emby"].error = None
    await house.sync()
    assert house.played("tt1") == EVERYWHERE
    assert house.viewer.pending("emby") == 0


async def test_a_copy_is_forgotten_after_two_complete_listings(house: House) -> None:
    """G4, pitfall 8: once is not enough, and the agreed state stays for a copy that returns (pitfall 46)."""
    for other in ("tt3", "tt4", "tt5"):  # one of two would be a library that vanishes (G2)
        house.servers["jellyfin"].stock(other)
    house.servers["plex"].watch("tt1")
    await house.sync()
    gone = house.servers["jellyfin"].records.pop("tt1")
    await house.sync()
    assert house.viewer.counts("jellyfin").items == 5
    await house.sync()
    assert house.viewer.counts("jellyfin").items == 4
    assert gone.played
    house.servers["jellyfin"].records["tt1"] = WatchState()
    await house.sync()
    assert house.played("tt1") == EVERYWHERE


async def test_a_copy_that_is_back_in_time_starts_its_count_anew(house: House) -> None:
    """G4: two in a row."""
    for _ in range(3):
        kept = house.servers["jellyfin"].records.pop("tt1")
        await house.sync()
        house.servers["jellyfin"].records["tt1"] = kept
        await house.sync()
    assert house.viewer.counts("jellyfin").items == 2


async def test_an_unwatch_is_read_twice(house: House) -> None:
    """R5: a second read confirms what no event told."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    house.servers["jellyfin"].unwatch("tt1")
    house.servers["jellyfin"].reads.clear()
    await house.sync()
    assert house.servers["jellyfin"].reads[0] == ("tt1",)
    assert house.played("tt1") == NOWHERE


async def test_a_second_read_that_fails_leaves_all_as_it_was(house: House) -> None:
    """R5, R2: without the second read nothing is unwatched."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    jellyfin = house.servers["jellyfin"]
    jellyfin.unwatch("tt1")
    jellyfin.fail_reads = True
    report = await house.sync()
    assert "jellyfin" in report.errors
    assert house.played("tt1") == {"plex": True, "jellyfin": False, "emby": True}
    jellyfin.fail_reads = False
    await house.sync()
    assert house.played("tt1") == NOWHERE


async def test_the_servers_own_word_is_enough(house: House) -> None:
    """R5: an explicit event needs no cleared record."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    emby = house.servers["emby"]
    emby.records["tt1"] = WatchState(played=False, play_count=1, last_played=emby.records["tt1"].last_played)
    await house.hint("emby", "tt1", unplayed=True)
    assert house.played("tt1") == NOWHERE


async def test_ignored_libraries_are_ignored_on_every_way_in(house: House) -> None:
    """I8, pitfall 15: by listing and by hint."""
    for name, account in house.viewer.accounts.items():
        if name == "plex":
            house.viewer.accounts[name] = Account(account.server, account.policy, frozenset({"other"}))
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    await house.sync()
    assert house.played("tt1") == NOWHERE | {"plex": True}


async def test_ids_that_contradict_each_other_are_left_alone(house: House) -> None:
    """I3: one film that two films of a server share ids with joins nothing, and nothing of it is written."""
    house.servers["plex"].stock("a", "movie/imdb/tt8", state=WatchState(played=True, play_count=1, last_played=START))
    house.servers["plex"].stock("b", "movie/tmdb/9")
    house.servers["emby"].stock("c", "movie/imdb/tt8", "movie/tmdb/9")
    house.writes()
    await house.sync()
    assert house.writes() == NOTHING
    assert house.viewer.baseline.is_ambiguous(house.viewer.baseline.of_replica(ReplicaId("emby", "c"))[0])
    house.servers["emby"].stock("c", "movie/imdb/tt8")
    await house.sync()
    assert house.servers["emby"].records["c"].played
    assert not house.servers["plex"].records["b"].played


async def test_copies_on_one_server_are_written_alike(house: House) -> None:
    """I4, pitfalls 21 and 51."""
    house.servers["jellyfin"].stock("4k", "movie/imdb/tt1")
    await house.sync()
    house.servers["jellyfin"].watch("4k")
    await house.hint("jellyfin", "4k")
    assert house.played("tt1") == EVERYWHERE


def _stock_two_episodes(house: House) -> ModelServer:
    """Put two episodes on Plex, and one file that holds both on Emby, which is returned."""
    one, two = "show/tvdb/7/1/1", "show/tvdb/7/1/2"
    house.servers["plex"].stock("e1", one)
    house.servers["plex"].stock("e2", two)
    emby = house.servers["emby"]
    emby.stock("e1-2")
    emby.parts["e1-2"] = tuple(Part(Media(MediaKind.EPISODE, key), frozenset({key})) for key in (one, two))
    return emby


async def test_a_file_of_two_episodes_waits_until_both_agree(house: House) -> None:
    """I5: written when all its episodes agree; what a person does to it counts for all."""
    emby = _stock_two_episodes(house)
    await house.sync()
    house.servers["plex"].watch("e1")
    await house.sync()
    assert not emby.records["e1-2"].played
    house.servers["plex"].watch("e2")
    await house.sync()
    assert emby.records["e1-2"].played
    emby.unwatch("e1-2")
    await house.sync()
    assert not house.servers["plex"].records["e1"].played
    assert not house.servers["plex"].records["e2"].played
    house.writes()
    await house.sync()
    assert house.writes() == NOTHING


async def test_a_file_whose_episodes_disagree_is_unwatched(house: House) -> None:
    """I5, M1: it shows an episode as watched that is not any more, and cannot be told; that it is marked unwatched later is an act all the same."""
    emby, plex = _stock_two_episodes(house), house.servers["plex"]
    plex.watch("e1")
    plex.watch("e2")
    await house.sync()
    plex.unwatch("e1")
    await house.sync()
    assert emby.records["e1-2"].played
    plex.error = ServerUnavailable("unplugged")
    plex.watch("e1")
    await house.sync()
    emby.unwatch("e1-2")
    await house.sync()
    plex.error = None
    await house.sync()
    assert not plex.records["e1"].played
    assert not plex.records["e2"].played


async def test_a_dry_run_changes_nothing(house: House) -> None:
    """G6: the report says what would happen, and nothing does, on no server and on no disk."""
    house.servers["plex"].watch("tt1")
    house.documents.saves.clear()
    report = await house.sync(Run(dry_run=True))
    assert sorted((write.account, write.kind) for write in report.planned) == [("emby", WriteKind.MARK_WATCHED), ("jellyfin", WriteKind.MARK_WATCHED)]
    assert house.played("tt1") == NOWHERE | {"plex": True}
    assert not house.documents.saves
    assert not house.changes
    await house.sync()
    assert house.played("tt1") == EVERYWHERE


async def test_a_preview_plans_for_an_account_that_is_not_there(house: House) -> None:
    """G1: numbers before anything is kept."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    fresh = ModelServer(house.servers["emby"].kind, house.clock)
    fresh.stock("tt1")
    fresh.stock("tt2", state=WatchState(played=True, play_count=1, last_played=START))
    report = await house.viewer.preview("new", Account(fresh, AccountPolicy(Traits()), frozenset({LIBRARY})))
    assert sorted((write.account, str(write.media)) for write in report.planned) == [("emby", "tt2"), ("jellyfin", "tt2"), ("new", "tt1"), ("plex", "tt2")]
    assert "new" not in house.viewer.accounts
    assert house.viewer.baseline.counts("new").items == 0


async def test_an_import_writes_nothing(house: House) -> None:
    """Importing agrees; the next sync writes."""
    house.servers["plex"].watch("tt1")
    report = await house.sync(Run(RunKind.IMPORT, accounts=frozenset({"plex"})))
    assert report.counts["plex"].changed == 1
    assert house.played("tt1") == NOWHERE | {"plex": True}
    await house.sync(Run(RunKind.EXPORT))
    assert house.played("tt1") == EVERYWHERE


async def test_metadata_only_learns_ids_and_concludes_nothing(house: House) -> None:
    """An import of ids leaves the watch state for later."""
    house.servers["plex"].stock("tt3", state=WatchState(played=True, play_count=1, last_played=START))
    report = await house.sync(Run(RunKind.IMPORT, metadata_only=True))
    assert house.viewer.counts("plex").items == 3
    assert not report.changes
    report = await house.sync()
    assert len(report.changes) == 1


async def test_an_export_leaves_what_a_person_changed(house: House) -> None:
    """Without ignore_date the server's newer word is left for the next import."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    house.servers["emby"].unwatch("tt1")
    await house.sync(Run(RunKind.EXPORT, accounts=frozenset({"emby"}), full=True))
    assert not house.servers["emby"].records["tt1"].played
    await house.sync(Run(RunKind.EXPORT, accounts=frozenset({"emby"}), full=True, ignore_date=True))
    assert house.played("tt1") == EVERYWHERE


async def test_an_export_to_one_server_leaves_the_others(house: House) -> None:
    """The accounts that were named are written, no others."""
    house.servers["plex"].watch("tt1")
    await house.sync(Run(RunKind.IMPORT))
    await house.sync(Run(RunKind.EXPORT, accounts=frozenset({"emby"})))
    assert house.played("tt1") == {"plex": True, "jellyfin": False, "emby": True}


async def test_directions(house: House) -> None:
    """W1: import off is not believed and is written back; export off is never written."""
    house.set_direction("plex", Direction.EXPORT_ONLY)
    house.set_direction("emby", Direction.IMPORT_ONLY)
    house.servers["plex"].watch("tt1")
    house.servers["jellyfin"].watch("tt2")
    await house.sync()
    assert house.played("tt1") == NOWHERE | {"plex": True}
    assert house.played("tt2") == {"plex": True, "jellyfin": True, "emby": False}


async def test_a_first_import_is_no_news(house: House) -> None:
    """What was watched before the account came is agreed on without an event each, but is the last that was watched."""
    fresh = ModelServer(house.servers["emby"].kind, house.clock)
    fresh.stock("tt1", state=WatchState(played=True, play_count=1, last_played=START - timedelta(days=9)))
    house.viewer.accounts["new"] = Account(fresh, AccountPolicy(Traits()), frozenset({LIBRARY}))
    await house.sync()
    assert not house.changes
    assert house.viewer.last_watched is not None
    assert house.viewer.last_watched.at == START - timedelta(days=9)


async def test_named_libraries_only(house: House) -> None:
    """A run on libraries that an account does not sync reads nothing there, and finds nothing missing."""
    for _ in range(3):
        report = await house.sync(Run(libraries=frozenset({"shows"})))
    assert report.counts["plex"].read == 0
    assert house.viewer.counts("plex").items == 2


async def test_an_answer_that_makes_no_sense_is_an_error_of_that_server_only(house: House) -> None:
    """R2: the others go on."""
    house.servers["plex"].error = UnexpectedAnswer("HTML")
    house.servers["jellyfin"].watch("tt1")
    report = await house.sync()
    assert set(report.errors) == {"plex"}
    assert house.servers["emby"].records["tt1"].played


async def test_a_view_is_told_of_the_server_that_saw_it(house: House) -> None:
    """M1: a position that another server has later is not who watched it."""
    house.servers["jellyfin"].watch("tt1")
    house.clock.pass_by(minutes=5)
    house.servers["plex"].stop_at("tt1", 600)
    await house.sync()
    assert [(change.kind, change.account) for change in house.changes] == [(ChangeKind.WATCHED, "jellyfin")]


async def test_an_unwatch_is_later_than_the_last_look(house: House) -> None:
    """R1, M5: a look at which nothing had changed counts too, though it leaves nothing on disk."""
    house.servers["plex"].watch("tt1")
    await house.sync()
    house.servers["emby"].error = ServerUnavailable("unplugged")
    house.clock.pass_by(minutes=5)
    house.servers["emby"].watch("tt1")
    await house.sync()
    await house.sync()
    house.servers["plex"].unwatch("tt1")
    await house.sync()
    house.servers["emby"].error = None
    await house.sync()
    assert not any(house.played("tt1").values())


async def test_what_plays_is_asked_once_for_a_listing_and_once_for_fifty_writes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pitfall 27: never once for each item."""
    asked: list[ModelServer] = []
    playing = ModelServer.playing

    async def counted(server: ModelServer) -> frozenset[str]:
        asked.append(server)
        return await playing(server)

    monkeypatch.setattr(ModelServer, "playing", counted)
    for number in range(120):
        for server in house.servers.values():
            server.stock(f"tt7{number}")
        house.servers["plex"].watch(f"tt7{number}")
    await house.sync()
    assert sum(one is house.servers["plex"] for one in asked) == 1
    assert sum(one is house.servers["emby"] for one in asked) == 1 + 3
