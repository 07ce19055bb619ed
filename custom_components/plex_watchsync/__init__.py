"""Plex WatchSync."""
