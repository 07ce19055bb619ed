"""What a form says when signing in fails, and that it can be tried again (issue 3, bad input)."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from simulators.base import Simulator, serving
from simulators.emby import EmbySimulator
from simulators.jellyfin import JellyfinSimulator
from simulators.plex import PlexSimulator

from .conftest import PEOPLE, TITLES, House, Place
from .flows import PATHS, begin, kind, typed


@pytest.mark.parametrize("path", PATHS)
async def test_a_wrong_address(house: House, path: str) -> None:
    """What is no address is said at its field; nothing is sent."""
    for url in ("http://", "http:///web", "not an address", "ftp://files.invalid", "http://user:secret@host", "http://127.0.0.1:notaport"):
        await _fails_then_works(house, path, {"url": url}, {"url": "invalid_url"})


@pytest.mark.parametrize("path", PATHS)
async def test_a_wrong_port(house: House, path: str) -> None:
    """Nobody listens there."""
    await _fails_then_works(house, path, {"url": "http://127.0.0.1:1"}, {"base": "cannot_connect"})


@pytest.mark.parametrize("path", PATHS)
async def test_a_server_that_is_down(house: House, path: str) -> None:
    """A server that breaks off, or says that it is not ready, is no other server."""
    place = house.places[PATHS[path]]
    for faults in ({"offline": True}, {"status": 503, "retry_after": 1}, {"status": 500}):
        for name, value in faults.items():
            setattr(place.simulator.faults, name, value)
        walk = await begin(house.hass, path)
        shown = await walk.fill(**typed(place, path))
        assert (shown["step_id"], shown["errors"]) == (path, {"base": "cannot_connect"})
        place.simulator.faults = type(place.simulator.faults)()
    assert (await walk.fill(**typed(place, path)))["step_id"] == "account"


@pytest.mark.parametrize("path", PATHS)
async def test_no_media_server(house: House, path: str) -> None:
    """HTML instead of JSON, or JSON of something else."""
    for content in ("<!doctype html><title>Router</title>", '["a list"]', '{"Version": 3}', "", "{"):
        async with answering(content) as url:
            await _fails_then_works(house, path, {"url": url}, {"base": "not_a_media_server"})


@pytest.mark.parametrize(("path", "other"), [(path, other) for path, right in PATHS.items() for other in ("plex", "jellyfin", "emby") if other != right])
async def test_another_kind_of_server(house: House, path: str, other: str) -> None:
    """It is said which kind it is, and no secret went there."""
    place = house.places[other]
    walk = await begin(house.hass, path)
    shown = await walk.fill(**typed(house.places[PATHS[path]], path, url=place.url))
    assert (shown["step_id"], shown["errors"], shown["description_placeholders"]["found"]) == (path, {"base": "wrong_server_kind"}, other.title())
    assert {request.partition(" ")[2] for request in place.simulator.requests} <= {"/identity", "/System/Info/Public"}


@pytest.mark.parametrize("path", PATHS)
async def test_a_certificate_that_nobody_trusts(house: House, path: str, tmp_path: Path) -> None:
    """It is refused, and taken when told not to verify."""
    simulator = house.places[PATHS[path]].simulator
    async with encrypted(simulator, tmp_path) as url:
        place = Place(simulator, url)
        walk = await begin(house.hass, path)
        shown = await walk.fill(**typed(place, path))
        assert (shown["step_id"], shown["errors"]) == (path, {"base": "invalid_certificate"})
        assert (await walk.fill(**typed(place, path, verify_ssl=False)))["step_id"] == "account"


@pytest.mark.parametrize("path", PATHS)
async def test_tls_where_there_is_none(house: House, path: str) -> None:
    """A server without a certificate, asked for one."""
    place = house.places[PATHS[path]]
    await _fails_then_works(house, path, {"url": place.url.replace("http:", "https:")}, {"base": "invalid_certificate"})


@pytest.mark.parametrize("path", PATHS)
async def test_a_server_that_is_too_old(house: House, path: str) -> None:
    """The version that was found is named."""
    old: dict[str, tuple[type[Any], str]] = {
        "plex": (PlexSimulator, "1.18.9.2578-513b381af"),
        "jellyfin": (JellyfinSimulator, "10.8.13"),
        "emby": (EmbySimulator, "4.6.7.0"),
    }
    make, version = old[PATHS[path]]
    async with AsyncExitStack() as stack:
        simulator = make("Old", TITLES, PEOPLE, version=version)
        walk = await begin(house.hass, path)
        shown = await walk.fill(**typed(Place(simulator, await stack.enter_async_context(serving(simulator))), path))
    assert (shown["step_id"], shown["errors"]) == (path, {"base": "too_old"})
    assert version.startswith(shown["description_placeholders"]["version"])


async def test_a_disabled_user(house: House) -> None:
    """Jellyfin refuses a disabled user with a 403, not with a 401 (server-apis §1.2)."""
    place = house.places["jellyfin"]
    assert isinstance(place.simulator, JellyfinSimulator)
    ben = place.simulator.auth.named("ben")
    assert ben is not None
    ben.disabled = True
    walk = await begin(house.hass, "jellyfin_password")
    shown = await walk.fill(**typed(place, "jellyfin_password", username="ben", password="ben-secret"))
    assert (shown["step_id"], shown["errors"]) == ("jellyfin_password", {"base": "no_rights"})
    ben.disabled = False
    shown = await walk.fill(**typed(place, "jellyfin_password", username="ben", password="ben-secret"))
    assert shown["step_id"] == "account"


async def test_a_user_who_sees_no_library(house: House) -> None:
    """An account without rights to any library cannot take part; another one can."""
    place = house.places["jellyfin"]
    assert isinstance(place.simulator, JellyfinSimulator)
    ben = place.simulator.auth.named("ben")
    assert ben is not None
    ben.folders = frozenset()
    walk = await begin(house.hass, "jellyfin_api_key")
    await walk.fill(**typed(place, "jellyfin_api_key"))
    shown = await walk.keep(account=ben.user_id)
    assert (shown["step_id"], shown["errors"]) == ("account", {"base": "nothing_to_see"})
    assert (await walk.keep())["step_id"] == "sync"


async def test_a_redirect_is_not_followed(house: House) -> None:
    """Whoever sends elsewhere gets no token there: something answers, but it is no media server."""
    place = house.places["jellyfin"]
    async with answering("", status=302, headers={"Location": place.url}) as url:
        walk = await begin(house.hass, "jellyfin_api_key")
        shown = await walk.fill(**typed(place, "jellyfin_api_key", url=url))
    assert (shown["step_id"], shown["errors"]) == ("jellyfin_api_key", {"base": "not_a_media_server"})
    assert place.simulator.requests == []


@asynccontextmanager
async def answering(content: str, *, status: int = 200, headers: dict[str, str] | None = None) -> AsyncIterator[str]:
    """Serve the same to every question."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=content, content_type="text/html", headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", answer)
    async with _listening(app) as address:
        yield f"http://{address}"


@asynccontextmanager
async def encrypted(simulator: Simulator, folder: Path) -> AsyncIterator[str]:
    """Serve with a certificate that the server made itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "media")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    loop = asyncio.get_running_loop()
    usual = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, _context: None)  # a client that hangs up on the certificate is what is tested
    try:
        async with _listening(simulator.application(), context) as address:
            yield f"https://{address}"
    finally:
        loop.set_exception_handler(usual)


@asynccontextmanager
async def _listening(app: web.Application, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _fails_then_works(house: House, path: str, wrong: dict[str, str], errors: dict[str, str]) -> None:
    """See the form stay, with what was typed, until it is right."""
    place = house.places[PATHS[path]]
    walk = await begin(house.hass, path)
    shown = await walk.fill(**typed(place, path, **wrong))
    assert (kind(shown), shown["step_id"], shown["errors"], walk.suggested()["url"]) == ("form", path, errors, wrong["url"])
    assert (await walk.fill(**typed(place, path)))["step_id"] == "account"
