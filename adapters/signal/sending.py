"""Sending through signal-cli: waited out when it is limited, tried again when it surely failed, never when in doubt.

There is no idempotency key: a call that timed out may still be carried out. A group send that reached one member is a
success with failures in it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ...common.core.errors import HardenedError, NotSent, RateLimited
from .client import RpcError
from .invitations import Rpc

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 90.0
"""How long a send waits for a rate limit over all, before it is reported instead."""
_SEND_SECONDS = 60.0
_DEFAULT_WAIT = 5.0
_RETRIES = (2.0, 6.0)

_RATE_LIMITED = -5
_RETRY_AFTER = re.compile(r"Retry after (\d+(?:\.\d+)?) ?s", re.IGNORECASE)
_OFFLINE = re.compile(r"No connection|\(IOException\)|Unreachable|ConnectException", re.IGNORECASE)


class Refused(HardenedError):
    """signal-cli or Signal will not send this, now or later."""


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
            failure = _meaning(exc) if isinstance(exc, RpcError) else exc
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
    rows = list(_rows(result))
    missed = [row for row in rows if row.get("type") != "SUCCESS"]
    if missed and len(missed) == len(rows):
        raise Refused(f"nobody was reached: {_kinds(missed)}")
    if missed:
        logger.warning("a message did not reach %d of %d members: %s", len(missed), len(rows), _kinds(missed))
    return Sent(timestamp if isinstance(timestamp, int) else None, len(missed))


def _meaning(error: RpcError) -> HardenedError:
    """What a JSON-RPC error of `send` means. An error says that nobody was reached."""
    data = error.data if isinstance(error.data, dict) else {}
    rows = list(_rows(data.get("response")))
    kinds = {row.get("type") for row in rows}
    told = _RETRY_AFTER.search(error.message)
    if error.code == _RATE_LIMITED or told or kinds == {"RATE_LIMIT_FAILURE"}:
        waits = [row["retryAfterSeconds"] for row in rows if isinstance(row.get("retryAfterSeconds"), int | float)]
        return RateLimited(max([*waits, float(told[1]) if told else 0.0]) or _DEFAULT_WAIT, "send")
    if kinds == {"NETWORK_FAILURE"} or _OFFLINE.search(error.message):
        return NotSent("signal-cli has no connection to Signal")
    return Refused(f"signal-cli refuses to send: error {error.code} {_kinds(rows)}".rstrip())


def _rows(response: object) -> Iterator[dict[str, Any]]:
    results = response.get("results") if isinstance(response, dict) else None
    yield from (row for row in (results if isinstance(results, list) else ()) if isinstance(row, dict))


def _kinds(rows: list[dict[str, Any]]) -> str:
    return ", ".join(sorted({str(row.get("type")) for row in rows}))
