"""What people may read of a webhook."""

import json

import pytest

from custom_components.plex_watchsync.ports import InboundRequest
from custom_components.plex_watchsync.servers import without_secrets
from custom_components.plex_watchsync.servers.inbound import MOST_SHOWN


def test_no_secret_is_shown() -> None:
    """Tokens, addresses and device ids are masked at any depth, in values that are addresses too; the rest is there."""
    body = {
        "Event": "playback.stop",
        "Session": {"RemoteEndPoint": "203.0.113.7", "DeviceId": "abc"},
        "Tokens": [{"AccessToken": "s3cret"}],
        "Url": "http://x/?X-Plex-Token=s3cret&a=1",
        "Empty": {"ApiKey": ""},
        "Count": 3,
    }
    shown = without_secrets(InboundRequest("application/json", json.dumps(body).encode()))
    assert "s3cret" not in shown
    assert "203.0.113.7" not in shown
    assert "abc" not in shown
    assert json.loads(shown)["Count"] == 3
    assert "a=1" in shown


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"event": "media.stop", "Token": "s3cret\\"s3cret", "Ips": ["a", ', '{"event": …, "Token": …, "Ips": […, '),
        ('{"event":"stop","Token":"s3cr', '{"event":…,"Token":…'),
        ("user=anna&X-Plex-Token=s3cret", "user=…&X-Plex-Token=…"),
        ("s3cretS3cretS3cret [1, 2]", "… [1, 2]"),
        ("X-Plex-Token: s3cret", "X-Plex-Token:…"),
        ("nonsense", "nonsense"),
        ("", ""),
    ],
)
def test_what_is_broken_shows_no_value(body: str, shown: str) -> None:
    """Where nobody can tell which of them is a secret, none is shown (pitfall 30)."""
    assert without_secrets(InboundRequest("application/json", body.encode())) == shown
    assert len(without_secrets(InboundRequest("multipart/form-data", b"x " * 5000))) == MOST_SHOWN


def test_a_form_shows_its_text_only() -> None:
    """Plex's payload without its poster; cut to what a journal can hold."""
    payload = json.dumps({"event": "media.stop", "Metadata": {"summary": "x" * 5000}})
    parts = f'--b\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{payload}\r\n--b--\r\n'
    shown = without_secrets(InboundRequest("multipart/form-data; boundary=b", parts.encode()))
    assert shown.startswith('{"event":"media.stop"')
    assert len(shown) == MOST_SHOWN
