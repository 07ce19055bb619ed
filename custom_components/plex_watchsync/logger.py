"""The integration's one logger."""

import logging

LOGGER = logging.getLogger(__package__)
