"""Stands in for a voice library without a wheel for Python 3.14: Home Assistant imports it for its list of actions, the demo has no voice."""


class AudioProcessor:
    """Takes noise away elsewhere."""
