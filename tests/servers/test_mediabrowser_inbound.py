"""Webhooks of Jellyfin's plugin and of Emby."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from custom_components.plex_watchsync.ports import InboundError, InboundEvent, InboundRequest, Playback, ServerKind
from custom_components.plex_watchsync.servers.mediabrowser.inbound import parse_emby, parse_jellyfin
from tests.recordings import PAYLOADS, needs_recordings

FIXTURES = Path(__file__).parent / "fixtures"
AT = datetime(2026, 11, 3, 19, 4, 5, tzinfo=UTC)


def jellyfin(content_type: str = "text/plain; charset=utf-8", **changes: Any) -> InboundEvent:
    """Parse the fixture of Jellyfin with some values changed; None takes one away."""
    values = json.loads((FIXTURES / "jellyfin_webhook.json").read_text()) | changes
    body = json.dumps({name: value for name, value in values.items() if value is not None})
    return parse_jellyfin(InboundRequest(content_type, body.encode()))


def emby_values(**changes: Any) -> Any:
    """Return the fixture of Emby with some values changed."""
    return json.loads((FIXTURES / "emby_webhook.json").read_text()) | changes


def emby(**changes: Any) -> InboundEvent:
    """Parse the fixture of Emby as JSON, as 4.9 can send it."""
    return parse_emby(InboundRequest("application/json", json.dumps(emby_values(**changes)).encode()))


@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", "application/json", "", "text/html"])
def test_jellyfin_all_properties(content_type: str) -> None:
    """The content type says nothing (server-apis §5.3); a mark taken away by hand is an explicit unwatch (R5)."""
    event = jellyfin(content_type)
    assert event.at is not None
    assert event.at.replace(microsecond=0) == AT
    assert event == InboundEvent(
        ServerKind.JELLYFIN,
        "UserDataSaved",
        server_id="5e0000000000000000000000000000aa",
        user_id="a0000000000000000000000000000001",
        user_name="anna",
        item_id="e0000000000000000000000000000101",
        position=0,
        may_have_changed=True,
        unplayed=True,
        at=event.at,
    )


@pytest.mark.parametrize(
    ("reason", "played", "changed", "unplayed"),
    [
        ("TogglePlayed", True, True, False),
        ("TogglePlayed", False, True, True),
        ("PlaybackStart", False, True, False),
        ("PlaybackFinished", False, True, False),
        ("UpdateUserData", False, True, False),
        ("Import", False, True, False),
        ("PlaybackProgress", False, False, False),
    ],
)
def test_jellyfin_save_reasons(reason: str, *, played: bool, changed: bool, unplayed: bool) -> None:
    """Pitfalls 4 and 48: a rewatch's start is no unwatch, a player's report is no news."""
    event = jellyfin(SaveReason=reason, Played=played)
    assert (event.may_have_changed, event.unplayed) == (changed, unplayed)


@pytest.mark.parametrize(
    ("name", "playback", "changed"),
    [
        ("PlaybackStart", Playback.STARTED, False),
        ("PlaybackProgress", None, False),
        ("PlaybackStop", Playback.STOPPED, True),
        ("ItemAdded", None, True),
        ("SessionStart", None, False),
        ("UserUpdated", None, False),
    ],
)
def test_jellyfin_events(name: str, playback: Playback | None, *, changed: bool) -> None:
    """A stop is a reason to look; what it did to the state the server tells (R6)."""
    event = jellyfin(NotificationType=name, SaveReason=None, PlaybackPositionTicks=6600000000)
    assert (event.event, event.playback, event.may_have_changed, event.unplayed, event.position) == (name, playback, changed, False, 660)


def test_jellyfin_other_types_change_nothing() -> None:
    """A song or a season is nobody's watch state."""
    event = jellyfin(ItemType="Audio")
    assert not event.may_have_changed
    assert not event.unplayed


def test_jellyfin_template() -> None:
    """A template writes ids with dashes, booleans as words, absent fields as empty texts, text escaped for HTML."""
    event = jellyfin(
        ServerId="5e000000-0000-0000-0000-0000000000aa",
        ItemId="E0000000-0000-0000-0000-000000000101",
        UserId="",
        NotificationUsername="Anna &amp; Bob&#x27;s",
        Played="False",
        PlaybackPositionTicks="",
        UtcTimestamp="11/03/2026 19:04:05",
    )
    assert event.server_id == "5e0000000000000000000000000000aa"
    assert event.item_id == "e0000000000000000000000000000101"
    assert event.user_id is None
    assert event.user_name == "Anna & Bob's"
    assert event.unplayed
    assert event.position is None
    assert event.at is None


@pytest.mark.parametrize("played", ["", None, "True"])
def test_jellyfin_unplayed_needs_a_no(played: str | None) -> None:
    """An empty or absent field is no evidence (R5)."""
    assert not jellyfin(Played=played).unplayed


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"NotificationType":"PlaybackStop","Name":"a "quoted" title"}',
        b"[]",
        b"{}",
        b'{"NotificationType":""}',
        b"\xff\xfe\x00",
    ],
)
def test_jellyfin_broken_bodies(body: bytes) -> None:
    """A template that puts quotes into its text breaks its own JSON: told as such, without a quote of it."""
    with pytest.raises(InboundError) as raised:
        parse_jellyfin(InboundRequest("text/plain", body))
    assert "quoted" not in str(raised.value)


def test_emby_json() -> None:
    """The position is PlaybackInfo's: the session may be at the next episode already (server-apis §5.5)."""
    event = emby()
    assert event.at is not None
    assert event == InboundEvent(
        ServerKind.EMBY,
        "playback.stop",
        server_id="e0b10000000000000000000000000001",
        user_id="a0000000000000000000000000000001",
        user_name="anna",
        item_id="31",
        playback=Playback.STOPPED,
        position=660,
        may_have_changed=True,
        at=event.at,
    )


def test_emby_forms_say_the_same() -> None:
    """Up to 4.8 it is a form with a field `data`."""
    data = json.dumps(emby_values())
    multipart = f'--xyz\r\nContent-Disposition: form-data; name="data"\r\n\r\n{data}\r\n--xyz--\r\n'
    assert parse_emby(InboundRequest("multipart/form-data; boundary=xyz", multipart.encode())) == emby()
    assert parse_emby(InboundRequest("application/x-www-form-urlencoded", urlencode({"data": data}).encode())) == emby()


@pytest.mark.parametrize(
    ("name", "playback", "changed", "unplayed"),
    [
        ("playback.start", Playback.STARTED, False, False),
        ("playback.pause", Playback.PAUSED, True, False),
        ("playback.unpause", Playback.RESUMED, False, False),
        ("playback.stop", Playback.STOPPED, True, False),
        ("item.markplayed", None, True, False),
        ("item.markunplayed", None, True, True),
        ("item.rate", None, True, False),
        ("library.new", None, True, False),
        ("library.deleted", None, False, False),
        ("system.notificationtest", None, False, False),
    ],
)
def test_emby_events(name: str, playback: Playback | None, *, changed: bool, unplayed: bool) -> None:
    """Pitfall 3: a stop half-way, with PlayedToCompletion false, is no unwatch; only the mark's own event is (R5)."""
    event = emby(Event=name)
    assert (event.playback, event.may_have_changed, event.unplayed) == (playback, changed, unplayed)


def test_emby_without_parts() -> None:
    """A test message names no user, item or server."""
    event = parse_emby(InboundRequest("application/json", b'{"Event":"system.notificationtest","Title":"Test","User":null}'))
    assert event == InboundEvent(ServerKind.EMBY, "system.notificationtest")


def test_emby_series_changes_nothing_by_itself() -> None:
    """A mark on a whole series names the series; its episodes have states, it has none."""
    event = emby(Event="item.markunplayed", Item={"Id": "30", "Type": "Series"})
    assert not event.may_have_changed
    assert not event.unplayed


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b"[1]"),
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"data=%7B"),
        ("multipart/form-data; boundary=xyz", b"--abc\r\n"),
        ("multipart/form-data", b"--abc\r\n"),
    ],
)
def test_emby_broken_bodies(content_type: str, body: bytes) -> None:
    """Broken bodies are told, never a traceback."""
    with pytest.raises(InboundError):
        parse_emby(InboundRequest(content_type, body))


@needs_recordings
def test_recorded_jellyfin_webhooks() -> None:
    """Of all the messages of a recorded session only the marks that were taken away by hand are unwatches (R5)."""
    lines = (PAYLOADS / "jellyfin-10.11.11-recorded" / "basic" / "webhooks.jsonl").read_text().splitlines()
    bodies = [json.loads(line)["raw"] for line in lines]
    events = [parse_jellyfin(InboundRequest("text/plain; charset=utf-8", body.encode())) for body in bodies]
    toggled = [json.loads(body) for body in bodies if '"TogglePlayed"' in body]
    assert sum(event.unplayed for event in events) == sum(not values["Played"] for values in toggled) > 0
    assert all(event.user_id and event.item_id and event.server_id for event in events if event.event.startswith(("Playback", "UserData")))


@needs_recordings
def test_recorded_jellyfin_templates() -> None:
    """Templates with names of their own are understood as far as they tell."""
    lines = [json.loads(line) for line in (PAYLOADS / "jellyfin-10.11.11-recorded" / "plugin" / "webhooks.jsonl").read_text().splitlines()]
    events = [parse_jellyfin(InboundRequest("text/plain", line["raw"].encode())) for line in lines if line["path"] == "/template"]
    assert {event.user_name for event in events} == {"anna", "bob"}
    assert all(event.item_id and "-" not in event.item_id for event in events)


@needs_recordings
@pytest.mark.parametrize("name", ["jxxghp__MoviePilot/emby_webhook_00_L716_playback.stop.json", "leepeuker__movary/emby-scrobble_00_L6_playback.stop.json"])
def test_recorded_emby_stops(name: str) -> None:
    """Stops of 4.7, as multipart."""
    data = (PAYLOADS / name).read_bytes()
    body = b'--b\r\nContent-Disposition: form-data; name="data"\r\n\r\n' + data + b"\r\n--b--\r\n"
    event = parse_emby(InboundRequest("multipart/form-data; boundary=b", body))
    assert (event.event, event.playback, event.may_have_changed, event.unplayed) == ("playback.stop", Playback.STOPPED, True, False)
    assert event.item_id
