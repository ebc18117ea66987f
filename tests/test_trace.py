"""The trace: decisions without texts and without plain identities, bounded."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.core.events import Address, Chat, Dispatch, Ignore, Inbound, Observe, Reason, Rule
from hermes_hardened_adapters.common.state import trace as module
from hermes_hardened_adapters.common.state.store import Store
from hermes_hardened_adapters.common.state.trace import Trace

NUMBER = "+15550002222"
SAID = Inbound("k", "17", 17, Chat("group-id"), Address(None, NUMBER), text="a secret")


async def rows(store: Store) -> list[tuple[object, ...]]:
    await store.flush()
    return await store.rows("SELECT * FROM trace ORDER BY rowid")


async def test_what_a_row_tells(store: Store) -> None:
    trace = Trace(store, "signal", lambda: 1000.0)
    trace.decided(SAID, Dispatch("a secret", Rule.ADDRESSED, Reason.MENTIONED))
    trace.decided(SAID, Observe("a secret", Rule.UNADDRESSED, Reason.UNADDRESSED))
    trace.noted(SAID, "invitation", "approved")
    chat, who = store.pseudonym("group-id"), store.pseudonym(NUMBER)
    assert await rows(store) == [
        (1000.0, "signal", chat, who, "17", "dispatch", Rule.ADDRESSED, "mentions us"),
        (1000.0, "signal", chat, who, "17", "observe", Rule.UNADDRESSED, "not addressed"),
        (1000.0, "signal", chat, who, "17", "invitation", 0, "approved"),
    ]
    assert trace.counts == {"dispatch mentions us": 1, "observe not addressed": 1, "invitation approved": 1}
    written = store.path.read_bytes() + store.path.with_name("state.db-wal").read_bytes()
    assert b"secret" not in written
    assert NUMBER.encode() not in written


async def test_what_has_nothing_to_read_is_only_counted(store: Store) -> None:
    trace = Trace(store, "signal", lambda: 1000.0)
    trace.decided(
        Inbound("k", "17", 17, Chat(), Address(None, NUMBER), contentless="typing"),
        Ignore(Rule.CONTENTLESS, Reason.OWN),
    )
    assert await rows(store) == []
    assert sum(trace.counts.values()) == 1


async def test_it_is_bounded_over_many_short_runs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEP_ROWS", 10)
    for _ in range(8):
        trace = Trace(store, "signal", lambda: 1000.0)
        for _ in range(5):
            trace.decided(SAID, Ignore(Rule.CHAT_NOT_SERVED, Reason.CHAT_NOT_ALLOWED))
    assert len(await rows(store)) <= 10 + 5
