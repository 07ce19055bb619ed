"""What no evidence could settle is safe both ways (docs/unsettled.md): here what only a whole household can show."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest

from custom_components.plex_watchsync.engine.run import Run, RunKind
from custom_components.plex_watchsync.hub import hub_of
from simulators.base import Act
from simulators.emby.auth import Account
from simulators.emby.items import USER_DATA_FIELDS, Items
from simulators.emby.library import Item

from .conftest import FILM, OTHER, House


async def test_an_emby_whose_rows_tell_neither_count_nor_date(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Server-apis §3.3: two fields make rows truthful, several clients say; where they did not, views and unwatches would travel all the same, once each (W6)."""
    row = Items.row

    def lying(self: Items, account: Account, item: Item, fields: Collection[str] = (), **more: Any) -> Any:
        return row(self, account, item, [name for name in fields if name not in USER_DATA_FIELDS], **more)

    monkeypatch.setattr(Items, "row", lying)
    emby = house.places["emby"]
    emby.simulator.stock("anna", OTHER.key, played=True, count=2, date=house.clock() - timedelta(days=50))
    await house.add_all()
    hub = hub_of(house.hass)
    for kind in house.places:
        await house.places[kind].act(Act.MARK_WATCHED)
        await hub.sync(Run())
        assert all(place.shown(title).played for place in house.places.values() for title in (FILM, OTHER))
        for place in house.places.values():
            place.simulator.requests.clear()
        for run in (Run(), Run(recent=True), Run(kind=RunKind.EXPORT, full=True)):
            await hub.sync(run)
        assert [one for place in house.places.values() for one in place.simulator.requests if not one.startswith("GET")] == []
        await house.places[kind].act(Act.MARK_UNWATCHED)
        await hub.sync(Run())
        assert [other for other, place in house.places.items() if place.shown().played] == []
