"""`replay` on Signal: the stand-in serves a recording as the daemon would, and the real stream reads it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.signal.client import SignalClient
from hermes_hardened_adapters.adapters.signal.link import supervised_stream
from hermes_hardened_adapters.adapters.signal.recording import fixture
from hermes_hardened_adapters.adapters.signal.recording.playback import Playback
from hermes_hardened_adapters.adapters.signal.recording.rewriting import SignalRecording, events_of
from hermes_hardened_adapters.adapters.signal.recording.stand_in import ReplayDaemon
from hermes_hardened_adapters.cli import replay
from hermes_hardened_adapters.common.core.errors import ConfigError, Fatal, HardenedError
from hermes_hardened_adapters.common.recording.playback import Faults, delays, fault_of
from hermes_hardened_adapters.common.state.trace import entries
from hermes_hardened_adapters.common.stream.supervisor import Supervisor

from tests.fakes.signal_daemon import (
    ACCOUNT,
    ALICE,
    ALICE_ACI,
    CAROL_ACI,
    FIXTURES,
    GROUP,
    OWN_ACI,
    FakeSignalDaemon,
    contact,
    group,
    recorded,
)
from tests.hosted import hosted
from tests.recordings import arguments, captured_console, interrupted
from tests.test_signal_record import CASES, CONTACTS, recorded_by

# -- pace and faults


# -- files beside a recording, and data derived from it


def test_a_folder_of_recordings_tells_who_is_who() -> None:
    case = fixture.load(FIXTURES)
    assert case.account == ACCOUNT
    assert len(case.events) == len(case.times) == len(CASES)
    assert case.times == sorted(case.times)
    pairs = {(row["number"], row["uuid"]) for row in case.contacts}
    assert {(ACCOUNT, OWN_ACI), (ALICE, ALICE_ACI), (None, CAROL_ACI)} <= pairs
    there = next(row for row in case.groups if row["id"] == GROUP)
    assert (there["name"], there["isMember"]) == ("Test Group", True)
    assert {"number": ALICE, "uuid": ALICE_ACI} in there["members"]


def test_a_recording_that_does_not_tell_our_own_aci_does_not_invent_one(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "dm_text.sse", tmp_path)
    case = fixture.load(tmp_path / "dm_text.sse")
    assert {"number": ACCOUNT, "uuid": None, "name": ""} in case.contacts
    assert b"".join(case.events) == recorded("dm_text")


def test_sidecars_win(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "group_text.sse", tmp_path / "case.sse")
    (tmp_path / "case.contacts.json").write_text(json.dumps([contact(ALICE, ALICE_ACI), "junk", {}]))
    (tmp_path / "case.groups.json").write_text("[]")
    (tmp_path / "case.times.json").write_text("[7.5]")
    case = fixture.load(tmp_path)
    assert [row["number"] for row in case.contacts] == [ALICE, ACCOUNT]
    assert (case.groups, case.times) == ([], [0.0])


@pytest.mark.parametrize(
    "content", [b"", b"event:receive\n\n", b"data:[]\n\n", b"data:{}\n\n", b"\xff\xfe", b"data:{\n\n"]
)
def test_a_file_without_events_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "case.sse").write_bytes(content)
    with pytest.raises(ConfigError):
        fixture.load(tmp_path / "case.sse")


def test_a_path_or_a_sidecar_that_is_none_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.sse", FIXTURES / "README.md"):
        with pytest.raises(ConfigError, match="sse"):
            fixture.load(path)
    shutil.copy(FIXTURES / "dm_text.sse", tmp_path)
    (tmp_path / "dm_text.groups.json").write_text("{}")
    with pytest.raises(ConfigError, match="groups"):
        fixture.load(tmp_path)


# -- the real stream reads it


@asynccontextmanager
async def listening(url: str, **options: Any) -> AsyncIterator[tuple[Supervisor, list[bytes]]]:
    heard: list[bytes] = []
    dead: list[HardenedError] = []
    async with SignalClient(url, ACCOUNT) as client:
        stream = supervised_stream(client, heard.append, dead.append, **options)
        await stream.open()
        try:
            yield stream, heard
        finally:
            await stream.close()


async def heard_of(*faults: str, speed: float | None = None, **options: Any) -> tuple[list[int], Supervisor]:
    """Return the positions of the recorded events that a stream received."""
    case = fixture.load(FIXTURES)
    told = [json.loads(body.split(b"data:")[1]) for body in case.events]
    parsed = Faults([fault_of(fault, {"cut", "silence", "half", "late-headers", "duplicate"}) for fault in faults])
    async with ReplayDaemon(case.account, case.contacts, case.groups) as daemon:
        playing = asyncio.create_task(Playback(daemon, case.events, delays(case.times, speed), parsed, _at_once).run())
        async with listening(daemon.url, **options) as (stream, heard):
            await asyncio.wait_for(playing, 10)
            while not heard or json.loads(heard[-1]) != told[-1]:
                await asyncio.sleep(0.01)
            return [told.index(json.loads(event)) for event in heard], stream


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)


ALL = list(range(len(CASES)))


async def test_the_whole_recording_is_heard_in_order() -> None:
    heard, stream = await heard_of()
    assert heard == ALL
    assert stream.stats.reconnects == 0


async def test_a_cut_between_events_loses_none() -> None:
    heard, stream = await heard_of("cut:5", "cut:20")
    assert set(ALL) - set(heard) <= {4, 19}  # an abort may take the last event with it
    assert stream.stats.reconnects == 2


async def test_a_cut_inside_an_event_loses_that_one() -> None:
    heard, stream = await heard_of("half:3")
    assert {2} <= set(ALL) - set(heard) <= {1, 2}
    assert stream.stats.reconnects == 1


async def test_a_silent_stream_is_replaced() -> None:
    heard, stream = await heard_of("silence:4", stale_after=0.3)
    assert heard == ALL
    assert stream.stats.stale == 1


async def test_a_doubled_event_comes_twice() -> None:
    heard, _ = await heard_of("duplicate:2")
    assert heard == [0, 1, *ALL[1:]]


async def test_late_headers() -> None:
    began = asyncio.get_running_loop().time()
    heard, _ = await heard_of("late-headers:0.3")
    assert heard == ALL
    assert asyncio.get_running_loop().time() - began >= 0.3


async def test_a_status_instead_of_a_stream() -> None:
    case = fixture.load(FIXTURES)
    async with ReplayDaemon(case.account) as daemon:
        Playback(daemon, case.events, delays(case.times, None), Faults([fault_of("status:421", {"status"})]))
        with pytest.raises(Fatal, match="signal_host_pinned"):
            async with listening(daemon.url):
                pass


async def test_the_original_timing_is_waited_out() -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async with ReplayDaemon(ACCOUNT) as daemon:
        events = [recorded("dm_text")] * 3
        playing = asyncio.create_task(Playback(daemon, events, [0.0, 1.5, 2.5], Faults(()), sleep).run())
        async with listening(daemon.url):
            await asyncio.wait_for(playing, 5)
    assert waited == [0.0, 1.5, 2.5]


async def test_what_a_client_may_ask() -> None:
    case = fixture.load(FIXTURES)
    async with (
        ReplayDaemon(case.account, case.contacts, case.groups) as daemon,
        SignalClient(daemon.url, ACCOUNT) as client,
    ):
        assert await client.check()
        assert await client.rpc("listContacts", {"allRecipients": True}) == case.contacts
        assert [row["id"] for row in await client.rpc("listGroups", {"groupId": [GROUP]})] == [GROUP]
        (status,) = await client.rpc("getUserStatus", {"recipient": [ALICE]})
        assert status["uuid"] == ALICE_ACI
        assert (await client.rpc("send", {"recipient": [ALICE], "message": "hi"}))["timestamp"] > 0


# -- the command


async def test_the_command_serves_and_tells_the_settings() -> None:
    console, output = captured_console()
    chosen = arguments("replay", "signal", FIXTURES, "--exit-when-done")
    serving = asyncio.create_task(replay.serve(chosen, console))
    while "SIGNAL_ACCOUNT" not in output.getvalue():
        await asyncio.sleep(0.01)
    url, account = (word.partition("=")[2] for word in output.getvalue().split())
    assert account == ACCOUNT
    assert url.startswith("http://127.0.0.1:")
    async with listening(url) as (_, heard):
        assert await asyncio.wait_for(serving, 10) == 0
    assert len(heard) == len(CASES)
    assert f"{len(CASES)} of {len(CASES)} events" in output.getvalue()


async def test_the_command_ends_with_ctrl_c() -> None:
    console, output = captured_console()
    serving = asyncio.create_task(replay.serve(arguments("replay", "signal", FIXTURES), console))
    while "SIGNAL_ACCOUNT" not in output.getvalue():
        await asyncio.sleep(0.01)
    assert await interrupted(serving) == 0
    assert f"0 of {len(CASES)} events" in output.getvalue()


async def test_a_port_that_is_taken_and_a_fault_that_is_none_are_named() -> None:
    console, _ = captured_console()
    async with ReplayDaemon() as daemon:
        port = daemon.url.rpartition(":")[2]
        with pytest.raises(ConfigError, match="--port"):
            await replay.serve(arguments("replay", "signal", FIXTURES, "--port", port), console)
    with pytest.raises(ConfigError, match=r"--fault gap:1.*late-headers"):
        await replay.serve(arguments("replay", "signal", FIXTURES, "--fault", "gap:1"), console)


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "x"])
def test_a_speed_that_is_none(speed: str) -> None:
    with pytest.raises(SystemExit):
        arguments("replay", "signal", "x", f"--speed={speed}")


# -- there and back


async def test_a_recording_of_a_replay_has_the_same_shape(tmp_path: Path) -> None:
    case = fixture.load(FIXTURES)
    async with ReplayDaemon(case.account, case.contacts, case.groups) as daemon:
        running = asyncio.create_task(recorded_by(daemon.url, tmp_path))
        await asyncio.wait_for(Playback(daemon, case.events, delays(case.times, None), Faults(())).run(), 10)
        await asyncio.sleep(0.2)
        status, _ = await interrupted(running)
    assert status == 0
    again = fixture.load(tmp_path)
    assert len(again.events) == len(case.events)
    assert len(again.contacts) == len(case.contacts)
    assert len(again.groups) == len(case.groups)


async def verdicts(home: Path, daemon: FakeSignalDaemon | ReplayDaemon, events: list[bytes], **extra: Any) -> list[Any]:
    """Return the decisions of the real host's adapter on those events, in the order they were sent."""
    async with hosted(daemon, require_mention=True, group_invite_policy="ignore", **extra) as host:  # type: ignore[arg-type]
        await daemon.streams_open(1)
        await daemon.emit(*events)
        await host.settled()
        await host.adapter.connection.flush()
        found = entries(home / "hardened_adapters" / "state.db")
        return [(one.verdict, one.rule, one.reason) for one in sorted(found, key=lambda one: int(one.event))]


async def test_the_recording_gets_the_verdicts_of_the_original(
    tmp_path: Path, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = SignalRecording({"sethome"})
    for name in CASES:
        for event in events_of(recorded(name)):
            recording.add(json.dumps(event), 0.0)
    for suffix, content in recording.files(CONTACTS, [group()]).items():
        (tmp_path / f"case{suffix}").write_bytes(content)
    mapped = recording.pseudonyms.identity

    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", ALICE)
    async with FakeSignalDaemon(contacts=CONTACTS, groups=[group()]) as original:
        before = await verdicts(hermes_home, original, [recorded(name) for name in CASES], group_allowed=GROUP)
    assert {verdict for verdict, _, _ in before} >= {"dispatch", "observe"}

    again = tmp_path / "again"
    again.mkdir()
    (again / "config.yaml").write_text("plugins:\n  enabled: [hardened-adapters]\n")
    monkeypatch.setenv("HERMES_HOME", str(again))
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", str(mapped(ALICE)))
    case = fixture.load(tmp_path / "case.sse")
    async with ReplayDaemon(case.account, case.contacts, case.groups) as daemon:
        after = await verdicts(again, daemon, case.events, account=case.account, group_allowed=mapped(GROUP))
    assert after == before
