"""plex.tv: who has which servers, and who may act for whom."""

from .client import PlexTv, plex_tv_url
from .normalise import PlexLink, PlexResource

__all__ = ["PlexLink", "PlexResource", "PlexTv", "plex_tv_url"]
