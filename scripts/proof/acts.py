"""What people, tools, networks and disks do in a world, and the passing of time; `where` is a copy, a server or nothing."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from custom_components.plex_watchsync.ports import Hint, ServerKind, ServerUnavailable

from .judge import Clear

if TYPE_CHECKING:
    from .world import World

SPOTS = (600, 1200, 1800, 2400)


async def nothing(world: World, _: str) -> None:
    """Let time pass: what somebody meant to do to a watched title came too late, for Home Assistant took the mark."""


async def watch(world: World, name: str) -> None:
    """Watch to the end; where Home Assistant forgot that it took Plex's flag away, that looks like a touch: Plex dates both, and counts from one again."""
    copy = world.copies[name]
    server = world.servers[copy.server]
    server.watch(copy.item_id)
    world.begun.discard(copy.item_id)
    world.log.add("acted", name, played=True, position=0, clear=Clear.UNLESS_BLANK if server.kind is ServerKind.PLEX else Clear.YES)
    await world.tell(name)


async def unwatch(world: World, name: str) -> None:
    """Mark unwatched."""
    copy = world.copies[name]
    server = world.servers[copy.server]
    server.unwatch(copy.item_id)
    world.begun.discard(copy.item_id)
    said = server.kind is not ServerKind.PLEX and server.error is None and not world.lose
    world.log.add("acted", name, played=False, position=0, dated=said, clear=Clear.YES if said else Clear.UNLESS_BLANK)
    await world.tell(name, unplayed=server.kind is not ServerKind.PLEX)


async def seek(world: World, name: str) -> None:
    """Stop half-way, elsewhere than where it is."""
    copy = world.copies[name]
    server = world.servers[copy.server]
    known = server.records[copy.item_id].position
    position = next(spot for spot in SPOTS if abs(spot - known) > 60 and all(abs(spot - world.agreed(one).position) > 60 for one in copy.holds))
    server.stop_at(copy.item_id, position)
    world.begun.discard(copy.item_id)
    world.log.add("acted", name, position=position if len(copy.holds) == 1 else None)
    await world.tell(name)


async def touch(world: World, name: str) -> None:
    """Open a watched title by mistake; on Emby that looks like another view."""
    copy = world.copies[name]
    server = world.servers[copy.server]
    resumes = bool(server.records[copy.item_id].position)
    server.open(copy.item_id)
    world.begun.add(copy.item_id)
    again = True if server.kind is ServerKind.EMBY else None
    removed = 0 if again or resumes else None
    world.log.add("acted", name, played=again, position=removed, clear=Clear.NO)
    await world.tell(name)


async def drop(world: World, name: str) -> None:
    """Let a tool take the flag alone: an unwatch on Jellyfin, nothing on Emby."""
    copy = world.copies[name]
    server = world.servers[copy.server]
    server.drop_flag(copy.item_id)
    world.begun.add(copy.item_id)
    if server.kind is ServerKind.JELLYFIN:
        world.log.add("acted", name, played=False, position=0, dated=False, clear=Clear.UNLESS_BLANK)
    else:
        world.log.add("hidden", name)
    await world.tell(name)


async def replace(world: World, name: str) -> None:
    """Replace the file: another id, and nothing known of it."""
    copy = world.copies[name]
    server = world.servers[copy.server]
    del server.records[copy.item_id], server.parts[copy.item_id]
    copy.number += 1
    server.stock(copy.item_id)
    server.parts[copy.item_id] = copy.parts
    world.log.add("replaced", name)


async def outage(world: World, server: str) -> None:
    """Take a server off the network."""
    world.servers[server].error = ServerUnavailable("unplugged")


async def returns(world: World, server: str) -> None:
    """Bring a server back."""
    world.servers[server].error = None


async def cut(world: World, server: str) -> None:
    """Let a server take the next write and be gone before it answers."""
    world.servers[server].lost_answers = 1


async def reject(world: World, server: str) -> None:
    """Let a server refuse the next write."""
    world.servers[server].refuses = True


async def poll_now(world: World, _: str) -> None:
    """Let an hour pass."""
    await world.poll()


async def lose_next(world: World, _: str) -> None:
    """Let the next hint be lost."""
    world.lose = True


async def hinted(world: World, name: str) -> None:
    """Let a hint come that is doubled, late or mistaken: it says no more than that one should look."""
    copy = world.copies[name]
    await world.look(Hint(copy.server, copy.item_id, world.clock()))


async def again(world: World, _: str) -> None:
    """Let the last hint that names an unwatch come a second time, or the lost one at last."""
    if world.hint is not None:
        await world.look(world.hint)


CONDITIONS = frozenset({"outage", "return", "cut", "reject", "lose"})
HINTED = frozenset({"watch", "unwatch", "seek", "open", "drop"})
OF_WATCHED = frozenset({"unwatch", "open", "drop"})
ACTS: dict[str, Callable[[World, str], Awaitable[None]]] = {
    "nothing": nothing,
    "watch": watch,
    "unwatch": unwatch,
    "seek": seek,
    "open": touch,
    "drop": drop,
    "replace": replace,
    "outage": outage,
    "return": returns,
    "cut": cut,
    "reject": reject,
    "poll": poll_now,
    "lose": lose_next,
    "hint": hinted,
    "again": again,
}
