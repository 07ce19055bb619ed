"""The forms of the flows, and what a server's error is called in them."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import probatio

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_NAME, CONF_PASSWORD, CONF_PIN, CONF_TOKEN, CONF_URL, CONF_USERNAME, CONF_VERIFY_SSL
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .const import (
    CONF_ACCOUNT,
    CONF_BACKUP_INTERVAL_DAYS,
    CONF_BACKUP_KEEP,
    CONF_BREAKER_ITEMS,
    CONF_BREAKER_PERCENT,
    CONF_DIRECTION,
    CONF_FILE,
    CONF_FULL_INTERVAL,
    CONF_IMPORT_INTERVAL,
    CONF_INITIAL_SYNC,
    CONF_JOURNAL_DAYS,
    CONF_JOURNAL_ENTRIES,
    CONF_KIND,
    CONF_LIBRARIES,
    CONF_MATCH_BY_FILE_NAME,
    CONF_MATCH_BY_TITLE,
    CONF_POSITION_MAX_PERCENT,
    CONF_POSITION_MIN_SECONDS,
    CONF_POSITION_TOLERANCE_SECONDS,
    CONF_REALTIME,
    CONF_SERVER,
    CONF_SYNC_POSITION,
    CONF_SYNC_RATINGS,
    CONF_VANISHED_PERCENT,
    CONF_VIEWER,
    CONF_WEBHOOK_ENABLED,
    CONF_WEBHOOK_EVENTS,
    CONF_WEBHOOK_HEADER_SECRET,
    CONF_WEBHOOK_LOCAL_ONLY,
    DEFAULT_BACKUP_KEEP,
    DEFAULT_FULL_INTERVAL,
    DEFAULT_IMPORT_INTERVAL,
    DEFAULT_JOURNAL_DAYS,
    DEFAULT_JOURNAL_ENTRIES,
    DEFAULT_REALTIME,
)
from .ports import (
    AuthFailed,
    CertificateInvalid,
    Forbidden,
    Library,
    LinkExpired,
    LinkRefused,
    NotAMediaServer,
    OtherServerKind,
    PinRefused,
    ServerError,
    ServerKind,
    ServerTooOld,
    ServerUnavailable,
    ServerUser,
)
from .servers import WEBHOOK_EVENTS
from .sync.policy import Direction, InitialSync, Policy

EXAMPLE_URLS = {
    ServerKind.PLEX: "http://192.168.1.10:32400",
    ServerKind.JELLYFIN: "http://192.168.1.10:8096",
    ServerKind.EMBY: "http://192.168.1.10:8096",
}
_TEXT = TextSelector()
_SECRET = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password"))
_URL = TextSelector(TextSelectorConfig(type=TextSelectorType.URL, autocomplete="url"))
_VERIFY_SSL = {probatio.Required(CONF_VERIFY_SSL, default=True): BooleanSelector()}
_CREDENTIALS: Mapping[str, Mapping[probatio.Marker, TextSelector]] = {
    CONF_TOKEN: {probatio.Required(probatio.Secret(CONF_TOKEN)): _SECRET},
    CONF_API_KEY: {probatio.Required(probatio.Secret(CONF_API_KEY)): _SECRET},
    CONF_PASSWORD: {
        probatio.Required(CONF_USERNAME): TextSelector(TextSelectorConfig(autocomplete="username")),
        probatio.Required(probatio.Secret(CONF_PASSWORD)): _SECRET,
    },
}
"""The fields of each way to sign in, by the field that is secret."""


def address(found: Mapping[str, str]) -> probatio.Schema:
    """Ask where a server is; `found` are those that told of themselves, names by address."""
    return probatio.Schema({**_url(found), **_VERIFY_SSL})


def nothing() -> probatio.Schema:
    """Ask whether to go on."""
    return probatio.Schema({})


def pin() -> probatio.Schema:
    """Ask for a user's PIN."""
    return probatio.Schema({probatio.Required(probatio.Secret(CONF_PIN)): _SECRET})


def server(names: Mapping[str, str]) -> probatio.Schema:
    """Ask which of an account's servers it is."""
    options = [SelectOptionDict(value=server_id, label=name) for server_id, name in names.items()]
    return probatio.Schema({probatio.Required(CONF_SERVER, default=next(iter(names))): SelectSelector(SelectSelectorConfig(options=options))})


def backup(files: Sequence[str]) -> probatio.Schema:
    """Ask which of a viewer's backups it is, the newest first."""
    return probatio.Schema({probatio.Required(CONF_FILE, default=files[0]): SelectSelector(SelectSelectorConfig(options=list(files)))})


def credentials(secret: str) -> probatio.Schema:
    """Ask what lets us in."""
    return probatio.Schema(dict(_CREDENTIALS[secret]))


def sign_in(secret: str, found: Mapping[str, str]) -> probatio.Schema:
    """Ask for an address and what lets us in there; `found` as in `address`."""
    return probatio.Schema({**_url(found), **_CREDENTIALS[secret], **_VERIFY_SSL})


def name() -> probatio.Schema:
    """Ask for a viewer's name."""
    return probatio.Schema({probatio.Required(CONF_NAME): _TEXT})


def account(users: Collection[ServerUser], viewers: Iterable[str], *, user: str, viewer: str) -> probatio.Schema:
    """Ask whose account it is, and who that is."""
    people = [SelectOptionDict(value=one.user_id, label=one.name) for one in users]
    names = SelectSelectorConfig(options=sorted({*viewers, viewer}), custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    fields: dict[probatio.Marker, SelectSelector | TextSelector] = {
        probatio.Required(CONF_ACCOUNT, default=user): SelectSelector(SelectSelectorConfig(options=people, mode=SelectSelectorMode.DROPDOWN)),
        probatio.Required(CONF_VIEWER, default=viewer): SelectSelector(names),
    }
    if any(one.protected for one in users):
        fields[probatio.Optional(probatio.Secret(CONF_PIN))] = _SECRET
    return probatio.Schema(fields)


def sync(libraries: Iterable[Library], *, chosen: Iterable[str], direction: str, initial_sync: str | None) -> probatio.Schema:
    """Ask what takes part, and how; `initial_sync` None where the first sync is over."""
    options = [SelectOptionDict(value=one.library_id, label=one.name) for one in libraries]
    fields: dict[probatio.Marker, SelectSelector] = {
        probatio.Required(CONF_LIBRARIES, default=list(chosen)): SelectSelector(SelectSelectorConfig(options=options, multiple=True)),
        probatio.Required(CONF_DIRECTION, default=direction): _words(Direction, CONF_DIRECTION),
    }
    if initial_sync:
        fields[probatio.Required(CONF_INITIAL_SYNC, default=initial_sync)] = _words(InitialSync, CONF_INITIAL_SYNC)
    return probatio.Schema(fields)


def options_of_server(entry: ConfigEntry) -> probatio.Schema:
    """Ask how often a server is read, and what of it, and which webhooks count."""
    kept, events = entry.options, WEBHOOK_EVENTS[ServerKind(entry.data[CONF_KIND])]
    kept_secret = {"suggested_value": secret} if (secret := kept.get(CONF_WEBHOOK_HEADER_SECRET)) else None
    return probatio.Schema(
        {
            probatio.Required(CONF_REALTIME, default=kept.get(CONF_REALTIME, DEFAULT_REALTIME)): BooleanSelector(),
            probatio.Required(CONF_IMPORT_INTERVAL, default=kept.get(CONF_IMPORT_INTERVAL, DEFAULT_IMPORT_INTERVAL)): _number(5, 1440, "min"),
            probatio.Required(CONF_FULL_INTERVAL, default=kept.get(CONF_FULL_INTERVAL, DEFAULT_FULL_INTERVAL)): _number(1, 168, "h"),
            probatio.Required(CONF_SYNC_POSITION, default=kept.get(CONF_SYNC_POSITION, True)): BooleanSelector(),
            probatio.Required(CONF_SYNC_RATINGS, default=kept.get(CONF_SYNC_RATINGS, True)): BooleanSelector(),
            probatio.Required(CONF_MATCH_BY_FILE_NAME, default=kept.get(CONF_MATCH_BY_FILE_NAME, False)): BooleanSelector(),
            probatio.Required(CONF_MATCH_BY_TITLE, default=kept.get(CONF_MATCH_BY_TITLE, False)): BooleanSelector(),
            probatio.Required(CONF_WEBHOOK_ENABLED, default=kept.get(CONF_WEBHOOK_ENABLED, True)): BooleanSelector(),
            probatio.Required(CONF_WEBHOOK_LOCAL_ONLY, default=kept.get(CONF_WEBHOOK_LOCAL_ONLY, True)): BooleanSelector(),
            probatio.Required(CONF_WEBHOOK_EVENTS, default=list(kept.get(CONF_WEBHOOK_EVENTS, events))): SelectSelector(
                SelectSelectorConfig(options=list(events), multiple=True)
            ),
            probatio.Optional(probatio.Secret(CONF_WEBHOOK_HEADER_SECRET), description=kept_secret): _SECRET,
        }
    )


def options_of_household(entry: ConfigEntry) -> probatio.Schema:
    """Ask for the thresholds."""
    kept, usual = entry.options, Policy()
    return probatio.Schema(
        {
            probatio.Required(CONF_POSITION_MIN_SECONDS, default=kept.get(CONF_POSITION_MIN_SECONDS, usual.position_min_seconds)): _number(0, 600, "s"),
            probatio.Required(CONF_POSITION_MAX_PERCENT, default=kept.get(CONF_POSITION_MAX_PERCENT, usual.position_max_percent)): _number(50, 100, "%"),
            probatio.Required(CONF_POSITION_TOLERANCE_SECONDS, default=kept.get(CONF_POSITION_TOLERANCE_SECONDS, usual.position_tolerance_seconds)): _number(
                5, 300, "s"
            ),
            probatio.Required(CONF_BREAKER_ITEMS, default=kept.get(CONF_BREAKER_ITEMS, usual.limits.breaker_items)): _number(1, 1000, None),
            probatio.Required(CONF_BREAKER_PERCENT, default=kept.get(CONF_BREAKER_PERCENT, usual.limits.breaker_percent)): _number(0, 100, "%"),
            probatio.Required(CONF_VANISHED_PERCENT, default=kept.get(CONF_VANISHED_PERCENT, usual.limits.vanished_percent)): _number(1, 100, "%"),
            probatio.Required(CONF_JOURNAL_DAYS, default=kept.get(CONF_JOURNAL_DAYS, DEFAULT_JOURNAL_DAYS)): _number(1, 365, "d"),
            probatio.Required(CONF_JOURNAL_ENTRIES, default=kept.get(CONF_JOURNAL_ENTRIES, DEFAULT_JOURNAL_ENTRIES)): _number(100, 200_000, None),
            probatio.Required(CONF_BACKUP_INTERVAL_DAYS, default=kept.get(CONF_BACKUP_INTERVAL_DAYS, 0)): _number(0, 365, "d"),
            probatio.Required(CONF_BACKUP_KEEP, default=kept.get(CONF_BACKUP_KEEP, DEFAULT_BACKUP_KEEP)): _number(1, 365, None),
        }
    )


def told(error: ServerError) -> tuple[str, dict[str, str]]:
    """Return the key of a server's error in the translations, with its placeholders."""
    if isinstance(error, OtherServerKind):
        return "wrong_server_kind", {"found": name_of(error.found)}
    if isinstance(error, ServerTooOld):
        return "too_old", {"version": error.version}
    keys: tuple[tuple[type[ServerError], str], ...] = (
        (CertificateInvalid, "invalid_certificate"),
        (ServerUnavailable, "cannot_connect"),
        (AuthFailed, "invalid_auth"),
        (PinRefused, "pin_refused"),
        (LinkExpired, "link_expired"),
        (LinkRefused, "link_refused"),
        (Forbidden, "no_rights"),
        (NotAMediaServer, "not_a_media_server"),
    )
    return next((key for kind, key in keys if isinstance(error, kind)), "unknown"), {}


def name_of(kind: ServerKind) -> str:
    """Return a kind of server as its makers write it."""
    return kind.value.title()


def _url(found: Mapping[str, str]) -> dict[probatio.Marker, TextSelector | SelectSelector]:
    if not found:
        return {probatio.Required(CONF_URL): _URL}
    options = [SelectOptionDict(value=url, label=f"{name} ({url})") for url, name in found.items()]
    choice = SelectSelectorConfig(options=options, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    return {probatio.Required(CONF_URL, description={"suggested_value": next(iter(found))}): SelectSelector(choice)}


def _words(words: Iterable[str], translation_key: str) -> SelectSelector:
    return SelectSelector(SelectSelectorConfig(options=[str(word) for word in words], translation_key=translation_key, mode=SelectSelectorMode.LIST))


def _number(least: int, most: int, unit: str | None) -> NumberSelector:
    config = NumberSelectorConfig(min=least, max=most, step=1, mode=NumberSelectorMode.BOX)
    return NumberSelector(NumberSelectorConfig(**config, unit_of_measurement=unit) if unit else config)
