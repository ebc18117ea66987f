"""Words of others before the operator: lists in a chat and in a terminal, and logs."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from typing import Any

import pytest
from hermes_hardened_adapters.cli import main

from tests.attacks.conftest import OpenStage
from tests.attacks.harness import Stage
from tests.attacks.signal_stage import SignalStage
from tests.attacks.table import Kind
from tests.attacks.test_words import ALPHABET, invisible
from tests.fakes.signal_daemon import GROUP
from tests.scene_signal import MALLORY, Person

HOSTILE = [letters for letters in ALPHABET if letters != "megabyte"]


def name_the_chat(on: Any, words: str) -> None:
    if isinstance(on, SignalStage):
        (row,) = (row for row in on.daemon.groups if row["id"] == GROUP)
        row["name"] = words
    else:
        on.server.channels[on.ops]["display_name"] = words


async def listed(on: Stage) -> str:
    before = len(on.sent())
    await on.say(Kind.ADMIN, "/adapters groups list", direct=True)
    (answer,) = on.sent()[before:]
    return answer


@pytest.mark.parametrize("network", ["signal", "mattermost"])
async def test_a_title_in_a_list_in_a_chat_is_words_on_its_own_line(stage: OpenStage, network: str) -> None:
    async with stage(network, agent=False) as on:
        name_the_chat(on, "plainly")
        await on.say(Kind.ADMIN, "hello", **({"title": "plainly"} if network == "signal" else {}))
        harmless = await listed(on)
        assert "plainly" in harmless, "the control"
        for letters in HOSTILE:
            name_the_chat(on, f"plainly {ALPHABET[letters]}")
            answer = await listed(on)
            assert not invisible(answer), letters
            assert answer.count("\n") == harmless.count("\n"), letters
            assert answer.count("@") == harmless.count("@"), letters


@pytest.mark.parametrize("network", ["signal", "mattermost"])
async def test_a_title_in_a_terminal_acts_on_nothing(stage: OpenStage, network: str) -> None:
    async def shown(words: str) -> str:
        name_the_chat(on, words)
        written = io.StringIO()
        with contextlib.redirect_stdout(written):
            assert await asyncio.to_thread(main.main, ["groups", "list"]) in {0, 1}
        return written.getvalue()

    async with stage(network, agent=False) as on:
        env = (
            {"SIGNAL_HTTP_URL": on.daemon.url, "SIGNAL_ACCOUNT": on.daemon.account}
            if network == "signal"
            else {"MATTERMOST_URL": on.server.url, "MATTERMOST_TOKEN": on.server.token}
        )
        with pytest.MonkeyPatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            assert "plainly" in await shown("plainly"), "the control"
            for letters in HOSTILE:
                assert not invisible(await shown(f"plainly {ALPHABET[letters]}")), letters


async def test_nothing_anybody_said_and_no_name_is_in_our_log(
    stage: OpenStage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with stage("signal", agent=False) as on:
        for letters in HOSTILE:
            await on.say(Kind.STRANGER, f"secretly {ALPHABET[letters]}", who=Person("secretly", MALLORY.aci, None))
            await on.say(Kind.ADMIN, f"secretly {letters}", title=f"secretly {ALPHABET[letters]}")
        assert on.read, "the control"
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("hermes_hardened_adapters")]
    assert ours
    for line in ours:
        assert "secretly" not in line
        assert "\n" not in line
        assert not invisible(line)
