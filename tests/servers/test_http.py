"""The one way in which servers are asked: how long, how often, and what each failure is called."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from custom_components.plex_watchsync.ports import (
    AuthFailed,
    CertificateInvalid,
    Forbidden,
    ItemNotFound,
    RateLimited,
    ServerError,
    ServerUnavailable,
    UnexpectedAnswer,
)
from custom_components.plex_watchsync.servers import http
from custom_components.plex_watchsync.servers.http import LONGEST_PAUSE, MOST_AT_ONCE, WRITERS, HttpClient, clean_url

NOW = datetime(2026, 11, 3, 20, 0, tzinfo=UTC)
TOKEN = "very-secret-token"

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Bench:
    """A server whose every answer a test chooses, and a client of it."""

    def __init__(self) -> None:
        """Answer with nothing, and keep what was asked."""
        self.answers: list[web.StreamResponse | Handler] = []
        self.asked: list[web.Request] = []
        self.busy = self.busiest = 0
        self.url = ""
        self.over = asyncio.Event()
        self.session: aiohttp.ClientSession

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Give the next answer, the last one again and again."""
        self.asked.append(request)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            return await found(request) if callable(found) else found
        finally:
            self.busy -= 1

    def client(self, url: str | None = None, *, timeout: float = 5, verify_ssl: bool = True) -> HttpClient:
        """Return a client with a token and the clock of the tests."""
        return HttpClient(self.session, url or self.url, headers={"X-Token": TOKEN}, verify_ssl=verify_ssl, clock=lambda: NOW, timeout=timeout)


@pytest.fixture
async def bench(socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """Serve a bench; second tries come at once."""
    monkeypatch.setattr(http, "RETRY_AFTER", 0.0)
    bench, app = Bench(), web.Application()
    app.router.add_route("*", "/{path:.*}", bench.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bench.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as bench.session:
        yield bench
    bench.over.set()
    await runner.cleanup()


def status(code: int, **headers: str) -> Handler:
    """Answer with a status and headers, `_` for `-` in their names; the body repeats the token as some servers do."""

    async def give(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=f"you sent {TOKEN}", headers={name.replace("_", "-"): value for name, value in headers.items()})

    return give


def json_text(text: str | bytes) -> Handler:
    """Answer with a body."""

    async def give(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=text if isinstance(text, bytes) else text.encode(), content_type="application/json")

    return give


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (" 192.168.1.10:8096/ ", "http://192.168.1.10:8096"),
        ("HTTPS://media.example/emby//", "https://media.example/emby"),
        ("http://[fd00::1]:32400", "http://[fd00::1]:32400"),
    ],
)
def test_an_address_is_cleaned(text: str, url: str) -> None:
    """As people type it."""
    assert clean_url(text) == url


@pytest.mark.parametrize("text", ["", "ftp://media", "http://", "http:///", "me:secret@media", "media?x=1", "media#top", "two words"])
def test_what_is_no_address(text: str) -> None:
    """Credentials in an address would end up in logs."""
    with pytest.raises(ValueError, match="not an address") as raised:
        clean_url(text)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (301, UnexpectedAnswer),
        (302, UnexpectedAnswer),
        (400, UnexpectedAnswer),
        (401, AuthFailed),
        (403, Forbidden),
        (404, ItemNotFound),
        (414, UnexpectedAnswer),
        (429, RateLimited),
        (500, ServerUnavailable),
        (503, ServerUnavailable),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_a_status_means(bench: Bench, method: str, code: int, error: type[ServerError]) -> None:
    """Each its own error; neither the token nor the address nor the server's text is in it, whatever was asked."""
    bench.answers = [status(code, Location="http://elsewhere.example/")]
    with pytest.raises(error) as raised:
        await bench.client().json(method, "/a", params={"key": TOKEN})
    assert str(raised.value) == f"{method} /a: {code}"


async def test_a_redirect_is_not_followed(bench: Bench) -> None:
    """It would carry the token to wherever it points."""
    bench.answers = [status(307, Location=f"{bench.url}/elsewhere")]
    with pytest.raises(UnexpectedAnswer):
        await bench.client().json("GET", "/a")
    assert [request.path for request in bench.asked] == ["/a"]


@pytest.mark.parametrize("code", [502, 503, 504])
async def test_a_read_is_tried_again(bench: Bench, code: int) -> None:
    """A server that was away for a moment is asked once more, and again."""
    bench.answers = [status(code), status(code), json_text('{"a": 1}')]
    assert await bench.client().json("GET", "/a") == {"a": 1}
    assert len(bench.asked) == 3


async def test_a_read_is_not_tried_for_ever(bench: Bench) -> None:
    """Three times in all."""
    bench.answers = [status(503)]
    with pytest.raises(ServerUnavailable):
        await bench.client().json("GET", "/a")
    assert len(bench.asked) == 3


@pytest.mark.parametrize(("method", "code"), [("POST", 503), ("PUT", 503), ("DELETE", 502), ("GET", 500), ("GET", 429)])
async def test_what_is_not_tried_again(bench: Bench, method: str, code: int) -> None:
    """A write may have been done before it failed; a server that fails or asks for a pause is left alone."""
    bench.answers = [status(code)]
    with pytest.raises(ServerError):
        await bench.client().json(method, "/a")
    assert len(bench.asked) == 1


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("99999", LONGEST_PAUSE),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=1), usegmt=True), LONGEST_PAUSE),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("code", [429, 503])
async def test_retry_after(bench: Bench, code: int, told: str, seconds: float | None) -> None:
    """W5: seconds or a date; one that is named is kept to, an hour at most, and no second try before it."""
    bench.answers = [status(code, Retry_After=told, Date=format_datetime(NOW, usegmt=True))]
    with pytest.raises(ServerUnavailable) as raised:
        await bench.client().json("GET", "/a")
    assert raised.value.retry_after == seconds
    assert len(bench.asked) == (1 if seconds is not None or code == 429 else 3)


async def test_a_pause_until_a_date_is_by_the_servers_clock(bench: Bench) -> None:
    """R7: a server an hour ahead names a time an hour ahead."""
    ahead = NOW + timedelta(hours=1)
    bench.answers = [status(429, Date=format_datetime(ahead, usegmt=True), Retry_After=format_datetime(ahead + timedelta(seconds=30), usegmt=True))]
    with pytest.raises(RateLimited) as raised:
        await bench.client().json("GET", "/a")
    assert raised.value.retry_after == 30


async def test_the_skew_is_measured_and_kept_steady(bench: Bench) -> None:
    """R7: from the `Date` header; the header's whole seconds are no movement, a wrong one says nothing."""
    client = bench.client()
    dates = [(65, 65), (66, 65), (63, 65), (70, 70), (-3600, -3600)]
    for ahead, skew in dates:
        bench.answers = [status(200, Date=format_datetime(NOW + timedelta(seconds=ahead), usegmt=True))]
        await client.ask("GET", "/a")
        assert client.skew == timedelta(seconds=skew)
    for odd in ("yesterday", "Tue, 03 Nov 2026 20:00:00 -0000"):  # the second one names no zone
        bench.answers = [status(200, Date=odd)]
        await client.ask("GET", "/a")
        assert client.skew == timedelta(hours=-1)


@pytest.mark.parametrize("where", ["before the answer", "in the body"])
async def test_a_time_out(bench: Bench, where: str) -> None:
    """Of the whole answer, its body included; not tried again: a server that is slow gets no second load."""

    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if where == "in the body":
            await response.prepare(request)
            await response.write(b"{")
        await bench.over.wait()
        return response

    bench.answers = [stall]
    with pytest.raises(ServerUnavailable, match="GET /a: no answer in time"):
        await bench.client(timeout=0.1).json("GET", "/a")
    assert len(bench.asked) == 1


async def test_an_answer_that_breaks_off(bench: Bench) -> None:
    """R2: half a body is none, whatever it looks like; a read is tried again."""

    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"Items": []}')
        assert request.transport is not None
        request.transport.abort()
        return response

    bench.answers = [break_off, json_text('{"Items": [1]}')]
    assert await bench.client().json("GET", "/a") == {"Items": [1]}
    bench.answers = [break_off]
    with pytest.raises(ServerUnavailable):
        await bench.client().json("GET", "/a")


async def test_what_is_no_json(bench: Bench) -> None:
    """HTML, a cut document, and one that is nested too deep to be an answer; nothing is nothing."""
    for text in ("<html></html>", '{"a": ', "[" * 200_000):
        bench.answers = [json_text(text)]
        with pytest.raises(UnexpectedAnswer, match="not JSON"):
            await bench.client().json("GET", "/a")
    bench.answers = [json_text(" ")]
    assert await bench.client().json("GET", "/a") is None


async def test_broken_text_and_long_answers(bench: Bench) -> None:
    """Server-apis §6: Plex sends bytes that are no UTF-8; a long answer is parsed off the event loop, to the same end."""
    bench.answers = [json_text(b'{"title": "caf\xe9"}')]
    assert await bench.client().json("GET", "/a") == {"title": "caf\ufffd"}
    bench.answers = [json_text(b'{"title": "' + b"x" * (http.LARGE + 1) + b'"}')]
    assert len((await bench.client().json("GET", "/a"))["title"]) == http.LARGE + 1


@pytest.mark.parametrize(("methods", "most"), [(("GET",), MOST_AT_ONCE), (("POST",), WRITERS), (("GET", "POST"), MOST_AT_ONCE)])
async def test_how_many_ask_at_once(bench: Bench, methods: tuple[str, ...], most: int) -> None:
    """Server-apis §3.1, §4.2: four requests, two of them writes, for all accounts of a server together."""

    async def slow(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.02)
        return web.Response()

    bench.answers = [slow]
    anna, ben = bench.client(), bench.client(f"{bench.url}/")
    await asyncio.gather(*(client.ask(method, "/a") for client in (anna, ben) for _ in range(2 * most) for method in methods))
    assert bench.busiest == most


async def test_nobody_there(bench: Bench) -> None:
    """A closed port, and an address that is none."""
    for url in ("http://127.0.0.1:9", "http://127.0.0.1:99999"):
        with pytest.raises(ServerUnavailable) as raised:
            await bench.client(url).json("GET", "/a")
        assert "127.0.0.1" not in str(raised.value)


async def test_a_certificate_that_is_not_trusted(bench: Bench, tmp_path: Path) -> None:
    """Its own error, unless it is not to be looked at."""
    bench.answers = [json_text('{"a": 1}')]
    app = web.Application()
    app.router.add_get("/a", bench.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self_signed(tmp_path)).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    with pytest.raises(CertificateInvalid, match="GET /a: the certificate is not trusted"):
        await bench.client(url).json("GET", "/a")
    assert await bench.client(url, verify_ssl=False).json("GET", "/a") == {"a": 1}
    await runner.cleanup()


def self_signed(folder: Path) -> ssl.SSLContext:
    """Make a certificate that nobody vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "media")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(datetime.now(UTC) - timedelta(days=1)).not_valid_after(datetime.now(UTC) + timedelta(days=1))
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
