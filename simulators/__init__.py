"""Faithful Plex, Jellyfin and Emby servers on loopback: tests, the demo and benchmarks all run against them."""
