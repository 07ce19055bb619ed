"""Webhook bodies without a web framework: forms and JSON, as they come through any way in."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from ..ports import InboundError, InboundRequest, InboundTooLarge

MAX_TEXT = 1 << 20
"""Bytes of a webhook's text; Plex's poster, a part of its own, does not count."""
MOST_PARTS = 20
MOST_SHOWN = 1000
"""Characters of a body that are kept for people to read."""
_DISPOSITION = re.compile(r"^content-disposition:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_SECRET_NAMES = re.compile(r"token|secret|passw|api_?key|auth|cookie|address|endpoint|^ip$|e_?mail|device_?id", re.IGNORECASE)
_VALUES = re.compile(r"""("(?:[^"\\]|\\.)*"\s*:)|"(?:[^"\\]|\\.)*"?|(?<=[:=])\s*[^\s"&,;{}\[\]]+|[^\s"&,;:={}\[\]]{16,}""", re.DOTALL)  # first what is a name
_SECRET_VALUES = re.compile(r"((?:token|api_?key|secret|password)=)[^&\s\"]+", re.IGNORECASE)


def form_fields(request: InboundRequest) -> dict[str, str]:
    """Return a form's text fields, of multipart or of URL encoding; none for another type. Files are left out."""
    kind = request.content_type.partition(";")[0].strip().casefold()
    if kind == "multipart/form-data":
        return _multipart(request)
    if kind == "application/x-www-form-urlencoded":
        _limit(len(request.body))
        return dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
    return {}


def json_object(request: InboundRequest) -> Mapping[str, Any]:
    """Return a JSON body, whatever its type says; raises InboundError."""
    _limit(len(request.body))
    try:
        found = json.loads(request.body.decode(errors="replace"))
    except ValueError, RecursionError:
        message = "the body is not JSON"
        raise InboundError(message) from None
    if not isinstance(found, dict):
        message = "the body is not a JSON object"
        raise InboundError(message)
    return found


def without_secrets(request: InboundRequest) -> str:
    """Return the start of a message for people to read: nothing that lets anybody in, no address of a player, no picture; of a broken one no values at all."""
    try:
        field = next((text for text in form_fields(request).values() if text.lstrip().startswith("{")), None)
        content = json_object(request if field is None else InboundRequest("application/json", field.encode()))
    except InboundError:
        return _VALUES.sub(lambda found: found[1] or "…", request.body[:MOST_SHOWN].decode(errors="replace"))
    return json.dumps(_masked(content), ensure_ascii=False, separators=(",", ":"))[:MOST_SHOWN]


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "…" if _SECRET_NAMES.search(name) and one else _masked(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_masked(one) for one in value]
    return _SECRET_VALUES.sub(r"\1…", value) if isinstance(value, str) else value


def _multipart(request: InboundRequest) -> dict[str, str]:
    """Read the text parts; a cloudhook's body went through UTF-8, which breaks the poster but not the text (pitfall 31).

    By hand: the standard library takes a second for a poster of 4 MiB, while the event loop would wait, and stumbles over odd heads.
    """
    boundary = _parameter(request.content_type, "boundary") or ""
    _, *parts = (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode(errors="replace"), MOST_PARTS)
    if not boundary or not parts or not parts.pop().startswith(b"--"):
        message = "the form cannot be taken apart"
        raise InboundError(message)
    fields: dict[str, str] = {}
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        disposition = _DISPOSITION.search(head.decode(errors="replace"))
        about = disposition[1] if disposition else ""
        name = _parameter(about, "name")
        if name is not None and _parameter(about, r"filename\*?") is None:
            _limit(len(content))
            fields[name] = content.decode(errors="replace")
    return fields


def _parameter(header: str, name: str) -> str | None:
    found = re.search(rf';\s*{name}\s*=\s*"?([^";\r\n]*)', header, re.IGNORECASE)
    return found and found[1].strip()


def _limit(size: int) -> None:
    if size > MAX_TEXT:
        message = "the text is too large"
        raise InboundTooLarge(message)
