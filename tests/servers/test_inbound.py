"""What people may read of a webhook."""

import json

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


def test_a_form_shows_its_text_only() -> None:
    """Plex's payload without its poster; cut to what a journal can hold."""
    payload = json.dumps({"event": "media.stop", "Metadata": {"summary": "x" * 5000}})
    parts = f'--b\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{payload}\r\n--b--\r\n'
    shown = without_secrets(InboundRequest("multipart/form-data; boundary=b", parts.encode()))
    assert shown.startswith('{"event":"media.stop"')
    assert len(shown) == MOST_SHOWN
