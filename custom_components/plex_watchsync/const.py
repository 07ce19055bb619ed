"""Names that several Home Assistant files share: configuration keys and the words stored under them."""

from typing import Final

DOMAIN: Final = "plex_watchsync"

# Server entry data. `token` acts for the server as a whole; an account with a log-in of its own has its token in its subentry.
CONF_KIND: Final = "kind"
CONF_DEVICE_ID: Final = "device_id"
CONF_PLEX_TV: Final = "plex_tv"  # the token of the account that signed in at plex.tv
CONF_SIGN_IN: Final = "sign_in"  # how one signed in, where that was elsewhere
CONF_SERVER: Final = "server"  # in the flow: the chosen one of an account's servers
CONF_WEBHOOK_ID: Final = "webhook_id"
HOUSEHOLD: Final = "household"  # the `kind` and the unique id of the one household entry

# Subentries: accounts hang on server entries, viewers on the household entry.
SUBENTRY_ACCOUNT: Final = "account"
SUBENTRY_VIEWER: Final = "viewer"
CONF_ACCOUNT: Final = "account"  # in the flow: the chosen user
CONF_USER_ID: Final = "user_id"
CONF_SYNCED: Final = "synced"  # in a viewer: something was agreed on, so that its absence is a loss (G3)
CONF_VIEWER: Final = "viewer"  # in an account: the viewer's subentry id
CONF_LIBRARIES: Final = "libraries"
CONF_DIRECTION: Final = "direction"
CONF_INITIAL_SYNC: Final = "initial_sync"

# Options of a server entry.
CONF_REALTIME: Final = "realtime"
CONF_WEBHOOK_ENABLED: Final = "webhook_enabled"
CONF_WEBHOOK_LOCAL_ONLY: Final = "webhook_local_only"
CONF_WEBHOOK_HEADER_SECRET: Final = "webhook_header_secret"  # noqa: S105 - the name of an option
CONF_WEBHOOK_EVENTS: Final = "webhook_events"
CONF_IMPORT_INTERVAL: Final = "import_interval"  # minutes
CONF_FULL_INTERVAL: Final = "full_interval"  # hours
CONF_SYNC_POSITION: Final = "sync_position"
CONF_SYNC_RATINGS: Final = "sync_ratings"
CONF_MATCH_BY_FILE_NAME: Final = "match_by_file_name"
CONF_MATCH_BY_TITLE: Final = "match_by_title"

# Options of the household entry.
CONF_POSITION_MIN_SECONDS: Final = "position_min_seconds"
CONF_POSITION_MAX_PERCENT: Final = "position_max_percent"
CONF_POSITION_TOLERANCE_SECONDS: Final = "position_tolerance_seconds"
CONF_BREAKER_ITEMS: Final = "breaker_items"
CONF_BREAKER_PERCENT: Final = "breaker_percent"
CONF_VANISHED_PERCENT: Final = "vanished_percent"
CONF_JOURNAL_DAYS: Final = "journal_days"
CONF_JOURNAL_ENTRIES: Final = "journal_entries"
CONF_BACKUP_INTERVAL_DAYS: Final = "backup_interval_days"  # 0: never
CONF_BACKUP_KEEP: Final = "backup_keep"

CONF_FILE: Final = "file"  # of a backup

DEFAULT_REALTIME: Final = True
DEFAULT_JOURNAL_DAYS: Final = 30
DEFAULT_JOURNAL_ENTRIES: Final = 20_000
DEFAULT_BACKUP_KEEP: Final = 7
DEFAULT_IMPORT_INTERVAL: Final = 60
DEFAULT_FULL_INTERVAL: Final = 24

SECRET_HEADER: Final = "X-Webhook-Secret"  # noqa: S105 - the name of a header

# Dispatcher signals, to be formatted with a viewer's subentry id.
SIGNAL_CHANGE: Final = f"{DOMAIN}_change_{{}}"
SIGNAL_PLAYBACK: Final = f"{DOMAIN}_playback_{{}}"
SIGNAL_REPORT: Final = f"{DOMAIN}_report_{{}}"
SIGNAL_WEBHOOK: Final = f"{DOMAIN}_webhook_{{}}"  # with a server entry's id instead

# Events on the bus.
EVENT_SYNC_HELD: Final = f"{DOMAIN}_sync_held"
EVENT_SYNC_FINISHED: Final = f"{DOMAIN}_sync_finished"
EVENT_SYNC_APPROVED: Final = f"{DOMAIN}_sync_approved"
EVENT_SYNC_DISCARDED: Final = f"{DOMAIN}_sync_discarded"
EVENT_SYNC_UNDONE: Final = f"{DOMAIN}_sync_undone"
