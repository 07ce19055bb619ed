"""Which ids an item has, and the match keys that follow: two items are one when they share a key (I1).

An external id is a text `kind:value`, as `imdb:tt0137523`. A match key is `movie/<kind>/<value>`, `episode/<kind>/<value>`, or
`show/<kind>/<value>/<season>/<episode>`: a show's id never stands alone, so that no episode stands for its show (pitfall 19).
What begins with `~` is made of no id but a name (I6); `names` makes these keys, which come last in any order.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

NO_IDS: frozenset[str] = frozenset()
NAME = "~"

_ALIASES = {
    "themoviedb": "tmdb",
    "themoviedbcom": "tmdb",
    "moviedb": "tmdb",
    "thetvdb": "tvdb",
    "imdbid": "imdb",
    "tmdbid": "tmdb",
    "tvdbid": "tvdb",
    "mal": "myanimelist",
}
_NUMERIC = frozenset({"tmdb", "tvdb", "tvmaze", "tvrage", "anidb", "anilist", "myanimelist"})
_SHARED = re.compile(r"(collection|set|season|series|show|group|slug|website|site|facebook|instagram|twitter|reddit|wikipedia)$")
"""Names that Jellyfin and Emby report beside ids: of something bigger that many titles share (TmdbCollection, Shoko Series), or of a page, not of a title."""
_NOTHING = re.compile(r"0*|-[0-9]+|none|null|undefined|unknown|n/?a|https?:.*", re.IGNORECASE | re.DOTALL)
"""What tools and scrapers leave where they found no id, and addresses."""

_GUID = re.compile(r"(?P<scheme>[a-z0-9.-]+)://(?P<path>[^?]*)", re.IGNORECASE)
_IDLESS = frozenset({"local", "none", "unknown", "iva", "file", "http", "https"})
_CUSTOM = "tv.plex.agents.custom."
_AGENTS = frozenset({"imdb", "themoviedb", "thetvdb", "tvmaze", "tvrage", "anidb", "anilist", "myanimelist", "youtube"})
"""Legacy agents by the last word of their name, which number episodes as aired; `thetvdbdvdorder` does not, and so names none."""
_HAMA = re.compile(r"(?P<kind>anidb|tvdb|tmdb|imdb|tvmaze|youtube)[0-9]?-(?P<value>.+)", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Guid:
    """What one of Plex's guids says: ids of the item itself, or of its show with the number of the episode."""

    ids: frozenset[str] = NO_IDS
    show_ids: frozenset[str] = NO_IDS
    season: int | None = None
    episode: int | None = None


NO_GUID = Guid()


def external_id(kind: str, value: str) -> str | None:
    """Clean an id, as `imdb:tt0137523`; None for what identifies no title: no value, zero, an id of a collection or a season, an address."""
    kind = re.sub(r"[\W_]", "", kind.casefold())
    kind, value = _ALIASES.get(kind, kind), value.strip()
    if not kind or _SHARED.search(kind) or _NOTHING.fullmatch(value):
        return None
    if kind == "imdb":
        title = re.fullmatch(r"tt0*([1-9][0-9]*)", value, re.IGNORECASE)
        return f"imdb:tt{title[1]:0>7}" if title else None
    if kind in _NUMERIC:
        number = re.fullmatch(r"0*([1-9][0-9]*)", value)
        return f"{kind}:{number[1]}" if number else None
    return f"{kind}:{value}"


def parse_guid(text: str) -> Guid:
    """Read any of Plex's guids: `imdb://tt1`, `plex://movie/5d77…`, the legacy agents' `com.plexapp.agents.thetvdb://81189/1/2?lang=en` (I1, I2)."""
    found = _GUID.fullmatch(text.strip().partition("?")[0])
    if found is None:
        return NO_GUID
    scheme, path = found["scheme"].casefold(), unquote(found["path"])
    if scheme in _IDLESS:
        return NO_GUID
    if scheme.startswith(_CUSTOM):  # a metadata provider that somebody runs: its ids say as much as `plex://`, to Plex alone (I2)
        return Guid(frozenset({f"{scheme}:{path}"})) if path else NO_GUID
    if "." in scheme:
        return _legacy(scheme.rpartition(".")[2], path)
    return _own(external_id(scheme, path))


def movie_keys(ids: Iterable[str]) -> frozenset[str]:
    """Return a film's match keys."""
    return frozenset(sys.intern(f"movie/{one.replace(':', '/', 1)}") for one in ids)


def episode_keys(ids: Iterable[str], show_ids: Iterable[str], season: int | None, episode: int | None) -> frozenset[str]:
    """Return an episode's match keys: by its own ids, and by its show's with its number, specials (season 0) included.

    What only Plex understands has a slash (`plex:show/5d…`) and numbers nothing: there, each episode has such an id of its own (I2).
    """
    own = {sys.intern(f"episode/{one.replace(':', '/', 1)}") for one in ids}
    if season is None or episode is None:
        return frozenset(own)
    return frozenset(own | {sys.intern(f"show/{one.replace(':', '/', 1)}/{season}/{episode}") for one in show_ids if "/" not in one})


@dataclass(frozen=True, slots=True)
class Ids:
    """External ids by kind, as people and automations use them."""

    own: dict[str, str]
    show: dict[str, str]


def without_names(keys: frozenset[str]) -> frozenset[str]:
    """Return the keys that were made of ids; a title that has none is matched weakly if at all (I6)."""
    return frozenset(key for key in keys if key[0] != NAME) if keys and max(keys)[0] == NAME else keys


def ids_of(keys: frozenset[str]) -> Ids:
    """Return the external ids that match keys were made of."""
    ids = Ids({}, {})
    for key in sorted(without_names(keys)):
        scope, kind, value = key.split("/", 2)
        if scope == "show":
            ids.show[kind] = value.rsplit("/", 2)[0]
        else:
            ids.own[kind] = value
    return ids


def _own(one: str | None) -> Guid:
    return Guid(frozenset({one})) if one else NO_GUID


def _legacy(agent: str, path: str) -> Guid:
    """Read a legacy agent's guid: an episode's has its show's id and its number, a season's says nothing of any title."""
    name, *numbers = path.split("/")
    one = _legacy_id(agent, name)
    if one is None or not numbers:
        return _own(one)
    if len(numbers) < 2 or not all(_NUMBER.fullmatch(number) for number in numbers[:2]):
        return NO_GUID
    return Guid(show_ids=frozenset({one}), season=int(numbers[0]), episode=int(numbers[1]))


def _legacy_id(agent: str, name: str) -> str | None:
    if agent == "hama":  # tvdb2-, tvdb4- and the like are TVDB numbers too (server-apis §6)
        found = _HAMA.fullmatch(name)
        return external_id(found["kind"], found["value"]) if found else None
    if agent in {"xbmcnfo", "xbmcnfotv"}:  # whatever its files named: an imdb id, else a number of the scraper that wrote them
        return external_id("imdb", name) or external_id("tvdb" if agent == "xbmcnfotv" else "tmdb", name)
    if agent == "youtube" and name.startswith("youtube|"):  # newer ones put the id between marks: youtube|PL…|folder
        name = name.split("|")[1]
    return external_id(agent, name) if agent in _AGENTS else None
