"""One per Home Assistant: the viewers' syncs, the loaded servers, and the hints that wait to be looked at."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CALLBACK_TYPE, Event, HassJob, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.event import async_call_later, async_track_point_in_utc_time
from homeassistant.util.hass_dict import HassKey

from .const import (
    CONF_BREAKER_ITEMS,
    CONF_BREAKER_PERCENT,
    CONF_DIRECTION,
    CONF_INITIAL_SYNC,
    CONF_JOURNAL_DAYS,
    CONF_JOURNAL_ENTRIES,
    CONF_LIBRARIES,
    CONF_MATCH_BY_FILE_NAME,
    CONF_MATCH_BY_TITLE,
    CONF_POSITION_MAX_PERCENT,
    CONF_POSITION_MIN_SECONDS,
    CONF_POSITION_TOLERANCE_SECONDS,
    CONF_SYNC_POSITION,
    CONF_SYNC_RATINGS,
    CONF_VANISHED_PERCENT,
    CONF_VIEWER,
    DEFAULT_JOURNAL_DAYS,
    DEFAULT_JOURNAL_ENTRIES,
    DOMAIN,
    EVENT_SYNC_APPROVED,
    EVENT_SYNC_DISCARDED,
    SIGNAL_CHANGE,
    SIGNAL_REPORT,
)
from .coordinator import Numbers, ServerCoordinator, run_status
from .engine.cycle import Cycle
from .engine.holds import Hold
from .engine.journal import Journal
from .engine.report import Change, Report
from .engine.run import Account, Run
from .engine.viewer import Agree, ViewerSync
from .following import Following
from .held import announce, announce_held, described, show_issues
from .helpers import account_subentries, household_entry, server_of, utcnow
from .issues import remember_synced, show_lost, show_ownerless, was_synced
from .ports import StoreError
from .store import StoredDocuments
from .sync.policy import AccountPolicy, Direction, InitialSync, Limits, Policy, Traits

FLUSH_AFTER = timedelta(seconds=30)  # what is acknowledged but not on disk is found again by itself after a crash
LONGEST_FLUSH = 10  # seconds
LONGEST_PAUSE = timedelta(hours=2)  # a backup that never says that it ended must not stop the sync for good
BREAK = timedelta(seconds=1)  # between two rounds of retries
SHOWN_EVERY = timedelta(seconds=10)  # while much is written; what is shown goes to the recorder's disk too


class Hub:
    """Brings viewers and servers together."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Start with nothing loaded."""
        self.hass = hass
        self.documents = StoredDocuments(hass)
        self.journal = Journal(self.documents, self._on_news)
        self.coordinators: dict[str, ServerCoordinator] = {}
        self.viewers: dict[str, ViewerSync] = {}
        self.following = Following(hass, self.viewers, self.sync_viewer)
        self.lost: set[str] = set()  # viewers whose agreed state cannot be read (G3)
        self._loading = asyncio.Lock()
        self._attached: dict[str, dict[str, str]] = {}  # by entry: account -> viewer
        self._timers: dict[str, CALLBACK_TYPE] = {}
        self._resume: CALLBACK_TYPE | None = None
        self._shown_at = utcnow()

    async def start(self) -> None:
        """Tidy up after a crash and find the journal; write what is only in memory when Home Assistant stops."""
        await self.documents.tidy()
        await self.journal.load()
        self.hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._on_stop)

    async def viewer(self, viewer_id: str) -> ViewerSync:
        """Return a viewer's sync, loaded at first use; raises `StoreError` when what was agreed on is lost (G3)."""
        async with self._loading:
            if viewer_id not in self.viewers:
                viewer = ViewerSync(viewer_id, self.documents, utcnow, self._on_change, self._on_progress, journal=self.journal)
                try:
                    await viewer.load(synced=was_synced(self.hass, viewer_id))
                except StoreError as error:
                    self.lost.add(viewer_id)
                    show_lost(self.hass, viewer_id, error)
                    raise
                self._found(viewer_id)
                self.viewers[viewer_id] = viewer
                show_issues(self.hass, viewer)  # what is held is so too while no server answers (G2)
        self._follow_options(self.viewers[viewer_id])
        return self.viewers[viewer_id]

    async def load(self, viewer_ids: Iterable[str]) -> dict[str, ViewerSync]:
        """Load viewers, but for those whose agreed state is lost; raises `StoreError` when that leaves nobody (G3)."""
        found: dict[str, ViewerSync] = {}
        lost: list[StoreError] = []
        for viewer_id in viewer_ids:
            try:
                found[viewer_id] = await self.viewer(viewer_id)
            except StoreError as error:
                lost.append(error)
        if lost and not found:
            raise lost[0]
        return found

    async def attach(self, coordinator: ServerCoordinator) -> None:
        """Let the accounts of a server take part, but those of a viewer who was removed; raises `StoreError` when nobody's can."""
        entry, household = coordinator.config_entry, household_entry(self.hass)
        viewer_ids = household.subentries.keys() if household else ()
        accounts = {one.subentry_id: one for one in account_subentries(entry) if one.data[CONF_VIEWER] in viewer_ids}
        show_ownerless(self.hass, entry, [one.title for one in account_subentries(entry) if one.subentry_id not in accounts])
        viewers = await self.load({subentry.data[CONF_VIEWER] for subentry in accounts.values()})
        for account_id, subentry in accounts.items():
            if viewer := viewers.get(subentry.data[CONF_VIEWER]):
                viewer.accounts[account_id] = self.account(entry, subentry)
        await self._forget(entry, {known: one.data[CONF_VIEWER] for known, one in accounts.items()})
        self.coordinators[entry.entry_id] = coordinator
        coordinator.refresh_numbers()
        for viewer in viewers.values():
            show_issues(self.hass, viewer)

    async def detach(self, entry: ConfigEntry) -> None:
        """Take a server's accounts out; what was agreed stays."""
        self.coordinators.pop(entry.entry_id, None)
        for account_id, viewer_id in self._attached.get(entry.entry_id, {}).items():
            if viewer := self.viewers.get(viewer_id):  # the household may have been removed first
                viewer.accounts.pop(account_id, None)
                await self._flush(viewer)

    async def remove_server(self, entry: ConfigEntry) -> None:
        """Forget a server that was removed; of a viewer who is gone too, or whose agreed state is lost, nothing is left to forget."""
        household = household_entry(self.hass)
        for subentry in account_subentries(entry):
            if household and subentry.data[CONF_VIEWER] in household.subentries:
                with suppress(StoreError):
                    await self._forget_account(await self.viewer(subentry.data[CONF_VIEWER]), subentry.subentry_id)
        self._attached.pop(entry.entry_id, None)

    async def remove_viewer(self, viewer_id: str) -> None:
        """Delete all that is known of a viewer."""
        self._cancel(viewer_id)
        viewer = self.viewers.pop(viewer_id, None) or ViewerSync(viewer_id, self.documents, utcnow)
        await viewer.remove()
        viewer.holds.held.clear()
        show_issues(self.hass, viewer)
        self._found(viewer_id)

    async def preview(self, viewer_id: str | None, account: Account) -> Report:
        """Plan the first sync of an account that is not there yet; `viewer_id` None for a viewer that is not there yet either."""
        viewer = await self.viewer(viewer_id) if viewer_id else ViewerSync("", self.documents, utcnow, policy=self.policy())
        return await viewer.preview("preview", account)

    async def sync(self, run: Run) -> list[Report]:
        """Let every viewer who has an account in the run do it; entities follow."""
        chosen = [viewer for viewer in self.viewers.values() if run.accounts is None or viewer.accounts.keys() & run.accounts]
        return [await self.sync_viewer(viewer, run) for viewer in chosen]

    async def sync_viewer(self, viewer: ViewerSync, run: Run, agree: Agree = Cycle.agree) -> Report:
        """Do a run for one viewer; entities follow."""
        quick = run.hints or run.dry_run or run.explicit
        busy = [one for one in self._coordinators_of(viewer) if not quick and (run.accounts is None or one.accounts & run.accounts)]
        with ExitStack() as shown:
            for coordinator in busy:
                shown.enter_context(coordinator.at(run_status(run.kind)))
            report = await viewer.run(run, agree)
            if not run.dry_run:
                self._show(viewer, report)
        if not run.dry_run:
            announce(self.hass, viewer, run, report)
        return report

    async def pause(self) -> None:
        """Put on disk what is not there yet, and keep it as it is until `resume`; reading goes on, and what is to be written waits.

        A run that is under way is not waited for long: what it has written so far is whole.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_FLUSH):
                for viewer in list(self.viewers.values()):
                    await viewer.flush()
        await self.documents.hold()
        self._resume = async_call_later(self.hass, LONGEST_PAUSE, HassJob(self.resume, cancel_on_shutdown=True))

    @callback
    def resume(self, _now: datetime | None = None) -> None:
        """Let documents change again."""
        if self._resume:
            self._resume()
            self._resume = None
        self.documents.release()

    async def decide(self, viewer: ViewerSync, holds: Sequence[Hold], named: str, *, approve: bool) -> list[Report]:
        """Approve or discard what is held (G2), in runs that have this name."""
        facts = [described(self.hass, viewer, hold) for hold in holds]
        reports = await viewer.approve(holds, named) if approve else [await viewer.discard(holds, named)]
        for report in reports:
            self._show(viewer, report)
            announce_held(self.hass, viewer, report)
        away = {account for report in reports for account in report.errors}
        for one in (one for hold, one in zip(holds, facts, strict=True) if hold.account not in away):
            self.hass.bus.async_fire(EVENT_SYNC_APPROVED if approve else EVENT_SYNC_DISCARDED, one)
        return reports

    def is_held(self, entry: ConfigEntry) -> bool:
        """Whether anything of a server is held."""
        return any(viewer.holds.has_any(account) for viewer in self.viewers.values() for account in viewer.accounts if account in entry.subentries)

    def is_slow(self, entry: ConfigEntry) -> bool:
        """Whether a server takes long for every page."""
        return any(one.server.slow_pages for viewer in self.viewers.values() for account, one in viewer.accounts.items() if account in entry.subentries)

    def numbers(self, entry: ConfigEntry) -> Numbers:
        """Count what a server has and what it is owed."""
        found = [(viewer, account) for viewer in self.viewers.values() for account in viewer.accounts if account in entry.subentries]
        counts = [viewer.counts(account) for viewer, account in found]
        reported = [viewer.tallies[account] for viewer, account in found if account in viewer.tallies]
        return Numbers(
            sum(one.items for one in counts),
            sum(one.watched for one in counts),
            sum(viewer.pending(account) for viewer, account in found),
            sum(viewer.unnamed(account) for viewer, account in found),
            sum(one.owed for one in counts),
            sum(reported, start=Counter()) if reported else None,
        )

    async def _retry(self, viewer_id: str, _now: datetime) -> None:
        """Try the writes again whose time has come, and put on disk what was acknowledged."""
        self._timers.pop(viewer_id, None)
        if viewer := self.viewers.get(viewer_id):
            report = await viewer.retry()
            await viewer.flush()
            self._show(viewer, report)

    def _found(self, viewer_id: str) -> None:
        self.lost.discard(viewer_id)
        show_lost(self.hass, viewer_id, None)

    def _show(self, viewer: ViewerSync, report: Report) -> None:
        if viewer.is_stored:
            remember_synced(self.hass, viewer.viewer)
        for coordinator in self._coordinators_of(viewer):
            if coordinator.accounts & report.counts.keys():
                coordinator.take(report)
            else:
                coordinator.refresh_numbers()
        show_issues(self.hass, viewer)
        async_dispatcher_send(self.hass, SIGNAL_REPORT.format(viewer.viewer), report)
        self._cancel(viewer.viewer)
        due = viewer.next_retry or utcnow() + FLUSH_AFTER
        job = HassJob(partial(self._retry, viewer.viewer), cancel_on_shutdown=True)
        self._timers[viewer.viewer] = async_track_point_in_utc_time(self.hass, job, max(due, utcnow() + BREAK))

    @callback
    def _on_news(self) -> None:
        """Write the journal a little later: one write for all that comes meanwhile."""
        async_call_later(self.hass, FLUSH_AFTER, HassJob(self._flush_journal, cancel_on_shutdown=True))

    async def _flush_journal(self, _now: datetime) -> None:
        if household_entry(self.hass):  # after that there is nobody whose journal it is
            await self.journal.flush(utcnow())

    async def _on_stop(self, _event: Event) -> None:
        for viewer in self.viewers.values():
            await viewer.flush()
        await self._flush_journal(utcnow())

    def _on_change(self, change: Change) -> None:
        async_dispatcher_send(self.hass, SIGNAL_CHANGE.format(change.viewer), change)

    def _on_progress(self, viewer: ViewerSync) -> None:
        """Show how much is still to be written."""
        if (now := utcnow()) >= self._shown_at + SHOWN_EVERY:
            self._shown_at = now
            for coordinator in self._coordinators_of(viewer):
                coordinator.refresh_numbers()

    def _coordinators_of(self, viewer: ViewerSync) -> list[ServerCoordinator]:
        return [one for one in self.coordinators.values() if one.accounts & viewer.accounts.keys()]

    async def _forget(self, entry: ConfigEntry, now: dict[str, str]) -> None:
        """Let viewers forget the accounts that left them since the entry was loaded the last time."""
        for account_id, viewer_id in self._attached.get(entry.entry_id, {}).items():
            if now.get(account_id) != viewer_id and viewer_id in self.viewers:
                await self._forget_account(self.viewers[viewer_id], account_id)
        self._attached[entry.entry_id] = now

    async def _forget_account(self, viewer: ViewerSync, account_id: str) -> None:
        await viewer.forget(account_id)
        show_issues(self.hass, viewer)

    async def _flush(self, viewer: ViewerSync) -> None:
        await viewer.flush()
        if not viewer.accounts:
            self._cancel(viewer.viewer)

    def _cancel(self, viewer_id: str) -> None:
        if cancel := self._timers.pop(viewer_id, None):
            cancel()

    def account(self, entry: ConfigEntry, subentry: ConfigSubentry) -> Account:
        """Return how an account takes part."""
        server = server_of(self.hass, entry, subentry)
        return Account(server, account_policy(server.traits, subentry.data, entry.options), frozenset(subentry.data[CONF_LIBRARIES]), entry.unique_id)

    def _follow_options(self, viewer: ViewerSync) -> None:
        household = household_entry(self.hass)
        options = household.options if household else {}
        viewer.policy = self.policy()
        self.journal.days = int(options.get(CONF_JOURNAL_DAYS, DEFAULT_JOURNAL_DAYS))
        self.journal.entries = int(options.get(CONF_JOURNAL_ENTRIES, DEFAULT_JOURNAL_ENTRIES))

    def policy(self) -> Policy:
        """Return the household's thresholds."""
        household = household_entry(self.hass)
        options, usual = household.options if household else {}, Policy()
        return Policy(
            position_min_seconds=int(options.get(CONF_POSITION_MIN_SECONDS, usual.position_min_seconds)),
            position_max_percent=int(options.get(CONF_POSITION_MAX_PERCENT, usual.position_max_percent)),
            position_tolerance_seconds=int(options.get(CONF_POSITION_TOLERANCE_SECONDS, usual.position_tolerance_seconds)),
            limits=Limits(
                breaker_items=int(options.get(CONF_BREAKER_ITEMS, usual.limits.breaker_items)),
                breaker_percent=int(options.get(CONF_BREAKER_PERCENT, usual.limits.breaker_percent)),
                vanished_percent=int(options.get(CONF_VANISHED_PERCENT, usual.limits.vanished_percent)),
            ),
        )


def account_policy(traits: Traits, chosen: Mapping[str, Any], options: Mapping[str, Any]) -> AccountPolicy:
    """Return how an account takes part, by what was chosen for it and by its server's options."""
    return AccountPolicy(
        traits,
        Direction(chosen[CONF_DIRECTION]),
        InitialSync(chosen[CONF_INITIAL_SYNC]),
        sync_position=options.get(CONF_SYNC_POSITION, True),
        sync_ratings=options.get(CONF_SYNC_RATINGS, True),
        match_by_file_name=options.get(CONF_MATCH_BY_FILE_NAME, False),
        match_by_title=options.get(CONF_MATCH_BY_TITLE, False),
    )


HUB: HassKey[Hub] = HassKey(DOMAIN)


def hub_of(hass: HomeAssistant) -> Hub:
    """Return the hub; a first config flow needs it before anything is set up."""
    return hass.data.setdefault(HUB, Hub(hass))
