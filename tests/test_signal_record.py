"""`record` on Signal: real traffic becomes a fixture of the same shape that holds none of the originals."""

from __future__ import annotations

import asyncio
import copy
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.signal.decode import decode
from hermes_hardened_adapters.adapters.signal.recording.rewriting import SignalRecording, events_of, framed
from hermes_hardened_adapters.cli import record
from hermes_hardened_adapters.common.core.errors import ConfigError, Fatal
from hermes_hardened_adapters.common.core.events import Me
from hermes_hardened_adapters.common.recording.leaks import Leak
from hermes_hardened_adapters.common.recording.pseudonyms import Pseudonyms

from tests.fakes.signal_daemon import (
    ACCOUNT,
    ALICE,
    ALICE_ACI,
    BOB,
    BOB_ACI,
    FIXTURES,
    GROUP,
    OWN_ACI,
    FakeSignalDaemon,
    contact,
    group,
    recorded,
    recorded_event,
)
from tests.recordings import Shape, arguments, captured_console, interrupted, names, setup

CASES = sorted(path.stem for path in FIXTURES.glob("*.sse"))
COMMANDS = {"sethome", "status"}
CONTACTS = [contact(ACCOUNT, OWN_ACI), contact(ALICE, ALICE_ACI, "Alice A"), contact(BOB, BOB_ACI, "Bob Unheard")]


def recording_of(*events: object) -> SignalRecording:
    recording = SignalRecording(COMMANDS)
    for event in events:
        recording.add(json.dumps(event), 0.5)
    return recording


def rewritten(event: dict[str, Any]) -> dict[str, Any]:
    (result,) = events_of(recording_of(event).files([], [])[".sse"])
    return result


# -- pseudonyms
# -- rewriting of Signal's events


def inbounds(bodies: list[bytes], account: str, me: Me) -> list[object]:
    events = [event for body in bodies for event in events_of(body)]
    return [decode(json.dumps(event), account, me) for event in events]


def test_every_recorded_event_decodes_to_the_same_shape() -> None:
    bodies = [recorded(name) for name in CASES]
    recording = recording_of(*(event for body in bodies for event in events_of(body)))
    files = recording.files(CONTACTS, [group()])
    mapped = recording.pseudonyms.identity
    account = mapped(ACCOUNT) or ""
    before = inbounds(bodies, ACCOUNT, Me(OWN_ACI, ACCOUNT))
    after = inbounds([files[".sse"]], account, Me(mapped(OWN_ACI), account))
    assert len(before) >= len(CASES)
    assert Shape().of_all(before) == Shape().of_all(after)
    assert recording.dropped == 0


def test_a_body_of_the_daemon_stays_byte_for_byte_but_for_its_values() -> None:
    for name in CASES:
        # Java escapes control characters with capital hexadecimal digits.
        body = b"".join(framed(event) for event in events_of(recorded(name)))
        assert body == recorded(name).replace(b"\\u000B", b"\\u000b").replace(b"\\u001C", b"\\u001c")


def test_utf_16_offsets_and_a_command_behind_a_mention_hold() -> None:
    body = rewritten(recorded_event("group_mention_after_emoji"))["envelope"]["dataMessage"]
    assert body["message"] == "🙂 xx \ufffc xxx \ufffc!"
    assert [mention["start"] for mention in body["mentions"]] == [6, 12]
    assert rewritten(recorded_event("group_mention_command"))["envelope"]["dataMessage"]["message"] == "\ufffc /sethome"


def test_of_contacts_and_groups_those_are_written_that_occur() -> None:
    other = group("+/8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0=", name="Elsewhere")
    recording = recording_of(recorded_event("group_text"))
    files = recording.files([*CONTACTS, "junk"], [group(), other])
    mapped = recording.pseudonyms
    assert [row["uuid"] for row in json.loads(files[".contacts.json"])] == [
        mapped.identity(OWN_ACI),
        mapped.identity(ALICE_ACI),
    ]
    (there,) = json.loads(files[".groups.json"])
    assert (there["id"], there["name"]) == (mapped.identity(GROUP), mapped.chat("Test Group"))
    assert json.loads(files[".times.json"]) == [0.5]


def test_what_no_rule_knows_fails_closed() -> None:
    event = recorded_event("dm_text")
    event["envelope"]["dataMessage"] |= {
        "secret": "Alice at home",
        "owned": ALICE,
        "opened": json.dumps({"author": ALICE_ACI, "what": "Rendezvous"}),
        "no": 123_456_789,
        "place": 52.5163,
        "pin": 482,
        "is": True,
        "Bob Builder": {"deep": ["Carol"], "born": [1971]},
        "timestamp of birth": 15_550_002_222,
        "called": 4_915_123_456_789,
        "calls": "4915123456789",
        ALICE_ACI: True,
    }
    recording = recording_of(event)
    (result,) = events_of(recording.files([], [])[".sse"])
    mapped, word = recording.pseudonyms.identity, recording.pseudonyms.word
    body = list(result["envelope"]["dataMessage"].values())[5:]
    assert body == [
        "Xxxxx xx xxxx",
        mapped(ALICE),
        json.dumps({"author": mapped(ALICE_ACI), word("what"): "Xxxxxxxxxx"}, separators=(",", ":")),
        0,
        0,
        0,
        False,
        {word("deep"): ["Xxxxx"], word("born"): [0]},
        0,
        0,
        "0000000000000",
        False,
    ]


@pytest.mark.parametrize("data", ["", "null", "[]", "{", '{"a": NaN}', "[" * 10_000, '{"a":' * 5_000, "9" * 5000])
def test_what_is_no_event_is_dropped_and_counted(data: str) -> None:
    recording = recording_of(recorded_event("dm_text"))
    recording.add(data, 1.0)
    files = recording.files([], [])
    assert recording.dropped == 1
    assert len(events_of(files[".sse"])) == 1


# -- the search for leaks


@pytest.mark.parametrize("method", ["person", "chat", "file"])
def test_a_rule_that_lets_something_through_is_caught(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pseudonyms, method, lambda self, value: value)
    recording = recording_of(recorded_event("group_text"), recorded_event("att_image"))
    with pytest.raises(Leak):
        recording.files([], [])


def test_texts_that_look_like_anything_leave_no_trace() -> None:
    event = recorded_event("quote_of_bot")
    for text in ("call +49 151 23456789", json.dumps({"key": "Rendezvous"}), f"{ALICE_ACI} {GROUP}", "x" * 100_000):
        variant = copy.deepcopy(event)
        variant["envelope"]["dataMessage"]["message"] = text
        variant["envelope"]["dataMessage"]["quote"]["text"] = text
        masked = rewritten(variant)["envelope"]["dataMessage"]["message"]
        assert len(masked) == len(text)


# -- the command, beside a daemon


async def recorded_by(daemon_url: str, folder: Path, *argv: str, account: str = ACCOUNT) -> tuple[int, str]:
    console, output = captured_console()
    chosen = arguments("record", "signal", "--for", "1h", "--out", folder, *argv)
    home = setup(folder, signal={"http_url": daemon_url, "account": account})
    return await record.record(chosen, home, "case", console), output.getvalue()


async def test_a_recording_of_a_daemon(tmp_path: Path) -> None:
    async with FakeSignalDaemon(contacts=CONTACTS, groups=[group()]) as daemon:
        running = asyncio.create_task(recorded_by(daemon.url, tmp_path))
        await daemon.streams_open(1)
        await daemon.emit(*(recorded(name) for name in CASES))
        while len(daemon.calls) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        status, output = await interrupted(running)
    assert status == 0
    assert names(tmp_path) == {"case.sse", "case.times.json", "case.contacts.json", "case.groups.json"}
    written = [tmp_path / name for name in names(tmp_path)]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in written)
    assert len(events_of((tmp_path / "case.sse").read_bytes())) == len(CASES)
    content = b"".join(path.read_bytes() for path in written)
    for original in (ACCOUNT, ALICE_ACI, GROUP, "Alice", "hello", "IMG.jpg", "1795329305315"):
        assert original.encode() not in content
        assert original not in output


async def test_it_ends_at_the_bound(tmp_path: Path) -> None:
    async with FakeSignalDaemon() as daemon:
        running = asyncio.create_task(recorded_by(daemon.url, tmp_path, "--megabytes", "1"))
        await daemon.streams_open(1)
        for _ in range(8):
            await daemon.emit(recorded("big_200k"))
        status, output = await asyncio.wait_for(running, 10)
    assert status == 0
    assert "1 megabytes" in output
    assert len(events_of((tmp_path / "case.sse").read_bytes())) == 5


async def test_without_an_event_nothing_is_written(tmp_path: Path) -> None:
    async with FakeSignalDaemon() as daemon:
        running = asyncio.create_task(recorded_by(daemon.url, tmp_path))
        await daemon.streams_open(1)
        status, _ = await interrupted(running)
    assert status == 1
    assert not names(tmp_path)


async def test_a_leak_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pseudonyms, "person", lambda self, value: value)
    async with FakeSignalDaemon() as daemon:
        running = asyncio.create_task(recorded_by(daemon.url, tmp_path))
        await daemon.streams_open(1)
        await daemon.emit(recorded("dm_text"))
        await asyncio.sleep(0.1)
        status, output = await interrupted(running)
    assert status == 1
    assert "kind name" in output
    assert "Alice" not in output
    assert not names(tmp_path)


async def test_a_daemon_that_refuses_is_named(tmp_path: Path) -> None:
    async with FakeSignalDaemon(refuse_events=400) as daemon:
        with pytest.raises(Fatal, match="signal_unknown_account"):
            await recorded_by(daemon.url, tmp_path)


def run(*argv: str | Path) -> int:
    chosen = arguments(*argv)
    status: int = chosen.run(chosen)
    return status


def test_without_a_gateway_a_recording_of_signal_is_refused(hermes_home: Path, tmp_path: Path) -> None:
    with pytest.raises(record.NoGateway, match="--anyway"):
        run("record", "signal", "--for", "1s", "--out", tmp_path / "out")
    with pytest.raises(ConfigError, match="SIGNAL_HTTP_URL"):
        run("record", "signal", "--for", "1s", "--out", tmp_path / "out", "--anyway")


@pytest.mark.parametrize("name", ["../x", "a/b", ".", "a b"])
def test_a_name_that_is_none(name: str, hermes_home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--name"):
        run("record", "signal", "--for", "1s", "--out", tmp_path, "--anyway", "--name", name)


def test_nothing_is_overwritten(hermes_home: Path, tmp_path: Path) -> None:
    (tmp_path / "case.sse").write_text("mine")
    with pytest.raises(ConfigError, match="already"):
        run("record", "signal", "--for", "1s", "--out", tmp_path, "--anyway", "--name", "case")


@pytest.mark.parametrize("time", ["10", "m", "-1m", "1d", "0s", "1.5h", ""])
def test_a_time_that_is_none(time: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments("record", "signal", f"--for={time}", "--out", "x")
    assert "90s" in capsys.readouterr().err
