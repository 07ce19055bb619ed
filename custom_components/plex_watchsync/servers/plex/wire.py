"""What Plex sends, as far as it is read; keys that would be zero or empty are absent (server-apis §3.1)."""

from typing import TypedDict


class GuidTag(TypedDict):
    """An external id; only the new agents give any."""

    id: str


class UserTag(TypedDict, total=False):
    """Who plays; the owner is 1."""

    id: str | int
    title: str


class PlayerTag(TypedDict, total=False):
    """What it is played on."""

    state: str


class FileTag(TypedDict, total=False):
    """A file."""

    file: str


class MediaTag(TypedDict, total=False):
    """A version of a title, and its files."""

    Part: list[FileTag]


class Row(TypedDict, total=False):
    """A film, a show or an episode; times are epoch seconds, positions and durations milliseconds."""

    ratingKey: str
    guid: str
    type: str
    title: str
    year: int
    index: int
    parentIndex: int
    parentYear: int
    grandparentRatingKey: str
    grandparentGuid: str
    grandparentTitle: str
    librarySectionID: int | str
    duration: int
    viewCount: int
    viewOffset: int
    lastViewedAt: int
    userRating: float
    Guid: list[GuidTag]
    Media: list[MediaTag]
    User: UserTag
    Player: PlayerTag
    sessionKey: str | int


class Directory(TypedDict, total=False):
    """A library."""

    key: str
    type: str
    title: str


class AccountTag(TypedDict, total=False):
    """A user of the server; 0 is nobody, 1 the owner."""

    id: int
    name: str


class Container(TypedDict, total=False):
    """What every answer is wrapped in; `totalSize` is there when paging was asked for."""

    size: int
    totalSize: int
    librarySectionID: int | str
    machineIdentifier: str
    version: str
    friendlyName: str
    Metadata: list[Row]
    Directory: list[Directory]
    Account: list[AccountTag]
