"""The webhook plugin: its configuration by API, and what it then sends, as recorded on 10.11.11 (server-apis §5.3)."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from simulators.base import Act, serving
from simulators.catalogue import generate
from simulators.jellyfin import JellyfinSimulator
from simulators.jellyfin.webhook import PLUGIN_ID, body_of
from tests.recordings import needs_recordings

from .recorded import lines, recording, simulator, steps

type Json = Any

FOLDER = recording("10.11.11") / "plugin"
TITLES = generate(7, films=1, shows=1)
FILM, EPISODE = TITLES[0], TITLES[1]
CONFIGURATION = f"/Plugins/{PLUGIN_ID}/Configuration"
VARIES = ("ServerId", "ServerName", "Timestamp", "UtcTimestamp", "LastPlayedDate", "LastActivityDate", "LastPlaybackCheckIn", "Id", "PlaybackPosition")
pytestmark = pytest.mark.usefixtures("socket_enabled")


class Hook:
    """A receiver that keeps what came."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str, str | None, str]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.came.append((request.path, request.headers["Content-Type"], request.headers.get("X-apikey"), await request.text()))
        return web.Response()


@asynccontextmanager
async def hooked() -> AsyncIterator[Hook]:
    hook, app = Hook(), web.Application()
    app.router.add_post("/{tail:.*}", hook.take)
    async with TestServer(app) as receiver:
        hook.url = str(receiver.make_url("")).rstrip("/")
        yield hook


class Admin:
    """A client that may set the plugin up, and others."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self.session, self.url, self.tokens = session, url, dict[str, str]()

    async def ask(self, who: str | None, method: str, path: str, params: Json = None, body: Json = None) -> tuple[int, Json]:
        fields = f'MediaBrowser Client="Recorder", Device="{who}", DeviceId="{who}-id", Version="1.0"'
        headers = {"Authorization": f'{fields}, Token="{self.tokens[who]}"' if who else fields}
        async with self.session.request(method, self.url + path, params=params, json=body, headers=headers) as answer:
            text = await answer.text()
        return answer.status, json.loads(text) if answer.content_type.endswith("json") else text or None

    async def log_in(self, name: str) -> None:
        self.tokens[name] = (await self.ask(None, "POST", "/Users/AuthenticateByName", body={"Username": name, "Pw": f"secret-{name}"}))[1]["AccessToken"]


@asynccontextmanager
async def administered(server: JellyfinSimulator) -> AsyncIterator[Admin]:
    async with serving(server) as url, ClientSession() as session:
        admin = Admin(session, url)
        for name in ("anna", "bob"):
            await admin.log_in(name)
        await admin.ask("anna", "POST", "/Auth/Keys", {"app": "recorder"})
        admin.tokens["key"] = next(iter(server.auth.keys))
        yield admin


def gist(text: str) -> Json:
    """Return what is compared of a message: all but times, server and what is known of the video's picture only."""
    return {name: value for name, value in json.loads(text).items() if name not in VARIES and not name.startswith(("Video_", "Device"))}


def comparable(path: str, content_type: str, key: str | None, text: str) -> str:
    return json.dumps([path, content_type, key, gist(text)], sort_keys=True)


@needs_recordings
async def test_the_recorded_set_up() -> None:
    """Status and body of every step, then every message: its path, type, secret header and content."""
    server = simulator("10.11.11")
    users = {name: user for user in server.auth.users.values() for name in (user.name,)}
    ours = {"ea2074f27cfd4841bc33e3eb3584f45b": users["anna"].user_id, "4b673a8e8eda4bfe8dc8558d1d176707": users["bob"].user_id}
    async with hooked() as hook, administered(server) as admin:

        def exchanged(value: Json) -> Json:
            text = json.dumps(value).replace("http://hook.test", hook.url)
            for theirs, own in ours.items():
                text = text.replace(theirs, own)
            return json.loads(text)

        for name, step in list(steps(FOLDER))[1:-1]:  # the log-in, and the server's own configuration of which we have a part
            request = exchanged(step["request"])
            hook.came.clear()
            status, body = await admin.ask(step["as"], request["method"], request["path"], request["params"], request["json"])
            await server.post.delivered()
            assert status == step["status"], name
            if "Configuration" in request["path"] and status == 200:
                assert body == exchanged(step["body"]), name
            if request["path"] == "/Plugins" and status == 200:
                assert [row["Name"] for row in body][-1] == "Webhook"
                assert set(body[-1]) == set(step["body"][-1])
            told = [line for line in lines(FOLDER / "webhooks.jsonl") if line["after"] == name]
            expected = [(one["path"], one["headers"]["Content-Type"], one["headers"].get("X-apikey"), json.dumps(exchanged(one["raw"]))) for one in told]
            assert Counter(comparable(*one) for one in hook.came) == Counter(comparable(a, b, c, json.loads(d)) for a, b, c, d in expected), name


async def test_only_administrators_and_keys_set_it_up() -> None:
    server = JellyfinSimulator("attic", TITLES, {"anna": "secret-anna", "bob": "secret-bob"})
    async with administered(server) as admin:
        seen = [(await admin.ask(who, method, CONFIGURATION, body={}))[0] for method in ("GET", "POST") for who in ("anna", "key", "bob")]
        assert seen == [200, 200, 403, 204, 204, 403]
        assert (await admin.ask("bob", "GET", "/Plugins"))[0] == 403
        assert (await admin.ask("anna", "GET", "/Plugins/00000000000000000000000000000777/Configuration"))[0] == 404


async def test_without_the_plugin() -> None:
    server = JellyfinSimulator("attic", TITLES, {"anna": "secret-anna", "bob": "secret-bob"})
    server.plugin.installed = False
    async with administered(server) as admin:
        assert "Webhook" not in [row["Name"] for row in (await admin.ask("anna", "GET", "/Plugins"))[1]]
        assert (await admin.ask("anna", "GET", CONFIGURATION))[0] == 404


async def test_what_is_configured_is_sent_at_once_and_only_that() -> None:
    """Kinds by name or number, users, films or episodes, switched off; what cannot be read changes nothing."""
    server = JellyfinSimulator("attic", TITLES, {"anna": "secret-anna", "bob": "secret-bob"})
    bob = server.auth.named("bob")
    assert bob
    common = {"NotificationTypes": [23], "EnableMovies": True, "SendAllProperties": True}
    async with hooked() as hook, administered(server) as admin:
        wanted: list[Json] = [
            common | {"WebhookUri": f"{hook.url}/all"},
            common | {"WebhookUri": f"{hook.url}/bob", "UserFilter": [bob.user_id.upper()]},
            common | {"WebhookUri": f"{hook.url}/off", "EnableWebhook": False},
            common | {"WebhookUri": f"{hook.url}/starts", "NotificationTypes": ["PlaybackStart"]},
            common | {"WebhookUri": f"{hook.url}/nothing", "SendAllProperties": False, "SkipEmptyMessageBody": True},
        ]
        assert (await admin.ask("key", "POST", CONFIGURATION, body={"GenericOptions": wanted}))[0] == 204
        assert (await admin.ask("key", "POST", CONFIGURATION, body={"GenericOptions": [{"NotificationTypes": ["Nonsense"]}]}))[0] == 500
        await server.act("anna", FILM.key, Act.MARK_WATCHED)
        await server.act("anna", EPISODE.key, Act.MARK_WATCHED)
        await server.act("bob", FILM.key, Act.MARK_WATCHED)
        await asyncio.wait_for(server.post.delivered(), 10)
        assert [path for path, *_ in hook.came] == ["/all", "/all", "/bob"]
        assert {kind for _, kind, *_ in hook.came} == {"text/plain; charset=utf-8"}


def test_a_template_spells_in_its_own_way() -> None:
    """Dashed ids, escaped text, True and False, nothing for what is absent."""
    template = base64.b64encode(b'{"i":"{{ItemId}}","t":"{{Name}}","p":"{{Played}}","d":"{{LastPlayedDate}}"}').decode()
    text = body_of({"SendAllProperties": False, "Template": template}, {"ItemId": "c5bd29605f3f53cfaf24be92c2648b7b", "Name": "Cat's", "Played": False})
    assert json.loads(text) == {"i": "c5bd2960-5f3f-53cf-af24-be92c2648b7b", "t": "Cat&#x27;s", "p": "False", "d": ""}
