"""The server's clock, followed from its answers and its events."""

from __future__ import annotations

from hermes_hardened_adapters.common.core.server_clock import ServerClock


def test_the_servers_clock_goes_on_from_what_the_server_said() -> None:
    now = [10.0]
    clock = ServerClock(lambda: now[0], lambda: 1.0)
    assert clock.now() == 1000
    clock.set_from_header("Sun, 22 Nov 2026 06:34:58 GMT")
    assert clock.now() == 1_795_329_298_999
    now[0] += 2.5
    assert clock.now() == 1_795_329_301_499
    clock.advance(1_795_329_298_000)
    assert clock.now() == 1_795_329_301_499
    clock.advance(1_795_329_400_000)
    for nonsense in (None, "", "yesterday", "Sun, 99 Nov 2026 06:34:58 GMT"):
        clock.set_from_header(nonsense)
    assert clock.now() == 1_795_329_400_000
