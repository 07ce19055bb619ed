"""Titles that simulated servers are stocked with: made from a seed, the same on every run."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

_ADJECTIVES = ("Silent", "Crimson", "Hidden", "Last", "Broken", "Golden", "Distant", "Winter", "Paper", "Electric", "Second", "Hollow")
_NOUNS = ("Harbour", "Garden", "Signal", "River", "Orchard", "Machine", "Lantern", "Republic", "Mirror", "Voyage", "Winter", "Letter")
_PLACES = ("Lisbon", "the North", "Mars", "Kyoto", "the Valley", "Room Nine", "the Coast", "Winterfell Street", "Oslo", "the Attic")


@dataclass(frozen=True, slots=True)
class Show:
    """A series; `ids` maps a lower-case id kind (imdb, tmdb, tvdb) to its value."""

    name: str
    year: int
    ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class Title:
    """One video file: a film, an episode or, with `last_episode`, several episodes in one file; `runtime` in seconds.

    `versions` are the paths of further files of the same film. A `virtual` one has no file: an episode that Jellyfin and Emby know to be missing.
    """

    name: str
    year: int
    ids: dict[str, str]
    runtime: int
    library: str
    path: str
    show: Show | None = None
    season: int | None = None
    episode: int | None = None
    last_episode: int | None = None
    premiere: str | None = field(default=None)
    versions: tuple[str, ...] = ()
    virtual: bool = False

    @property
    def key(self) -> str:
        """The same text for the same title on every server: what acts and comparisons name it by."""
        if self.show is None:
            return f"{self.name} ({self.year})"
        if self.season is None or self.episode is None:
            return self.path
        last = f"-E{self.last_episode:02}" if self.last_episode else ""
        return f"{self.show.name} S{self.season:02}E{self.episode:02}{last}"


def generate(seed: int, films: int, shows: int, episodes_per_show: int = 8) -> tuple[Title, ...]:
    """Make `films` films and `shows` series of two seasons."""
    dice = Random(seed)
    names = list(_names(dice))
    return (
        *(_film(number, names[number], dice) for number in range(films)),
        *_episodes(names[films : films + shows], episodes_per_show, dice),
    )


def shelf(titles: tuple[Title, ...], seed: int, share: float) -> tuple[Title, ...]:
    """Return the part of the titles that one server has: films one by one, series whole."""
    dice = Random(seed)
    kept: dict[str, bool] = {}
    for title in titles:
        kept.setdefault(title.show.name if title.show else title.key, dice.random() < share)
    return tuple(title for title in titles if kept[title.show.name if title.show else title.key])


def _names(dice: Random) -> Iterator[str]:
    every = [f"{a} {n} of {p}" for a in _ADJECTIVES for n in _NOUNS for p in _PLACES]
    dice.shuffle(every)
    yield from every


def _film(number: int, name: str, dice: Random) -> Title:
    year = dice.randint(1955, 2025)
    ids = {"imdb": f"tt9{number:06}", "tmdb": str(800000 + number)}
    return Title(name, year, ids, dice.randint(80, 180) * 60, "Movies", f"Movies/{name} ({year})/{name} ({year}).mkv")


def _episodes(names: list[str], per_show: int, dice: Random) -> Iterator[Title]:
    for number, name in enumerate(names):
        year = dice.randint(1990, 2024)
        show = Show(name, year, {"imdb": f"tt8{number:06}", "tmdb": str(700000 + number), "tvdb": str(600000 + number)})
        for index in range(per_show):
            season, episode = 1 + index // (per_show // 2 or 1), 1 + index % (per_show // 2 or 1)
            ids = {"tvdb": str(5000000 + number * 1000 + index), "imdb": f"tt7{number * 1000 + index:06}"}
            path = f"Shows/{name} ({year})/Season {season:02}/{name} S{season:02}E{episode:02}.mkv"
            yield Title(
                f"Part {index + 1}",
                year,
                ids,
                dice.randint(20, 60) * 60,
                "Shows",
                path,
                show,
                season,
                episode,
                premiere=f"{year + season - 1}-03-{episode:02}",
            )
