"""Ratings through the whole engine (M4)."""

import json
from dataclasses import replace

import pytest

from custom_components.plex_watchsync.engine.executor import PATIENCE_OF_RATINGS
from custom_components.plex_watchsync.engine.report import ChangeKind
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.engine.shards import shard_of
from custom_components.plex_watchsync.ports import Hint
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Part
from custom_components.plex_watchsync.sync.plan import WriteKind

from .conftest import House


def ratings(house: House, item: str = "tt1") -> dict[str, float | None]:
    """Return what each server shows."""
    return {name: server.records[item].rating for name, server in house.servers.items()}


async def test_a_rating_travels_and_is_told_once(house: House) -> None:
    """M4, W6: to each server as far as it can show one, with one event, and nothing is written twice."""
    house.servers["plex"].rate("tt1", 8)
    await house.sync()
    assert ratings(house) == {"plex": 8, "jellyfin": 8, "emby": 10}
    assert [(change.kind, change.after.rating, change.account) for change in house.changes] == [(ChangeKind.RATED, 8, "plex")]
    house.writes()
    await house.sync()
    assert house.writes() == {"plex": 0, "jellyfin": 0, "emby": 0}
    assert len(house.changes) == 1


async def test_a_rating_is_taken_back(house: House) -> None:
    """M4: cleared is an opinion, never rated is none."""
    house.servers["plex"].rate("tt1", 8)
    await house.sync()
    house.servers["jellyfin"].rate("tt1", None)
    await house.sync()
    assert ratings(house) == {"plex": None, "jellyfin": None, "emby": None}
    assert house.changes[-1].after.rating is None


async def test_watched_and_rated_are_two_events(house: House) -> None:
    """M4: whoever rates right after the end did two things, seen at one look."""
    house.servers["jellyfin"].watch("tt1")
    house.servers["jellyfin"].rate("tt1", 9)
    report = await house.hint("jellyfin", "tt1")
    assert [change.kind for change in house.changes] == [ChangeKind.WATCHED, ChangeKind.RATED]
    assert report.counts["jellyfin"].changed == 2
    assert house.writes() == {"plex": 1, "jellyfin": 0, "emby": 1}


async def test_the_last_rating_wins_though_no_server_dates_it(house: House) -> None:
    """M5: by the time that the server told, also when one of them missed the other's rating."""
    house.servers["emby"].deaf = True
    house.servers["plex"].rate("tt1", 8)
    await house.hint("plex", "tt1")
    house.servers["emby"].deaf = False
    house.servers["emby"].rate("tt1", 1)
    await house.hint("emby", "tt1")
    assert ratings(house) == {"plex": 1, "jellyfin": 1, "emby": 1}
    await house.sync()
    assert ratings(house) == {"plex": 1, "jellyfin": 1, "emby": 1}


async def test_a_late_hint_does_not_beat_what_came_after_it(house: House) -> None:
    """M5: a hint dates the act, not the look."""
    early = house.clock()
    house.clock.pass_by(minutes=10)
    house.servers["plex"].rate("tt1", 8)
    await house.hint("plex", "tt1")
    house.servers["emby"].deaf = house.servers["jellyfin"].deaf = True
    house.servers["plex"].rate("tt1", 5)
    await house.hint("plex", "tt1")
    house.servers["emby"].deaf = house.servers["jellyfin"].deaf = False
    house.servers["jellyfin"].rate("tt1", 2)
    await house.viewer.run(Run(hints=(Hint("jellyfin", "tt1", early),)))
    await house.sync()
    assert ratings(house) == {"plex": 5, "jellyfin": 5, "emby": 1}


async def test_ratings_can_be_left_alone(house: House) -> None:
    """Option `sync_ratings` off: neither read nor written, and what is there stays with every write."""
    account = house.viewer.accounts["jellyfin"]
    house.viewer.accounts["jellyfin"] = replace(account, policy=replace(account.policy, sync_ratings=False))
    house.servers["jellyfin"].rate("tt1", 3)
    await house.sync()
    assert ratings(house)["plex"] is None
    house.servers["plex"].rate("tt1", 8)
    house.servers["plex"].watch("tt1")
    await house.sync()
    assert house.servers["jellyfin"].records["tt1"].played
    assert [wanted.rating for _, wanted in house.servers["jellyfin"].writes] == [None]
    assert house.viewer.pending("jellyfin") == 0


@pytest.mark.parametrize("restarts", [False, True])
async def test_ratings_that_are_let_in_again_are_old(house: House, *, restarts: bool) -> None:
    """R3, M4: what was rated while nobody listened beats nothing that is agreed, and is found in all of the library; what is rated from then on counts."""
    account = house.viewer.accounts["jellyfin"]
    house.viewer.accounts["jellyfin"] = replace(account, policy=replace(account.policy, sync_ratings=False))
    house.servers["jellyfin"].rate("tt1", 3)
    house.servers["jellyfin"].rate("tt2", 4)
    house.servers["plex"].rate("tt1", 8)
    await house.sync()
    if restarts:
        await house.restart()
    house.viewer.accounts["jellyfin"] = account
    house.servers["jellyfin"].hides = True
    await house.sync(Run(recent=True))
    assert (ratings(house), ratings(house, "tt2")) == ({"plex": 8, "jellyfin": 8, "emby": 10}, {"plex": 4, "jellyfin": 4, "emby": 1})
    if restarts:
        await house.restart()
    house.servers["jellyfin"].rate("tt1", 3)
    await house.sync()
    assert ratings(house) == {"plex": 3, "jellyfin": 3, "emby": 1}


async def test_a_document_that_does_not_say_whose_ratings_were_heard(house: House) -> None:
    """M5: of an older version of this integration, whose accounts are no strangers: the last rating wins."""
    house.servers["plex"].rate("tt1", 8)
    await house.sync()
    known = json.loads(house.documents.content["anna/viewer"])
    del known["rated"]
    house.documents.content["anna/viewer"] = json.dumps(known)
    await house.restart()
    house.servers["jellyfin"].rate("tt1", 3)
    await house.sync()
    assert ratings(house) == {"plex": 3, "jellyfin": 3, "emby": 1}


async def test_a_file_of_several_episodes_has_no_rating(house: House) -> None:
    """I5: nobody knows which of them it is of."""
    house.servers["jellyfin"].parts["tt1"] = tuple(
        Part(Media(MediaKind.EPISODE, "Pilot", None, "Show", 1, number), frozenset({f"show/tvdb/7/1/{number}"})) for number in (1, 2)
    )
    house.servers["jellyfin"].rate("tt1", 8)
    await house.sync()
    assert house.changes == []
    assert [item.claims.rating for item in house.viewer.baseline] == [None] * 4


async def test_a_server_that_shows_no_thumb_is_let_be(house: House) -> None:
    """M3: a rating that does not show is given up soon; a flag never is."""
    house.servers["emby"].deaf = True
    house.servers["plex"].rate("tt1", 8)
    for _ in range(PATIENCE_OF_RATINGS):
        await house.sync()
    assert len(house.servers["emby"].writes) == PATIENCE_OF_RATINGS
    await house.sync()
    assert len(house.servers["emby"].writes) == PATIENCE_OF_RATINGS
    assert house.viewer.pending("emby") == 0


async def test_a_person_may_rate_faster(house: House) -> None:
    """M5: a rating that changed on the server since the plan is agreed on first."""
    house.servers["jellyfin"].rate("tt1", 2)
    house.servers["plex"].watch("tt1")
    await house.hint("plex", "tt1")
    assert ratings(house) == {"plex": 2, "jellyfin": 2, "emby": 1}
    assert house.servers["jellyfin"].records["tt1"].played


async def test_a_dry_run_counts_ratings(house: House) -> None:
    """G6: the plan names what would be rated."""
    house.servers["plex"].rate("tt1", 8)
    report = await house.sync(Run(dry_run=True))
    assert sorted((write.account, write.kind) for write in report.planned) == [("emby", WriteKind.RATE), ("jellyfin", WriteKind.RATE)]
    assert ratings(house) == {"plex": 8, "jellyfin": None, "emby": None}


async def test_what_was_stored_before_there_were_ratings_loads(house: House) -> None:
    """An old row is a row without a rating; a new one comes back as it was."""
    house.servers["plex"].rate("tt1", 8)
    await house.sync()
    before = sorted(house.viewer.baseline, key=lambda item: item.item_id)
    await house.restart()
    assert sorted(house.viewer.baseline, key=lambda item: item.item_id) == before
    name = f"anna/items_{shard_of('movie/imdb/tt1'):02}"
    rows = json.loads(house.documents.content[name])
    for row in rows:
        del row[7:]
        for replica in row[6]:
            del replica[5][4:]
    house.documents.content[name] = json.dumps(rows)
    await house.restart()
    assert house.viewer.baseline["movie/imdb/tt1"].claims.rating is None
    house.changes.clear()
    await house.sync()
    assert ratings(house) == {"plex": 8, "jellyfin": 8, "emby": 10}


@pytest.mark.parametrize("rating", [0.0, 10.0, 7.3])
async def test_any_rating_of_the_scale_survives_a_restart(house: House, rating: float) -> None:
    """M4: from 0 to 10, and 0 is a rating."""
    house.servers["jellyfin"].rate("tt1", rating)
    await house.sync()
    await house.restart()
    assert house.viewer.baseline["movie/imdb/tt1"].claims.state.rating == rating
    house.writes()
    await house.sync()
    assert house.writes() == {"plex": 0, "jellyfin": 0, "emby": 0}
