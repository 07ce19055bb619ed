"""What the sockets of Jellyfin and Emby say (server-apis §5.4, §5.6); no request in here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...ports import Gap, InboundEvent, Playback, ServerKind, Told
from . import wire
from .normalise import compact_id, is_watchable, seconds

MOST_NAMED = 500
"""Items of one frame that are looked at one by one; after a storm or a scan (server-apis §5.4) all is read."""

type _Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Playing:
    item_id: str
    position: int
    paused: bool


class Ear:
    """Understands the frames of one user, and remembers what he plays."""

    def __init__(self, kind: ServerKind, user_id: str, device_id: str) -> None:
        """Listen for this user; what our own device plays is nothing."""
        self._kind, self._user_id, self._device_id = kind, user_id, device_id
        self._playing: dict[str, _Playing] = {}

    def begin(self, sessions: list[wire.Session]) -> None:
        """Learn what is played already, so that it does not look like a start."""
        self._playing = dict(self._sessions(sessions))

    def hear(self, kind: str, data: Any) -> Iterator[Told]:
        """Tell what a frame means; raises what a wrong shape raises."""
        if kind == "UserDataChanged":
            yield from self._records(data)
        elif kind == "LibraryChanged":
            yield from self._library(data)
        elif kind == "Sessions":
            yield from self._played(dict(self._sessions(data)))

    def _records(self, data: _Values) -> Iterator[Told]:
        """Read changed records of this user alone: sessions change hands (pitfalls 39, 49). Folders count what is unplayed (pitfall 45)."""
        if compact_id(data["UserId"]) != self._user_id:
            return
        ids = [row["ItemId"] for row in data["UserDataList"] if "UnplayedItemCount" not in row]
        yield from self._named("UserDataChanged", ids, "much was changed", settled=True)

    def _library(self, data: _Values) -> Iterator[Told]:
        """Read what came or changed; that something is gone was seen to be false, and only listings can tell (G4)."""
        ids = [*(data.get("ItemsAdded") or ()), *(data.get("ItemsUpdated") or ())]
        yield from self._named("LibraryChanged", ids, "the library changed")

    def _named(self, event: str, ids: list[str], reason: str, *, settled: bool = False) -> Iterator[Told]:
        if len(ids) > MOST_NAMED:
            yield Gap(reason)
            return
        for item_id in ids:
            yield InboundEvent(self._kind, event, user_id=self._user_id, item_id=compact_id(item_id), may_have_changed=True, settled=settled)

    def _played(self, now: dict[str, _Playing]) -> Iterator[InboundEvent]:
        before, self._playing = self._playing, now
        for session, was in before.items():
            if session not in now or now[session].item_id != was.item_id:
                yield self._event("Sessions", was.item_id, Playback.STOPPED, was.position, may_have_changed=True)
        for session, one in now.items():
            known = before.get(session)
            if known is None or known.item_id != one.item_id:
                yield self._event("Sessions", one.item_id, Playback.STARTED, one.position)
            elif known.paused != one.paused:
                yield self._event("Sessions", one.item_id, Playback.PAUSED if one.paused else Playback.RESUMED, one.position, may_have_changed=one.paused)

    def _sessions(self, sessions: list[wire.Session]) -> Iterator[tuple[str, _Playing]]:
        for session in sessions:
            item = session.get("NowPlayingItem")
            if item is not None and is_watchable(item) and is_present(session, self._user_id, self._device_id):
                state = session.get("PlayState", {})
                yield str(session["Id"]), _Playing(compact_id(item["Id"]), seconds(state.get("PositionTicks")), state.get("IsPaused", False))

    def _event(
        self, event: str, item_id: str, playback: Playback | None = None, position: int | None = None, *, may_have_changed: bool = False
    ) -> InboundEvent:
        return InboundEvent(self._kind, event, user_id=self._user_id, item_id=item_id, playback=playback, position=position, may_have_changed=may_have_changed)


def is_present(session: wire.Session, user_id: str, device_id: str) -> bool:
    """Whether a user watches in a session, alone or along with others, and not on this device, which is ours."""
    present = {session.get("UserId"), *(other["UserId"] for other in session.get("AdditionalUsers") or ())}
    return user_id in present and session.get("DeviceId") != device_id
