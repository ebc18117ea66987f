"""Growing answers in the real host classes: what is held back, what is on record, and what follows a failure."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.core.pacing import Pace

from tests.fakes.mattermost_server import FakeMattermostServer, Fault
from tests.fakes.signal_daemon import FakeSignalDaemon, RpcFault
from tests.outgoing import NETWORKS, Outgoing, outgoing

GROWS = {"expect_edits": True}
LONG = "\n".join(f"{number:05} and so the story goes on and on" for number in range(1000))
SOON, LATE = Pace(0.2), Pace(3600.0)


@asynccontextmanager
async def growing(network: str, monkeypatch: pytest.MonkeyPatch, pace: Pace = LATE) -> AsyncIterator[Outgoing]:
    monkeypatch.setenv("SIGNAL_STREAMING", "true")
    async with outgoing(network, monkeypatch) as out:
        out.adapter.own_messages.pace = pace
        if isinstance(out.server, FakeSignalDaemon):
            out.server.handlers["send"] = stamped(out.server)
        yield out


def stamped(daemon: FakeSignalDaemon) -> Any:
    async def send(_: dict[str, Any]) -> dict[str, Any]:
        return {"timestamp": 1_795_000_000_000 + len(daemon.called("send")), "results": []}

    return send


def now(out: Outgoing) -> list[str]:
    """The bot's messages as they are."""
    if isinstance(out.server, FakeMattermostServer):
        return [post["message"] for post in out._posts() if not post["delete_at"]]
    messages: dict[int, str] = {}
    at: dict[int, int] = {}
    for number, call in enumerate(out.server.called("send"), 1_795_000_000_001):
        first = at[call["editTimestamp"]] if "editTimestamp" in call else number
        at[number], messages[first] = first, call["message"]
    return list(messages.values())


def edits(out: Outgoing) -> int:
    if isinstance(out.server, FakeMattermostServer):
        return len(out.server.called("PUT", "/posts/"))
    return sum("editTimestamp" in call for call in out.server.called("send"))


async def begin(out: Outgoing, text: str) -> str:
    result = await out.adapter.send(out.chat, text, metadata=GROWS)
    assert result.success
    return str(result.message_id)


@pytest.mark.parametrize("network", NETWORKS)
async def test_edits_that_come_too_early_are_held_back_until_the_end(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with growing(network, monkeypatch) as out:
        number = await begin(out, "1 ▉")
        for count in range(2, 100):
            assert (await out.adapter.edit_message(out.chat, number, f"{count} ▉")).success
        assert (now(out), edits(out)) == (["1 ▉"], 0)
        # The host announces the end twice.
        for _ in range(2):
            assert (await out.adapter.edit_message(out.chat, number, "100", finalize=True)).success
        assert (now(out), edits(out)) == (["100"], 1)


@pytest.mark.parametrize("network", NETWORKS)
async def test_the_latest_text_held_back_goes_out_by_itself(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with growing(network, monkeypatch, SOON) as out:
        number = await begin(out, "1 ▉")
        await out.adapter.edit_message(out.chat, number, "2 ▉")
        await out.adapter.edit_message(out.chat, number, "3 ▉")
        await out.host.until(lambda: now(out) == ["3 ▉"])
        assert edits(out) == 1


@pytest.mark.parametrize("network", NETWORKS)
async def test_a_growing_answer_is_split_where_a_finished_one_is(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"Look:\n```python\n{LONG}\n```\nThe end."
    async with growing(network, monkeypatch) as out:
        await out.adapter.send(out.chat, code)
        finished = now(out)
        number = await begin(out, code[:100])
        for end in range(1000, len(code), 5000):
            await out.adapter.edit_message(out.chat, number, f"{code[:end]} ▉")
        await out.adapter.edit_message(out.chat, number, code, finalize=True)
        grown = now(out)[len(finished) :]
        assert len(grown) > 2
        assert grown == [text.removesuffix(f" ({n}/{len(finished)})") for n, text in enumerate(finished, 1)]
        assert edits(out) == len(grown)


@pytest.mark.parametrize("network", NETWORKS)
async def test_what_is_sent_at_once_and_called_finished_is_not_edited(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with growing(network, monkeypatch) as out:
        for metadata in (GROWS, None):
            result = await out.adapter.send(out.chat, LONG, metadata=metadata)
            assert (await out.adapter.edit_message(out.chat, result.message_id, LONG, finalize=True)).success
        assert edits(out) == 0


@pytest.mark.parametrize("network", NETWORKS)
async def test_a_message_that_became_too_much_is_taken_back(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with growing(network, monkeypatch) as out:
        number = await begin(out, LONG[:20_000])
        await out.adapter.edit_message(out.chat, number, "Never mind.", finalize=True)
        if isinstance(out.server, FakeMattermostServer):
            assert now(out) == ["Never mind."]
        else:
            stamps = [call["targetTimestamp"] for call in out.server.called("remoteDelete")]
            assert stamps == [1_795_000_000_002, 1_795_000_000_003]


async def test_an_answer_whose_rest_cannot_be_taken_back_is_shown_all_the_same(
    hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with growing("signal", monkeypatch) as out:
        assert isinstance(out.server, FakeSignalDaemon)

        async def refuse(_: dict[str, Any]) -> Any:
            raise RpcFault(-1, "refused")

        out.server.handlers["remoteDelete"] = refuse
        number = await begin(out, LONG[:20_000])
        assert (await out.adapter.edit_message(out.chat, number, "Never mind.", finalize=True)).success
        assert now(out)[0] == "Never mind."


def fail(out: Outgoing, times: int = 1) -> None:
    """Refuse the next edits."""
    if isinstance(out.server, FakeMattermostServer):
        out.server.faults.append(Fault(403, times, path="/posts/"))
        return
    left = [times]
    inner = out.server.handlers["send"]

    async def send(params: dict[str, Any]) -> Any:
        if "editTimestamp" in params and left[0] > 0:
            left[0] -= 1
            out.server.calls.pop()
            raise RpcFault(-1, "refused")
        return await inner(params)

    out.server.handlers["send"] = send


@pytest.mark.parametrize("network", NETWORKS)
async def test_a_failed_edit_is_made_up_for_by_the_next_one(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with growing(network, monkeypatch, SOON) as out:
        number = await begin(out, "1 ▉")
        await asyncio.sleep(SOON.gap)
        fail(out)
        assert (await out.adapter.edit_message(out.chat, number, "2 ▉")).success
        assert now(out) == ["1 ▉"]
        await out.host.until(lambda: now(out) == ["2 ▉"])


@pytest.mark.parametrize("network", NETWORKS)
async def test_the_host_learns_what_is_shown_if_the_end_fails_and_what_is_missing_is_sent(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with growing(network, monkeypatch) as out:
        number = await begin(out, "The answer ▉")
        await out.adapter.edit_message(out.chat, number, "The answer is ▉")
        fail(out, times=2)
        result = await out.adapter.edit_message(out.chat, number, "The answer is 42.", finalize=True)
        assert not result.success
        # What was held back is not shown, whatever the host believes.
        assert result.raw_response["delivered_prefix"] == "The answer "
        assert (await out.adapter._send_with_retry(out.chat, "The answer is 42.")).success
        assert now(out) == ["The answer ▉", "is 42."]


@pytest.mark.parametrize("network", NETWORKS)
async def test_an_answer_whose_end_failed_is_finished_where_it_grew(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with growing(network, monkeypatch) as out:
        number = await begin(out, "The answer ▉")
        fail(out)
        assert not (await out.adapter.edit_message(out.chat, number, "The answer is 42.", finalize=True)).success
        assert (await out.adapter._send_with_retry(out.chat, "The answer is 42.")).success
        # Anything else is a message of its own.
        assert (await out.adapter._send_with_retry(out.chat, "The answer is 42.")).success
        assert now(out) == ["The answer is 42.", "The answer is 42."]


@pytest.mark.parametrize("network", NETWORKS)
async def test_an_answer_that_grew_is_not_sent_again_after_a_crash(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("gateway.delivery_ledger") is None:
        return  # Hermes 0.18 sends nothing again.
    marker = importlib.import_module("gateway.delivery_ledger").RECOVERED_MARKER
    async with growing(network, monkeypatch) as out:
        number = await begin(out, "The answer ▉")
        fail(out)
        # Whether the end arrived or not: a part of it did.
        await out.adapter.edit_message(out.chat, number, "The answer is 42.", finalize=True)
        assert (await out.adapter.send(out.chat, f"{marker}The answer is 42.")).success
        assert now(out) == ["The answer ▉"]
        # An answer of which only a preview is there has no end yet that the host could know.
        assert (await out.adapter.send(out.chat, f"{marker}Another one.")).success
        assert now(out) == ["The answer ▉", f"{marker}Another one."]


@pytest.mark.parametrize("network", NETWORKS)
async def test_an_edit_that_the_host_cancels_is_carried_on_and_not_made_twice(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with growing(network, monkeypatch) as out:
        number = await begin(out, "The answer ▉")
        inner, reached, free = out.adapter.own_messages.change, asyncio.Event(), asyncio.Event()

        async def slow(*args: Any) -> Any:
            edited = await inner(*args)
            reached.set()
            await free.wait()
            return edited

        out.adapter.own_messages.change = slow
        end = asyncio.create_task(out.adapter.edit_message(out.chat, number, "The answer is 42.", finalize=True))
        await reached.wait()
        end.cancel()
        with pytest.raises(asyncio.CancelledError):
            await end
        again = asyncio.create_task(out.adapter.edit_message(out.chat, number, "The answer is 42.", finalize=True))
        free.set()
        assert (await again).success
        assert (now(out), edits(out)) == (["The answer is 42."], 1)


@pytest.mark.parametrize("network", NETWORKS)
async def test_a_message_that_is_no_answer_reports_a_failed_edit(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with growing(network, monkeypatch, SOON) as out:
        result = await out.adapter.send(out.chat, "still working")
        await asyncio.sleep(SOON.gap)
        fail(out)
        assert not (await out.adapter.edit_message(out.chat, result.message_id, "working still")).success


async def test_who_is_mentioned_at_the_end_on_mattermost_is_in_a_post_of_its_own_or_nothing_has_moved(
    hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "I looked at it.\n\nAsk @bob."
    async with growing("mattermost", monkeypatch) as out:
        assert isinstance(out.server, FakeMattermostServer)
        number = await begin(out, "I looked ▉")
        out.server.faults.append(Fault(403, path="/posts", text="@bob"))
        assert not (await out.adapter.edit_message(out.chat, number, text, finalize=True)).success
        assert now(out) == ["I looked ▉"]
        for _ in range(2):
            assert (await out.adapter.edit_message(out.chat, number, text, finalize=True)).success
        assert now(out) == ["I looked at it.", "Ask @bob."]
        # Whatever else is edited, such as a question, mentions people as it is.
        result = await out.adapter.send(out.chat, "May I?")
        await out.adapter.edit_message(out.chat, result.message_id, "May I?\n\nAllowed by @bob.", finalize=True)
        assert now(out)[2:] == ["May I?\n\nAllowed by @bob."]


async def test_each_edit_on_signal_names_the_latest_timestamp_and_its_echo_is_known(
    hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with growing("signal", monkeypatch, Pace(0.0, most=3)) as out:
        number = await begin(out, "0")
        for text in ("1", "2", "held back"):
            assert (await out.adapter.edit_message(out.chat, number, text)).success
        assert (await out.adapter.edit_message(out.chat, number, "3", finalize=True)).success
        calls = out.server.called("send")  # type: ignore[attr-defined]
        stamps = [1_795_000_000_000 + count for count in range(1, 5)]
        assert [call["message"] for call in calls] == ["0", "1", "2", "3"]
        assert [call.get("editTimestamp") for call in calls] == [None, *stamps[:-1]]
        assert set(stamps) <= set(map(int, out.adapter._sent_message_timestamps))
        # No more edits: the host sends what is missing as a message of its own.
        result = await out.adapter.edit_message(out.chat, number, "3 and more", finalize=True)
        assert (result.success, result.raw_response["delivered_prefix"]) == (False, "3")


async def test_an_edit_on_signal_keeps_the_quote(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with growing("signal", monkeypatch) as out:
        await out.ask("")
        ((_, asked),) = out.adapter._quotable
        result = await out.adapter.send(out.chat, "0", asked, GROWS)
        await out.adapter.edit_message(out.chat, result.message_id, "1", finalize=True)
        calls = out.server.called("send")  # type: ignore[attr-defined]
        assert [(call["message"], call["quoteTimestamp"]) for call in calls] == [("0", int(asked)), ("1", int(asked))]


async def test_without_the_setting_signal_has_neither_ids_nor_edits(
    hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outgoing("signal", monkeypatch) as out:
        from gateway.platforms.base import BasePlatformAdapter

        assert (await out.adapter.send(out.chat, "hello")).message_id is None
        assert out.adapter.SUPPORTS_MESSAGE_EDITING is False
        # By this the host tells that there is no progress to show.
        assert type(out.adapter).edit_message is BasePlatformAdapter.edit_message
