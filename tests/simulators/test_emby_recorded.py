"""The simulated Emby against recorded answers and webhooks of real ones, where they are at hand."""

import json
from typing import Any

import pytest

from simulators.catalogue import generate
from simulators.emby import EmbySimulator
from simulators.emby.library import Item, Kind
from simulators.emby.playback import Happening
from simulators.emby.webhook import payload
from tests.recordings import PAYLOADS, needs_recordings

type Json = Any

pytestmark = needs_recordings

TITLES = generate(7, films=2, shows=1)


def recorded(path: str) -> Json:
    return json.loads((PAYLOADS / path).read_text())


@pytest.fixture
def emby() -> EmbySimulator:
    return EmbySimulator("attic", TITLES, {"anna": "secret-anna"})


def row(emby: EmbySimulator, key: str, *fields: str) -> Json:
    return emby.items.row(emby.accounts.by_name["anna"], emby.library.by_key[key], fields)


def test_public_users(emby: EmbySimulator) -> None:
    account = emby.accounts.by_name["anna"]
    account.seen = emby.clock()
    user = recorded("moooyo__goby/after-setup-users.json")["response"]["body"][0]
    assert list(emby.accounts.dto(account, whole=False)) == list(user)


def test_a_row_of_a_film_begun(emby: EmbySimulator) -> None:
    emby.stock("anna", TITLES[0].key, played=False, position=600, count=1)
    film = recorded("moooyo__goby/playback-m3-resume-after-progress.json")["response"]["body"]["Items"][0]
    ours = row(emby, TITLES[0].key)
    assert list(ours) == list(film)
    assert list(ours["UserData"]) == list(film["UserData"])


def test_a_row_of_an_episode(emby: EmbySimulator) -> None:
    emby.stock("anna", TITLES[2].key, played=True, count=1, date=emby.clock())
    episode = recorded("moooyo__goby/folder-state-episodes-after-played.json")["response"]["body"]["Items"][0]
    ours = row(emby, TITLES[2].key)
    assert list(ours) == list(episode)
    assert ours["UserData"] == episode["UserData"]


def test_the_answer_to_a_mark(emby: EmbySimulator) -> None:
    account, item = emby.accounts.by_name["anna"], emby.library.by_key[TITLES[0].key]
    emby.mark(account, item)
    film = recorded("moooyo__goby/playback-m3-mark-played.json")["response"]["body"]
    assert list(emby.records.dto(account.account_id, item)) == list(film)


def test_the_answer_to_a_mark_of_a_series(emby: EmbySimulator) -> None:
    account, item = emby.accounts.by_name["anna"], next(one for one in emby.library.items.values() if one.kind is Kind.SERIES)
    emby.mark(account, item)
    assert emby.records.dto(account.account_id, item) == recorded("moooyo__goby/folder-state-series-played.json")["response"]["body"]


def sent(emby: EmbySimulator, event: str, item: Item, *, completed: bool | None = None) -> Json:
    account = emby.accounts.by_name["anna"]
    session = emby.playback.of_person(account, emby.version)
    happening = Happening(event, account, item, session, completed)
    server = {"Name": emby.name, "Id": emby.server_id, "Version": "4.7.13.0"}
    return payload(happening, emby.items.described(item), server, emby.clock())


@pytest.mark.parametrize(
    ("path", "number", "completed"),
    [
        ("jxxghp__MoviePilot/emby_webhook_00_L716_playback.stop.json", 0, True),
        ("leepeuker__movary/emby-scrobble_00_L6_playback.stop.json", 0, False),
        ("jxxghp__MoviePilot/emby_webhook_01_L867_playback.start.json", 2, None),
    ],
)
def test_a_webhook(emby: EmbySimulator, path: str, number: int, completed: bool | None) -> None:
    """The item of ours has no more than a real one; what is lacking is artwork, links and technical data."""
    real = recorded(path)
    ours = sent(emby, real["Event"], emby.library.by_key[TITLES[number].key], completed=completed)
    assert list(ours) == list(real)
    for part in ("User", "Server", "Session", "PlaybackInfo"):
        assert list(ours[part]) == list(real[part]), part
    assert ours["Item"].keys() <= real["Item"].keys()
    needed = {
        "Id",
        "Type",
        "Name",
        "ProviderIds",
        "Path",
        "RunTimeTicks",
        "ProductionYear",
        "PremiereDate",
        "SeriesId",
        "SeriesName",
        "IndexNumber",
    }
    assert needed & real["Item"].keys() - {"PremiereDate"} <= ours["Item"].keys()


def test_a_session(emby: EmbySimulator) -> None:
    shape = recorded("anirudhlath__usher/tests/fixtures/emby/push_sessions.json")["Data"][0]
    ours = emby.playback.of_person(emby.accounts.by_name["anna"], emby.version).dto(emby.server_id, None)
    assert ours.keys() <= shape.keys()
    assert shape.keys() - ours.keys() == {"InternalDeviceId"}
