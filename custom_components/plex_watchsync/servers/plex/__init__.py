"""Plex Media Server, 1.19 and newer."""

from .client import PlexServer, identify
from .inbound import EVENTS, parse_plex
from .push import PlexPush
from .registrar import PlexRegistrar
from .tv import PlexLink, PlexResource, PlexTv

__all__ = ["EVENTS", "PlexLink", "PlexPush", "PlexRegistrar", "PlexResource", "PlexServer", "PlexTv", "identify", "parse_plex"]
