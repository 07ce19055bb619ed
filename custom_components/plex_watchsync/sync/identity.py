"""Which ids an item has, and the match keys that follow: two items are one when they share a key (I1).

An external id is a text `kind:value`, as `imdb:tt0137523`. A match key is `movie/<kind>/<value>`, `episode/<kind>/<value>`, or
`show/<kind>/<value>/<season>/<episode>`: a show's id never stands alone, so that no episode stands for its show (pitfall 19).
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

NO_IDS: frozenset[str] = frozenset()

_ALIASES = {
    "themoviedb": "tmdb",
    "moviedb": "tmdb",
    "thetvdb": "tvdb",
    "thetvdbdvd": "tvdb",
    "imdbid": "imdb",
    "tmdbid": "tmdb",
    "tvdbid": "tvdb",
}
_NUMERIC = frozenset({"tmdb", "tvdb", "tvmaze", "tvrage", "anidb", "anilist", "myanimelist"})
_SHARED = re.compile(r"(collection|set|season|slug|website)$")
"""Names that Jellyfin and Emby report beside ids and that many titles have in common, or that are addresses."""

_GUID = re.compile(r"(?P<scheme>[a-z0-9.]+)://(?P<path>[^?]*)", re.IGNORECASE)
_LEGACY = re.compile(r"(?:com\.plexapp|tv\.plex)\.agents\.(?P<agent>[a-z0-9]+)(?:\.(?P<part>[a-z0-9]+))?", re.IGNORECASE)
_HAMA = re.compile(r"(?P<kind>anidb|tvdb|tmdb|imdb|tvmaze)\d?-(?P<value>\w+)")
_OTHERS = {"youtube": "youtube", "youtubeagent": "youtube", "tvmaze": "tvmaze", "anidb": "anidb", "imdb": "imdb", "themoviedb": "tmdb", "thetvdb": "tvdb"}
_IDLESS = frozenset({"local", "none", "unknown", "iva", "file"})


@dataclass(frozen=True, slots=True)
class Guid:
    """What one of Plex's guids says: ids of the item itself, or of its show with the number of the episode."""

    ids: frozenset[str] = NO_IDS
    show_ids: frozenset[str] = NO_IDS
    season: int | None = None
    episode: int | None = None


NO_GUID = Guid()


def external_id(kind: str, value: str) -> str | None:
    """Clean an id; None for what identifies nothing: empty, zero, an id of a collection or a season, an address."""
    kind = re.sub(r"[^a-z0-9]", "", kind.casefold())
    kind, value = _ALIASES.get(kind, kind), value.strip()
    if not kind or not value or _SHARED.search(kind) or value.startswith(("http:", "https:", "-")):
        return None
    if kind == "imdb":
        value = value.casefold()
        return f"imdb:{value}" if re.fullmatch(r"tt\d+", value) and int(value[2:]) else None
    if kind in _NUMERIC:
        return f"{kind}:{int(value)}" if re.fullmatch(r"[0-9]+", value) and int(value) else None
    return None if re.fullmatch(r"0+", value) else f"{kind}:{value}"


def parse_guid(text: str) -> Guid:
    """Read any of Plex's guids: `imdb://tt1`, `plex://movie/5d77…`, the legacy agents' `com.plexapp.agents.thetvdb://81189/1/2?lang=en` (I1, I2)."""
    found = _GUID.match(text.strip())
    if found is None:
        return NO_GUID
    scheme, path = found["scheme"].casefold(), found["path"]
    if legacy := _LEGACY.fullmatch(scheme):
        return _legacy(legacy["agent"], legacy["part"], path)
    if scheme in _IDLESS:
        return NO_GUID
    one = external_id(scheme, path)
    return Guid(frozenset({one})) if one else NO_GUID


def movie_keys(ids: Iterable[str]) -> frozenset[str]:
    """Return a film's match keys."""
    return frozenset(sys.intern(f"movie/{one.replace(':', '/', 1)}") for one in ids)


def episode_keys(ids: Iterable[str], show_ids: Iterable[str], season: int | None, episode: int | None) -> frozenset[str]:
    """Return an episode's match keys: by its own ids, and by its show's with its number, specials (season 0) included."""
    own = {sys.intern(f"episode/{one.replace(':', '/', 1)}") for one in ids}
    if season is None or episode is None:
        return frozenset(own)
    return frozenset(own | {sys.intern(f"show/{one.replace(':', '/', 1)}/{season}/{episode}") for one in show_ids if not one.startswith("plex:")})


@dataclass(frozen=True, slots=True)
class Ids:
    """External ids by kind, as people and automations use them."""

    own: dict[str, str]
    show: dict[str, str]


def ids_of(keys: Iterable[str]) -> Ids:
    """Return the external ids that match keys were made of."""
    ids = Ids({}, {})
    for key in sorted(keys):
        scope, kind, value = key.split("/", 2)
        if scope == "show":
            ids.show[kind] = value.rsplit("/", 2)[0]
        else:
            ids.own[kind] = value
    return ids


def _legacy(agent: str, part: str | None, path: str) -> Guid:
    """Read a legacy agent's guid: an episode's has its show's id and its number."""
    name, *numbers = path.split("/")
    one = _legacy_id(agent if agent not in {"custom", "nfo"} else part or "", name)
    if one is None:
        return NO_GUID
    if len(numbers) >= 2 and all(re.fullmatch(r"[0-9]+", number) for number in numbers[:2]):
        return Guid(show_ids=frozenset({one}), season=int(numbers[0]), episode=int(numbers[1]))
    return NO_GUID if numbers else Guid(frozenset({one}))


def _legacy_id(agent: str, name: str) -> str | None:
    agent = agent.casefold()
    if found := _HAMA.fullmatch(name):  # hama: tvdb2-, tvdb4- and the like are TVDB numbers too (server-apis §6)
        return external_id(found["kind"], found["value"])
    if agent in _OTHERS:
        return external_id(_OTHERS[agent], name)
    if agent.startswith("xbmcnfo"):  # whatever its files named: an imdb id, else a number of the scraper's own
        return external_id("imdb", name) or external_id("tvdb" if agent == "xbmcnfotv" else "tmdb", name)
    return None
