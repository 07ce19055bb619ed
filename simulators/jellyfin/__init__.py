"""A simulated Jellyfin server, 10.10 to 12.0."""

from .server import JellyfinSimulator

__all__ = ["JellyfinSimulator"]
