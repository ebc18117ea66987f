"""An answer in several messages, and what the host is told of one that failed."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.core.errors import ConnectionLost, HardenedError, RateLimited, Unanswered
from hermes_hardened_adapters.common.host.outgoing.sending import send_all


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
    assert result.raw_response == {"sent": ["id 0"], "of": 3}
    assert result.error_kind == kind
    known = await send_all(["a", "b"], send, lambda exc: "forbidden" if exc is error else None)
    assert known.error_kind == "forbidden"


async def test_an_error_that_nobody_expected_is_not_taken_for_a_failure_to_send() -> None:
    async def send(number: int, part: str) -> str | None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await send_all(["a"], send, lambda _: None)
