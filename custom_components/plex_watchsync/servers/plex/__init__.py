"""Plex Media Server, 1.19 and newer."""

from .client import PlexServer, identify
from .inbound import parse_plex
from .push import PlexPush
from .tv import PlexLink, PlexResource, PlexTv

__all__ = ["PlexLink", "PlexPush", "PlexResource", "PlexServer", "PlexTv", "identify", "parse_plex"]
