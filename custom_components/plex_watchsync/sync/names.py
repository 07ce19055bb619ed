"""What a title is called, as match keys for titles that no id names (I6): `~movie/file/…`, `~episode/title/…`.

A name is weak: it never joins titles that have ids, and it says whether two run times are within 10 % of each other. Two spans of run times, each of them less than
10 % wide and one beginning where the other is at its middle, stand in a key each: who shares a key is within 10 %, and who is within 4 % shares a key.
"""

import re
from collections.abc import Iterator
from math import floor, log
from unicodedata import normalize

from .identity import NAME, NO_IDS
from .model import Media, MediaKind

_SPAN = log(1.1)
_WORD = re.compile(r"[^\W_]+")
_PATH = re.compile(r".*[/\\]", re.DOTALL)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_SAYS_NOTHING = frozenset(
    _WORD.findall(
        "episode episodes ep eps episodio episódio épisode folge aflevering avsnitt afsnit odcinek jakso epizoda bölüm эпизод серия выпуск "
        "part parts pt teil partie parte del часть chapter kapitel chapitre capitulo capítulo глава "
        "season series staffel saison temporada stagione сезон special specials extra extras bonus "
        "movie film video videos clip title titel titre track main feature untitled unknown tba tbd new copy sample trailer disc disk cd dvd vts "
        "web webrip webdl dl rip bluray blu ray bdrip brrip dvdrip hdtv hdrip remux hdr uhd hd sd dv atmos hevc avc xvid divx aac ac dts truehd "
        "proper repack internal multi subs dubbed mkv mp avi"
    )
)
"""Words that stand in the names of many."""


def names_of(media: Media, file: str | None, runtime: int | None, *, by_file: bool, by_title: bool) -> frozenset[str]:
    """Return the match keys that a title's name makes, none for one that says too little: a special, `Episode 1`, no year, no run time (pitfalls 18, 20)."""
    if not runtime or (media.kind is MediaKind.EPISODE and (media.season == 0 or not _words(media.show or ""))):
        return NO_IDS
    names = [*(_by_file(media, file) if by_file and file else ()), *(_by_title(media) if by_title else ())]
    return frozenset(f"{NAME}{media.kind.value}/{name}/{span}" for name in names for span in _spans(runtime)) if names else NO_IDS


def _by_file(media: Media, file: str) -> Iterator[str]:
    """Name a title by its file, an episode's together with its show: `01 Pilot.mkv` is of many."""
    if name := _telling(_EXTENSION.sub("", _PATH.sub("", file))):
        yield f"file/{_words(media.show or '')}/{name}"


def _by_title(media: Media) -> Iterator[str]:
    """Name a title by title and year, an episode by its show and numbers too."""
    numbers = () if media.kind is MediaKind.MOVIE else (media.season, media.episode)
    if media.year and None not in numbers and (name := _telling(media.title)):
        yield "/".join(("title", _words(media.show or ""), *map(str, numbers), name, str(media.year)))


def _telling(text: str) -> str:
    """Return a name as words, nothing when all of it are numbers and words that stand in the names of many."""
    words = _words(text)
    return words if any(len(word) > 1 and word.isalpha() and word not in _SAYS_NOTHING for word in words.split()) else ""


def _words(text: str) -> str:
    return " ".join(_WORD.findall(normalize("NFKC", text).casefold()))


def _spans(runtime: int) -> tuple[str, str]:
    at = log(runtime) / _SPAN
    return f"{floor(at)}", f"{floor(at + 0.5)}-"
