"""I1, I2: which ids an item has, whatever wrote them, and what is no id at all."""

import pytest

from custom_components.plex_watchsync.sync.identity import NO_GUID, Guid, episode_keys, external_id, ids_of, movie_keys, parse_guid


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("Imdb", "tt0137523", "imdb:tt0137523"),
        ("IMDB", "TT00137523", "imdb:tt0137523"),
        ("imdb", "tt12345678", "imdb:tt12345678"),
        ("Tmdb", " 0550 ", "tmdb:550"),
        ("TheMovieDb", "550", "tmdb:550"),
        ("thetvdb", "81189", "tvdb:81189"),
        ("TvMaze", "169", "tvmaze:169"),
        ("TvRage", "18164", "tvrage:18164"),
        ("AniDB", "2127", "anidb:2127"),
        ("AniList", "21", "anilist:21"),
        ("MAL", "21", "myanimelist:21"),
        ("Some Provider", "X-1/y", "someprovider:X-1/y"),
        ("youtube", "dQw4w9WgXcQ", "youtube:dQw4w9WgXcQ"),
        ("imdb", "0137523", None),
        ("imdb", "tt0000000", None),
        ("tmdb", "fight-club", None),
        ("tmdb", "0", None),
        ("tmdb", "-1", None),
        ("tvdb", "", None),
        ("tvdb", "none", None),
        ("anidb", "N/A", None),
        ("Some Provider", "https://example.org/1", None),
        ("TmdbCollection", "86311", None),
        ("Shoko Series", "12", None),
        ("Official Website", "example.org", None),
        ("--", "5", None),
    ],
)
def test_an_id_is_cleaned(kind: str, value: str, found: str | None) -> None:
    """I1: every kind that servers report, under one name and in one form; junk and ids that many titles share are none."""
    assert external_id(kind, value) == found


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("imdb://tt0137523", "imdb:tt0137523"),
        ("tmdb://550", "tmdb:550"),
        ("plex://movie/5d776825151a60001f24a81c", "plex:movie/5d776825151a60001f24a81c"),
        ("com.plexapp.agents.imdb://tt0072684?lang=en", "imdb:tt0072684"),
        ("com.plexapp.agents.themoviedb://550?lang=en", "tmdb:550"),
        ("com.plexapp.agents.thetvdb://88651?lang=en", "tvdb:88651"),
        ("com.plexapp.agents.hama://anidb-2127?lang=en", "anidb:2127"),
        ("com.plexapp.agents.hama://tvdb4-81797?lang=en", "tvdb:81797"),
        ("com.plexapp.agents.xbmcnfo://tt0137523?lang=xn", "imdb:tt0137523"),
        ("com.plexapp.agents.xbmcnfo://550?lang=xn", "tmdb:550"),
        ("com.plexapp.agents.xbmcnfotv://81189?lang=xn", "tvdb:81189"),
        ("com.plexapp.agents.youtube://youtube%7CPL-abc%7CSome%20Folder?lang=xn", "youtube:PL-abc"),
        ("com.plexapp.agents.youtube://dQw4w9WgXcQ?lang=xn", "youtube:dQw4w9WgXcQ"),
        ("net.fribbtastic.coding.plex.myanimelist://12345?lang=en", "myanimelist:12345"),
        ("tv.plex.agents.custom.example.provider://movie/abc", "tv.plex.agents.custom.example.provider:movie/abc"),
    ],
)
def test_a_guid_of_a_title(text: str, own: str) -> None:
    """I1, I2: new agents, legacy agents, custom providers."""
    assert parse_guid(text) == Guid(frozenset({own}))


@pytest.mark.parametrize(
    ("text", "show", "season", "episode"),
    [
        ("com.plexapp.agents.thetvdb://73871/2/15?lang=en", "tvdb:73871", 2, 15),
        ("com.plexapp.agents.thetvdb://73871/0/3?lang=en", "tvdb:73871", 0, 3),
        ("com.plexapp.agents.themoviedb://1396/1/2?lang=en", "tmdb:1396", 1, 2),
        ("com.plexapp.agents.hama://anidb-12345/1/5?lang=en", "anidb:12345", 1, 5),
        ("com.plexapp.agents.hama://tvdb-81797/22/70?lang=en", "tvdb:81797", 22, 70),
        ("com.plexapp.agents.xbmcnfotv://81189/1/2?lang=xn", "tvdb:81189", 1, 2),
        ("com.plexapp.agents.youtube://youtube%7CPL-abc%7CFolder/2021/5?lang=xn", "youtube:PL-abc", 2021, 5),
    ],
)
def test_a_guid_of_an_episode(text: str, show: str, season: int, episode: int) -> None:
    """I1, pitfall 19: a legacy agent's id on an episode is the show's, with the episode's number."""
    assert parse_guid(text) == Guid(show_ids=frozenset({show}), season=season, episode=episode)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no guid",
        "local://56939",
        "none://1",
        "https://example.org/film",
        "imdb://none",
        "com.plexapp.agents.none://40081?lang=xn",
        "com.plexapp.agents.thetvdb://81189/1?lang=en",
        "com.plexapp.agents.thetvdb://81189/1/?lang=en",
        "com.plexapp.agents.thetvdb://81189/1/x?lang=en",
        "com.plexapp.agents.thetvdb://junk/1/2",
        "com.plexapp.agents.thetvdbdvdorder://81189/1/2?lang=en",
        "com.plexapp.agents.plexmusic://gracenote/track/7572499",
        "com.plexapp.agents.hama://something?lang=en",
        "com.plexapp.agents.xbmcnfo://a-folder-name",
        "tv.plex.agents.custom.example.provider://",
    ],
)
def test_a_guid_that_says_nothing(text: str) -> None:
    """I1: a season, a local file, an agent with numbers of its own, junk."""
    assert parse_guid(text) == NO_GUID


def test_a_show_never_stands_alone() -> None:
    """Pitfall 19, pitfall 20: a show's id marks an episode together with its number only, specials by theirs alone."""
    assert episode_keys((), ("tvdb:81189",), 1, 2) == {"show/tvdb/81189/1/2"}
    assert episode_keys((), ("tvdb:81189",), 0, 2) == {"show/tvdb/81189/0/2"}
    assert episode_keys((), ("tvdb:81189",), None, 2) == frozenset()
    assert episode_keys(("tvdb:349232",), ("tvdb:81189",), 1, None) == {"episode/tvdb/349232"}
    assert episode_keys(("plex:episode/5f68",), ("plex:show/5d9c",), 1, 2) == {"episode/plex/episode/5f68"}


def test_keys_tell_the_ids_again() -> None:
    """Automations get ids by kind, the show's apart."""
    ids = ids_of(episode_keys(("tvdb:349232", "plex:episode/5f68"), ("tvdb:81189", "imdb:tt0903747"), 1, 2))
    assert ids.own == {"tvdb": "349232", "plex": "episode/5f68"}
    assert ids.show == {"tvdb": "81189", "imdb": "tt0903747"}
    assert ids_of(movie_keys(("imdb:tt0137523",))).own == {"imdb": "tt0137523"}
