"""Which titles somebody means who names a film, an episode, a season or a show by its ids (I1)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .identity import episode_keys, external_id, movie_keys
from .model import MediaKind


@dataclass(frozen=True, slots=True)
class Selection:
    """Titles by match key, and all below a `show/<kind>/<value>` or a `show/<kind>/<value>/<season>`, these being its groups."""

    keys: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether anything is selected."""
        return bool(self.keys or self.groups)

    def __or__(self, other: Selection) -> Selection:
        """Select what either does."""
        return Selection(self.keys | other.keys, self.groups | other.groups)

    def covers(self, keys: frozenset[str]) -> bool:
        """Whether a title with these keys is meant."""
        return not self.keys.isdisjoint(keys) or (bool(self.groups) and any(group in self.groups for key in keys for group in groups_of(key)))

    def meets(self, other: Selection) -> bool:
        """Whether both name a title, a season or a show alike."""
        return not (self.keys.isdisjoint(other.keys) and self.groups.isdisjoint(other.groups))

    def widened(self, titles: Iterable[frozenset[str]]) -> Selection:
        """Select the same by every id that the titles which were found have: another server knows them by others."""
        if not self.groups:
            return Selection(self.keys.union(*titles))
        depths = {group.count("/") for group in self.groups}
        return self | Selection(groups=frozenset(group for keys in titles for key in keys for group in groups_of(key) if group.count("/") in depths))


NOTHING = Selection()


def groups_of(key: str) -> Iterator[str]:
    """Yield the season and the show that an episode's numbered key lies in; the ids in these have no slash."""
    if key.startswith("show/"):
        season = key.rpartition("/")[0]
        yield season
        yield season.rpartition("/")[0]


def of_title(ids: Mapping[str, str], kind: MediaKind | None = None) -> Selection:
    """Select a film or an episode by ids of its own; imdb counts both in one row, elsewhere a number without a kind is a film's."""
    named = _clean(ids)
    if kind is MediaKind.EPISODE:
        return Selection(episode_keys(named, (), None, None))
    either = () if kind else [one for one in named if one.startswith("imdb:")]
    return Selection(movie_keys(named) | episode_keys(either, (), None, None))


def of_show(ids: Mapping[str, str], season: int | None = None, episode: int | None = None) -> Selection:
    """Select an episode by its number, or all of a season or a show."""
    named = _clean(ids)
    if season is not None and episode is not None:
        return Selection(episode_keys((), named, season, episode))
    tail = "" if season is None else f"/{season}"
    return Selection(groups=frozenset(f"show/{one.replace(':', '/', 1)}{tail}" for one in named if "/" not in one))


def _clean(ids: Mapping[str, str]) -> list[str]:
    return [one for kind, value in ids.items() if (one := external_id(kind, value))]
