"""What can go wrong with a simulated server, switched by its control routes."""

from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web


class Phase(StrEnum):
    """How far a server that starts has come (pitfall 40)."""

    COLD = "cold"
    LOADING = "loading"


@dataclass(slots=True)
class Faults:
    """Switchable misbehaviour; control routes are exempt.

    `status` answers every request with that status (`retry_after` seconds go into the header), `truncate` leaves out the last rows of each
    page without changing the total, `slow` waits so many seconds before each answer, `read_only` accepts writes but ignores them.
    `slow_lists` waits before each page of a listing, whatever its size (pitfall 50). `scan`: a scan is on, so many rows of a listing are there
    yet, and after each page `scan_step` more, until it is over (pitfall 41). `shift`: so often a title comes in at the head while somebody
    pages. `skew`: the clock is off by so many seconds. `phase`: the server is starting. `parallel`: so many requests at once, more are
    a 503. `unfiltered`: listings ignore every filter (I7). `broken_text`: names are no valid UTF-8. `twice`: each webhook is sent two times; `disorder`: after the one that follows it.
    """

    offline: bool = False
    status: int | None = None
    retry_after: int | None = None
    truncate: bool = False
    slow: float = 0.0
    read_only: bool = False
    slow_lists: float = 0.0
    scan: int | None = None
    scan_step: int = 0
    shift: int = 0
    skew: float = 0.0
    phase: Phase | None = None
    parallel: int | None = None
    unfiltered: bool = False
    broken_text: bool = False
    twice: bool = False
    disorder: bool = False

    def visible[T](self, rows: list[T], most: int) -> list[T]:
        """Return the rows that a scan has brought so far; it is over when all of at `most` so many titles are there."""
        if self.scan is None:
            return rows
        found = rows[: self.scan]
        self.scan += self.scan_step
        if self.scan >= most:
            self.scan = None
        return found


def without_filters(request: web.Request) -> web.Request:
    """Return a request as a server understands it that does not know the filters by which this project asks."""
    kept = [(name, value) for name, value in request.query.items() if ">>" not in name and name.lower() not in {"filters", "mindatelastsavedforuser"}]
    return request.clone(rel_url=request.rel_url.with_query(kept))


def with_broken_text(answer: web.StreamResponse) -> None:
    """Put a byte that is no UTF-8 into every title, as old metadata has it (server-apis §6)."""
    if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
        for name in (b'"title": "', b'"Name": "', b' title="'):
            answer.body = answer.body.replace(name, name + b"\xe9")
