"""Clients of the three media servers; the doors to them are in `connect`."""

from .connect import WEBHOOK_EVENTS, LogIn, log_in, open_registrar, open_server, open_stream, parse_webhook, probe, quick_connect
from .connection import Connection
from .http import clean_url
from .inbound import without_secrets
from .listener import Listener
from .mediabrowser import Announced, QuickConnect, discover
from .plex import PlexLink, PlexResource, PlexTv

__all__ = [
    "WEBHOOK_EVENTS",
    "Announced",
    "Connection",
    "Listener",
    "LogIn",
    "PlexLink",
    "PlexResource",
    "PlexTv",
    "QuickConnect",
    "clean_url",
    "discover",
    "log_in",
    "open_registrar",
    "open_server",
    "open_stream",
    "parse_webhook",
    "probe",
    "quick_connect",
    "without_secrets",
]
