"""A simulated Plex Media Server."""

from .server import PlexSimulator

__all__ = ["PlexSimulator"]
