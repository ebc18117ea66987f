"""Catch-up cursors: how far the messages of each chat have been dealt with."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.state import cursors as cursors_module
from hermes_hardened_adapters.common.state.cursors import Cursors
from hermes_hardened_adapters.common.state.store import Store


async def test_where_channels_were_left_off_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursors_module, "KEEP_CURSORS", 3)
    cursors = Cursors(store, "mattermost")
    for number in range(1, 6):
        cursors.advance(f"c{number}", number)
    again = Cursors(store, "mattermost")
    await store.flush()
    await again.load()
    for one in (cursors, again):
        assert [one.since(f"c{number}") for number in range(1, 6)] == [5, 5, 5, 4, 5]
