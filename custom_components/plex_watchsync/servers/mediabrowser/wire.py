"""The shapes that Jellyfin and Emby send, as far as they are read (server-apis §2-§5); these names end at `normalise`."""

from typing import Required, TypedDict


class UserData(TypedDict, total=False):
    """One user's record of one item; absent keys are none or zero."""

    Played: bool
    PlaybackPositionTicks: int
    PlayCount: int
    LastPlayedDate: str | None
    IsFavorite: bool
    Rating: float | None
    Likes: bool | None


class Item(TypedDict, total=False):
    """A row of a listing: a film, an episode, a series or a folder."""

    Id: Required[str]
    Type: Required[str]
    Name: str
    Path: str | None
    ProductionYear: int | None
    DateCreated: str
    RunTimeTicks: int | None
    ProviderIds: dict[str, str | None] | None
    SeriesId: str | None
    SeriesName: str | None
    ParentIndexNumber: int | None
    IndexNumber: int | None
    IndexNumberEnd: int | None
    LocationType: str
    CollectionType: str | None
    UserData: UserData


class Page(TypedDict):
    """One page of a listing; Emby gives no StartIndex."""

    Items: list[Item]
    TotalRecordCount: int


class PublicInfo(TypedDict, total=False):
    """The answer of /System/Info/Public; Emby has no ProductName."""

    Id: str
    ServerName: str
    Version: str
    ProductName: str
    StartupWizardCompleted: bool


class Policy(TypedDict, total=False):
    """What a user may do."""

    IsAdministrator: bool
    IsDisabled: bool


class User(TypedDict, total=False):
    """A user of the server."""

    Id: Required[str]
    Name: Required[str]
    Policy: Policy


class Authentication(TypedDict):
    """The answer to a log-in."""

    User: User
    AccessToken: str


class SessionUser(TypedDict):
    """Somebody who watches along."""

    UserId: str


class PlayState(TypedDict, total=False):
    """How far a client is."""

    PositionTicks: int | None
    IsPaused: bool


class Session(TypedDict, total=False):
    """One client that is connected; NowPlayingItem is absent while it plays nothing."""

    Id: str
    PlayState: PlayState
    UserId: str
    DeviceId: str
    AdditionalUsers: list[SessionUser]
    NowPlayingItem: Item | None
