"""A household for the demo: three servers whose libraries overlap, and on which people watched different things."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from .base import Simulator
from .catalogue import Title, generate, shelf
from .emby import EmbySimulator
from .jellyfin import JellyfinSimulator
from .plex import PlexSimulator
from .plex_tv import PlexTvSimulator

VIEWER, OTHER = "anna", "ben"
OTHER_PIN = "1234"
SHARE = 0.75
"""The part of all titles that each server has."""

_WATCHED, _BEGUN = 0.35, 0.08
_REMEMBERED = 0.6
"""How likely a server that has a title knows of what was watched of it."""

_YEARS = timedelta(days=5 * 365)


@dataclass(frozen=True, slots=True)
class Watched:
    """What the viewer did with a title; `position` in seconds, `date` aware UTC."""

    played: bool
    position: int
    count: int
    date: datetime


def household(seed: int, films: int, shows: int, now: datetime) -> tuple[Simulator, ...]:
    """Make a Plex, a Jellyfin and an Emby server; the same seed and time make the same ones."""
    titles = generate(seed, films, shows)
    shelves = [shelf(titles, seed + 1 + number, SHARE) for number in range(3)]
    passwords = {name: f"{name}-watches" for name in (VIEWER, OTHER)}
    servers: tuple[Simulator, ...] = (
        PlexSimulator("Plex Study", shelves[0], users={name: f"{name}-plex-token" for name in passwords}),
        JellyfinSimulator("Jellyfin Attic", shelves[1], users=passwords),
        EmbySimulator("Emby Cellar", shelves[2], users=passwords),
    )
    stock(servers, titles, seed, now)
    return servers


def plex_tv_of(servers: tuple[Simulator, ...], urls: Mapping[str, str]) -> PlexTvSimulator:
    """Make the plex.tv where the household's Plex servers are signed in; the other person is a Home user with a PIN."""
    plex_tv = PlexTvSimulator()
    for server in servers:
        if isinstance(server, PlexSimulator):
            plex_tv.join(server, urls[server.kind], pins={OTHER: OTHER_PIN})
    return plex_tv


def stock(servers: tuple[Simulator, ...], titles: tuple[Title, ...], seed: int, now: datetime) -> None:
    """Tell each server of a part of what the viewer watched."""
    dice = Random(seed)
    shelves = [(server, {title.key for title in server.titles}) for server in servers]
    for title in titles:
        watched = _history(title, dice, now)
        for server in [server for server, keys in shelves if title.key in keys and dice.random() < _REMEMBERED]:
            if watched is not None:
                server.stock(VIEWER, title.key, played=watched.played, position=watched.position, count=watched.count, date=watched.date)


def _history(title: Title, dice: Random, now: datetime) -> Watched | None:
    """Invent what the viewer did with a title, mostly nothing."""
    luck = dice.random()
    at = (now - dice.random() * _YEARS).astimezone(UTC).replace(microsecond=0)
    if luck < _WATCHED:
        return Watched(played=True, position=0, count=dice.choice((1, 1, 1, 2, 3)), date=at)
    if luck < _WATCHED + _BEGUN:
        return Watched(played=False, position=int(title.runtime * dice.uniform(0.1, 0.8)), count=1, date=at)
    return None
