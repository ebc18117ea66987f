"""Sending through signal-cli: refusals that are waited out, tried again, or final."""

from __future__ import annotations

from typing import Any

import pytest
from hermes_hardened_adapters.adapters.signal.failures import Refused, RpcError
from hermes_hardened_adapters.adapters.signal.outgoing.sending import Sent, send
from hermes_hardened_adapters.common.core.errors import Fatal, NotSent, RateLimited, Unanswered

OK = {"timestamp": 17, "results": [{"type": "SUCCESS"}]}


def failed(code: int, *kinds: str, message: str = "Failed to send message", **fields: Any) -> RpcError:
    rows = [{"type": kind, **fields} for kind in kinds]
    return RpcError(code, message, {"response": {"timestamp": 17, "results": rows}} if rows else None)


class Daemon:
    """Answers `send` from a script and counts."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls = 0
        self.slept: list[float] = []

    async def rpc(self, method: str, params: dict[str, Any] | None = None, *, timeout: float = 30.0) -> Any:
        assert method == "send"
        self.calls += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def send(self) -> Sent:
        return await send(self, {"message": "hi"}, patience=60.0, sleep=self.sleep)


async def test_a_group_send_that_reached_one_member_is_a_success(caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"type": "SUCCESS"}, {"type": "NETWORK_FAILURE"}, {"type": "UNREGISTERED_FAILURE"}]
    daemon = Daemon({"timestamp": 17, "results": rows})
    assert await daemon.send() == Sent(17, missed=2)
    assert daemon.calls == 1
    assert "did not reach 2 of 3 members: NETWORK_FAILURE, UNREGISTERED_FAILURE" in caplog.text


@pytest.mark.parametrize("result", [OK, {"timestamp": 17, "results": []}, {"timestamp": 17}])
async def test_success(result: object) -> None:
    assert await Daemon(result).send() == Sent(17, missed=0)


@pytest.mark.parametrize("result", [None, [], {"timestamp": "x", "results": [1, None]}])
async def test_a_result_that_makes_no_sense_is_no_failure(result: object) -> None:
    assert await Daemon(result).send() == Sent(None, missed=0)


@pytest.mark.parametrize(
    ("limited", "wait"),
    [
        (failed(-5, "RATE_LIMIT_FAILURE", retryAfterSeconds=40), 40.0),
        (failed(-5, "RATE_LIMIT_FAILURE"), 5.0),
        (failed(-32603, message="AttachmentInvalidException: Retry after 4 seconds"), 4.0),
    ],
)
async def test_a_rate_limit_is_waited_out(limited: RpcError, wait: float) -> None:
    daemon = Daemon(limited, OK)
    assert await daemon.send() == Sent(17, missed=0)
    assert daemon.slept == [wait]


async def test_a_rate_limit_beyond_all_patience_is_reported() -> None:
    once = failed(-5, "RATE_LIMIT_FAILURE", retryAfterSeconds=40)
    daemon = Daemon(once, once)
    with pytest.raises(RateLimited) as caught:
        await daemon.send()
    assert caught.value.retry_after == 40
    assert daemon.slept == [40]


@pytest.mark.parametrize(
    "offline",
    [
        failed(-1, "NETWORK_FAILURE"),
        failed(-1, "NETWORK_FAILURE", "NETWORK_FAILURE"),
        failed(-32603, message="Failed to send message: No connection! (IOException)"),
        NotSent("signal-cli cannot be reached"),
    ],
)
async def test_what_surely_was_not_sent_is_tried_again(offline: Exception) -> None:
    assert await Daemon(offline, offline, OK).send() == Sent(17, missed=0)
    daemon = Daemon(offline, offline, offline)
    with pytest.raises(NotSent):
        await daemon.send()
    assert daemon.calls == 3


@pytest.mark.parametrize("doubt", [Unanswered("send timed out"), Fatal("x", "y")])
async def test_what_may_have_been_sent_is_never_tried_again(doubt: Exception) -> None:
    daemon = Daemon(doubt)
    with pytest.raises(type(doubt)):
        await daemon.send()
    assert daemon.calls == 1


@pytest.mark.parametrize(
    "refusal",
    [
        failed(-4, "IDENTITY_FAILURE"),
        failed(-1, "UNREGISTERED_FAILURE"),
        failed(-1, "NETWORK_FAILURE", "UNREGISTERED_FAILURE"),
        failed(-1, message="User is not a member in group"),
        failed(-32603, message="NullPointerException"),
        {"timestamp": 17, "results": [{"type": "UNREGISTERED_FAILURE"}]},
    ],
)
async def test_what_is_refused_is_refused(refusal: object) -> None:
    daemon = Daemon(refusal)
    with pytest.raises(Refused):
        await daemon.send()
    assert daemon.calls == 1
