"""What servers tell, by webhook or over a push stream: whose it is, and what follows from it."""

from collections.abc import Iterable

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send

from .const import CONF_KIND, CONF_USER_ID, CONF_VIEWER, DOMAIN, SIGNAL_PLAYBACK, SIGNAL_WEBHOOK
from .coordinator import WatchSyncConfigEntry
from .engine.ignores import found_to_take_part, takes_part
from .engine.journal import Note, NoteKind
from .engine.viewer import ViewerSync
from .helpers import account_subentries, is_household, utcnow
from .hub import HUB
from .logger import LOGGER
from .ports import Hint, InboundEvent, InboundRequest, ServerError
from .servers import without_secrets
from .sync.model import ReplicaId

LEFT_ALONE = "it is about no title that takes part here"


@callback
def route(hass: HomeAssistant, entry: WatchSyncConfigEntry, event: InboundEvent, way: str, message: InboundRequest | None = None) -> None:
    """Route an event to its server and accounts: tell of what a player did, and have its item looked at. `way` is how it came, `message` in which words."""
    target = _server_entry(hass, entry, event)
    accounts = _accounts_of(event, account_subentries(target)) if target else []
    taking_part = [one for one in accounts if _follow(hass, one, event)]
    reason = "it is from another server" if target is None else "its user has no account here" if not accounts else "" if taking_part else LEFT_ALONE
    used = bool(taking_part) and (event.may_have_changed or event.playback is not None)
    note(hass, target or entry, way, "processed" if used else "ignored", event=event, account=next(iter(accounts), None), reason=reason, message=message)


def _follow(hass: HomeAssistant, account: ConfigSubentry, event: InboundEvent) -> bool:
    """Do for an account what follows from an event; whether it is about anything that takes part, as far as that is known (I8)."""
    if event.item_id is None:
        return False
    account_id, hub = account.subentry_id, hass.data[HUB]
    viewer = hub.viewers.get(account.data[CONF_VIEWER])
    if viewer is None or account_id not in viewer.accounts:
        return False
    known = takes_part(viewer.baseline, viewer.accounts[account_id], ReplicaId(account_id, event.item_id), event.library)
    if known is False:
        return False
    if event.playback:
        telling = _tell(hass, viewer, account_id, event, is_known=bool(known))
        hass.async_create_background_task(telling, f"{DOMAIN} tells of a player", eager_start=True)
    if event.may_have_changed:
        hub.following.hint(viewer.viewer, [Hint(account_id, event.item_id, min(event.at or utcnow(), utcnow()), event.unplayed, event.settled)])
    return True


async def _tell(hass: HomeAssistant, viewer: ViewerSync, account_id: str, event: InboundEvent, *, is_known: bool) -> None:
    """Tell of what a player did; a title that is not known yet is looked up first: it may be ignored, or lie in a library that is (pitfall 15)."""
    assert event.item_id is not None
    try:
        if is_known or await found_to_take_part(viewer.ignores.selection, viewer.accounts[account_id], event.item_id):
            async_dispatcher_send(hass, SIGNAL_PLAYBACK.format(viewer.viewer), account_id, event)
    except ServerError as error:
        LOGGER.debug("What is played cannot be looked up: %s", error)


def _server_entry(hass: HomeAssistant, entry: WatchSyncConfigEntry, event: InboundEvent) -> WatchSyncConfigEntry | None:
    """Find the loaded entry of the server that an event is about: one Plex account's webhook serves all its servers."""
    if event.server_id is None:
        return entry
    loaded: list[WatchSyncConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    return next((one for one in loaded if not is_household(one) and one.unique_id == event.server_id and one.data[CONF_KIND] == event.kind), None)


def _accounts_of(event: InboundEvent, accounts: Iterable[ConfigSubentry]) -> list[ConfigSubentry]:
    """Find the accounts of an event's user: by id, else by name, for Tautulli gives the owner the id of plex.tv; of an event without a user, all."""
    everybody = list(accounts)
    if event.user_id is None and event.user_name is None:
        return everybody
    by_id = [one for one in everybody if one.data[CONF_USER_ID] == event.user_id]
    return by_id or [one for one in everybody if event.user_name is not None and one.title.casefold() == event.user_name.casefold()]


def note(
    hass: HomeAssistant,
    entry: WatchSyncConfigEntry,
    way: str,
    outcome: str,
    *,
    event: InboundEvent | None = None,
    account: ConfigSubentry | None = None,
    reason: str = "",
    message: InboundRequest | None = None,
) -> None:
    """Journal what became of an event, and what its sender said, without secrets."""
    more, kind, named = {"way": way}, NoteKind.WEBHOOK if message or not event else NoteKind.HINT, event.event if event else ""
    if event:
        more["user"] = event.user_name or event.user_id or ""
    if message:
        more |= {"type": message.content_type.partition(";")[0], "payload": without_secrets(message)}
    hass.data[HUB].journal.add(
        Note(
            utcnow(),
            kind,
            outcome,
            account.subentry_id if account else "",
            reason=reason,
            event=named,
            viewer=account.data[CONF_VIEWER] if account else "",
            server=entry.entry_id,
            item_id=(event.item_id if event else None) or "",
            more=more,
        )
    )
    if kind is NoteKind.WEBHOOK:
        async_dispatcher_send(hass, SIGNAL_WEBHOOK.format(entry.entry_id), outcome, named, reason)
