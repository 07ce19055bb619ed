"""The demo and its check, and the real Home Assistant that they run."""
