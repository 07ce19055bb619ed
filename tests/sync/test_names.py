"""Titles without ids are matched by name (I6), weakly: matching/names.yaml, and what becomes of such a match."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from custom_components.plex_watchsync.sync.baseline import Baseline
from custom_components.plex_watchsync.sync.identity import ids_of, without_names
from custom_components.plex_watchsync.sync.item import Item
from custom_components.plex_watchsync.sync.match import attach, named, recall
from custom_components.plex_watchsync.sync.merge import NO_CLAIMS, Claims, View
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Observation, Part, ReplicaId, WatchState
from custom_components.plex_watchsync.sync.names import names_of
from custom_components.plex_watchsync.sync.policy import AccountPolicy, Traits
from custom_components.plex_watchsync.sync.selection import Selection

SCENARIOS = yaml.safe_load((Path(__file__).parent / "matching" / "names.yaml").read_text())
NOW = datetime(2026, 1, 2, tzinfo=UTC)
BY_NONE = AccountPolicy(Traits())
BY_TITLE = replace(BY_NONE, match_by_title=True)
WATCHED = Claims(View(NOW, played=True, last_played=NOW, play_count=1))
FILM = Media(MediaKind.MOVIE, "Arrival", 2016)
TMDB = "movie/tmdb/329865"
OTHER = "movie/tmdb/1"

type Words = dict[str, Any]


def account(name: str) -> str:
    """Return the server's account; `plex-2` is a second title on plex."""
    return name.partition("-")[0]


def shown(name: str, words: Words) -> Observation:
    """Return what a server shows."""
    kind = MediaKind.EPISODE if "show" in words else MediaKind.MOVIE
    first: Any = words.get("episode")
    media = Media(kind, words["title"], words.get("year"), words.get("show"), words.get("season"), first)
    numbers = range(first, words["last"] + 1) if "last" in words else [first]
    parts = tuple(Part(replace(media, episode=number), frozenset(words.get("ids", ()))) for number in numbers)
    return Observation(name, "library", parts, WatchState(), words.get("minutes", 0) * 60 or None, words.get("file"))


def policy(by: list[str]) -> AccountPolicy:
    """Return what an account may be matched by."""
    return replace(BY_NONE, match_by_file_name="file" in by, match_by_title="title" in by)


def read(baseline: Baseline, name: str, observation: Observation, by: AccountPolicy = BY_TITLE) -> tuple[str, ...]:
    """Read one title."""
    return attach(baseline, account(name), named(baseline, observation, by))


def film(name: str, *ids: str) -> Observation:
    """Return the film as a server shows it."""
    return Observation(name, "library", (Part(FILM, frozenset(ids)),), WatchState(), 6960)


def on(baseline: Baseline, name: str) -> Item:
    """Return the one item of a title."""
    [item] = baseline.of_replica(ReplicaId(account(name), name))
    return item


def together(item: Item) -> str:
    """Name the copies of an item."""
    return " ".join(sorted(replica_id.item for replica_id in item.replicas))


@pytest.mark.parametrize("words", SCENARIOS, ids=[words["name"] for words in SCENARIOS])
def test_which_titles_are_one_by_name(words: Words) -> None:
    """Whole reads lead to the same, in whatever order the servers answer, and a third one changes nothing."""
    for order in permutations(words["titles"]):
        baseline = Baseline()
        for _read in range(3):
            before = {item.item_id: item for item in baseline}
            for name in order:
                read(
                    baseline,
                    name,
                    shown(name, words["titles"][name]),
                    policy(words.get("by", {}).get(account(name), [] if "by" in words else ["file", "title"])),
                )
        assert sorted(together(item) for item in baseline if len(item.replicas) > 1) == words["one"]
        assert sorted(together(item) for item in baseline if baseline.is_ambiguous(item)) == words.get("ambiguous", [])
        assert {item.item_id: item for item in baseline} == before
        weak = {name for name, title in words["titles"].items() if "ids" not in title}
        assert all(item.is_weak == (len(item.replicas) > 1 and any(replica_id.item in weak for replica_id in item.replicas)) for item in baseline)


def random_shelves(seed: int) -> dict[str, Words]:
    """Return up to three titles on each of three servers that are hard to tell apart."""
    dice = Random(seed)
    names = [f"{server}-{number}" for server in ("plex", "emby", "jellyfin") for number in range(dice.randint(0, 3))]
    return {
        name: {
            "title": dice.choice(["Arrival", "Departure"]),
            "year": 2016,
            "minutes": dice.choice([100, 103, 120]),
            "ids": dice.choice([[], [], [TMDB], [OTHER]]),
            "file": dice.choice([None, "First.mkv", "Second.mkv"]),
        }
        for name in names
    }


@pytest.mark.parametrize("seed", range(300))
def test_whatever_stands_on_the_shelves(seed: int) -> None:
    """I3, I4, I6, W6: titles with ids are one by them and by nothing else, no name makes copies, and it does not matter who answers first."""
    titles, outcomes, both = random_shelves(seed), [], policy(["file", "title"])
    for backwards in (False, True):
        baseline = Baseline()
        for _read in range(4):
            before = {item.item_id: item for item in baseline}
            for name in sorted(titles, reverse=backwards):
                read(baseline, name, shown(name, titles[name]), both)
        assert {item.item_id: item for item in baseline} == before
        assert len(baseline) <= len(titles)
        for item in baseline:
            ids = [without_names(replica.keys) for replica in item.replicas.values()]
            assert len({one for one in ids if one}) <= 1
            accounts = Counter(replica_id.account for replica_id in item.replicas)
            assert all(accounts[known.account] == 1 for known, one in zip(item.replicas, ids, strict=True) if not one)
        for key in (TMDB, OTHER):
            assert len(baseline.sharing([key])) <= 1
        outcomes.append(sorted((together(item), baseline.is_ambiguous(item)) for item in baseline))
    assert outcomes[0] == outcomes[1]


def test_within_a_tenth() -> None:
    """I6: what shares a name's key is within 10 %, and within 4 % all do."""

    def names(seconds: int) -> frozenset[str]:
        return names_of(FILM, None, seconds, by_file=False, by_title=True)

    for seconds in range(60, 12_000, 7):
        assert names(seconds) & names(seconds * 104 // 100)
        assert not names(seconds) & names(seconds * 11 // 10 + 1)


def test_names_are_no_ids() -> None:
    """What people and automations are told of as ids are ids."""
    names = names_of(FILM, "Arrival.mkv", 6960, by_file=True, by_title=True)
    assert len(names) == 4
    assert ids_of(names | {TMDB}).own == {"tmdb": "329865"}


def agreed(baseline: Baseline, name: str) -> None:
    """Let the film be watched, and all copies stand for it."""
    item = on(baseline, name)
    replicas = {known: replace(replica, reading=WatchState(played=True), at=NOW, revision=3) for known, replica in item.replicas.items()}
    baseline.put(replace(item, claims=WATCHED, revision=3, replicas=replicas))


def matched() -> Baseline:
    """Return a baseline in which Plex's film, which has no ids, is Emby's."""
    baseline = Baseline()
    for name, *ids in (("plex", ""), ("emby", TMDB)):
        read(baseline, name, film(name, *filter(None, ids)))
    assert together(on(baseline, "plex")) == "emby plex"
    agreed(baseline, "plex")
    return baseline


def test_switched_off_the_match_dissolves() -> None:
    """I6: the title without ids is unknown again, the other keeps what was agreed, and switched on again they meet as for the first time."""
    baseline = matched()
    assert read(baseline, "plex", film("plex"), BY_NONE) == ()
    assert baseline.of_replica(ReplicaId("plex", "plex")) == ()
    kept = on(baseline, "emby")
    assert (together(kept), kept.claims, kept.revision) == ("emby", WATCHED, 3)
    read(baseline, "plex", film("plex"))
    assert on(baseline, "plex").replicas[ReplicaId("plex", "plex")].reading is None


@pytest.mark.parametrize("owed", [False, True])
def test_switched_off_at_the_other_the_match_dissolves(owed: bool) -> None:
    """I6: both keep what was agreed, and nothing is owed to anybody; a title that was not told yet keeps what it showed."""
    baseline, plex = matched(), ReplicaId("plex", "plex")
    if owed:
        item = on(baseline, "plex")
        baseline.put(item.with_replica(plex, replace(item.replicas[plex], revision=2, reading=WatchState())))
    read(baseline, "emby", film("emby", TMDB), BY_NONE)
    read(baseline, "plex", film("plex"))
    kept, alone = on(baseline, "emby"), on(baseline, "plex")
    assert (together(kept), kept.claims, kept.is_owed(ReplicaId("emby", "emby"))) == ("emby", WATCHED, False)
    assert (together(alone), alone.claims, alone.is_owed(plex)) == ("plex", NO_CLAIMS if owed else WATCHED, False)
    assert alone.replicas[plex].reading == WatchState(played=not owed)
    assert not baseline.is_ambiguous(alone)
    read(baseline, "emby", film("emby", TMDB))
    assert together(on(baseline, "plex")) == "emby plex"
    assert on(baseline, "plex").claims == WATCHED


def test_ids_that_come_later_win() -> None:
    """I6: the same film's confirm the match and nothing starts anew; another film's end it, and what was acknowledged for the one is not so for the other (R4)."""
    baseline = matched()
    read(baseline, "plex", film("plex", TMDB))
    assert (together(on(baseline, "plex")), on(baseline, "plex").is_weak) == ("emby plex", False)
    assert on(baseline, "plex").replicas[ReplicaId("plex", "plex")].reading == WatchState(played=True)
    baseline = matched()
    read(baseline, "plex", film("plex", OTHER))
    assert [together(item) for item in baseline] == ["emby", "plex"]
    assert on(baseline, "plex").claims == NO_CLAIMS
    assert on(baseline, "plex").replicas[ReplicaId("plex", "plex")].reading is None
    assert on(baseline, "emby").claims == WATCHED


def test_other_ids_at_the_other_server() -> None:
    """R4, I6: what was taken for another film begins anew; the title without ids keeps what was agreed of it, and has the same name still."""
    baseline = matched()
    read(baseline, "emby", film("emby", OTHER))
    assert together(on(baseline, "plex")) == "emby plex"
    assert on(baseline, "plex").claims == WATCHED
    assert on(baseline, "plex").replicas[ReplicaId("emby", "emby")].reading is None


def test_a_rival_ends_a_match() -> None:
    """I3, I6: a second film of that name comes; nobody knows which of them the title without ids is."""
    baseline = matched()
    read(baseline, "jellyfin", film("jellyfin", OTHER))
    assert sorted(together(item) for item in baseline) == ["emby", "jellyfin", "plex"]
    assert [together(item) for item in baseline if baseline.is_ambiguous(item)] == ["plex"]
    assert on(baseline, "emby").claims == WATCHED


def test_who_is_meant_by_a_name() -> None:
    """I6, I8: a title that has ids is meant by them alone, whoever waits for its name; nor is it ambiguous because of that, or ignored with another."""
    baseline = matched()
    read(baseline, "jellyfin", film("jellyfin", OTHER))
    plex, emby = on(baseline, "plex"), on(baseline, "emby")
    assert plex.keys < emby.keys
    assert [together(item) for item in baseline.meant_by(plex.keys)] == ["plex"]
    assert [together(item) for item in recall(baseline, plex.keys, FILM)] == ["plex"]
    assert [together(item) for item in baseline.meant_by(emby.known_by)] == ["emby"]
    assert [together(item) for item in baseline.rivals(plex)] == ["jellyfin", "emby"]
    assert baseline.rivals(emby) == ()
    baseline.ignore(Selection(plex.keys), [plex])
    assert [baseline.is_ignored(on(baseline, name)) for name in ("plex", "emby", "jellyfin")] == [True, False, False]


def test_a_renamed_title_leaves() -> None:
    """I6: the name is all that there was."""
    baseline = matched()
    other = replace(film("plex"), parts=(Part(replace(FILM, title="Departure"), frozenset()),))
    read(baseline, "plex", other)
    assert sorted(together(item) for item in baseline) == ["emby", "plex"]
    assert on(baseline, "plex").claims == NO_CLAIMS
