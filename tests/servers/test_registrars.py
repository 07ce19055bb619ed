"""A server's own list of webhooks: ours is added, mended, proved and taken out; everybody else's stays as it is."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast, override

import pytest
from aiohttp import ClientSession, web

from custom_components.plex_watchsync.ports import (
    AuthFailed,
    Forbidden,
    NotSupported,
    OwnWebhook,
    ServerKind,
    ServerUnavailable,
    UnexpectedAnswer,
    WebhookRegistrar,
)
from custom_components.plex_watchsync.servers import WEBHOOK_EVENTS, Connection, log_in, open_registrar
from simulators.base import Act, serving
from simulators.catalogue import generate
from simulators.emby import EmbySimulator
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator
from simulators.plex_tv import PlexTvSimulator
from tests.recordings import PAYLOADS, needs_recordings

TITLES = generate(3, films=2, shows=1, episodes_per_show=2)
PEOPLE = {"anna": "anna-secret", "ben": "ben-secret"}
MARK = "0123456789abcdef" * 4


def _now() -> datetime:
    return datetime.now(UTC)


class Ear:
    """Somebody who listens at an address."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[str, str, dict[str, str]]] = asyncio.Queue()

    def application(self) -> web.Application:
        """Take in everything."""
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/{path:.*}", self._hear)
        return app

    async def _hear(self, request: web.Request) -> web.Response:
        self.heard.put_nowait((request.path, await request.text(), dict(request.headers)))
        return web.Response()

    async def next(self) -> tuple[str, str, dict[str, str]]:
        """Wait for what comes next."""
        async with asyncio.timeout(10):
            return await self.heard.get()


class RegistrarContract(ABC):
    """What every kind of server's list must do; `others` stands in it before."""

    kind: ServerKind

    @pytest.fixture(autouse=True)
    async def _place(self, monkeypatch: pytest.MonkeyPatch, socket_enabled: None) -> AsyncIterator[None]:
        self.monkeypatch = monkeypatch
        async with AsyncExitStack() as stack:
            self.ear = Ear()
            self.ear_url = await stack.enter_async_context(serving(self.ear))
            self.session = await stack.enter_async_context(ClientSession())
            self.stack = stack
            self.url = await self.serve()
            yield

    @abstractmethod
    async def serve(self) -> str:
        """Serve the server, with somebody else's webhook in its list, and return the address."""

    @abstractmethod
    def urls(self) -> list[str]:
        """Return the addresses in the server's list."""

    @abstractmethod
    async def registrar(self, who: str) -> WebhookRegistrar:
        """Open the list as somebody."""

    @abstractmethod
    async def act(self) -> None:
        """Play a film to its end as anna."""

    def hook(self, **changes: Any) -> OwnWebhook:
        """Return our webhook."""
        usual = {"url": f"{self.ear_url}/api/webhook/{MARK}", "marks": frozenset({MARK}), "events": WEBHOOK_EVENTS[self.kind]}
        return OwnWebhook(**{**usual, **changes})

    def other(self) -> str:
        """Return somebody else's address."""
        return f"{self.ear_url}/somebody/else"

    async def heard(self) -> str:
        """Wait for what comes to ours."""
        while True:
            path, text, _ = await self.ear.next()
            if path.endswith(MARK):
                return text

    async def test_added_once(self) -> None:
        """Ours comes behind the others', once; asked again, nothing is written."""
        registrar = await self.registrar("anna")
        assert await registrar.ensure(self.hook()) is True
        assert self.urls() == [self.other(), self.hook().url]
        written = self.writes()
        assert await registrar.ensure(self.hook()) is False
        assert (self.urls(), self.writes()) == ([self.other(), self.hook().url], written)

    async def test_it_hears_what_people_do(self) -> None:
        """A film that is played to its end is told at our address and at the other."""
        await (await self.registrar("anna")).ensure(self.hook())
        await self.act()
        assert await self.heard()

    async def test_a_new_address_takes_the_place_of_the_old(self) -> None:
        """Home Assistant moved, or got a cloudhook: by its mark the webhook is known."""
        registrar = await self.registrar("anna")
        await registrar.ensure(self.hook(url=f"http://old.invalid/api/webhook/{MARK}"))
        await registrar.ensure(self.hook())
        assert self.urls() == [self.other(), self.hook().url]

    async def test_taken_out(self) -> None:
        """Ours goes, the others' stays; what is not there is no error."""
        registrar = await self.registrar("anna")
        await registrar.ensure(self.hook())
        for _ in range(2):
            await registrar.withdraw(self.hook())
            assert self.urls() == [self.other()]

    async def test_the_last_one_can_be_taken_out(self) -> None:
        """An empty list is a list too."""
        registrar = await self.registrar("anna")
        await registrar.withdraw(self.hook(marks=frozenset({self.other()})))
        await registrar.ensure(self.hook())
        await registrar.withdraw(self.hook())
        assert self.urls() == []

    async def test_no_secret_in_words(self) -> None:
        """Neither the webhook nor an error shows the address."""
        assert MARK not in repr(self.hook())
        assert "hush" not in repr(self.hook(headers={"X-Webhook-Secret": "hush"}))

    async def test_withdrawn_credentials(self) -> None:
        """A dead token is told as such."""
        registrar = await self.registrar("nobody")
        for call in (registrar.ensure, registrar.withdraw):
            with pytest.raises(AuthFailed):
                await call(self.hook())
        assert self.urls() == [self.other()]

    @abstractmethod
    def writes(self) -> int:
        """Count the writes to the list."""


class TestPlex(RegistrarContract):
    """The list of a plex.tv account."""

    kind = ServerKind.PLEX

    @override
    async def serve(self) -> str:
        self.simulator, self.tv = PlexSimulator("Study", TITLES, PEOPLE), PlexTvSimulator()
        url = await self.stack.enter_async_context(serving(self.simulator))
        self.tv.join(self.simulator, url)
        self.tv.people["anna"].webhooks = [self.other()]
        self.simulator.webhooks = [self.other()]
        tv_url = await self.stack.enter_async_context(serving(self.tv))
        self.monkeypatch.setenv("PLEX_TV_URL", tv_url)
        return url

    @override
    def urls(self) -> list[str]:
        return self.tv.people["anna"].webhooks

    @override
    def writes(self) -> int:
        return self.tv.requests.count("POST /api/v2/user/webhooks")

    @override
    async def registrar(self, who: str) -> WebhookRegistrar:
        return open_registrar(self.session, Connection(self.kind, self.url, PEOPLE.get(who, "nonsense"), "device"), clock=_now)

    @override
    async def act(self) -> None:
        await self.simulator.act("anna", TITLES[0].key, Act.FINISH)

    async def test_no_plex_pass(self) -> None:
        """Without the subscription there are no webhooks."""
        self.tv.people["anna"].plex_pass = False
        with pytest.raises(NotSupported):
            await (await self.registrar("anna")).ensure(self.hook())

    async def test_nothing_can_be_provoked(self) -> None:
        """Plex has no test message."""
        assert await (await self.registrar("anna")).provoke(self.hook()) is False

    async def test_plex_tv_is_away(self) -> None:
        """An outage is told as such."""
        self.tv.faults.offline = True
        with pytest.raises(ServerUnavailable):
            await (await self.registrar("anna")).ensure(self.hook())


class TestJellyfin(RegistrarContract):
    """The destinations of the plugin, 10.11."""

    kind = ServerKind.JELLYFIN
    version = "10.11.11"
    titles = TITLES

    @override
    async def serve(self) -> str:
        self.simulator = JellyfinSimulator("Attic", self.titles, PEOPLE, version=self.version)
        self.simulator.plugin.configure(
            {"ServerUrl": "http://jellyfin.example", "GenericOptions": [self.destination()], "SlackOptions": [{"WebhookName": "x"}]}
        )
        return await self.stack.enter_async_context(serving(self.simulator))

    def destination(self) -> dict[str, Any]:
        """Return somebody else's destination."""
        return {
            "NotificationTypes": ["ItemAdded"],
            "WebhookName": "else",
            "WebhookUri": self.other(),
            "EnableMovies": True,
            "Template": "e30=",
            "UserFilter": ["x"],
        }

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return all destinations."""
        return cast("list[dict[str, Any]]", self.simulator.plugin.configuration["GenericOptions"])

    @override
    def urls(self) -> list[str]:
        return [row["WebhookUri"] for row in self.rows]

    @override
    def writes(self) -> int:
        return sum(one.startswith("POST /Plugins/") for one in self.simulator.requests)

    @override
    async def registrar(self, who: str) -> WebhookRegistrar:
        if who not in PEOPLE:
            token, user_id = {"key": self.simulator.credentials()["api_key"]}.get(who, "nonsense"), None
        else:
            entered = await log_in(self.session, self.kind, self.url, who, PEOPLE[who], device_id=who, verify_ssl=True)
            token, user_id = entered.token, entered.user.user_id
        return open_registrar(self.session, Connection(self.kind, self.url, token, who, user_id), clock=_now)

    @override
    async def act(self) -> None:
        await self.simulator.act("anna", TITLES[0].key, Act.FINISH)

    async def test_others_are_untouched(self) -> None:
        """Whatever stands in the configuration beside ours stays as it was."""
        before = json.loads(json.dumps(self.simulator.plugin.configuration))
        registrar = await self.registrar("anna")
        await registrar.ensure(self.hook())
        assert self.rows[0] == before["GenericOptions"][0]
        await registrar.withdraw(self.hook())
        assert self.simulator.plugin.configuration == before

    @pytest.mark.parametrize(
        "change", [{"EnableWebhook": False}, {"NotificationTypes": []}, {"EnableEpisodes": False}, {"SendAllProperties": False}, {"Headers": []}]
    )
    async def test_mended(self, change: dict[str, Any]) -> None:
        """What keeps ours from working is put right; what a person added to it stays."""
        registrar = await self.registrar("anna")
        await registrar.ensure(self.hook())
        good = {**self.rows[1], "EnableVideos": True}
        configuration = self.simulator.plugin.configuration
        self.simulator.plugin.configure({**configuration, "GenericOptions": [{**good, **change}, self.rows[0], {**good, "WebhookName": "double"}]})
        await registrar.ensure(self.hook())
        assert self.rows == [configuration["GenericOptions"][0], good]

    async def test_a_secret_goes_along(self) -> None:
        """A header that we ask for comes with every message."""
        await (await self.registrar("anna")).ensure(self.hook(headers={"X-Webhook-Secret": "hush"}))
        await self.act()
        while True:
            path, _, headers = await self.ear.next()
            if path.endswith(MARK):
                break
        assert headers["X-Webhook-Secret"] == "hush"
        assert headers["Content-Type"].startswith("application/json")

    @pytest.mark.parametrize("who", ["anna", "key"])
    async def test_provoked(self, who: str) -> None:
        """A record that was never touched is written as it is: a message comes and nothing changed."""
        registrar = await self.registrar(who)
        await registrar.ensure(self.hook())
        before = self.simulator.shown("anna")
        assert await registrar.provoke(self.hook()) is True
        assert json.loads(await self.heard())["NotificationType"] == "UserDataSaved"
        assert self.simulator.shown("anna") == before

    async def test_a_library_in_which_all_was_touched_is_left_alone(self) -> None:
        """No record is risked for a proof."""
        for title in TITLES:
            self.simulator.stock("anna", title.key, played=False, position=60, count=1)
        assert await (await self.registrar("anna")).provoke(self.hook()) is False

    async def test_a_plain_user_may_not(self) -> None:
        """Only administrators and keys may."""
        with pytest.raises(Forbidden):
            await (await self.registrar("ben")).ensure(self.hook())
        assert self.urls() == [self.other()]

    async def test_without_the_plugin(self) -> None:
        """The server says so."""
        self.simulator.plugin.installed = False
        with pytest.raises(NotSupported):
            await (await self.registrar("anna")).ensure(self.hook())

    async def test_a_strange_configuration_is_left_alone(self) -> None:
        """A shape that nobody knows is not written over."""
        self.simulator.plugin.configuration = {"Other": []}
        with pytest.raises(UnexpectedAnswer):
            await (await self.registrar("anna")).ensure(self.hook())
        assert self.simulator.plugin.configuration == {"Other": []}


class TestJellyfin1010(TestJellyfin):
    """Jellyfin 10.10, with a film in a second library too."""

    version = "10.10.7"
    titles = (*TITLES, replace(TITLES[0], library="Films 4K", path=f"Films 4K/{TITLES[0].path.partition('/')[2]}"))

    @override
    @pytest.mark.parametrize("who", ["anna", "key"])
    async def test_provoked(self, who: str) -> None:
        """Pitfall 51: nothing is, for a copy that looks untouched shares its record with one that was watched."""
        anna, copies = self.simulator.auth.named("anna"), self.simulator.library.by_key[TITLES[0].key]
        assert anna is not None
        assert not any(one.played for one in self.simulator.shown("anna"))  # each copy caches what it shows
        self.simulator.mark(anna, copies[-1], None)
        registrar = await self.registrar(who)
        await registrar.ensure(self.hook())
        assert await registrar.provoke(self.hook()) is False
        self.simulator.restarted()
        assert [one.played for one in self.simulator.shown("anna") if one.key == TITLES[0].key] == [True, True]


class TestJellyfin12(TestJellyfin):
    """Jellyfin 12.0."""

    version = "12.0.0"


@needs_recordings
def test_a_same_write_was_seen_to_be_told() -> None:
    """What `provoke` relies on: a real server tells of a record that was written as it was."""
    lines = (PAYLOADS / "jellyfin-10.11.11-recorded" / "basic" / "webhooks.jsonl").read_text().splitlines()
    bodies = [json.loads(one["raw"]) for one in map(json.loads, lines) if one["after"].endswith("userdata-same-again")]
    assert [(body["NotificationType"], body["SaveReason"]) for body in bodies] == [("UserDataSaved", "UpdateUserData")]


class TestEmby(RegistrarContract):
    """The notifications of a user, 4.9."""

    kind = ServerKind.EMBY
    version = "4.9.5.0"

    @override
    async def serve(self) -> str:
        self.simulator = EmbySimulator("Cellar", TITLES, PEOPLE, version=self.version)
        anna = self.simulator.accounts.by_name["anna"]
        other = {"NotifierKey": "webhooknotifications", "Enabled": True, "EventIds": ["playback.stop"], "Options": {"Url": self.other()}}
        self.simulator.notifications.put(anna, other)
        return await self.stack.enter_async_context(serving(self.simulator))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return anna's notifications."""
        return self.simulator.notifications.of(self.simulator.accounts.by_name["anna"])

    @override
    def urls(self) -> list[str]:
        return [row["Options"]["Url"] for row in self.rows]

    @override
    def writes(self) -> int:
        return self.simulator.requests.count("POST /emby/Notifications/Services/Configured")

    @override
    async def registrar(self, who: str) -> WebhookRegistrar:
        if who not in PEOPLE:
            token, user_id = {"key": self.simulator.accounts.api_key}.get(who, "nonsense"), None
        else:
            entered = await log_in(self.session, self.kind, self.url, who, PEOPLE[who], device_id=who, verify_ssl=True)
            token, user_id = entered.token, entered.user.user_id
        return open_registrar(self.session, Connection(self.kind, self.url, token, who, user_id), clock=_now)

    @override
    async def act(self) -> None:
        await self.simulator.act("anna", TITLES[0].key, Act.FINISH)

    async def test_a_key_uses_the_administrators_list(self) -> None:
        """A key has no user of its own."""
        await (await self.registrar("key")).ensure(self.hook())
        assert self.urls() == [self.other(), self.hook().url]

    @pytest.mark.parametrize("change", [{"Enabled": False}, {"EventIds": []}, {"UserIds": ["somebody"]}])
    async def test_mended(self, change: dict[str, Any]) -> None:
        """What keeps ours from working is put right, in its place; a second one of ours goes."""
        registrar, anna = await self.registrar("anna"), self.simulator.accounts.by_name["anna"]
        await registrar.ensure(self.hook())
        good = {**self.rows[1], "LibraryIds": ["a"], "Options": {**self.rows[1]["Options"], "EnableMultipartFormData": "true"}}
        self.simulator.notifications.put(anna, {**good, **change})
        self.simulator.notifications.put(anna, {**good, "Id": None})
        await registrar.ensure(self.hook())
        assert self.rows[1:] == [good]

    @pytest.mark.parametrize("who", ["anna", "key"])
    async def test_provoked(self, who: str) -> None:
        """The server's own test message comes."""
        registrar = await self.registrar(who)
        await registrar.ensure(self.hook())
        assert await registrar.provoke(self.hook()) is True
        assert "system.notificationtest" in await self.heard() or self.version < "4.9.0.37"

    async def test_what_is_not_there_cannot_be_tested(self) -> None:
        """Taken out, nothing is sent."""
        assert await (await self.registrar("anna")).provoke(self.hook()) is False

    async def test_a_version_without_the_list(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A server that does not know the route says so."""
        monkeypatch.setattr("custom_components.plex_watchsync.servers.mediabrowser.registrars._CONFIGURED", "/emby/Nothing")
        with pytest.raises(NotSupported):
            await (await self.registrar("anna")).ensure(self.hook())


class TestEmby48(TestEmby):
    """Emby 4.8, whose messages are forms."""

    version = "4.8.11.0"
