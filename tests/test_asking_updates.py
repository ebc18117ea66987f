"""The questions of `hermes update` in the real gateway: who answers, once, and what a restart leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.host.asking import updates

from tests.asking_stage import NETWORKS, running
from tests.asking_stage import Chat as Stage

KEY = "agent:main:some:session"


def begun(home: Path, chat: Stage) -> None:
    """Alice started an update, which goes on in a process of its own."""
    pending = {"platform": chat.name, "chat_id": chat.group_id, "chat_type": "group", "user_id": "alice"}
    (home / ".update_pending.json").write_text(json.dumps({**pending, "session_key": KEY}))


def ask(home: Path, number: str, words: str) -> None:
    """Ask as the update does: it takes an older answer away first."""
    (home / ".update_response").unlink(missing_ok=True)
    unfinished = home / ".update_prompt.tmp"
    unfinished.write_text(json.dumps({"prompt": words, "default": "n", "id": number}))
    unfinished.replace(home / ".update_prompt.json")


def answer(home: Path) -> str | None:
    path = home / ".update_response"
    return path.read_text() if path.exists() else None


@NETWORKS
async def test_an_admin_answers_an_update_once(network: Any, tmp_path: Path) -> None:
    async with network() as chat:
        begun(tmp_path, chat)
        async with running(chat, tmp_path) as process:
            ask(tmp_path, "one", "Restore the stash?")
            prompt = await chat.prompt("Restore the stash?")
            for who in ("mallory", "bob", "alice"):
                await chat.react(who, prompt, "yes")
            await chat.react("ada", prompt, "laugh")
            await chat.say("ada", "still there?")
            await chat.shown("echo: still there?")
            assert answer(tmp_path) is None
            await chat.react("ada", prompt, "yes")
            await process.until(lambda: answer(tmp_path) == "y", "the answer")
            await chat.shown("➡️ Yes by")
            assert not (tmp_path / ".update_prompt.json").exists()
            # The host forwards the next question, and the first one answers it no more.
            ask(tmp_path, "two", "Migrate the settings?")
            second = await chat.prompt("Migrate the settings?")
            await chat.react("ada", prompt, "no")
            await chat.shown("settled already")
            assert answer(tmp_path) is None
            await chat.react("ada", second, "no")
            await process.until(lambda: answer(tmp_path) == "n", "the second answer")
            # The update took the answer in another way.
            ask(tmp_path, "three", "Once more?")
            await chat.prompt("Once more?")
            (tmp_path / ".update_prompt.json").unlink()
            await chat.shown("This question waits no more")


@NETWORKS
async def test_after_a_restart_the_question_is_asked_anew(network: Any, tmp_path: Path) -> None:
    async with network() as chat:
        begun(tmp_path, chat)
        async with running(chat, tmp_path) as first:
            ask(tmp_path, "one", "Restore the stash?")
            old = await chat.prompt("Restore the stash?")
            await chat.say("bob", "hello")
            await chat.shown("echo: hello")
            await first.kill()
        before = len(chat.texts())
        async with running(chat, tmp_path) as second:
            await chat.shown("this question has expired")
            new = await chat.prompt("Restore the stash?", before)
            await chat.react("ada", old, "yes")
            await second.until(lambda: chat.count("this question has expired") == 2, "told")
            assert answer(tmp_path) is None
            await chat.react("ada", new, "no")
            await second.until(lambda: answer(tmp_path) == "n", "the answer")


@pytest.mark.parametrize("asked", ["", "[]", "{", '{"prompt": "x"}', '{"prompt": "other", "id": "1"}', "7"])
async def test_a_question_that_is_not_certainly_the_updates_is_the_hosts_to_ask(asked: str, hermes_home: Path) -> None:
    (hermes_home / ".update_prompt.json").write_text(asked)
    assert updates.waiting("x") is None


async def test_an_answer_may_be_faster_than_the_hosts_note_of_its_question(hermes_home: Path) -> None:
    ask(hermes_home, "one", "x")
    assert updates.waiting("x") == "one"
    forwarded: dict[str, Any] = {}
    looks = iter(range(3))

    def seen() -> dict[str, Any]:
        if next(looks) == 2:
            forwarded[KEY] = True
        return forwarded

    entry = updates.Update(KEY, "one", hermes_home, seen)
    assert await entry.answer("y")
    assert answer(hermes_home) == "y"
    # It looked until the note was there, and took it away.
    assert (next(looks, None), forwarded) == (None, {})
    # The file is gone, and with it what waited.
    assert not await entry.answer("n")
    assert answer(hermes_home) == "y"
