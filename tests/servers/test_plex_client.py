"""What is asked of Plex, and what follows from each answer; the answers are scripted."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from custom_components.plex_watchsync.ports import AuthFailed, Forbidden, ItemNotFound, NotAMediaServer, ServerError, ServerUnavailable, UnexpectedAnswer
from custom_components.plex_watchsync.servers.plex.client import PlexServer, identify
from custom_components.plex_watchsync.servers.plex.normalise import SHARED
from custom_components.plex_watchsync.sync.model import WatchState

FILM = {"ratingKey": "7", "type": "movie", "title": "Film", "librarySectionID": 1, "duration": 6_000_000}
IDENTITY = {"machineIdentifier": "abc", "version": "1.41.9.1"}


class Script:
    """Stands where the HTTP client does; answers are containers, or errors to raise."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        """Answer by path; what is not named is unknown."""
        self.answers = dict(answers)
        self.sent: list[tuple[str, str, dict[str, str]]] = []
        self.skew = timedelta()

    async def json(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None) -> Any:
        """Answer a read."""
        self.sent.append((method, path, dict(params or {})))
        answer = self.answers.get(path, ItemNotFound(path))
        if isinstance(answer, ServerError):
            raise answer
        return {"MediaContainer": answer} if isinstance(answer, dict) else answer

    async def ask(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None) -> None:
        """Take a write."""
        self.sent.append((method, path, dict(params or {})))

    def writes(self) -> list[tuple[str, str]]:
        """Return what was sent to change something, with the argument that matters."""
        return [(path, params.get("rating") or params.get("time") or params["key"]) for method, path, params in self.sent if method != "GET"]


def plex(answers: Mapping[str, Any], user_id: str | None = None) -> tuple[PlexServer, Script]:
    """Return a Plex that follows the script."""
    script: Any = Script(answers)
    return PlexServer(script, user_id), script


@pytest.mark.parametrize("answer", [AuthFailed("401"), Forbidden("403"), ItemNotFound("404"), UnexpectedAnswer("html"), "text"])
async def test_something_else_is_no_plex(answer: Any) -> None:
    """Whatever it says."""
    script: Any = Script({"/identity": answer})
    assert await identify(script) is None
    with pytest.raises(NotAMediaServer):
        await plex({"/identity": answer})[0].identity()


async def test_a_plex_that_is_away_is_not_another_server() -> None:
    """Pitfall 40: while it starts it is nobody else."""
    with pytest.raises(ServerUnavailable):
        await plex({"/identity": ServerUnavailable("503")})[0].identity()


@pytest.mark.parametrize(("root", "name"), [({"friendlyName": "Study"}, "Study"), ({}, "Plex"), (AuthFailed("401"), "Plex"), (Forbidden("403"), "Plex")])
async def test_the_name_is_told_to_those_who_may_know(root: Any, name: str) -> None:
    """The id is told to anybody."""
    server, _ = plex({"/identity": IDENTITY, "/": root})
    identity = await server.identity()
    assert (identity.server_id, identity.name) == ("abc", name)


@pytest.mark.parametrize("refusal", [AuthFailed("401"), Forbidden("403")])
async def test_a_shared_user_is_told_from_a_dead_token(refusal: ServerError) -> None:
    """Server-apis §1.1: only the owner may list the accounts; the libraries decide."""
    assert await plex({"/accounts": refusal, "/library/sections": {}})[0].users() == (SHARED,)
    with pytest.raises(AuthFailed):
        await plex({"/accounts": refusal, "/library/sections": AuthFailed("401")})[0].users()


@pytest.mark.parametrize("refusal", [AuthFailed("401"), Forbidden("403")])
async def test_who_may_not_know_what_plays(refusal: ServerError) -> None:
    """W2: nothing is known to play there."""
    assert await plex({"/status/sessions": refusal})[0].playing() == frozenset()


@pytest.mark.parametrize(("user_id", "mine"), [(None, {"7"}), ("1", {"7"}), ("31646104", {"8"})])
async def test_whose_session_it_is(user_id: str | None, mine: set[str]) -> None:
    """W2: the owner is 1, others have their number, text or not; a session without a user is nobody's."""
    sessions = [{"ratingKey": "7", "User": {"id": "1"}}, {"ratingKey": "8", "User": {"id": 31646104}}, {"ratingKey": "9"}]
    assert await plex({"/status/sessions": {"Metadata": sessions}}, user_id)[0].playing() == mine


async def test_an_answer_without_a_container() -> None:
    """R2: nothing is concluded from it."""
    odd: tuple[Any, ...] = (None, [], "text")
    for answer in odd:
        with pytest.raises(UnexpectedAnswer):
            await plex({"/library/sections": answer})[0].libraries()


async def test_one_missing_item_hides_no_other() -> None:
    """A 404 of several is asked for again in halves: whether one missing item makes a 404 of all is documented nowhere."""
    server, script = plex({"/library/metadata/7,8,9": ItemNotFound("404"), "/library/metadata/7": {"Metadata": [FILM]}})
    assert [one.item_id for one in await server.read_items(["7", "8", "9"])] == ["7"]
    assert [path for _, path, _ in script.sent] == [
        "/library/metadata/7,8,9",
        "/library/metadata/7",
        "/library/metadata/8,9",
        "/library/metadata/8",
        "/library/metadata/9",
    ]


async def test_what_was_not_asked_for_is_dropped() -> None:
    """I7, pitfall 17: an id is compared on what came back; what is no rating key is never asked for."""
    server, script = plex({"/library/metadata/7": {"librarySectionID": 1, "Metadata": [{**FILM, "ratingKey": "8"}]}})
    assert await server.read_items(["7", "../../:/unscrobble", "a", "٣"]) == ()
    assert [path for _, path, _ in script.sent] == ["/library/metadata/7"]


async def test_the_library_may_stand_outside_of_the_row() -> None:
    """I8: on the container, or on the row, or nowhere."""
    row = {name: value for name, value in FILM.items() if name != "librarySectionID"}
    for container, home in (({"librarySectionID": 4, "Metadata": [row]}, "4"), ({"librarySectionID": 4, "Metadata": [FILM]}, "1"), ({"Metadata": [row]}, "")):
        (found,) = await plex({"/library/metadata/7": container})[0].read_items(["7"])
        assert found.library == home


async def test_a_show_that_cannot_be_read_is_asked_for_once() -> None:
    """An episode of it has its own ids only."""
    episode = {**FILM, "ratingKey": "9", "type": "episode", "grandparentRatingKey": "100", "parentIndex": 1, "index": 2}
    server, script = plex({"/library/metadata/9": {"Metadata": [episode]}})
    await server.read_items(["9"])
    (found,) = await server.read_items(["9"])
    assert found.parts[0].keys == frozenset()
    assert [path for _, path, _ in script.sent].count("/library/metadata/100") == 1


WATCHED = WatchState(played=True, play_count=1)


@pytest.mark.parametrize(
    ("shown", "wanted", "writes"),
    [
        (WatchState(), WATCHED, [("/:/scrobble", "7")]),
        (WATCHED, WATCHED, []),
        (WatchState(played=True, position=600), WATCHED, [("/:/scrobble", "7")]),
        (WATCHED, WatchState(), [("/:/unscrobble", "7")]),
        (WatchState(position=600), WatchState(), [("/:/unscrobble", "7")]),
        (WatchState(), WatchState(), []),
        (WatchState(), WatchState(position=600), [("/:/timeline", "600000")]),
        (WatchState(position=900), WatchState(position=600), [("/:/timeline", "600000")]),
        (WatchState(), WatchState(played=True, position=600), [("/:/scrobble", "7"), ("/:/timeline", "600000")]),
        (WATCHED, WatchState(position=600), [("/:/unscrobble", "7"), ("/:/timeline", "600000")]),
        (WatchState(), WatchState(position=5990), [("/:/timeline", "5280000")]),
        (WatchState(), WatchState(rating=7.5), [("/:/rate", "7.5")]),
        (WatchState(rating=7.5), WatchState(rating=8.0), [("/:/rate", "8")]),
        (WatchState(rating=7.5), WatchState(), [("/:/rate", "-1")]),
        (WatchState(rating=7.5), WatchState(rating=7.5), []),
    ],
)
async def test_what_is_written(shown: WatchState, wanted: WatchState, writes: list[tuple[str, str]]) -> None:
    """Server-apis §4.1: a second scrobble counts a view more, so what shows is not written (W6); a mark clears the position, which is set after it (W3).

    A position near the end would be a view. M4: -1 takes a rating back.
    """
    server, script = plex({"/library/metadata/7": {"Metadata": [FILM]}})
    await server.write("7", wanted, shown)
    assert script.writes() == writes


async def test_a_position_without_a_run_time_is_not_sent() -> None:
    """Plex would ignore it: the reading back tells (M3)."""
    server, script = plex({"/library/metadata/7": {"Metadata": [{**FILM, "duration": None}]}})
    await server.write("7", WatchState(position=600), WatchState())
    assert script.writes() == []
