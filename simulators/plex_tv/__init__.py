"""A simulated plex.tv, clients.plex.tv and app.plex.tv in one (server-apis §1.1)."""

from .people import Person
from .server import PlexTvSimulator

__all__ = ["Person", "PlexTvSimulator"]
