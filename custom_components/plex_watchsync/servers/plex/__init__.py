"""Plex Media Server, 1.19 and newer."""

from .client import PlexServer, identify
from .inbound import parse_plex
from .push import PlexPush

__all__ = ["PlexPush", "PlexServer", "identify", "parse_plex"]
