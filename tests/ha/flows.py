"""Going through flows as a person does."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_RECONFIGURE, SOURCE_USER, ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowManager

from custom_components.plex_watchsync.const import DOMAIN

from .conftest import Place, defaults

type Shown = Any
"""What a flow shows: results differ by manager."""

PATHS = {
    "plex_token": "plex",
    "jellyfin_password": "jellyfin",
    "jellyfin_api_key": "jellyfin",
    "emby_password": "emby",
    "emby_api_key": "emby",
}
SECRETS = ("token", "password", "api_key")


class Walk:
    """A flow, and the person who fills its forms in."""

    def __init__(self, hass: HomeAssistant, manager: FlowManager[Any, Any, Any], shown: Shown) -> None:
        """Begin at what is shown first."""
        self.hass, self.manager, self.shown = hass, manager, shown

    async def fill(self, **fields: Any) -> Shown:
        """Submit a form, and wait while the flow reads."""
        self.shown = await self.manager.async_configure(self.shown["flow_id"], fields)
        while kind(self.shown) in {"progress", "progress_done"}:
            await self.hass.async_block_till_done()
            self.shown = await self.manager.async_configure(self.shown["flow_id"])
        return self.shown

    async def look(self) -> Shown:
        """See what a flow shows that went on by itself."""
        self.shown = await self.manager.async_configure(self.shown["flow_id"])
        return self.shown

    async def choose(self, option: str) -> Shown:
        """Choose from a menu."""
        return await self.fill(next_step_id=option)

    async def keep(self, **changes: Any) -> Shown:
        """Submit a form as it is filled in already, but for the changes."""
        return await self.fill(**{**defaults(self.shown), **changes})

    def suggested(self) -> dict[str, Any]:
        """Return what the form is filled in with beside its defaults."""
        return {str(key): key.description["suggested_value"] for key in self.shown["data_schema"].schema if key.description}


def kind(shown: Shown) -> str:
    """Name what is shown: form, menu, abort, create_entry."""
    return str(shown["type"])


def typed(place: Place, path: str, **changes: Any) -> dict[str, Any]:
    """Return what a person types to sign in on a path."""
    credentials = place.simulator.credentials()
    names = {"plex_token": ("token",), "emby_api_key": ("api_key",), "jellyfin_api_key": ("api_key",)}.get(path, ("username", "password"))
    return {"url": place.url, "verify_ssl": True, **{name: credentials[name] for name in names}, **changes}


async def begin(hass: HomeAssistant, path: str) -> Walk:
    """Open the form of a path to sign in."""
    walk = Walk(hass, hass.config_entries.flow, await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER}))
    await walk.choose(PATHS[path])
    await walk.choose(path)
    return walk


async def added(hass: HomeAssistant, place: Place, path: str, changes: Mapping[str, Any] | None = None, **account: Any) -> ConfigEntry:
    """Add a server; `changes` to what is typed to sign in, `account` to that step."""
    walk = await begin(hass, path)
    await walk.fill(**typed(place, path, **(changes or {})))
    await walk.keep(**account)
    await walk.keep()
    shown = await walk.fill()
    assert kind(shown) == "create_entry", shown
    await hass.async_block_till_done(wait_background_tasks=True)
    entry: ConfigEntry = shown["result"]
    return entry


async def joined(hass: HomeAssistant, entry: ConfigEntry, viewer: str = "Ben") -> None:
    """Let a further user of a server take part, as a viewer of this name."""
    walk = await below(hass, entry, "account")
    await walk.keep(viewer=viewer)
    await walk.keep()
    assert kind(await walk.fill()) == "create_entry"
    await hass.async_block_till_done(wait_background_tasks=True)


async def again(hass: HomeAssistant, entry: ConfigEntry, source: str) -> Walk:
    """Open an entry's form to sign in anew, or to move it."""
    assert source in {SOURCE_REAUTH, SOURCE_RECONFIGURE}
    manager = hass.config_entries.flow
    data = dict(entry.data) if source == SOURCE_REAUTH else None
    return Walk(hass, manager, await manager.async_init(DOMAIN, context={"source": source, "entry_id": entry.entry_id}, data=data))


async def below(hass: HomeAssistant, entry: ConfigEntry, what: str, changed: ConfigSubentry | None = None) -> Walk:
    """Open the form for a new subentry, or to change one."""
    manager = hass.config_entries.subentries
    context: Any = {"source": SOURCE_RECONFIGURE, "subentry_id": changed.subentry_id} if changed else {"source": SOURCE_USER}
    return Walk(hass, manager, await manager.async_init((entry.entry_id, what), context=context))
