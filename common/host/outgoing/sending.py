"""Sends an answer in several messages, and reports the result to the host."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ...core.errors import ConnectionLost, HardenedError, RateLimited, Unanswered
from ..contract import table

logger = logging.getLogger(__name__)


async def send_all(
    parts: Sequence[str], send: Callable[[int, str], Awaitable[str | None]], kind_of: Callable[[Exception], str | None]
) -> Any:
    """Send the parts in order and return the host's SendResult. `send` takes a number and a text, returns a message id.

    Stops at the first failure, whose error contains the number of parts sent. `partial_overflow` is the host's own word
    for a part that arrived, or may have (gateway/delivery.py). `kind_of` returns one of the host's SEND_ERROR_KINDS, or
    None for an error it does not know.
    """
    made: Any = table.SEND_RESULT.load()
    sent: list[str | None] = []
    try:
        for number, part in enumerate(parts):
            sent.append(await send(number, part))
    except (HardenedError, ValueError) as exc:
        logger.warning("%d of %d messages of an answer were sent: %s", len(sent), len(parts), exc)
        return made(
            success=False,
            error=f"{len(sent)} of {len(parts)} messages were sent: {exc}",
            message_id=sent[-1] if sent else None,
            raw_response={
                "partial_overflow": bool(sent) or isinstance(exc, Unanswered),
                "delivered_chunks": len(sent),
                "total_chunks": len(parts),
            },
            retry_after=exc.retry_after if isinstance(exc, RateLimited) else None,
            error_kind=kind_of(exc) or _kind(exc),
        )
    *earlier, last = sent or [None]
    return made(success=True, message_id=last, continuation_message_ids=tuple(id_ for id_ in earlier if id_))


def failed(error: str, *, arrived: bool, kind: str | None, shown: str = "") -> Any:
    """Return the SendResult of a failed answer; the host goes on behind `shown`, its beginning that arrived."""
    raw = {"partial_overflow": arrived, **({"delivered_prefix": shown} if shown else {})}
    return table.SEND_RESULT(success=False, error=error, raw_response=raw, error_kind=kind)


def may_have_arrived(result: Any) -> bool:
    """Return True for the SendResult of a failed answer of which a part arrived, or is in doubt."""
    raw = result.raw_response
    return not result.success and isinstance(raw, dict) and bool(raw.get("partial_overflow"))


def settled(result: Any) -> Any:
    """Return the SendResult that keeps the host from sending an answer again: a success for all that may have arrived.

    What certainly did not arrive stays a failure, which the host may retry.
    """
    return dataclasses.replace(result, success=True) if may_have_arrived(result) else result


def _kind(exc: Exception) -> str:
    match exc:
        case RateLimited():
            return "rate_limited"
        case Unanswered() | ConnectionLost():
            return "transient"
    return "unknown"
