"""An answer in several messages, and what the host is told of one that failed."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.core.errors import ConnectionLost, HardenedError, RateLimited, Unanswered
from hermes_hardened_adapters.common.host.outgoing.sending import may_have_arrived, send_all, settled


async def test_the_parts_go_in_order_and_the_last_ones_id_is_the_answers() -> None:
    sent = []

    async def send(number: int, part: str) -> str | None:
        sent.append((number, part))
        return f"id {number}" if number != 1 else None

    result = await send_all(["a", "b", "c", "d"], send, lambda _: None)
    assert sent == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]
    assert (result.success, result.message_id) == (True, "id 3")
    assert result.continuation_message_ids == ("id 0", "id 2")


async def test_an_answer_without_parts_is_sent() -> None:
    async def send(number: int, part: str) -> str | None:
        raise AssertionError("nothing to send")

    result = await send_all([], send, lambda _: None)
    assert (result.success, result.message_id) == (True, None)


@pytest.mark.parametrize(
    ("error", "kind", "retry_after"),
    [
        (RateLimited(7, "send"), "rate_limited", 7),
        (Unanswered("timed out"), "transient", None),
        (ConnectionLost("gone"), "transient", None),
        (HardenedError("refused"), "unknown", None),
        (ValueError("no id"), "unknown", None),
    ],
)
async def test_the_first_failure_ends_it_and_says_how_far_it_got(
    error: Exception, kind: str, retry_after: float | None
) -> None:
    tried = []

    async def send(number: int, part: str) -> str | None:
        tried.append(part)
        if number == 1:
            raise error
        return f"id {number}"

    result = await send_all(["a", "b", "c"], send, lambda _: None)
    assert tried == ["a", "b"]
    assert (result.success, result.message_id, result.retry_after) == (False, "id 0", retry_after)
    assert result.error.startswith("1 of 3 messages were sent: ")
    assert result.raw_response == {"partial_overflow": True, "delivered_chunks": 1, "total_chunks": 3}
    assert result.error_kind == kind
    known = await send_all(["a", "b"], send, lambda exc: "forbidden" if exc is error else None)
    assert known.error_kind == "forbidden"


async def test_an_error_that_nobody_expected_is_not_taken_for_a_failure_to_send() -> None:
    async def send(number: int, part: str) -> str | None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await send_all(["a"], send, lambda _: None)


@pytest.mark.parametrize(
    ("fails_at", "error", "in_doubt"),
    [
        (0, Unanswered("timed out"), True),
        (1, Unanswered("timed out"), True),
        (1, HardenedError("refused"), True),
        (1, RateLimited(7, "send"), True),
        (0, RateLimited(7, "send"), False),
        (0, HardenedError("refused"), False),
        (0, ConnectionLost("not connected"), False),
        (0, ValueError("no id"), False),
    ],
)
async def test_what_may_have_arrived_is_settled_and_what_certainly_did_not_may_be_retried(
    fails_at: int, error: Exception, in_doubt: bool
) -> None:
    async def send(number: int, part: str) -> str | None:
        if number == fails_at:
            raise error
        return None

    result = await send_all(["a", "b"], send, lambda _: None)
    assert not result.success
    assert may_have_arrived(result) is in_doubt
    assert settled(result).success is in_doubt
    assert settled(result).error == result.error


async def test_an_answer_that_arrived_stays_a_success() -> None:
    async def send(number: int, part: str) -> str | None:
        return "id"

    result = await send_all(["a"], send, lambda _: None)
    assert not may_have_arrived(result)
    assert settled(result) is result
