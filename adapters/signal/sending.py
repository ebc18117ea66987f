"""Sends through signal-cli: waits for rate limits, retries what certainly failed, never what may have been sent.

There is no idempotency key: a call that timed out may still be carried out. A group send that reached one member is a
success with failures in it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ...common.core.errors import HardenedError, NotSent, RateLimited
from .client import RpcError, SignalClient
from .wire import SendError, SendResult, SendRow

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 90.0
"""The longest total wait of one send for rate limits, before it raises RateLimited."""
_SEND_SECONDS = 60.0
_DEFAULT_WAIT = 5.0
_RETRIES = (2.0, 6.0)

_RATE_LIMITED = -5
_RETRY_AFTER = re.compile(r"Retry after (\d+(?:\.\d+)?) ?s", re.IGNORECASE)
_OFFLINE = re.compile(r"No connection|\(IOException\)|Unreachable|ConnectException", re.IGNORECASE)


class Refused(HardenedError):
    """signal-cli or Signal refuses to send this, now and later."""


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
            failure = _failure(exc) if isinstance(exc, RpcError) else exc
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
        raise Refused(f"nobody was reached: {_types(missed)}")
    if missed:
        logger.warning("a message did not reach %d of %d members: %s", len(missed), len(result.rows), _types(missed))
    return Sent(result.timestamp, len(missed))


def _failure(error: RpcError) -> HardenedError:
    """Translate a JSON-RPC error of `send`, which means that nobody was reached."""
    rows = SendError.read(error.data).rows
    announced = _RETRY_AFTER.search(error.message)
    if error.code == _RATE_LIMITED or announced or (rows and all(row.is_rate_limited for row in rows)):
        waits = [row.retry_after_seconds or 0.0 for row in rows]
        return RateLimited(max([*waits, float(announced[1]) if announced else 0.0]) or _DEFAULT_WAIT, "send")
    if {row.type for row in rows} == {"NETWORK_FAILURE"} or _OFFLINE.search(error.message):
        return NotSent("signal-cli has no connection to Signal")
    return Refused(f"signal-cli refuses to send: error {error.code} {_types(rows)}".rstrip())


def _types(rows: Iterable[SendRow]) -> str:
    return ", ".join(sorted({row.type or "unknown" for row in rows}))
