"""plex.tv: who has which servers, and who may act for whom."""

from .client import PlexTv
from .normalise import PlexLink, PlexResource

__all__ = ["PlexLink", "PlexResource", "PlexTv"]
