"""Where records are kept, and what a read of them shows in each version (server-apis §3.2, §4.2, §6)."""

from dataclasses import replace

from .library import Item
from .userdata import Record


class Records:
    """All users' records.

    10.10 stores one for each key, so that copies share it, and caches it for each item (pitfall 51). From 10.11 each item has its own.
    On 12.0 a mark of a series leaves single reads at the old record (pitfall 38), and the versions of a film share whether it was played.
    """

    def __init__(self, version: tuple[int, ...]) -> None:
        """Start with nobody having watched anything."""
        self.become(version)
        self._records: dict[tuple[str, str], Record] = {}
        self._cached: dict[tuple[str, str], Record] = {}
        self._stale: dict[tuple[str, str], Record] = {}
        self._parked: dict[tuple[str, str], Record] = {}
        self._alone: set[tuple[str, str]] = set()
        self.read_only = False

    def become(self, version: tuple[int, ...]) -> None:
        """Keep records as this version does."""
        self._by_key, self._shares, self._leaves_stale = version < (10, 11), version >= (12,), version >= (12,)

    def stored(self, user: str, item: Item) -> Record:
        """Return the record that filters and orders go by."""
        return next((record for key in self._keys(item) if (record := self._records.get((user, key)))), Record())

    def of(self, user: str, item: Item) -> Record:
        """Return the record that listings show; what 10.10 once read for an item it shows until that item is written."""
        if not self._by_key:
            return self.stored(user, item)
        return self._cached.setdefault((user, item.item_id), replace(self.stored(user, item), key=provider_key(item)))

    def single(self, user: str, item: Item) -> Record:
        """Return the record that a read of one item shows."""
        return self._stale.get((user, item.item_id)) or self.of(user, item)

    def edit(self, user: str, item: Item) -> Record:
        """Return a record to change: what is laid over it is laid over what single reads show."""
        if self.read_only:
            return replace(self.single(user, item))
        stale = self._stale.pop((user, item.item_id), None)
        if self._leaves_stale:
            self._alone.add((user, item.item_id))
        return self._keep(user, item, stale or self.of(user, item))

    def edit_by_folder(self, user: str, item: Item) -> Record:
        """Return a record to change because its series or season was marked."""
        if self.read_only:
            return replace(self.of(user, item))
        if self._leaves_stale:
            self._stale.setdefault((user, item.item_id), replace(self.of(user, item)))
        return self._keep(user, item, self.of(user, item))

    def frame(self, user: str, item: Item) -> Record:
        """Return the record that a frame shows: on 12.0, of what was once written by itself, the old one (recorded; a frame is a hint)."""
        return self.single(user, item) if (user, item.item_id) in self._alone else self.of(user, item)

    def share(self, user: str, item: Item) -> list[Item]:
        """Let the other versions of a film follow and return them: they take over whether it was played, the first one its date too.

        What an unmark of another version does to the first is not recorded; taken to be the same.
        """
        marked, others = self.of(user, item), item.others() if self._shares else []
        for other in others:
            record = self.edit(user, other)
            record.played = marked.played
            if other.primary is None:
                record.date = marked.date
        return others

    def restart(self) -> None:
        """Forget what was cached: copies that share a record show the last write again (pitfall 51), single reads are true."""
        self._cached.clear()
        self._stale.clear()
        self._alone.clear()

    def park(self, item: Item) -> None:
        """Put the records of an item aside whose file is gone."""
        for store in (self._records, self._cached, self._stale):
            for user, key in [found for found in store if found[1] == item.item_id]:
                record = store.pop((user, key))
                if store is self._records:
                    self._parked |= {(user, name): record for name in (item.item_id, *_external(item))}

    def unpark(self, item: Item) -> None:
        """Bring records back: by the same id, or by the same external id, which not every title has (server-apis §4.2)."""
        for name in (item.item_id, *_external(item)):
            for user, key in [found for found in self._parked if found[1] == name]:
                self._keep(user, item, self._parked.pop((user, key)))

    def _keep(self, user: str, item: Item, record: Record) -> Record:
        record.key = provider_key(item) if self._by_key else dashed(item)
        for key in self._keys(item):
            self._records[user, key] = record
        if self._by_key:
            self._cached[user, item.item_id] = record
        return record

    def _keys(self, item: Item) -> tuple[str, ...]:
        return (provider_key(item), item.item_id) if self._by_key else (item.item_id,)


def provider_key(item: Item) -> str:
    """Return the name of an item's record: a provider's id, for an episode its series' with the numbers, else its own id with dashes."""
    if item.kind == "Episode" and item.title and item.parent and item.parent.parent and item.title.season is not None and item.title.episode is not None:
        series = _first(item.parent.parent, "tvdb", "imdb", "tmdb")
        return f"{series}{item.title.season:03}{item.title.episode:03}" if series else dashed(item)
    found = _first(item, "tvdb", "imdb", "tmdb") if item.kind == "Series" else _first(item, "tmdb", "imdb", "tvdb")
    return found or dashed(item)


def dashed(item: Item) -> str:
    """Spell an item's id with dashes."""
    one = item.item_id
    return "-".join((one[:8], one[8:12], one[12:16], one[16:20], one[20:]))


def _first(item: Item, *kinds: str) -> str | None:
    return next((item.ids[kind] for kind in kinds if kind in item.ids), None)


def _external(item: Item) -> tuple[str, ...]:
    """Return the name under which a title is known whatever its path, if it has one."""
    key = provider_key(item)
    return () if key == dashed(item) else (key,)
