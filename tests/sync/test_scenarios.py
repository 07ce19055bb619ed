"""Scenario files: what was agreed, what is seen, what follows. The words are explained in scenarios/README.md."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from custom_components.plex_watchsync.sync.baseline import Baseline
from custom_components.plex_watchsync.sync.item import Item, Replica
from custom_components.plex_watchsync.sync.match import attach
from custom_components.plex_watchsync.sync.merge import NEVER, Claims, Rating, Spot, View
from custom_components.plex_watchsync.sync.model import Media, MediaKind, Observation, Part, ReplicaId, Sent, WatchState
from custom_components.plex_watchsync.sync.plan import Operation, WriteKind, plan
from custom_components.plex_watchsync.sync.policy import AccountPolicy, Direction, InitialSync, Policy, Traits
from custom_components.plex_watchsync.sync.reconcile import Sighting, reconcile

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
RUNTIME = 7200
TRAITS = {"plex": Traits(writes_date=False), "jellyfin": Traits(unplayed_alone_counts=True), "emby": Traits(thumbs=True)}
KEYS = frozenset({"movie/imdb/tt1"})
FOLDER = Path(__file__).parent / "scenarios"
SCENARIOS = [(file.stem, scenario) for file in sorted(FOLDER.glob("*.yaml")) for scenario in yaml.safe_load(file.read_text())]

type Words = dict[str, Any]


def state(words: str) -> WatchState:
    """Read `watched 2026-01-01 x2 at 600`."""
    date = re.search(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d)?", words)
    count, position, rating = re.search(r"\bx(\d+)", words), re.search(r"\bat (\d+)", words), re.search(r"\brated ([\d.]+)", words)
    return WatchState(
        played=words.startswith("watched"),
        position=int(position[1]) if position else 0,
        play_count=int(count[1]) if count else int(words.startswith("watched")),
        last_played=datetime.fromisoformat(date[0]).replace(tzinfo=UTC) if date else None,
        rating=float(rating[1]) if rating else None,
    )


def moment(text: object) -> datetime:
    """Read a date or a time."""
    return datetime.fromisoformat(str(text)).replace(tzinfo=UTC)


@dataclass(slots=True)
class Stage:
    """A scenario's item and policy; accounts are named after their servers, `plex-4k` for a second copy on Plex."""

    words: Words

    @property
    def servers(self) -> dict[str, Words]:
        """The servers that the scenario names."""
        return {name: words or {} for name, words in self.words["servers"].items()}

    @property
    def policy(self) -> Policy:
        """What each account was set up for."""
        return Policy({name.split("-")[0]: self._account(name, words) for name, words in self.servers.items()})

    def _account(self, name: str, words: Words) -> AccountPolicy:
        return AccountPolicy(
            TRAITS[name.split("-", maxsplit=1)[0]],
            Direction(words.get("direction", "two_way")),
            InitialSync(words.get("initial_sync", "merge")),
            first_sync=words.get("first_sync", False),
        )

    @property
    def item(self) -> Item:
        """The item as it was agreed on; every replica with a `known` reading stands for that, unless it is `owed`."""
        agreed: str | None = self.words.get("agreed")
        replicas = {replica_id(name): self._replica(words) for name, words in self.servers.items()}
        claims = claimed(state(agreed), moment(self.words.get("agreed_at", "2026-01-01"))) if agreed else Claims()
        return Item("film", Media(MediaKind.MOVIE, "Film"), KEYS, claims, 2 if agreed else 0, replicas)

    def _replica(self, words: Words) -> Replica:
        if "known" not in words:
            return Replica(KEYS, "films")
        revision = 1 if words.get("owed") else 2 if self.words.get("agreed") else 0
        return Replica(KEYS, "films", reading=state(str(words["known"])), at=moment(words.get("read", "2026-05-01")), revision=revision)

    def sightings(self, *, second: bool) -> dict[ReplicaId, Sighting]:
        """Return what is seen now, or at the second read."""
        return {replica_id(name): self._sighting(words, second=second) for name, words in self.servers.items() if "seen" in words}

    def _sighting(self, words: Words, *, second: bool) -> Sighting:
        seen: str = words["second"] if second and "second" in words else words["seen"]
        said = words.get("marked_unwatched")
        sent = (Sent(state(words["sent"]), NOW),) if "sent" in words else ()
        return Sighting(state(seen), NOW, RUNTIME, words.get("playing", False), moment(said) if said else None, confirmed=second, written=sent)


def claimed(agreed: WatchState, at: datetime) -> Claims:
    """Return claims that amount to an agreed state."""
    rating = None if agreed.rating is None else Rating(at, agreed.rating)
    return Claims(View(at, agreed.played, agreed.last_played, agreed.play_count), Spot(at, agreed.position), rating)


def replica_id(name: str) -> ReplicaId:
    """Name the one replica on a server."""
    return ReplicaId(name.split("-", maxsplit=1)[0], name)


def told(operation: Operation) -> str:
    """Put a write into a scenario's words: `plex mark_watched at 600`."""
    position = f" at {operation.wanted.position}" if operation.wanted.position else ""
    date = operation.wanted.last_played if operation.kind is WriteKind.SET_DATE else None
    rating = f" {operation.wanted.rating or 'nothing'}" if operation.kind is WriteKind.RATE else ""
    return f"{operation.replica.item} {operation.kind}{position}{rating}" + (f" {date:%Y-%m-%d}" if date else "")


def short(agreed: WatchState) -> str:
    """Put an agreed state into a scenario's words."""
    date = f" {agreed.last_played:%Y-%m-%d}" if agreed.played and agreed.last_played else ""
    return (
        ("watched" if agreed.played else "unwatched")
        + date
        + (f" at {agreed.position}" if agreed.position else "")
        + (f" rated {agreed.rating}" if agreed.rating is not None else "")
    )


@pytest.mark.parametrize(("file", "words"), SCENARIOS, ids=[f"{file}: {words['name']}" for file, words in SCENARIOS])
def test_scenario(file: str, words: Words) -> None:
    """What is agreed and what is planned is what the scenario says."""
    assert file
    stage = Stage(words)
    outcome = reconcile(stage.item, stage.sightings(second=False), stage.policy)
    assert sorted(replica.item for replica in outcome.doubtful) == sorted(words.get("doubtful", []))
    if outcome.doubtful:
        outcome = reconcile(outcome.item, stage.sightings(second=True), stage.policy)
    planned = [plan([outcome.item], replica, stage.policy) for replica in outcome.item.replicas]
    assert sorted(told(operation) for operation in planned if operation) == sorted(words.get("plan", []))
    assert short(outcome.item.claims.state) == words["then"]


@pytest.mark.parametrize(("file", "words"), SCENARIOS, ids=[f"{file}: {words['name']}" for file, words in SCENARIOS])
def test_nothing_follows_twice(file: str, words: Words) -> None:
    """W6: the same readings a second time change nothing."""
    assert file
    stage = Stage(words)
    once = reconcile(reconcile(stage.item, stage.sightings(second=False), stage.policy).item, stage.sightings(second=True), stage.policy)
    again = reconcile(once.item, stage.sightings(second=True), stage.policy)
    assert again.item.claims.state == once.item.claims.state
    assert again.item.revision == once.item.revision


def test_every_case_that_the_core_can_tell_has_a_scenario() -> None:
    """The pitfalls 2-6, 9, 10, 13, 14, 21, 22, 24, 26, 37, 38, 46 are named; the others are tested where they live."""
    named = {int(number) for _, words in SCENARIOS for number in re.findall(r"pitfall (\d+)", words["name"])}
    assert {2, 3, 4, 5, 6, 9, 10, 13, 14, 21, 22, 26, 37, 38, 46} <= named


def test_a_show_watched_in_part_is_not_watched_whole() -> None:
    """Pitfall 19: an episode's show id counts with its number only."""
    baseline = Baseline()
    for number in (1, 2):
        part = Part(Media(MediaKind.EPISODE, f"Part {number}", show="Show", season=1, episode=number), frozenset({f"show/tvdb/7/1/{number}"}))
        attach(baseline, "plex", Observation(f"{number}", "shows", (part,), WatchState(played=number == 1, play_count=1)))
    assert len(baseline) == 2
    assert NOW - timedelta(days=1) > NEVER
