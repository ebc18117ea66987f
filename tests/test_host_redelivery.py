"""Answers that the host sends again: which of them are sent, and what is on record until then."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from gateway.config import Platform
from gateway.platforms.base import SendResult
from hermes_hardened_adapters.common.core.errors import Unanswered
from hermes_hardened_adapters.common.host.outgoing.redelivery import repeated, send_again, send_first
from hermes_hardened_adapters.common.state.ledger import Answers
from hermes_hardened_adapters.common.state.store import Store

from tests.fakes.mattermost_server import TOKEN, FakeMattermostServer, Fault
from tests.fakes.signal_daemon import ACCOUNT, FakeSignalDaemon, RpcFault
from tests.outgoing import NETWORKS, PNG, Outgoing, outgoing

ANSWER = "the answer"
FAILED = SendResult(success=False, error="refused", raw_response={"partial_overflow": False})
IN_DOUBT = SendResult(success=False, error="timed out", raw_response={"partial_overflow": True})
SENT = SendResult(success=True)


def markers() -> list[str]:
    """What the host sets before an answer that it sends again; nothing before 0.19, which has no ledger."""
    if importlib.util.find_spec("gateway.delivery_ledger") is None:
        return []
    ledger: ModuleType = importlib.import_module("gateway.delivery_ledger")
    return [str(value) for name, value in vars(ledger).items() if name.endswith("_MARKER")]


def test_every_marker_of_the_host_is_recognised() -> None:
    assert [repeated(f"{marker}{ANSWER}") for marker in markers()] == [ANSWER] * len(markers())
    assert [repeated(f"as I said:\n\n{marker}{ANSWER}") for marker in markers()] == [None] * len(markers())
    assert repeated(ANSWER) is None


@pytest.fixture
async def answers(store: Store) -> Answers:
    return Answers(store, "signal")


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (None, True),  # the host crashed before it sent anything
        (FAILED, True),
        (IN_DOUBT, False),
        (SENT, False),  # it crashed before it noted that
        (KeyError("a bug"), False),
        (asyncio.CancelledError(), False),  # it stopped
    ],
)
async def test_an_answer_is_sent_again_if_certainly_nothing_arrived(first: Any, again: bool, answers: Answers) -> None:
    calls: list[str] = []

    async def send() -> Any:
        calls.append("again")
        if isinstance(first, BaseException):
            raise first
        return first if calls == ["again"] else SENT

    if isinstance(first, BaseException):
        with pytest.raises(type(first)):
            await send_first(answers, "chat", ANSWER, send)
    elif first is not None:
        assert await send_first(answers, "chat", ANSWER, send) is first
    calls[:] = ["before"]
    assert (await send_again(answers, "chat", ANSWER, send)).success
    assert calls == ["before", "again"][: 1 + again]


async def test_what_fails_again_may_be_sent_once_more(answers: Answers) -> None:
    results = [FAILED, FAILED, SENT]

    async def send() -> Any:
        return results.pop(0)

    await send_first(answers, "chat", ANSWER, send)
    assert not (await send_again(answers, "chat", ANSWER, send)).success
    assert (await send_again(answers, "chat", ANSWER, send)).success
    assert results == []


async def test_the_same_words_in_another_chat_are_another_answer(answers: Answers) -> None:
    sent = []

    async def send() -> Any:
        sent.append(None)
        return SENT

    await send_first(answers, "chat", ANSWER, send)
    await send_again(answers, "another chat", ANSWER, send)
    assert len(sent) == 2


async def test_without_a_state_file_an_answer_is_neither_repeated_nor_given_up(answers: Answers, store: Store) -> None:
    await store.close()

    async def send() -> Any:
        raise AssertionError("not to be sent")

    result = await send_again(answers, "chat", ANSWER, send)
    assert not result.success
    assert "state file" in result.error


# -- in the real host


def confirms_nothing(out: Outgoing) -> None:
    """Have the server carry out what it is asked to send, and never say so."""
    if isinstance(out.server, FakeMattermostServer):
        out.server.faults.append(Fault(times=99, carried_out=True, path="/posts"))
        return
    client = out.adapter.connection.client
    rpc = client.rpc

    async def broken(method: str, params: dict[str, Any] | None = None, **options: Any) -> Any:
        result = await rpc(method, params, **options)
        if method == "send":
            raise Unanswered("send timed out")
        return result

    client.rpc = broken


def refuses_once(out: Outgoing) -> None:
    if isinstance(out.server, FakeMattermostServer):
        out.server.faults.append(Fault(403, path="/posts"))
        return

    async def refuse(_: dict[str, Any]) -> Any:
        daemon.handlers.pop("send")
        raise RpcFault(-32603, "not possible")

    daemon = out.server
    daemon.handlers["send"] = refuse


@pytest.mark.parametrize("network", NETWORKS)
async def test_an_answer_in_doubt_is_not_sent_again_in_the_hosts_words(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outgoing(network, monkeypatch) as out:
        confirms_nothing(out)
        assert not (await out.adapter._send_with_retry(out.chat, ANSWER)).success
        for marker in markers():
            assert (await out.adapter.send(out.chat, f"{marker}{ANSWER}", metadata=None)).success
        assert out.texts() == [ANSWER]


@pytest.mark.parametrize("network", NETWORKS)
async def test_an_answer_that_was_refused_is_sent_again_once(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outgoing(network, monkeypatch) as out:
        refuses_once(out)
        assert not (await out.adapter._send_with_retry(out.chat, ANSWER)).success
        before = len(out.texts())
        for marker in (*markers(), *markers()):
            assert (await out.adapter.send(out.chat, f"{marker}{ANSWER}", metadata=None)).success
        assert out.texts()[before:] == [f"{marker}{ANSWER}" for marker in markers()[:1]]


@pytest.mark.parametrize("network", NETWORKS)
async def test_pictures_in_doubt_are_not_sent_again(
    network: str, hermes_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chart.png").write_bytes(PNG)
    async with outgoing(network, monkeypatch) as out:
        confirms_nothing(out)
        await out.ask(f"MEDIA:{tmp_path}/chart.png")
        assert len(out.captions()) == 1


def _cron(out: Outgoing, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a job's delivery as the host's own scheduler makes it, with another way beside the gateway."""
    if isinstance(out.server, FakeSignalDaemon):
        monkeypatch.setenv("SIGNAL_HTTP_URL", out.server.url)
        monkeypatch.setenv("SIGNAL_ACCOUNT", ACCOUNT)
    else:
        monkeypatch.setenv("MATTERMOST_URL", out.server.url)
        monkeypatch.setenv("MATTERMOST_TOKEN", TOKEN)
    platform = Platform(out.adapter.platform.value)
    job = {"id": "morning", "name": "morning", "deliver": f"{platform.value}:{out.chat}"}
    deliver = importlib.import_module("cron.scheduler")._deliver_result
    loop = asyncio.get_running_loop()
    return asyncio.to_thread(deliver, job, ANSWER, adapters={platform: out.adapter}, loop=loop)


@pytest.mark.parametrize("network", NETWORKS)
async def test_a_jobs_answer_in_doubt_is_not_sent_on_another_way(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outgoing(network, monkeypatch) as out:
        confirms_nothing(out)
        await _cron(out, monkeypatch)
        assert len(out.texts()) == 1


@pytest.mark.parametrize("network", NETWORKS)
async def test_a_jobs_answer_that_was_refused_is_sent_on_another_way(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outgoing(network, monkeypatch) as out:
        refuses_once(out)
        before = len(out.texts())
        await _cron(out, monkeypatch)
        tried = 1 if network == "signal" else 0
        assert len(out.texts()) == before + tried + 1
