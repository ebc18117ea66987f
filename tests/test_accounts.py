"""One account in two profiles of one process: the first profile keeps it, the second is refused by name."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.signal import connection
from hermes_hardened_adapters.common.host import profile
from hermes_hardened_adapters.common.host.accounts import claims
from hermes_hardened_adapters.common.settings.config import server_of

from tests.fakes.mattermost_server import FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, OWN_ACI, FakeSignalDaemon
from tests.hosted import created, created_mattermost

NETWORKS = ("signal", "mattermost")
OTHER_NUMBER = "+15550007777"


@pytest.fixture(autouse=True)
def profiles(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    homes = {"default": hermes_home}
    for name in ("family", "club"):
        homes[name] = hermes_home / "profiles" / name
        homes[name].mkdir(parents=True)
        (homes[name] / "config.yaml").write_text("plugins:\n  enabled: [hardened-adapters]\n")
    return homes


class Bots:
    """Makes adapters of profiles, all with one account unless told otherwise."""

    def __init__(self, homes: dict[str, Path], daemon: FakeSignalDaemon, server: FakeMattermostServer) -> None:
        self._homes, self._daemon, self._server = homes, daemon, server
        self.made: list[Any] = []

    def of(self, name: str, network: str, **extra: Any) -> Any:
        with profile.entered(self._homes[name]):
            if network == "signal":
                _, adapter = created(self._daemon.url, **extra)
            else:
                _, adapter = created_mattermost(self._server, **extra)
        assert adapter.home == self._homes[name]
        self.made.append(adapter)
        return adapter


@pytest.fixture
async def bots(profiles: dict[str, Path], daemon: FakeSignalDaemon, server: FakeMattermostServer) -> Any:
    bots = Bots(profiles, daemon, server)
    yield bots
    for adapter in bots.made:
        await adapter.disconnect()
    assert not claims._claims


def refused_for(adapter: Any, name: str, network: str) -> bool:
    """Return True if the adapter was refused because of that profile, with an error that may heal."""
    message = str(adapter.fatal_error_message)
    assert ACCOUNT not in message
    return (
        adapter.fatal_error_code == f"{network}_account_taken"
        and f"the profile {name} of this gateway has this account already" in message
        and adapter.fatal_error_retryable
    )


@pytest.mark.parametrize("network", NETWORKS)
async def test_the_second_profile_is_refused_by_name(
    network: str, bots: Bots, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = bots.of("family", network), bots.of("club", network)
    assert await first.connect()
    assert not await second.connect()
    assert refused_for(second, "family", network)
    assert ACCOUNT not in caplog.text
    assert first.is_connected
    # The lock is still the first one's: a gateway of another process is refused.
    assert first._platform_lock_identity


@pytest.mark.parametrize("network", NETWORKS)
async def test_the_default_profile_has_a_name_too(network: str, bots: Bots) -> None:
    assert await bots.of("default", network).connect()
    second = bots.of("club", network)
    assert not await second.connect()
    assert refused_for(second, "default", network)


@pytest.mark.parametrize("network", NETWORKS)
async def test_once_the_first_is_gone_the_second_connects(network: str, bots: Bots) -> None:
    first, second = bots.of("family", network), bots.of("club", network)
    assert await first.connect()
    assert not await second.connect()
    await first.disconnect()
    again = bots.of("club", network)
    assert await again.connect(is_reconnect=True)
    late = bots.of("family", network)
    assert not await late.connect(is_reconnect=True)
    assert refused_for(late, "club", network)


@pytest.mark.parametrize("network", NETWORKS)
async def test_a_profile_that_reconnects_is_not_in_its_own_way(network: str, bots: Bots) -> None:
    first = bots.of("family", network)
    assert await first.connect()
    # The host makes a new adapter while the old one may still be closing.
    again = bots.of("family", network)
    assert await again.connect(is_reconnect=True)
    await first.disconnect()
    second = bots.of("club", network)
    assert not await second.connect()
    assert refused_for(second, "family", network)


async def test_an_adapter_that_is_gone_blocks_nobody(bots: Bots) -> None:
    class Gone:
        platform = bots.of("family", "signal").platform
        home = bots.made[-1].home

    gone = Gone()
    claims.claim(gone, ACCOUNT)
    second = bots.of("club", "signal")
    assert not await second.connect()
    del gone
    gc.collect()
    assert await second.connect()


@pytest.mark.parametrize("network", NETWORKS)
async def test_a_disconnection_that_fails_leaves_no_claim(
    network: str, bots: Bots, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bots.of("family", network)
    assert await first.connect()
    closes = first.connection.close

    async def fails() -> None:
        await closes()
        raise OSError("the disk is full")

    monkeypatch.setattr(first.connection, "close", fails)
    with pytest.raises(OSError, match="full"):
        await first.disconnect()
    monkeypatch.undo()
    assert await bots.of("club", network).connect()


async def test_another_account_is_not_refused(bots: Bots, daemon: FakeSignalDaemon) -> None:
    daemon.accounts = [ACCOUNT, OTHER_NUMBER]
    assert await bots.of("family", "signal").connect()
    assert await bots.of("club", "signal", account=OTHER_NUMBER).connect()


@pytest.mark.parametrize(("one", "two"), [(ACCOUNT, OWN_ACI), (OWN_ACI, ACCOUNT), (OWN_ACI, OWN_ACI.upper())])
async def test_number_and_aci_are_one_account(one: str, two: str, bots: Bots) -> None:
    first, second = bots.of("family", "signal", account=one), bots.of("club", "signal", account=two)
    assert await first.connect()
    assert not await second.connect()
    assert refused_for(second, "family", "signal")


async def test_an_aci_that_is_learnt_late_is_one_account_too(
    bots: Bots, daemon: FakeSignalDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_UNRESOLVED_SECONDS", 0.01)
    ours = daemon.contacts.pop(0)
    both = [bots.of("family", "signal", account=OWN_ACI), bots.of("club", "signal")]
    ended: asyncio.Queue[Any] = asyncio.Queue()
    for adapter in both:
        adapter.set_fatal_error_handler(ended.put)
        assert await adapter.connect()
    daemon.contacts.append(ours)
    second = await asyncio.wait_for(ended.get(), 60)
    both.remove(second)
    assert refused_for(second, both[0].home.name, "signal")
    assert not second.connection.snapshot().listening
    await second.disconnect()
    assert ended.empty()
    assert both[0].is_connected


async def test_one_account_of_mattermost_at_two_spellings_of_its_server(
    bots: Bots, server: FakeMattermostServer
) -> None:
    assert await bots.of("family", "mattermost").connect()
    second = bots.of("club", "mattermost", url=server.url.replace("http://", "HTTP://") + "/")
    assert not await second.connect()
    assert refused_for(second, "family", "mattermost")


async def test_accounts_of_two_servers_are_two(bots: Bots) -> None:
    assert await bots.of("family", "mattermost").connect()
    async with FakeMattermostServer() as another:
        second = bots.of("club", "mattermost", url=another.url)
        assert await second.connect()
        await second.disconnect()


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://chat.example.com/", True),
        ("http://chat.example.com:80", True),
        ("https://me:secret@Chat.Example.com.:443", True),
        ("https://chat.example.com/team", False),
        ("https://chat.example.com:8065", False),
        ("https://chat.example.org", False),
    ],
)
def test_the_server_of_an_address(url: str, same: bool) -> None:
    assert (server_of(url) == server_of("https://chat.example.com")) is same
