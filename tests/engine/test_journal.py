"""G5: every hint, change, decision and write is journalled with its reason and readings; bounded, paged, and still there after a restart."""

import json
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from custom_components.plex_watchsync.engine.journal import SEGMENT, Journal, Note, NoteKind, Query
from custom_components.plex_watchsync.engine.run import Run
from custom_components.plex_watchsync.ports import ServerUnavailable, StoreError
from custom_components.plex_watchsync.sync.merge import NEVER

from .conftest import House
from .fakes import START, MemoryDocuments

LINE = Note(START, NoteKind.CHANGE, "agreed", "plex", "Arrival (2016)", "R1 watched", event="watched", viewer="anna", run_id="r1", change_id="r1.1")


def filled(journal: Journal, count: int) -> Journal:
    """Add so many lines, one a minute."""
    for number in range(count):
        journal.add(replace(LINE, at=START + timedelta(minutes=number), item=f"Film {number}"))
    return journal


async def titles(journal: Journal, limit: int = 500, cursor: int | None = None, **query: Any) -> list[str]:
    """Return the titles of a page."""
    return [note.item for _, note in (await journal.find(Query(**query), limit, cursor)).notes]


async def test_a_change_is_journalled_from_hint_to_write(house: House) -> None:
    """G5: one act, and all that followed from it, by the run's id."""
    house.servers["plex"].watch("tt1")
    report = await house.hint("plex", "tt1")
    page = await house.viewer.journal.find(Query(run_id=report.run_id), 500)
    lines = [(note.kind.value, note.outcome, note.account, note.event) for _, note in reversed(page.notes)]
    assert lines[:2] == [("hint", "looked", "plex", "look"), ("change", "agreed", "plex", "watched")]
    assert {("operation", "written", name, "mark_watched") for name in ("jellyfin", "emby")} <= set(lines)
    assert ("run", "finished", "emby", "") in lines
    change = next(note for _, note in page.notes if note.kind is NoteKind.CHANGE)
    assert change.change_id == report.changes[0].change_id
    assert change.reading == house.servers["plex"].records["tt1"]
    assert (change.before is not None, change.after is not None) == (True, True)
    assert change.before != change.after
    written = next(note for _, note in page.notes if note.account == "emby" and note.kind is NoteKind.OPERATION)
    assert written.reading == house.servers["emby"].records["tt1"]
    assert written.before is not None
    assert not written.before.played


async def test_doubt_and_failure_are_journalled(house: House) -> None:
    """G5: what was not concluded, and why; what failed, and how."""
    house.servers["plex"].watch("tt1")
    house.servers["emby"].error = ServerUnavailable("the cable is out")
    await house.sync()
    house.servers["plex"].unwatch("tt1")
    house.servers["plex"].plays = {"tt1"}
    report = await house.sync()
    notes = [note for note in house.viewer.journal if note.run_id == report.run_id]
    assert {note.outcome for note in notes if note.kind is NoteKind.DECISION} == {"doubtful"}
    assert [note.reason for note in notes if note.kind is NoteKind.RUN and note.outcome == "failed"] == ["the cable is out"]


async def test_a_dry_run_leaves_no_line(house: House) -> None:
    """G6: what did not happen is not journalled."""
    house.servers["plex"].watch("tt1")
    before = list(house.viewer.journal)
    await house.sync(Run(dry_run=True))
    assert list(house.viewer.journal) == before


async def test_it_is_there_again() -> None:
    """Lines, numbers and the open segment survive a restart."""
    documents = MemoryDocuments()
    journal = filled(Journal(documents), SEGMENT + 5)
    await journal.flush(START)
    again = Journal(documents)
    await again.load()
    assert (await again.find(Query(), 500)).notes == (await journal.find(Query(), 500)).notes
    again.add(LINE)
    await again.flush(START)
    assert (await titles(again))[:2] == ["Arrival (2016)", f"Film {SEGMENT + 4}"]


async def test_dates_survive_and_may_be_absent() -> None:
    """G5: a restart keeps since when all agreed on what a change says; lines from before they were kept are read without."""
    documents, dates = MemoryDocuments(), (START, None, NEVER)
    journal = Journal(documents)
    journal.add(replace(LINE, dates=dates))
    journal.add(LINE)
    await journal.flush(START)
    first, second = json.loads(documents.content["journal/000000"])
    documents.content["journal/000000"] = json.dumps([first, second[:-1]])
    again = Journal(documents)
    await again.load()
    assert [note.dates for note in again] == [dates, ()]


async def test_one_line_rewrites_one_small_document() -> None:
    """A card is not worn out: many lines are one write, and full segments are never written again."""
    documents, news = MemoryDocuments(), []
    journal = filled(Journal(documents, lambda: news.append(1)), SEGMENT + 5)
    assert len(news) == 1 or not documents.saves
    await journal.flush(START)
    documents.saves.clear()
    journal.add(LINE)
    journal.add(LINE)
    assert not documents.saves
    await journal.flush(START)
    assert documents.saves == ["journal/000001"]
    assert len(list(journal)) <= SEGMENT
    await journal.flush(START)
    assert documents.saves == ["journal/000001"]


@pytest.mark.parametrize("error", [StoreError, CancelledError])
@pytest.mark.parametrize("name", ["journal/000000", "journal/index"])
async def test_what_could_not_be_written_is_news_again(name: str, error: type[BaseException]) -> None:
    """G5: a disk that is full for a moment, or somebody who does not wait, loses no line."""
    documents, news = MemoryDocuments(failing={name: error}), []
    journal = filled(Journal(documents, lambda: news.append(1)), SEGMENT + 5)
    news.clear()
    with suppress(CancelledError):
        await journal.flush(START)
    assert news
    documents.failing.clear()
    await journal.flush(START)
    again = Journal(documents)
    await again.load()
    assert len(await titles(again)) == SEGMENT + 5


async def test_it_is_bounded_by_count() -> None:
    """`journal_entries`: the oldest segments go, on disk too."""
    documents = MemoryDocuments()
    journal = Journal(documents)
    journal.entries = 2 * SEGMENT
    filled(journal, 5 * SEGMENT)
    await journal.flush(START)
    assert len(await titles(journal)) == 2 * SEGMENT
    assert sorted(documents.content) == ["journal/000003", "journal/000004", "journal/index"]


async def test_it_is_bounded_by_age() -> None:
    """`journal_days`: what is older goes with its segment."""
    documents = MemoryDocuments()
    journal = filled(Journal(documents), 3 * SEGMENT)
    await journal.flush(START + timedelta(days=30, minutes=2 * SEGMENT + 1))
    assert len(await titles(journal)) == SEGMENT


async def test_memory_is_bounded_without_documents() -> None:
    journal = Journal()
    journal.entries = 2 * SEGMENT
    filled(journal, 10 * SEGMENT)
    await journal.flush(START)
    assert len(list(journal)) == len(await titles(journal)) == 2 * SEGMENT


async def test_pages_follow_each_other() -> None:
    """A cursor goes on where the page ended, whatever was added meanwhile."""
    journal = filled(Journal(MemoryDocuments()), 2 * SEGMENT + 30)
    await journal.flush(START)
    seen: list[str] = []
    cursor: int | None = None
    while True:
        page = await journal.find(Query(), 37, cursor)
        seen += [note.item for _, note in page.notes]
        journal.add(LINE)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"Film {number}" for number in reversed(range(2 * SEGMENT + 30))]


def queries() -> Iterator[tuple[dict[str, Any], bool]]:
    """Name what finds the line, and what does not."""
    yield {"kind": "change", "outcome": "agreed", "event": "watched", "run_id": "r1", "change_id": "r1.1"}, True
    yield {"kind": "webhook"}, False
    yield {"outcome": "written"}, False
    yield {"text": "ARRIVAL"}, True
    yield {"text": "dune"}, False
    yield {"servers": frozenset({"plex"}), "viewers": frozenset({"anna"})}, True
    yield {"servers": frozenset({"emby"})}, False
    yield {"viewers": frozenset({"ben"})}, False
    yield {"since": START, "until": START}, True
    yield {"since": START + timedelta(seconds=1)}, False
    yield {"since": START + timedelta(days=3)}, False
    yield {"until": START - timedelta(seconds=1)}, False


@pytest.mark.parametrize(("query", "found"), list(queries()))
async def test_filters(query: dict[str, Any], found: bool) -> None:
    journal = Journal()
    journal.add(LINE)
    assert bool(await titles(journal, **query)) == found


async def test_a_webhook_that_repeats_is_counted() -> None:
    """Pitfall 48: a report a second from each player doesn't push all else out."""
    journal = Journal()
    report = replace(LINE, kind=NoteKind.WEBHOOK, event="PlaybackProgress", item_id="7", more={"way": "webhook"})
    for second in range(3):
        journal.add(replace(report, at=START + timedelta(seconds=second)))
        journal.add(replace(report, at=START + timedelta(seconds=second), item_id="8"))
    notes = list(journal)
    assert [(note.item_id, note.more["times"]) for note in notes] == [("7", "3"), ("8", "3")]
    assert notes[0].more["last"] == (START + timedelta(seconds=2)).isoformat()


@pytest.mark.parametrize("damage", ["broken", "nonsense"])
async def test_a_broken_journal_stops_nobody(damage: str) -> None:
    """Nothing hangs on the journal: what cannot be read is as if it had never been."""
    documents = MemoryDocuments()
    await filled(Journal(documents), SEGMENT + 1).flush(START)
    for name in list(documents.content):
        if damage == "broken":
            documents.broken.add(name)
        else:
            documents.content[name] = '{"first": "x"}' if name.endswith("index") else "[[1]]"
    journal = Journal(documents)
    await journal.load()
    assert not await titles(journal)
    journal.add(LINE)
    assert await titles(journal) == ["Arrival (2016)"]


async def test_it_can_be_removed() -> None:
    documents = MemoryDocuments()
    journal = filled(Journal(documents), SEGMENT + 1)
    await journal.flush(START)
    await journal.remove()
    assert not documents.content
    assert not list(journal)
