"""Jellyfin and Emby: one family of servers with one way of speaking and many small differences."""
