"""Output of the commands is harmless to a terminal, whatever a title, a name or an error holds."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sqlite3
import unicodedata
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from hermes_hardened_adapters.cli import main
from hermes_hardened_adapters.cli.doctor import Report
from hermes_hardened_adapters.cli.output import Rows, Screen, say, write_json
from hermes_hardened_adapters.common.doctor.findings import Finding, Status
from hermes_hardened_adapters.common.host.profile import state_file
from hermes_hardened_adapters.common.state import snapshot
from rich.text import Text

from tests.fakes.mattermost_server import TOKEN, FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, ALICE, ALICE_ACI, GROUP, FakeSignalDaemon, contact, group
from tests.hosted import hosted
from tests.scene_signal import ALICE_A, ALLOTMENT, variant

HOSTILE = "Ops\x1b]0;owned\x07\r\x9b2J\x08\u202egnp\u2066\u200b\u2060\U000e0041\n✗ lost\u2028\x85\x1b[8mEnd"
SHOWN = "Ops"
STYLES = re.compile(r"\x1b\[[0-9;]*m")


def acts(written: str) -> set[str]:
    """Return the characters of an output that control a terminal or are invisible."""
    return {char for char in written if unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}} - {"\n"}


@pytest.fixture
async def daemon(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeSignalDaemon]:
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", ALICE)
    monkeypatch.setattr(snapshot, "EVERY_SECONDS", 0.05)
    async with FakeSignalDaemon(groups=[group(), group(ALLOTMENT, name=HOSTILE)]) as daemon:
        daemon.contacts.append(contact(ALICE, ALICE_ACI, HOSTILE))
        monkeypatch.setenv("SIGNAL_HTTP_URL", daemon.url)
        monkeypatch.setenv("SIGNAL_ACCOUNT", ACCOUNT)
        yield daemon


@pytest.fixture
def server(
    server: FakeMattermostServer, alice_on_mattermost: None, monkeypatch: pytest.MonkeyPatch
) -> FakeMattermostServer:
    """A server that the environment points to."""
    monkeypatch.setenv("MATTERMOST_URL", server.url)
    monkeypatch.setenv("MATTERMOST_TOKEN", TOKEN)
    return server


async def operated(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[str, str]:
    """Return what a command writes to standard output and standard error."""
    capsys.readouterr()
    await asyncio.to_thread(main.main, command)
    written = capsys.readouterr()
    return written.out, written.err


async def test_a_title_in_the_list_of_groups_is_one_cell(
    daemon: FakeSignalDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = await operated(capsys, "groups", "list")
    lines = out.splitlines()
    assert len(lines) == 3
    assert [GROUP in line or ALLOTMENT in line for line in lines] == [False, True, True]
    assert SHOWN in out
    assert "End" in out
    assert not acts(out)
    rows = json.loads((await operated(capsys, "groups", "list", "--json"))[0])
    assert {row["id"] for row in rows} == {GROUP, ALLOTMENT}


async def test_a_channels_title_too(server: FakeMattermostServer, capsys: pytest.CaptureFixture[str]) -> None:
    before = (await operated(capsys, "groups", "list"))[0].splitlines()
    channel = server.add_channel("x")
    server.channels[channel]["display_name"] = HOSTILE
    out, _ = await operated(capsys, "groups", "list")
    assert channel in out
    assert len(out.splitlines()) == len(before) + 1
    assert not acts(out)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("groups", "approve", HOSTILE), "is not a known group or channel"),
        (("people", "confirm", HOSTILE, "an ACI"), "has not moved"),
        (("replay", "signal", f"/{HOSTILE}"), "/Ops"),
    ],
)
async def test_an_error_is_one_line(
    daemon: FakeSignalDaemon, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], told: str
) -> None:
    async with hosted(daemon):
        _, err = await operated(capsys, *command)
    assert told in err
    assert SHOWN in err
    assert len(err.splitlines()) == 1
    assert not acts(err)


async def test_what_the_state_file_holds_is_printed_as_text(
    daemon: FakeSignalDaemon, hermes_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with hosted(daemon) as host:
        await host.emit(variant("dm_text", ALICE_A, text="hello"))
    usual = [await operated(capsys, command) for command in ("trace", "status")]
    with closing(sqlite3.connect(state_file(hermes_home))) as state, state:
        assert state.execute("UPDATE trace SET event = ?, reason = ?", (HOSTILE, HOSTILE)).rowcount
        assert state.execute("UPDATE identity SET moved_to = ?", (HOSTILE,)).rowcount
        rows = state.execute("SELECT key, value FROM meta WHERE key = 'signal status'").fetchall()
        for key, value in rows:
            told = json.dumps(json.loads(value) | {"skipped": {HOSTILE: 1}})
            state.execute("UPDATE meta SET value = ? WHERE key = ?", (told, key))
        assert rows
    for command, (before, _) in zip((("trace",), ("status",)), usual, strict=True):
        out, _ = await operated(capsys, *command)
        assert SHOWN in out
        assert "End" in out
        assert len(out.splitlines()) == len(before.splitlines())
        assert not acts(out)
    out, _ = await operated(capsys, "people", "moved")
    assert all(SHOWN in line for line in out.splitlines())
    assert not acts(out)
    for listing in (("people", "moved"), ("status",), ("trace",)):
        out, _ = await operated(capsys, *listing, "--json")
        assert not acts(out)
        assert out.isascii()
        assert json.dumps(HOSTILE) in out


def test_a_finding_is_a_line_and_its_remedy_another() -> None:
    terminal = io.StringIO()
    report = Report(Screen(file=terminal, force_terminal=True, width=400))
    report.add(Finding("signal.groups", Status.FAILED, f"The group {HOSTILE} is odd.", f"Look at {HOSTILE}."))
    report.add(Finding("signal.account", Status.OK, "All is well with Zoë 👩‍👧 ☺️."))
    report.close()
    written = terminal.getvalue()
    assert "\x1b[1;31m✗" in written  # its own colours are there
    plain = STYLES.sub("", written)
    assert plain.splitlines()[3] == "  ✓ All is well with Zoë 👩‍👧 ☺️."
    assert len(plain.splitlines()) == 5
    assert acts(plain) <= {"\u200d"}


def test_styles_stay_where_they_were_and_texts_are_not_cut() -> None:
    terminal = io.StringIO()
    screen = Screen(file=terminal, force_terminal=True, width=4_000, color_system="standard")
    rows = Rows(box=None, title=Text(HOSTILE))
    rows.add_column(Text(HOSTILE))
    rows.add_row(Text.assemble("a\x1b", ("b\x07\n", "red"), "c" * 3_000))
    screen.print(rows)
    assert "\x1b[31mb \x1b[0m" + "c" * 3_000 in terminal.getvalue()
    assert not acts(STYLES.sub("", terminal.getvalue()))


def test_markup_in_a_text_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    say("[red]not red[/red] \x1b[31m")
    assert capsys.readouterr().out == "[red]not red[/red]  [31m\n"
    write_json({"title": HOSTILE, "del": "\x7f", "half": "\ud800"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"title": HOSTILE, "del": "\x7f", "half": "\ud800"}
    assert not acts(out)
