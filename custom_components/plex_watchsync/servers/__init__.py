"""Clients of the three media servers; the doors to them are in `connect`."""

from .connect import Connection, LogIn, log_in, open_server, parse_webhook, probe
from .http import clean_url

__all__ = ["Connection", "LogIn", "clean_url", "log_in", "open_server", "parse_webhook", "probe"]
