"""Both networks in the real host, and one who says very much: the others are answered, and what they said is kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.signal.people import resolve
from hermes_hardened_adapters.common.host.profile import handover_seconds

from tests.fakes.mattermost_rest import Fault
from tests.fakes.mattermost_server import ALICE as ALICE_THERE
from tests.fakes.mattermost_server import OPS, FakeMattermostServer
from tests.fakes.signal_daemon import ALICE, CAROL, CAROL_ACI, GROUP, FakeSignalDaemon, contact
from tests.hosted import Hosted, SignalHosted, created_mattermost, hosted, hosted_mattermost
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, CAROL_C, MALLORY, in_group, variant

pytestmark = pytest.mark.usefixtures("alice_on_mattermost", "mentions_required_on_signal")

FEW, MANY = 60, 1_100
AROUND = pytest.mark.parametrize("mentions", [FEW, MANY], ids=["control", "flood"])


async def received(host: Hosted, count: int) -> None:
    """Wait until so many wait for the message in hand, or went."""
    workers = host.adapter.connection.source.pipeline.workers
    async with asyncio.timeout(30):
        while workers.waiting + workers.shed + workers.lost < count:
            await asyncio.sleep(0.01)


def reached(host: Hosted) -> list[str]:
    return [event.text.partition("\n")[0] for event in host.dispatched]


@AROUND
async def test_a_request_amid_mentions_by_a_stranger_on_signal(daemon: FakeSignalDaemon, mentions: int) -> None:
    gate = asyncio.Event()

    async def slowly(_: dict[str, Any]) -> dict[str, Any]:
        await gate.wait()
        return {"data": "AAAA"}

    daemon.handlers["getAttachment"] = slowly
    async with hosted(daemon) as host:
        await daemon.emit_event(variant("att_audio_voice_true", ALICE_A, group_id=GROUP, group_name="Test Group"))
        await host.until(lambda: bool(daemon.called("getAttachment")))
        flood = [in_group(MALLORY, f"{BOT} me first {number}", BOT_ITSELF) for number in range(mentions)]
        asked = in_group(ALICE_A, f"{BOT} what is for lunch?", BOT_ITSELF)
        await daemon.emit_event(*flood[:50], asked, *flood[50:])
        await received(host, mentions + 1)
        gate.set()
        await host.settled()
        assert reached(host)[1:] == ["what is for lunch?"]
        assert len(host.reached) == 2
        assert host.adapter.connection.source.pipeline.workers.lost == 0


@AROUND
async def test_a_request_amid_mentions_by_a_stranger_on_mattermost(server: FakeMattermostServer, mentions: int) -> None:
    mallory = server.add_user("mallory")
    picture = server.add_file("notes.png", b"\x89PNG\r\n\x1a\n", ALICE_THERE)
    async with hosted_mattermost(server) as host:
        server.faults.append(slow := Fault(times=1, delay=3600, path="/files"))
        await server.post(ALICE_THERE, OPS, "@hermes look", file_ids=[picture["id"]])
        await host.until(lambda: slow.times == 0)
        for number in range(mentions):
            await server.post(mallory, OPS, f"@hermes me first {number}")
            if number == 50:
                await server.post(ALICE_THERE, OPS, "@hermes what is for lunch?")
        await received(host, mentions + 1)
        host.adapter._interceptor.closing.set()
        await host.settled()
        assert reached(host)[1:] == ["what is for lunch?"]
        assert len(host.reached) == 2
        assert host.adapter.connection.source.pipeline.workers.lost == 0


@pytest.mark.parametrize(("lines", "size"), [(3, 20), (1, 4_000), (60, 4_000)], ids=["control", "one", "flood"])
async def test_background_amid_lines_of_a_stranger(daemon: FakeSignalDaemon, lines: int, size: int) -> None:
    async with hosted(daemon) as host:
        talk = [in_group(ALICE_A, "the key is under the mat")]
        talk += [in_group(MALLORY, f"{number} " + "x" * size) for number in range(lines)]
        await host.emit(*talk, in_group(ALICE_A, f"{BOT} where is the key?", BOT_ITSELF))
        (event,) = host.reached
        shown = event.channel_context.split("\n")[1:-1]
        assert shown[0] == "Alice: the key is under the mat"
        assert shown[-1].startswith(f"[unverified] Mallory: {lines - 1} x")
        assert len("".join(shown)) < 1_200


async def answered_while_looking(
    daemon: FakeSignalDaemon, host: SignalHosted, monkeypatch: pytest.MonkeyPatch
) -> asyncio.Event:
    """The group with two unknown senders being looked up, of whom one turns out to be Carol, and Alice's answer."""
    monkeypatch.setattr(resolve, "AGAIN_SECONDS", 0.0)
    daemon.contacts.append(contact(CAROL, CAROL_ACI, "Carol"))
    found = asyncio.Event()

    async def slowly(_: dict[str, Any]) -> Any:
        await found.wait()
        return daemon.contacts

    daemon.handlers["listContacts"] = slowly
    looks = len(daemon.called("listContacts"))
    unknown = replace(MALLORY, number=None)
    first, second = (in_group(CAROL_C, f"{BOT} {text}", BOT_ITSELF) for text in ("it is Carol", "and me again"))
    stranger = in_group(unknown, f"{BOT} it is nobody", BOT_ITSELF)
    await daemon.emit_event(stranger, first, second, in_group(ALICE_A, f"{BOT} what is for lunch?", BOT_ITSELF))
    await host.until(lambda: reached(host) == ["what is for lunch?"])
    await host.until(lambda: len(daemon.called("listContacts")) > looks)
    assert len(daemon.called("listContacts")) == looks + 1
    assert host.observed == []
    return found


async def test_looking_somebody_up_holds_nobody_else(daemon: FakeSignalDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", f"{ALICE},{CAROL}")
    async with hosted(daemon) as host:
        found = await answered_while_looking(daemon, host, monkeypatch)
        found.set()
        await host.settled()
        assert reached(host) == ["what is for lunch?", "it is Carol", "and me again"]
        assert [event.text for event in host.observed] == ["@Hermes it is nobody"]


async def test_a_stop_waits_for_no_look_up_and_loses_nothing(
    daemon: FakeSignalDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose look-up did not end in time is taken as they stand: an unknown ACI."""
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", f"{ALICE},{CAROL}")
    async with hosted(daemon) as host:
        await answered_while_looking(daemon, host, monkeypatch)
        await daemon.emit_event(variant("dm_text", CAROL_C, text="just us"))
        await host.until(lambda: host.adapter.connection.source.pipeline.workers.waiting == 4)
        async with asyncio.timeout(3):
            await host.adapter.disconnect()
        assert reached(host) == ["what is for lunch?", "just us"]
        assert sorted(event.text for event in host.observed) == [
            "@Hermes and me again", "@Hermes it is Carol", "@Hermes it is nobody",
        ]  # fmt: skip


async def stopped(host: Hosted, waiting: int) -> None:
    """The host takes nothing until so many wait, then its time with each, and stops the adapter."""
    inner, gate = host.adapter.handle_message, asyncio.Event()

    async def handle_message(event: Any) -> None:
        await gate.wait()
        await asyncio.sleep(0.01)
        await inner(event)

    host.adapter.handle_message = handle_message
    await received(host, waiting)
    gate.set()
    await host.runner._safe_adapter_disconnect(host.adapter, host.adapter.platform)


LIMITS = pytest.mark.parametrize(("limit", "all_of_it"), [("60", True), ("2", False)], ids=["patient", "impatient"])
REQUESTS = 120
"""More than a second's worth, or that of a host that gives two."""


@LIMITS
async def test_a_stop_hands_over_as_long_as_the_host_gives_on_signal(
    daemon: FakeSignalDaemon, monkeypatch: pytest.MonkeyPatch, limit: str, all_of_it: bool
) -> None:
    monkeypatch.setenv("HERMES_GATEWAY_ADAPTER_DISCONNECT_TIMEOUT", limit)
    async with hosted(daemon) as host:
        asked = [in_group(ALICE_A, f"{BOT} question {number}", BOT_ITSELF) for number in range(REQUESTS)]
        stopping = asyncio.create_task(stopped(host, REQUESTS - 1))
        await daemon.emit_event(*asked)
        await stopping
        assert reached(host) == [f"question {number}" for number in range(len(host.passed))]
        assert (len(host.passed) == REQUESTS) == all_of_it
        assert host.adapter.connection is None


@LIMITS
async def test_a_stop_hands_over_as_long_as_the_host_gives_on_mattermost(
    server: FakeMattermostServer, monkeypatch: pytest.MonkeyPatch, limit: str, all_of_it: bool
) -> None:
    monkeypatch.setenv("HERMES_GATEWAY_ADAPTER_DISCONNECT_TIMEOUT", limit)
    async with hosted_mattermost(server) as host:
        stopping = asyncio.create_task(stopped(host, REQUESTS - 1))
        for number in range(REQUESTS):
            await server.post(ALICE_THERE, OPS, f"@hermes question {number}")
        await stopping
        assert reached(host) == [f"question {number}" for number in range(len(host.passed))]
        assert (len(host.passed) == REQUESTS) == all_of_it
        assert host.adapter.connection is None


@pytest.mark.parametrize(
    ("setting", "seconds"), [("", 4.0), ("30", 29.0), ("1", 0.5), ("0", 4.0), ("soon", 4.0), ("nan", 4.0)]
)
async def test_the_hosts_limit_is_kept(
    server: FakeMattermostServer, monkeypatch: pytest.MonkeyPatch, setting: str, seconds: float
) -> None:
    monkeypatch.setenv("HERMES_GATEWAY_ADAPTER_DISCONNECT_TIMEOUT", setting)
    assert handover_seconds() == seconds
    limit = created_mattermost(server)[0]._adapter_disconnect_timeout_secs()
    assert limit == 0 or seconds < limit
