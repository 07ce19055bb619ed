"""What all rooms of the server share: how it says no, whom a request is about, and about what (server-apis §1.2)."""

import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

from aiohttp import web
from multidict import CIMultiDict

from .auth import Caller, Device, User, user_dto
from .library import Item
from .listing import library_of, plain

if TYPE_CHECKING:
    from .server import JellyfinSimulator

type Json = dict[str, Any]
type Open = Callable[[web.Request], Awaitable[web.StreamResponse]]
type Guarded = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]

GUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


class Room:
    """Some of the server's routes."""

    def __init__(self, server: JellyfinSimulator) -> None:
        """Answer for this server."""
        self._server = server

    def open_doors(self) -> Iterator[tuple[str, str, Open]]:
        """Name what anybody may ask."""
        yield from ()

    def guarded_doors(self) -> Iterator[tuple[str, str, Guarded]]:
        """Name what takes a token or a key."""
        yield from ()

    def add(self, app: web.Application) -> None:
        """Add the routes."""
        for method, path, open_handler in self.open_doors():
            app.router.add_route(method, path, open_handler)
        for method, path, handler in self.guarded_doors():
            app.router.add_route(method, path, self._guarded(handler))

    def _guarded(self, handler: Guarded) -> Open:
        async def guarded(request: web.Request) -> web.StreamResponse:
            caller = self._server.auth.caller(request)
            if caller is None:
                return web.Response(status=401)
            return await handler(request, caller)

        return guarded

    async def _logged_in(self, user: User, device: Device) -> web.Response:
        """Let a user in; what went on at the device ends."""
        server, caller = self._server, Caller(user, device)
        server.sessions.end(device)
        await server.sockets.cut(device.device_id)
        token, session = server.auth.log_in(user, device), server.sessions.of(caller).dto(server.server_id, None, server.now())
        return web.json_response({"User": self._user_dto(user), "SessionInfo": session, "AccessToken": token, "ServerId": server.server_id})

    def _user_dto(self, user: User) -> Json:
        return user_dto(user, self._server.server_id, {name: folder.item_id for name, folder in self._server.library.folders.items()})

    def _need_administrator(self, caller: Caller) -> None:
        if not caller.is_administrator:
            raise Refused(web.Response(status=403, text=""))

    def _user(self, request: web.Request, caller: Caller) -> User:
        """Return the user that a request is about; others' data is for administrators and keys."""
        name = request.match_info.get("user") or asked(request).get("userId")
        if name is None:
            if caller.user is None:
                raise Refused(refused(400))
            return caller.user
        user = self._server.auth.users.get(plain(name))
        if not caller.is_administrator and user is not caller.user:
            raise Refused(refused(403))
        if user is None:
            raise Refused(refused(404))
        return user

    def _find(self, request: web.Request, user: User) -> Item:
        """Return the item that a path names; a hidden one is an unknown one."""
        text = request.match_info["item"]
        if not GUID.fullmatch(text):
            raise Refused(problem(400, "One or more validation errors occurred.", errors={"itemId": [f"The value '{text}' is not valid."]}))
        item = self._server.library.find(text)
        if item is None or not user.sees(library_of(item)):
            raise Refused(problem(404, "Not Found"))
        return item


def asked(request: web.Request) -> CIMultiDict[str]:
    """Return a request's arguments; the case of their names does not matter."""
    return CIMultiDict(request.query)


async def read(request: web.Request) -> Json:
    """Read a body; its names may begin small."""
    return {f"{name[:1].upper()}{name[1:]}": value for name, value in (await request.json()).items()}


def refused(status: int, text: str = "Error processing request.") -> web.Response:
    """Say no as the middleware does: with a text."""
    return web.Response(status=status, text=text, content_type="text/plain")


def problem(status: int, title: str, **more: Any) -> web.Response:
    """Say no as routing does: with a problem in JSON."""
    body = {
        "type": f"https://tools.ietf.org/html/rfc9110#section-15.5.{status - 399}",
        "title": title,
        "status": status,
        **more,
        "traceId": f"00-{secrets.token_hex(16)}-00",
    }
    return web.json_response(body, status=status, content_type="application/problem+json")


class Refused(web.HTTPException):
    """Carries a refusal out of whatever found it."""

    status_code = 400

    def __init__(self, response: web.Response) -> None:
        """Keep the refusal."""
        super().__init__(text=response.text, content_type=response.content_type)
        self.set_status(response.status)
