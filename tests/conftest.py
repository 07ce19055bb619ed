"""What all tests share."""

import pytest

import custom_components  # noqa: F401 - Home Assistant mounts its own folder over the name unless it is imported by then


@pytest.fixture
def simulators(socket_enabled: None) -> None:
    """Let a test open sockets; the test package allows 127.0.0.1 only."""
