"""Jellyfin and Emby: one family of servers with one way of speaking and many small differences."""

from .client import headers, identify, log_in
from .emby import EmbyServer
from .inbound import parse_emby, parse_jellyfin
from .jellyfin import JellyfinServer
from .push import MediaBrowserPush

__all__ = ["EmbyServer", "JellyfinServer", "MediaBrowserPush", "headers", "identify", "log_in", "parse_emby", "parse_jellyfin"]
