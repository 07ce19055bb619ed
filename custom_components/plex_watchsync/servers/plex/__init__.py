"""Plex Media Server, 1.19 and newer."""

from .client import PlexServer, identify
from .inbound import parse_plex

__all__ = ["PlexServer", "identify", "parse_plex"]
