"""Webhook bodies, whatever framework took them in."""

import pytest

from custom_components.plex_watchsync.ports import InboundError, InboundRequest, InboundTooLarge
from custom_components.plex_watchsync.servers.inbound import MAX_TEXT, MOST_PARTS, form_fields, json_object

TYPE = "multipart/form-data; boundary=b1"


def part(name: str, content: bytes, *, file: str = "") -> bytes:
    """Write a part of a form."""
    named = f'form-data; name="{name}"' + (f'; filename="{file}"' if file else "")
    return f"--b1\r\nContent-Disposition: {named}\r\n\r\n".encode() + content + b"\r\n"


def test_a_form_in_parts() -> None:
    """Text fields count, files and parts without a name do not."""
    body = part("payload", b'{"a": 1}') + part("thumb", b"\xff\xd8", file="thumb.jpg") + b"--b1\r\nX: y\r\n\r\n?\r\n" + b"--b1--\r\n"
    assert form_fields(InboundRequest(TYPE, body)) == {"payload": '{"a": 1}'}


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        (b"Content-Type: text/plain; name=other\r\ncontent-disposition: form-data; NAME=payload", {"payload": "{}"}),
        (b'Content-Disposition: form-data;\r\n name = "payload"\r\nX: y', {"payload": "{}"}),
        (b'Content-Disposition: form-data; name="payload"; filename=""', {}),
        (b"Content-Disposition: form-data; name=payload; filename*=utf-8''%ff", {}),
        (b'Content-Disposition: form-data; filename="; name=payload"', {}),
        (b"Content-Disposition: form-data *0*", {}),
        (b"Content-Disposition: form-data; name*0=pay; name*1=load", {}),
        (b"Content-Disposition: form-data; name*=payload; name*0=payload", {}),
        (b"Content-Disposition:", {}),
        (b"\xe9", {}),
    ],
)
def test_heads_of_parts(head: bytes, fields: dict[str, str]) -> None:
    """However they are written; of what is no head nothing is taken, and it is no error (pitfall 30)."""
    body = b"--b1\r\n" + head + b"\r\n\r\n{}\r\n--b1--"
    for boundary in ("b1", '"b1"', "b1; charset=utf-8"):
        assert form_fields(InboundRequest(f"Multipart/Form-Data; charset=x; Boundary={boundary}", body)) == fields


def test_a_form_in_one_line() -> None:
    """Emby's other way."""
    assert form_fields(InboundRequest("application/x-www-form-urlencoded", b"data=%7B%7D&empty=")) == {"data": "{}", "empty": ""}


def test_what_is_no_form() -> None:
    """JSON has no fields."""
    assert form_fields(InboundRequest("application/json; charset=utf-8", b"{}")) == {}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (TYPE, b""),
        (TYPE, b"--b1\r\n"),
        (TYPE, part("payload", b"cut off")),
        ("multipart/form-data", part("payload", b"{}") + b"--b1--"),
        ("multipart/form-data; boundary=\udce9", part("payload", b"{}") + b"--b1--"),
        ("multipart/form-data; form-data *0*", part("payload", b"{}") + b"--b1--"),
        (TYPE, part("many", b"x") * (MOST_PARTS + 1) + b"--b1--"),
    ],
)
def test_a_form_that_cannot_be_taken_apart(kind: str, body: bytes) -> None:
    """No end, no boundary or an odd one, or far too many parts: a 400, never a traceback (pitfall 30)."""
    with pytest.raises(InboundError, match="taken apart"):
        form_fields(InboundRequest(kind, body))


def test_texts_are_bounded_and_the_poster_is_not_one() -> None:
    """Pitfall 32: 1 MiB for a text, whichever way it comes."""
    large = b"x" * (MAX_TEXT + 1)
    for request in (
        InboundRequest(TYPE, part("payload", large) + b"--b1--"),
        InboundRequest("application/x-www-form-urlencoded", b"data=" + large),
    ):
        with pytest.raises(InboundTooLarge):
            form_fields(request)
    with pytest.raises(InboundTooLarge):
        json_object(InboundRequest("application/json", large))
    assert form_fields(InboundRequest(TYPE, part("thumb", large, file="thumb.jpg") + b"--b1--")) == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object(body: bytes) -> None:
    """Nor is it quoted in the message."""
    with pytest.raises(InboundError, match="the body is not "):
        json_object(InboundRequest("text/plain", body))
