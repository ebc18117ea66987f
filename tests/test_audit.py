"""The table of acts and orders, bounded."""

from __future__ import annotations

from hermes_hardened_adapters.common.core.chats import Status
from hermes_hardened_adapters.common.state.allowlist import order
from hermes_hardened_adapters.common.state.audit import PRUNE
from hermes_hardened_adapters.common.state.chats import entries
from hermes_hardened_adapters.common.state.database import read
from hermes_hardened_adapters.common.state.store import Store, change


async def test_the_audit_is_bounded_but_for_the_latest_about_every_chat(store: Store) -> None:
    order(store.path, "signal", "old", Status.REVOKED, "operator", "superseded", 1.0)
    order(store.path, "signal", "old", Status.REVOKED, "operator", "the latest", 2.0)
    audited = "INSERT INTO audit (at, network, chat, status, by, why) VALUES (3, 'signal', ?, 'approved', '', '')"
    change(store.path, [(audited, (str(number),)) for number in range(3000)])
    change(store.path, [(PRUNE, ())])
    assert read(store.path, "SELECT count(*) FROM audit") == [(2001,)]
    assert entries(store.path, "signal")["old"].why == "the latest"
