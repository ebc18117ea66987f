"""Sending through signal-cli: waited out when it is limited, tried again when it surely failed, never when in doubt.

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
from .failures import Refused, RpcError, failure_kinds, result_rows, send_failure
from .invitations import Rpc

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 90.0
"""How long a send waits for a rate limit over all, before it is reported instead."""
_SEND_SECONDS = 60.0
_RETRIES = (2.0, 6.0)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that reached somebody. `timestamp` identifies it; `missed` members of the group did not get it."""

    timestamp: int | None
    missed: int


async def send(
    client: Rpc,
    params: dict[str, Any],
    *,
    patience: float = PATIENCE_SECONDS,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Sent:
    """The `send` call. Raises Unanswered (unknown whether sent), RateLimited, NotSent, Refused or Fatal."""
    retries = iter(_RETRIES)
    while True:
        try:
            result = await client.rpc("send", params, timeout=_SEND_SECONDS)
        except (RpcError, NotSent) as exc:
            failure = send_failure(exc) if isinstance(exc, RpcError) else exc
        else:
            return sent(result)
        match failure:
            case RateLimited(retry_after=wait) if wait <= patience:
                patience -= wait
            case NotSent() if wait := next(retries, 0.0):
                pass
            case _:
                raise failure
        logger.info("send is tried again in %.0f s: %s", wait, failure)
        await sleep(wait)


def sent(result: object) -> Sent:
    """What the result of a `send` says. Raises Refused when nobody was reached."""
    timestamp = result.get("timestamp") if isinstance(result, dict) else None
    rows = list(result_rows(result))
    missed = [row for row in rows if row.get("type") != "SUCCESS"]
    if missed and len(missed) == len(rows):
        raise Refused(f"nobody was reached: {failure_kinds(missed)}")
    if missed:
        logger.warning("a message did not reach %d of %d members: %s", len(missed), len(rows), failure_kinds(missed))
    return Sent(timestamp if isinstance(timestamp, int) else None, len(missed))
