"""The shared vocabulary: addresses, keys, and recognising ourselves."""

from __future__ import annotations

from hermes_hardened_adapters.common.core.events import Address, Me


def test_who_we_are() -> None:
    me = Me("own", "+15550001111")
    assert me.recognises(Address("own")) is True
    assert me.recognises(Address("other", "+15550001111")) is True
    assert me.recognises(Address("other")) is False
    assert me.recognises(Address()) is False
    unsure = Me(None, "+15550001111")
    assert unsure.recognises(Address("other")) is None
    assert unsure.recognises(Address("other", "+15550002222")) is False
