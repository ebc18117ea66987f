"""Sends through signal-cli: waits for rate limits, retries what certainly failed, never what may have been sent.

There is no idempotency key: a call that timed out may still be carried out. A group send that reached one member is a
success with failures in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ...common.core.errors import NotSent, RateLimited
from .client import SignalClient
from .failures import Refused, RpcError, failure_kinds, send_failure
from .wire import SendResult

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 90.0
"""The longest total wait of one send for rate limits, before it raises RateLimited."""
_SEND_SECONDS = 60.0
_RETRIES = (2.0, 6.0)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that reached somebody. `timestamp` is its id; `missed` counts the members it did not reach."""

    timestamp: int | None
    missed: int


async def send(
    client: SignalClient,
    params: dict[str, Any],
    *,
    patience: float = PATIENCE_SECONDS,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Sent:
    """Send a message. Raises Unanswered (it may have been sent), RateLimited, NotSent, Refused or Fatal."""
    retries = iter(_RETRIES)
    while True:
        try:
            result = await client.rpc("send", params, timeout=_SEND_SECONDS)
        except (RpcError, NotSent) as exc:
            failure = send_failure(exc) if isinstance(exc, RpcError) else exc
        else:
            return sent(SendResult.read(result))
        match failure:
            case RateLimited(retry_after=wait) if wait <= patience:
                patience -= wait
            case NotSent() if wait := next(retries, 0.0):
                pass
            case _:
                raise failure
        logger.info("sending again in %.0f s: %s", wait, failure)
        await sleep(wait)


def sent(result: SendResult) -> Sent:
    """Judge the result of a `send`. Raises Refused when it reached nobody."""
    missed = [row for row in result.rows if not row.is_success]
    if missed and len(missed) == len(result.rows):
        raise Refused(f"nobody was reached: {failure_kinds(missed)}")
    if missed:
        logger.warning(
            "a message did not reach %d of %d members: %s", len(missed), len(result.rows), failure_kinds(missed)
        )
    return Sent(result.timestamp, len(missed))
