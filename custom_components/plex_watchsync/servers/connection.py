"""How a server is reached: what every client is made of."""

from dataclasses import dataclass, field

from ..ports import ServerKind


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a server as one of its users; `user_id` None: whoever the token belongs to. `device_id` is the account's own (pitfall 39).

    `own`: the token is this user's own rather than that of somebody, or of a key, who acts for him: only such a one is told of his doings.
    `owner_token`: of whoever set the server up; of a Plex it is most likely the owner's, who alone is told what everybody plays (W2).
    `files`: the paths of files are asked for, which makes listings larger, for titles may be matched by them (I6).
    """

    kind: ServerKind
    url: str
    token: str = field(repr=False)
    device_id: str
    user_id: str | None = None
    verify_ssl: bool = True
    own: bool = False
    files: bool = False
    owner_token: str | None = field(default=None, repr=False)
