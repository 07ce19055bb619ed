"""Begin anew with a viewer whose agreed state is lost: what his servers show is merged, with what a backup says or without (G3)."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.util.ulid import ulid_now

from .const import CONF_INITIAL_SYNC, CONF_VIEWER, DOMAIN
from .engine.cycle import Cycle
from .engine.report import Report
from .engine.restore import Restore
from .engine.run import Run
from .engine.viewer import ViewerSync
from .helpers import account_subentries, household_entry, is_household, utcnow
from .hub import HUB, Hub
from .ports import StoreError
from .sync.baseline import Baseline
from .sync.policy import InitialSync
from .sync.portable import Entry


async def plan(hass: HomeAssistant, viewer_id: str, saved: Sequence[Entry]) -> Report:
    """Say what beginning anew would write; nothing is kept (G1, G6)."""
    hub = hass.data[HUB]
    viewer = await _fresh(hub, viewer_id)
    for entry, subentry in _accounts(hass, viewer_id):
        account = hub.account(entry, subentry)
        viewer.accounts[subentry.subentry_id] = replace(account, policy=replace(account.policy, initial_sync=InitialSync.MERGE))
    restore = Restore(saved, utcnow())

    async def agree(cycle: Cycle) -> frozenset[str]:
        await restore(cycle)
        return await cycle.agree()

    return await viewer.run(Run(dry_run=True), agree)


async def begin(hass: HomeAssistant, viewer_id: str, saved: Sequence[Entry]) -> None:
    """Delete what is left, keep what a backup says, and have all accounts merged as if for the first time: nothing is unwatched by that (G1)."""
    viewer = await _fresh(hass.data[HUB], viewer_id)
    rules = viewer.ignores.rules
    await viewer.remove()
    if rules:
        await viewer.ignores.change(rules, viewer.baseline)
    await viewer.run(Run(run_id=ulid_now()), Restore(saved, utcnow()))
    household = household_entry(hass)
    concerned = {household.entry_id} if household else set()
    for entry, subentry in _accounts(hass, viewer_id):
        merged = {**subentry.data, CONF_INITIAL_SYNC: InitialSync.MERGE.value}
        hass.config_entries.async_update_subentry(entry, subentry, data=merged)
        concerned.add(entry.entry_id)
    for entry_id in concerned:
        hass.config_entries.async_schedule_reload(entry_id)


async def _fresh(hub: Hub, viewer_id: str) -> ViewerSync:
    """Return a viewer of whom nothing is known but what is to be left alone, if that can be read (I8)."""
    viewer = ViewerSync(viewer_id, hub.documents, utcnow, journal=hub.journal, policy=hub.policy())
    with suppress(StoreError):
        await viewer.ignores.load()
    viewer.baseline = Baseline(viewer.ignores.selection)
    return viewer


def _accounts(hass: HomeAssistant, viewer_id: str) -> Iterator[tuple[ConfigEntry, ConfigSubentry]]:
    """Find a viewer's accounts, whether their servers are loaded or not."""
    for entry in hass.config_entries.async_entries(DOMAIN, include_disabled=False):
        for subentry in () if is_household(entry) else account_subentries(entry):
            if subentry.data[CONF_VIEWER] == viewer_id:
                yield entry, subentry
