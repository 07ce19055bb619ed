"""The one way in which servers are asked: bounded, timed out around the body too, and every failure a `ServerError`."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorSSLError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    WSServerHandshakeError,
)

from ..ports import (
    AuthFailed,
    CertificateInvalid,
    Forbidden,
    ItemNotFound,
    RateLimited,
    ServerError,
    ServerUnavailable,
    UnexpectedAnswer,
)
from .frames import EventFrames, Frames, SocketFrames

TIMEOUT = 180.0  # seconds; a freshly scanned Jellyfin takes up to two minutes for a page (server-apis §3.2)
WRITE_TIMEOUT = 60.0
PROBE_TIMEOUT = 10.0
MOST_AT_ONCE = 4  # Plex answers 503 when more ask at once (server-apis §3.1)
WRITERS = 2  # of these (server-apis §4.2)
RETRIES = 2
RETRY_AFTER = 0.2  # seconds, doubled each time
LONGEST_PAUSE = 3600.0  # seconds; whoever asks for more is asked again every hour
SKEW_PRECISION = timedelta(seconds=2)
LARGE = 1 << 18  # bytes; a larger body is parsed off the event loop
HEARTBEAT = 15.0  # seconds of silence after which a socket is asked whether it is still there
STREAM_SILENCE = 60.0  # seconds; Plex's event stream pings every 10 to 15

_AWAY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})

type Json = Any  # what a server says; the shapes are in each server's `wire`


class _Away(ServerUnavailable):
    """The server was away for a moment: a read is worth a second try, which a time-out or a 500 is not."""


def clean_url(text: str) -> str:
    """Return an address as it is stored: with a scheme, without a trailing slash; raises ValueError."""
    text = text.strip()
    url = text if "://" in text else f"http://{text}"
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in {"http", "https"} or not rest.strip("/") or any(mark in rest for mark in " ?#@"):
        message = "not an address of a web server"
        raise ValueError(message)
    return f"{scheme.lower()}://{rest.rstrip('/')}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status of 2xx with its body."""

    status: int
    body: bytes


class _Gate:
    """How many of all accounts' requests one server gets at once."""

    def __init__(self) -> None:
        """Let some in."""
        self._all, self._writers = asyncio.Semaphore(MOST_AT_ONCE), asyncio.Semaphore(WRITERS)
        self.listing = asyncio.Lock()

    @asynccontextmanager
    async def passed(self, *, reads: bool) -> AsyncGenerator[None]:
        """Wait for a place, a write first for one among the writers."""
        async with nullcontext() if reads else self._writers, self._all:
            yield


_GATES: WeakKeyDictionary[ClientSession, dict[str, _Gate]] = WeakKeyDictionary()
"""By session, which is what the clients of one server share, and address."""


class HttpClient:
    """Asks one server."""

    def __init__(
        self, session: ClientSession, url: str, *, headers: Mapping[str, str], verify_ssl: bool, clock: Callable[[], datetime], timeout: float = TIMEOUT
    ) -> None:
        """Ask below `url`, with these headers."""
        self._session, self._url, self._headers, self._verify_ssl = session, url.rstrip("/"), headers, verify_ssl
        self._clock = clock
        self._read_timeout = ClientTimeout(total=timeout, sock_connect=PROBE_TIMEOUT)
        self._write_timeout = ClientTimeout(total=min(timeout, WRITE_TIMEOUT), sock_connect=PROBE_TIMEOUT)
        self._gate = _GATES.setdefault(session, {}).setdefault(self._url, _Gate())
        self.listing = self._gate.listing
        """Held while a page of a listing is read, by whom one at a time is enough for a server."""
        self.skew = timedelta()
        """By how much the server's clock is ahead of ours (R7), as good as the `Date` header's whole seconds."""

    async def json(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Json = None) -> Json:
        """Ask and return the answer's content, None for an empty one; raises `ServerError`."""
        answer = await self.ask(method, path, params=params, body=body)
        if not answer.body.strip():
            return None
        try:
            return await parsed(answer.body)
        except ValueError, RecursionError:
            message = f"{method} {path}: the answer is not JSON"
            raise UnexpectedAnswer(message) from None

    @asynccontextmanager
    async def socket(self, path: str, params: Mapping[str, str] | None = None) -> AsyncGenerator[Frames]:
        """Open a web socket; raises `ServerError`.

        Ask for something else first: a handshake follows redirects, which `ask` refuses, and Emby's proves nothing (server-apis §5.6).
        """
        asked = f"GET {path}"
        with _told_apart(asked):
            try:
                async with asyncio.timeout(PROBE_TIMEOUT):
                    socket = await self._session.ws_connect(self._url + path, params=params, headers=self._headers, ssl=self._verify_ssl, heartbeat=HEARTBEAT)
            except WSServerHandshakeError as error:
                raise _refusal(f"{asked}: {error.status}", error.status) from None
        async with socket:
            yield SocketFrames(socket)

    @asynccontextmanager
    async def events(self, path: str, params: Mapping[str, str] | None = None) -> AsyncGenerator[Frames]:
        """Open an event stream; raises `ServerError`."""
        asked = f"GET {path}"
        with _told_apart(asked):
            response = await self._session.get(
                self._url + path,
                params=params,
                headers={**self._headers, "Accept": "text/event-stream"},
                timeout=ClientTimeout(total=None, sock_connect=PROBE_TIMEOUT, sock_read=STREAM_SILENCE),
                ssl=self._verify_ssl,
                allow_redirects=False,
            )
        async with response:
            if failure := self._failure(asked, response):
                raise failure
            yield EventFrames(response.content)

    async def ask(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Json = None, form: Sequence[tuple[str, str]] | None = None
    ) -> Answer:
        """Ask, reads again when the server was away for a moment; a write is never repeated blindly."""
        reads = method == "GET"
        async with self._gate.passed(reads=reads):
            for attempt in range(RETRIES if reads else 0):
                try:
                    return await self._once(method, path, params, body, form)
                except _Away as error:
                    if error.retry_after is not None:
                        raise
                    await asyncio.sleep(RETRY_AFTER * 2**attempt)
            return await self._once(method, path, params, body, form)

    async def _once(self, method: str, path: str, params: Mapping[str, str] | None, body: Json, form: Sequence[tuple[str, str]] | None) -> Answer:
        """Send one request; a redirect is not followed: it would carry the token to wherever it points."""
        asked = f"{method} {path}"
        with _told_apart(asked):
            async with self._session.request(
                method,
                self._url + path,
                params=params,
                json=body,
                data=form,
                headers=self._headers,
                timeout=self._read_timeout if method == "GET" else self._write_timeout,
                ssl=self._verify_ssl,
                allow_redirects=False,
            ) as response:
                self._measure_skew(response)  # now: the body may take minutes
                content = await response.read()
        failure = self._failure(asked, response)
        if failure is not None:
            raise failure
        return Answer(response.status, content)

    def _measure_skew(self, response: ClientResponse) -> None:
        try:
            theirs = parsedate_to_datetime(response.headers["Date"])
        except KeyError, ValueError, TypeError:
            return
        if theirs.tzinfo is not None:  # kept while it moves by less than the header's precision: every date would differ at each reading
            ahead = timedelta(seconds=round((theirs - self._clock()).total_seconds()))
            if abs(ahead - self.skew) > SKEW_PRECISION:
                self.skew = ahead

    def _failure(self, asked: str, response: ClientResponse) -> ServerError | None:
        """Return what a status means; texts of servers are not repeated, they may quote what was sent."""
        status = response.status
        message = f"{asked}: {status}"
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return None
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimited(message, self._retry_after(response))
        if status in _AWAY:
            return _Away(message, self._retry_after(response))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ServerUnavailable(message)
        return _refusal(message, status)

    def _retry_after(self, response: ClientResponse) -> float | None:
        """Return the seconds that the server asks for, given as such or as a date of its own clock."""
        told = response.headers.get("Retry-After", "").strip()
        if told.isdecimal():
            return min(float(told), LONGEST_PAUSE)
        try:
            pause = parsedate_to_datetime(told) - self._clock() - self.skew
        except ValueError, TypeError:
            return None
        return min(max(0.0, pause.total_seconds()), LONGEST_PAUSE)


@contextmanager
def _told_apart(asked: str) -> Generator[None]:
    """Turn what happens on the way into a `ServerError`; the address, query and headers may hold secrets and stay out of the message."""
    try:
        yield
    except (ClientConnectorCertificateError, ClientConnectorSSLError) as error:
        message = f"{asked}: the certificate is not trusted"
        raise CertificateInvalid(message) from error
    except TimeoutError:
        message = f"{asked}: no answer in time"
        raise ServerUnavailable(message) from None
    except (ClientError, OSError) as error:
        message = f"{asked}: {type(error).__name__}"
        raise _Away(message) from None
    except ValueError:
        message = f"{asked}: not an address"
        raise ServerUnavailable(message) from None


def _refusal(message: str, status: int) -> ServerError:
    kinds: dict[int, type[ServerError]] = {401: AuthFailed, 403: Forbidden, 404: ItemNotFound}
    return kinds.get(status, UnexpectedAnswer)(message)


async def parsed(body: bytes) -> Json:
    """Parse JSON without holding the event loop; raises ValueError and RecursionError."""
    return await asyncio.to_thread(_parsed, body) if len(body) > LARGE else _parsed(body)


def _parsed(body: bytes) -> Json:
    """Parse JSON; Plex may send bytes that are no UTF-8 (server-apis §6)."""
    return json.loads(body.decode(errors="replace"))
