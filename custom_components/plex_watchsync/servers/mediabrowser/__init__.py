"""Jellyfin and Emby: one family of servers with one way of speaking and many small differences."""

from .client import headers, identify, log_in
from .discovery import discover
from .emby import EmbyServer
from .inbound import EMBY_EVENTS, JELLYFIN_EVENTS, parse_emby, parse_jellyfin
from .jellyfin import JellyfinServer
from .normalise import Announced
from .push import MediaBrowserPush
from .quick_connect import QuickConnect
from .registrars import EmbyRegistrar, JellyfinRegistrar

__all__ = [
    "EMBY_EVENTS",
    "JELLYFIN_EVENTS",
    "Announced",
    "EmbyRegistrar",
    "EmbyServer",
    "JellyfinRegistrar",
    "JellyfinServer",
    "MediaBrowserPush",
    "QuickConnect",
    "discover",
    "headers",
    "identify",
    "log_in",
    "parse_emby",
    "parse_jellyfin",
]
