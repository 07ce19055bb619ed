"""Webhooks of Plex and of Tautulli."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from custom_components.plex_watchsync.ports import InboundError, InboundEvent, InboundRequest, Playback
from custom_components.plex_watchsync.servers.plex.inbound import parse_plex
from tests.recordings import PAYLOADS, needs_recordings

FIXTURE: dict[str, Any] = json.loads((Path(__file__).parent / "fixtures" / "plex_webhook.json").read_text())
BOUNDARY = "------------------------a1b2"


def form(payload: object, *, poster: bytes = b"") -> InboundRequest:
    """Wrap a payload as Plex does, with a poster if there is one."""
    text = json.dumps(payload).encode()
    body = b'--%b\r\nContent-Disposition: form-data; name="payload"\r\nContent-Type: application/json\r\n\r\n%b\r\n' % (BOUNDARY.encode(), text)
    if poster:
        head = b'--%b\r\nContent-Disposition: form-data; name="thumb"; filename="thumb.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        body += head % BOUNDARY.encode() + poster + b"\r\n"
    return InboundRequest(f"multipart/form-data; boundary={BOUNDARY}", body + b"--%b--\r\n" % BOUNDARY.encode())


def plex(**changes: Any) -> InboundEvent:
    """Parse the fixture with some values changed."""
    return parse_plex(form({**FIXTURE, **changes}))


def test_a_stop_half_way() -> None:
    """Pitfall 15: the library's number is a number in real payloads; R6: a stop is a hint to look."""
    event = plex()
    assert (event.event, event.playback, event.may_have_changed, event.unplayed) == ("media.stop", Playback.STOPPED, True, False)
    assert (event.library, event.item_id, event.user_id, event.user_name) == ("2", "59852", "31646104", "ben")
    assert (event.server_id, event.position, event.at) == (FIXTURE["Server"]["uuid"], 1127, None)


@pytest.mark.parametrize(
    ("name", "playback", "changed"),
    [
        ("media.play", Playback.STARTED, False),
        ("media.pause", Playback.PAUSED, True),
        ("media.resume", Playback.RESUMED, False),
        ("media.stop", Playback.STOPPED, True),
        ("media.scrobble", None, True),
        ("media.rate", None, True),
        ("library.new", None, True),
        ("library.on.deck", None, False),
        ("device.new", None, False),
    ],
)
def test_events(name: str, playback: Playback | None, *, changed: bool) -> None:
    """Each by its name; M4: a rating is looked at too."""
    event = plex(event=name)
    assert (event.playback, event.may_have_changed) == (playback, changed)


def test_the_owner_is_number_one() -> None:
    """Server-apis §2: whatever number the account has."""
    assert plex(user=True).user_id == "1"
    assert plex(user=True, owner=False).user_id == "31646104"


def test_a_scrobble_is_dated_by_the_server() -> None:
    """Pitfall 26: by when it was seen, not by when it came."""
    assert plex(event="media.scrobble").at == datetime(2019, 1, 10, 4, 52, 51, tzinfo=UTC)
    for none in (-5, 253402300800, 10**12, 10**400):
        assert plex(event="media.scrobble", Metadata={"type": "movie", "lastViewedAt": none}).at is None


def test_music_is_none_of_ours() -> None:
    """A track may not even be looked at."""
    event = plex(Metadata={"type": "track", "ratingKey": "7"})
    assert (event.playback, event.may_have_changed, event.item_id) == (None, False, "7")


def test_an_event_about_nothing() -> None:
    """`admin.database.backup` has no item and no player; odd values are nothing."""
    event = parse_plex(form({"event": "admin.database.backup", "Account": "?", "Server": {"uuid": ""}}))
    assert (event.item_id, event.user_id, event.server_id, event.library, event.position) == (None, None, None, None, None)


def test_the_poster_is_left_alone() -> None:
    """Whatever bytes it has."""
    assert parse_plex(form(FIXTURE, poster=b"\xff\xd8" + bytes(range(256)) * 9)).item_id == "59852"


@pytest.mark.parametrize(
    ("action", "event", "playback", "changed"),
    [
        ("play", "media.play", Playback.STARTED, False),
        ("stop", "media.stop", Playback.STOPPED, True),
        ("watched", "media.scrobble", None, True),
        ("created", "library.new", None, True),
        ("buffer", "buffer", None, False),
    ],
)
def test_tautulli(action: str, event: str, playback: Playback | None, *, changed: bool) -> None:
    """It tells on Plex's behalf, in JSON."""
    body = {"action": action, "server_id": "abc", "user_id": "7", "user": "ben", "rating_key": 59852}
    found = parse_plex(InboundRequest("application/json", json.dumps(body).encode()))
    assert (found.event, found.playback, found.may_have_changed) == (event, playback, changed)
    assert (found.server_id, found.user_id, found.user_name, found.item_id) == ("abc", "7", "ben", "59852")


def test_tautulli_without_an_item() -> None:
    """Nothing to look at."""
    assert not parse_plex(InboundRequest("application/json", b'{"action": "watched"}')).may_have_changed


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>", b""])
def test_what_is_no_webhook(body: bytes) -> None:
    """A clear no, for a 400 (pitfall 30)."""
    with pytest.raises(InboundError):
        parse_plex(InboundRequest("application/json", body))


@needs_recordings
@pytest.mark.parametrize(
    ("path", "item", "user", "library", "changed"),
    [
        ("jxxghp__MoviePilot/plex_webhook_00_L554_media.scrobble.json", "40294", "31646104", "7", True),
        ("leepeuker__movary/plex-scrobble_00_L7_media.scrobble.json", "26697", "1", "1", True),
        ("XanderStrike__plexhooks/test-fixtures/movie.json", "75580", "1", "1", True),
        ("XanderStrike__plexhooks/test-fixtures/tv.json", "59852", "1", "2", True),
        ("XanderStrike__plexhooks/test-fixtures/music.json", "1936545", "1", "1224", False),
        ("andrey-yantsen__plex-api.rs/webhook_mod_00_L149_media.play.json", "1936545", "1", "1224", False),
        ("varoOP__shinkro/plex_test_00_L20_media.scrobble.json", None, None, None, True),
        ("varoOP__shinkro/plex_test_01_L48_media.rate.json", None, None, None, True),
    ],
)
def test_recorded(path: str, item: str | None, user: str | None, library: str | None, *, changed: bool) -> None:
    """Webhooks of real servers, the ones with an item, a user and a library as well as those without."""
    event = parse_plex(form(json.loads((PAYLOADS / path).read_text())))
    assert (event.item_id, event.user_id, event.library, event.may_have_changed) == (item, user, library, changed)
