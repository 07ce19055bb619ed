"""Clients of the three media servers; the doors to them are in `connect`."""

from .connect import WEBHOOK_EVENTS, Connection, LogIn, log_in, open_registrar, open_server, open_stream, parse_webhook, probe
from .http import clean_url
from .listener import Listener
from .plex import PlexLink, PlexResource, PlexTv

__all__ = [
    "WEBHOOK_EVENTS",
    "Connection",
    "Listener",
    "LogIn",
    "PlexLink",
    "PlexResource",
    "PlexTv",
    "clean_url",
    "log_in",
    "open_registrar",
    "open_server",
    "open_stream",
    "parse_webhook",
    "probe",
]
