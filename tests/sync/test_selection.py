"""Who names a title by its ids means that title, never more (I1, pitfall 19)."""

import pytest

from custom_components.plex_watchsync.sync.model import MediaKind
from custom_components.plex_watchsync.sync.selection import NOTHING, Selection, groups_of, of_show, of_title

EPISODE = frozenset({"episode/tvdb/349232", "show/tvdb/81189/1/2", "show/imdb/tt0903747/1/2"})
FILM = frozenset({"movie/imdb/tt0137523", "movie/tmdb/550"})


@pytest.mark.parametrize(
    ("selection", "film", "episode"),
    [
        (of_title({"imdb": "tt0137523"}), True, False),
        (of_title({"tmdb": "550"}, MediaKind.MOVIE), True, False),
        (of_title({"tmdb": "550"}), True, False),
        (of_title({"tmdb": "550"}, MediaKind.EPISODE), False, False),
        (of_title({"tvdb": "349232"}, MediaKind.EPISODE), False, True),
        (of_title({"tvdb": "349232"}), False, False),
        (of_title({"imdb": "tt0903747"}), False, False),  # a show's id marks none of its episodes (pitfall 19)
        (of_show({"tvdb": "81189"}, 1, 2), False, True),
        (of_show({"thetvdb": "081189"}, 1, 2), False, True),
        (of_show({"tvdb": "81189"}, 1, 3), False, False),
        (of_show({"tvdb": "81189"}, 1), False, True),
        (of_show({"tvdb": "81189"}, 2), False, False),
        (of_show({"tvdb": "81189"}), False, True),
        (of_show({"tvdb": "8118"}), False, False),
        (of_show({"plex": "show/5d9c"}), False, False),
        (of_title({"imdb": "nonsense"}), False, False),
        (NOTHING, False, False),
    ],
)
def test_covers(selection: Selection, *, film: bool, episode: bool) -> None:
    assert selection.covers(FILM) is film
    assert selection.covers(EPISODE) is episode


def test_an_imdb_id_alone_may_be_an_episode() -> None:
    """Imdb counts films and episodes in one row."""
    assert of_title({"imdb": "tt0959621"}).covers(frozenset({"episode/imdb/tt0959621"}))


def test_groups() -> None:
    assert list(groups_of("show/tvdb/81189/1/2")) == ["show/tvdb/81189/1", "show/tvdb/81189"]
    assert not list(groups_of("episode/tvdb/349232"))


def test_widened() -> None:
    """What was named by one id is meant by all ids of what was found, at the same depth."""
    show = of_show({"tvdb": "81189"}).widened([EPISODE])
    assert show.groups == {"show/tvdb/81189", "show/imdb/tt0903747"}
    assert not show.keys
    season = of_show({"tvdb": "81189"}, 1).widened([EPISODE])
    assert season.groups == {"show/tvdb/81189/1", "show/imdb/tt0903747/1"}
    assert of_title({"tmdb": "550"}).widened([FILM]).keys == FILM


def test_meets() -> None:
    show = of_show({"tvdb": "81189"})
    assert show.meets(show.widened([EPISODE]))
    assert not show.meets(of_show({"tvdb": "81189"}, 1, 2))
    assert of_title({"tmdb": "550"}).meets(Selection(FILM))
    assert bool(show)
    assert not NOTHING
