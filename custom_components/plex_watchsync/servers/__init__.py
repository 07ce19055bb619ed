"""Clients of the three media servers."""
