"""Sending through signal-cli. Waits for rate limits, and retries only messages that certainly were not sent.

signal-cli has no idempotency key, and a call that timed out may still be carried out. A group send that reached one
member is a success whose result lists the failures.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ....common.core.errors import NotSent, RateLimited
from ..client import SignalClient
from ..failures import Refused, RpcError, failure_kinds, send_failure
from ..wire import SendResult

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 90.0
"""Maximum total time that one send waits for rate limits before it raises RateLimited."""
_SEND_SECONDS = 60.0
_RETRIES = (2.0, 6.0)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that reached at least one person. `timestamp` is its id, `missed` the number of members not reached."""

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
            # Unanswered is not among the retried: the daemon finishes a call after the client gave up.
            case NotSent() if wait := next(retries, 0.0):
                pass
            case _:
                raise failure
        logger.info("sending again in %.0f s: %s", wait, failure)
        await sleep(wait)


def sent(result: SendResult) -> Sent:
    """Evaluate the result of a `send`. Raises Refused if it reached nobody."""
    # No rows is a success: a group without other members.
    missed = [row for row in result.rows if not row.is_success]
    if missed and len(missed) == len(result.rows):
        raise Refused(f"the message reached nobody: {failure_kinds(missed)}")
    if missed:
        logger.warning(
            "a message did not reach %d of %d members: %s", len(missed), len(result.rows), failure_kinds(missed)
        )
    return Sent(result.timestamp, len(missed))
