"""What waits to be looked at: hints, and accounts of which something may have gone untold."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from .const import DOMAIN
from .engine.report import Report
from .engine.run import Run
from .engine.viewer import ViewerSync
from .ports import Hint

SECOND_LOOK = timedelta(seconds=3)  # Plex may send a webhook before it has counted the view (server-apis §5.1)


class Following:
    """Has what waits looked at, one run of a viewer after the other: what comes meanwhile waits for the next, however much it is."""

    def __init__(self, hass: HomeAssistant, viewers: Mapping[str, ViewerSync], sync: Callable[[ViewerSync, Run], Awaitable[Report]]) -> None:
        """Start with nothing that waits; `viewers` by id, `sync` does a run."""
        self._hass, self._viewers, self.sync = hass, viewers, sync
        self._hints: dict[str, dict[tuple[str, str], Hint]] = {}  # by viewer
        self._behind: dict[str, set[str]] = {}  # by viewer: the accounts
        self._at: set[tuple[str, str]] = set()  # for which viewers somebody is at what

    @callback
    def hint(self, viewer_id: str, hints: Iterable[Hint]) -> None:
        """Have items looked at, now and once more a little later."""
        waiting = self._hints.setdefault(viewer_id, {})
        for hint in hints:
            place = hint.account, hint.item_id
            waiting[place] = _merged(waiting.get(place, hint), hint)
        self._follow(viewer_id, self._hints, self._look)

    @callback
    def catch_up(self, viewer_id: str, account: str) -> None:
        """Have an account read of which something may have gone untold."""
        self._behind.setdefault(viewer_id, set()).add(account)
        self._follow(viewer_id, self._behind, self._catch_up)

    def _follow[Waiting](self, viewer_id: str, waiting: dict[str, Waiting], work: Callable[[str, Waiting], Awaitable[None]]) -> None:
        """Work off what waits, unless somebody is at it."""
        if (viewer_id, work.__name__) not in self._at:
            self._at.add((viewer_id, work.__name__))
            self._hass.async_create_background_task(self._work_off(viewer_id, waiting, work), f"{DOMAIN} follows {viewer_id}", eager_start=False)

    async def _work_off[Waiting](self, viewer_id: str, waiting: dict[str, Waiting], work: Callable[[str, Waiting], Awaitable[None]]) -> None:
        try:
            while viewer_id in waiting:
                await work(viewer_id, waiting.pop(viewer_id))
        finally:
            self._at.discard((viewer_id, work.__name__))

    async def _look(self, viewer_id: str, hints: dict[tuple[str, str], Hint]) -> None:
        """Look at what was hinted at; what shows nothing new is looked at a second time."""
        viewer = self._viewers.get(viewer_id)
        live = tuple(hint for hint in hints.values() if viewer and hint.account in viewer.accounts)
        if viewer is None or not live:
            return
        report = await self.sync(viewer, Run(hints=live))
        early = [hint for hint in live if not hint.again and not report.of(hint.account).changed]
        if early:
            again = [replace(hint, again=True) for hint in early]
            job = HassJob(partial(self._hint_again, viewer_id, again), cancel_on_shutdown=True)
            async_call_later(self._hass, SECOND_LOOK, job)

    @callback
    def _hint_again(self, viewer_id: str, hints: list[Hint], _now: datetime) -> None:
        self.hint(viewer_id, hints)

    async def _catch_up(self, viewer_id: str, behind: set[str]) -> None:
        viewer = self._viewers.get(viewer_id)
        if viewer and (accounts := behind & viewer.accounts.keys()):
            await self.sync(viewer, Run(accounts=frozenset(accounts), recent=True))


def _merged(waiting: Hint, hint: Hint) -> Hint:
    """Put two hints at an item together: the word that a person marked it unwatched stays (R5, G2), and one look is enough only if both say so."""
    return replace(max(hint, waiting, key=lambda one: (one.unplayed, one.at)), again=waiting.again and hint.again)
