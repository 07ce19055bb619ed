"""An Emby server, 4.7 to 4.9."""

from .server import EmbySimulator

__all__ = ["EmbySimulator"]
