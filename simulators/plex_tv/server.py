"""What can be asked of plex.tv, and how it says no."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import ClassVar

from aiohttp import web
from aiohttp.typedefs import Handler

from ..faults import Faults
from ..plex import PlexSimulator
from ..switching import CONTROL, Switched
from .people import PIN_LIFE, Json, Link, Listed, Person, code, connection, people_of

PAGE = Path(__file__).with_name("auth.html")
FIRST_PIN = 111222333

type Asked = Callable[[web.Request, Person], Awaitable[web.Response]]


class PlexTvSimulator(Switched):
    """plex.tv with the accounts of the servers that join it.

    `refused_switches`: so many switches of Home users get a 429, with `retry_after` if that is set (pitfall 28). `tells_shared_tokens`: whether the list of
    shared servers has their tokens, which plex.tv took away for a while (server-apis §1.1).
    """

    switches: ClassVar[Mapping[str, str]] = dict.fromkeys(("refused_switches", "retry_after", "tells_shared_tokens"), "")

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Begin with nobody."""
        self.clock = clock
        self.people: dict[str, Person] = {}
        self.listed: list[Listed] = []
        self.links: dict[int, Link] = {}
        self.requests: list[str] = []
        self.faults = Faults()
        self.refused_switches = 0
        self.retry_after: int | None = None
        self.tells_shared_tokens = True

    def join(
        self,
        server: PlexSimulator,
        *uris: str | Json,
        pins: Mapping[str, str] | None = None,
        managed: Iterable[str] = (),
        invited: Iterable[str] = (),
        https_required: bool = False,
    ) -> Listed:
        """Sign a server in, reachable at these addresses; its accounts get one here too, Home users all but the `invited`."""
        listed = Listed(server, tuple(connection(uri) if isinstance(uri, str) else uri for uri in uris), https_required)
        self.listed = [one for one in self.listed if one.server is not server] + [listed]
        for person in people_of(server, pins=pins or {}, managed=managed, invited=invited):
            self.people.setdefault(person.name, person)
        return listed

    def move(self, server: PlexSimulator, *uris: str | Json) -> None:
        """Let a server tell other addresses."""
        connections = tuple(connection(uri) if isinstance(uri, str) else uri for uri in uris)
        self.listed = [replace(one, connections=connections) if one.server is server else one for one in self.listed]

    def agree(self, pin_code: str, name: str) -> None:
        """Sign in as somebody at the page of a PIN; raises KeyError."""
        link = next((one for one in self.links.values() if one.code == pin_code), None)
        if link is None:
            raise KeyError(pin_code)
        link.token = self.people[name].token

    def application(self) -> web.Application:
        """Build the whole of it as an aiohttp application."""
        app = web.Application(middlewares=[self._misbehave])
        add = app.router.add_route
        add("GET", "/auth", self._page)
        self.add_switches(app)
        add("POST", f"{CONTROL}/agree", self._agree)
        add("POST", f"{CONTROL}/move", self._move)
        add("POST", "/api/v2/pins", self._new_pin)
        add("GET", "/api/v2/pins/{pin}", self._pin)
        for method, path, handler in (
            ("PUT", "/api/v2/pins/link", self._link),
            ("GET", "/api/v2/ping", self._ping),
            ("GET", "/api/v2/user", self._user),
            ("GET", "/api/v2/resources", self._resources),
            ("GET", "/api/v2/home/users", self._home),
            ("GET", "/api/v2/home/users/", self._home),
            ("POST", "/api/v2/home/users/{uuid}/switch", self._switch),
            ("GET", "/api/v2/user/webhooks", self._webhooks),
            ("POST", "/api/v2/user/webhooks", self._replace_webhooks),
            ("GET", "/api/users", self._friends),
            ("GET", "/api/users/", self._friends),
            ("GET", "/api/servers/{server}/shared_servers", self._shared),
        ):
            add(method, path, self._for_person(handler))
        return app

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            return await handler(request)
        self.requests.append(f"{request.method} {request.path}")
        if self.faults.offline:
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPServiceUnavailable
        return refused(self.faults.status, 1000, "fault") if self.faults.status is not None else await handler(request)

    def _for_person(self, handler: Asked) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def guarded(request: web.Request) -> web.Response:
            token = request.headers.get("X-Plex-Token") or request.query.get("X-Plex-Token", "")
            person = next((one for one in self.people.values() if one.token == token), None)
            return await handler(request, person) if person else refused(401, 1001, "User could not be authenticated")

        return guarded

    # Signing in.

    async def _page(self, _request: web.Request) -> web.Response:
        """Show app.plex.tv's page: whoever is chosen there signs in; what it was asked stands behind the #."""
        buttons = "".join(f"<button value='{escape(name, quote=True)}'>{escape(name)}</button>" for name, one in self.people.items() if not one.managed)
        return web.Response(text=PAGE.read_text().replace("<!-- people -->", buttons), content_type="text/html")

    async def _agree(self, request: web.Request) -> web.Response:
        """`{"code", "user"}`: do what the page does; 404 for an unknown code or person."""
        asked = await request.json()
        try:
            self.agree(asked["code"], asked["user"])
        except KeyError as error:
            raise web.HTTPNotFound(text=f"unknown: {error}") from error
        return web.json_response({})

    async def _move(self, request: web.Request) -> web.Response:
        """`{"server": name, "urls": [...]}`: let a server tell other addresses; 404 for an unknown server."""
        asked = await request.json()
        found = next((listed.server for listed in self.listed if listed.server.name == asked["server"]), None)
        if found is None:
            raise web.HTTPNotFound(text=f"unknown: {asked['server']}")
        self.move(found, *asked["urls"])
        return web.json_response({})

    async def _new_pin(self, request: web.Request) -> web.Response:
        client = _plex(request, "Client-Identifier")
        if not client:
            return refused(400, 1000, "X-Plex-Client-Identifier is missing")
        form = await request.post()
        strong = str(form.get("strong") or request.query.get("strong", "false")) == "true"
        link = Link(FIRST_PIN + len(self.links), code(strong=strong), client, _plex(request, "Product") or "0", self.clock())
        self.links[link.number] = link
        return web.json_response(link.dto(), status=201)

    async def _pin(self, request: web.Request) -> web.Response:
        number = request.match_info["pin"]
        link = self.links.get(int(number)) if number.isdecimal() else None
        if link is None or self.clock() - link.created > PIN_LIFE or link.client != _plex(request, "Client-Identifier"):
            return refused(404, 1020, "Code not found or expired")
        return web.json_response(link.dto())

    async def _link(self, request: web.Request, person: Person) -> web.Response:
        """Agree to a PIN, as plex.tv/link does."""
        try:
            self.agree(str((await request.post()).get("code", "")), person.name)
        except KeyError:
            return refused(404, 1020, "Code not found or expired")
        return web.Response(status=204)

    async def _ping(self, _request: web.Request, _person: Person) -> web.Response:
        return web.json_response({"pong": True})

    async def _user(self, _request: web.Request, person: Person) -> web.Response:
        return web.json_response(user_dto(person))

    # Servers and users.

    async def _resources(self, _request: web.Request, person: Person) -> web.Response:
        """List the person's servers with a token for each, and a player, which is none."""
        player = {"name": "TV", "product": "Plex for Android (TV)", "clientIdentifier": "a-player", "provides": "client,player", "connections": []}
        found = [self._resource(listed, account.token, person) for listed in self.listed if (account := listed.account(person))]
        return web.json_response([player, *found])

    def _resource(self, listed: Listed, token: str, person: Person) -> Json:
        server, owner = listed.server, next(one for one in self.people.values() if one.is_owner)
        return {
            "name": server.name,
            "product": "Plex Media Server",
            "productVersion": server.version,
            "platform": "Linux",
            "device": "PC",
            "clientIdentifier": server.machine_identifier,
            "createdAt": "2021-01-01T12:12:24Z",
            "lastSeenAt": f"{self.clock():%Y-%m-%dT%H:%M:%SZ}",
            "provides": "server",
            "ownerId": None if person.is_owner else owner.number,
            "sourceTitle": None if person.is_owner else owner.name,
            "publicAddress": "203.0.113.7",
            "accessToken": token,
            "owned": person.is_owner,
            "home": person.home and not person.is_owner,
            "synced": False,
            "relay": True,
            "presence": True,
            "httpsRequired": listed.https_required,
            "publicAddressMatches": True,
            "dnsRebindingProtection": False,
            "natLoopbackSupported": False,
            "connections": list(listed.connections),
        }

    async def _home(self, _request: web.Request, person: Person) -> web.Response:
        """List the home; what somebody without one is answered is recorded nowhere, here it is a home of himself."""
        members = [one for one in self.people.values() if one.home] if person.home else [person]
        users = [home_user(one) for one in members]
        return web.json_response({"id": 1, "name": "home", "guestEnabled": False, "subscription": True, "users": users})

    async def _switch(self, request: web.Request, person: Person) -> web.Response:
        """Become another member of the home; a PIN is needed where there is one, also by the admin (pitfall 28)."""
        if self.refused_switches:
            self.refused_switches -= 1
            return refused(429, 1003, "Too many requests", None if self.retry_after is None else {"Retry-After": str(self.retry_after)})
        found = next((one for one in self.people.values() if one.uuid == request.match_info["uuid"] and one.home and person.home), None)
        if found is None:
            return refused(404, 1002, "User not found")
        if found.pin and request.query.get("pin") != found.pin:
            return refused(403, 1041, "Invalid PIN")
        return web.json_response(user_dto(found), status=201)

    async def _friends(self, _request: web.Request, person: Person) -> web.Response:
        """List everybody else who sees the person's servers, in XML whatever is asked for."""
        rows = "".join(
            f'<User id="{one.number}" title="{escape(one.name)}" username="{"" if one.managed else escape(one.name)}" email="" '
            f'restricted="{int(one.managed)}" home="{int(one.home)}" protected="{int(one.pin is not None)}">'
            + "".join(f'<Server machineIdentifier="{listed.server.machine_identifier}" owned="0"/>' for listed in self.listed if listed.account(one))
            + "</User>"
            for one in self.people.values()
            if person.is_owner and one is not person
        )
        return _xml(f'<MediaContainer friendlyName="myPlex" identifier="com.plexapp.plugins.myplex">{rows}</MediaContainer>')

    async def _shared(self, request: web.Request, person: Person) -> web.Response:
        """List with whom the owner shares a server, in XML, with or without their tokens."""
        listed = next((one for one in self.listed if one.server.machine_identifier == request.match_info["server"]), None)
        if listed is None or not person.is_owner:
            return refused(404, 1002, "Server not found")
        rows = "".join(
            f'<SharedServer id="{number}" userID="{one.number}" username="{"" if one.managed else escape(one.name)}" email=""'
            + (f' accessToken="{account.token}"' if self.tells_shared_tokens else "")
            + "/>"
            for number, one in enumerate(self.people.values(), 1)
            if one is not person and (account := listed.account(one))
        )
        return _xml(f'<MediaContainer machineIdentifier="{listed.server.machine_identifier}">{rows}</MediaContainer>')

    # Webhooks.

    async def _webhooks(self, _request: web.Request, person: Person) -> web.Response:
        return web.json_response([{"url": url} for url in person.webhooks])

    async def _replace_webhooks(self, request: web.Request, person: Person) -> web.Response:
        """Replace the whole list; `urls=` empties it. Every server that the account owns sends to it from then on."""
        if not person.plex_pass:  # by which code is recorded nowhere
            return refused(403, 1006, "Plex Pass is required")
        form = await request.post()
        if "urls[]" not in form and "urls" not in form:
            return refused(400, 1000, "urls is missing")
        person.webhooks = [str(url) for url in form.getall("urls[]", []) if url]
        for listed in self.listed if person.is_owner else ():
            listed.server.webhooks = list(person.webhooks)
        return web.json_response([{"url": url} for url in person.webhooks], status=201)


def refused(status: int, number: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Say no as plex.tv does."""
    return web.json_response({"errors": [{"code": number, "message": message, "status": status}]}, status=status, headers=headers)


def user_dto(person: Person) -> Json:
    """Render an account with its token."""
    return {
        "id": person.number,
        "uuid": person.uuid,
        "username": "" if person.managed else person.name,
        "title": person.name,
        "email": "",
        "hasPassword": not person.managed,
        "protected": person.pin is not None,
        "authToken": person.token,
        "subscription": {
            "active": person.plex_pass,
            "status": "Active" if person.plex_pass else "Inactive",
            "features": ["webhooks"] if person.plex_pass else [],
        },
        "restricted": person.managed,
        "home": person.home,
        "guest": False,
        "homeAdmin": person.is_owner,
    }


def home_user(person: Person) -> Json:
    """Render a member of the home."""
    return {
        "id": person.number,
        "uuid": person.uuid,
        "title": person.name,
        "username": "" if person.managed else person.name,
        "email": "",
        "thumb": f"https://plex.tv/users/{person.uuid}/avatar",
        "hasPassword": not person.managed,
        "restricted": person.managed,
        "restrictionProfile": None,
        "admin": person.is_owner,
        "guest": False,
        "protected": person.pin is not None,
    }


def _plex(request: web.Request, name: str) -> str:
    """Return an X-Plex value: any header of these may be an argument instead."""
    return request.headers.get(f"X-Plex-{name}") or request.query.get(f"X-Plex-{name}", "")


def _xml(content: str) -> web.Response:
    return web.Response(text=f'<?xml version="1.0" encoding="UTF-8"?>\n{content}', content_type="application/xml")
