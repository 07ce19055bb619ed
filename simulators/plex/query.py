"""What a request asks of a list: a page, and filters (server-apis §3.1)."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">>": operator.gt,
    "<<": operator.lt,
    ">": operator.ge,
    "<": operator.le,
    "!": operator.ne,
    "": operator.eq,
}


def page(request: web.Request) -> tuple[int | None, int | None]:
    """Return start and size of the page that is asked for, in headers or arguments; both None: everything."""
    start, size = (request.headers.get(name, request.query.get(name)) for name in ("X-Plex-Container-Start", "X-Plex-Container-Size"))
    return None if start is None else int(start), None if size is None else int(size)


def passes(query: Mapping[str, str], values: Mapping[str, int]) -> bool:
    """Apply the filters, whose operators are a part of the argument's name: `lastViewedAt>>=170…`, maybe with a kind before it."""
    for argument, value in query.items():
        name = argument.rpartition(".")[2]
        field = name.rstrip("<>!")
        if field in values and not OPERATORS[name[len(field) :]](values[field], int(value)):
            return False
    return True


def ordered[T](found: list[T], sort: str, values_of: Callable[[T], Mapping[str, int]]) -> list[T]:
    """Sort by fields, each with its direction, the first of them above all: `addedAt:desc,year`; what is not known sorts nothing."""
    for one in reversed(sort.split(",")):
        field, _, direction = one.partition(":")
        found = sorted(found, key=lambda item: values_of(item).get(field, 0), reverse=direction == "desc")
    return found
