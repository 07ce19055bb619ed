"""The notifications that a user set up, one of them webhooks (server-apis §5.5).

The routes of the list stand in no document; its entries are in the shape of the OpenAPI document's UserNotificationInfo, options as texts. Without a user
the list is a 500, as a client's author saw. Whom a non-administrator's entries hear of is unknown: here nobody but himself.
"""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from .auth import Account

type Json = dict[str, Any]

NOTIFIER = "webhooknotifications"
FIELDS: Json = {
    "NotifierKey": "",
    "SetupModuleUrl": "",
    "ServiceName": "",
    "PluginId": "",
    "FriendlyName": "",
    "Enabled": False,
    "UserIds": [],
    "DeviceIds": [],
    "LibraryIds": [],
    "EventIds": [],
    "IsSelfNotification": False,
    "GroupItems": False,
    "Options": {},
}


class Notifications:
    """Every user's list; `premiere` False: entries can be kept, nothing is sent."""

    def __init__(self) -> None:
        """Begin with empty lists."""
        self.premiere = True
        self._of: dict[str, dict[str, Json]] = {}

    def of(self, account: Account) -> list[Json]:
        """Return a user's entries."""
        return list(self._of.get(account.account_id, {}).values())

    def put(self, account: Account, given: Json) -> None:
        """Keep an entry, in the place of the one with its id; raises TypeError for options that are no texts."""
        options = {name: _text(value) for name, value in (given.get("Options") or {}).items()}
        entry_id = str(given.get("Id") or uuid4().hex)
        filled = {name: given.get(name, usual) for name, usual in FIELDS.items()}
        entry = {**filled, "Options": options, "Id": entry_id, "UserId": account.account_id}
        self._of.setdefault(account.account_id, {})[entry_id] = entry

    def delete(self, account: Account, entry_id: str) -> None:
        """Forget an entry; raises KeyError."""
        del self._of[account.account_id][entry_id]

    def wanting(self, event: str, about: Account, administrators: frozenset[str]) -> Iterator[Json]:
        """Iterate over the entries that want an event of a user; none without Premiere."""
        for owner, entries in self._of.items() if self.premiere else ():
            sees = owner in administrators or owner == about.account_id
            for entry in entries.values():
                chosen = not entry["UserIds"] or about.account_id in entry["UserIds"]
                if entry["NotifierKey"] == NOTIFIER and entry["Enabled"] and event in entry["EventIds"] and sees and chosen:
                    yield entry


def _text(value: object) -> str:
    """Keep a text, and what JSON calls true and false as texts."""
    if isinstance(value, str | bool):
        return value if isinstance(value, str) else json.dumps(value)
    raise TypeError(value)
