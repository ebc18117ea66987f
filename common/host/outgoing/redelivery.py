"""Decides whether an answer is sent again that the host repeats: only if certainly nothing of it arrived before.

The host's delivery ledger keeps the answers that failed or that a crash cut short. It sends them again behind a marker,
at the next start and, since 0.21.5, half a minute after the failure (gateway/delivery_ledger.py).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

from ...core.errors import StateError
from ...state.ledger import Answers
from ..contract import table
from .sending import may_have_arrived, settled

logger = logging.getLogger(__name__)

_MARKERS = (table.RECOVERED_MARKER, table.RECONNECTED_MARKER, table.FLOOD_MARKER)
Send = Callable[[], Awaitable[Any]]
"""Sends an answer and returns the host's SendResult."""


def repeated(content: str) -> str | None:
    """Return the answer that the host sends again, without its marker; None for any other text."""
    return next((content.removeprefix(marker) for marker in _markers() if content.startswith(marker)), None)


@cache
def _markers() -> tuple[str, ...]:
    return tuple(marker for name in _MARKERS if isinstance(marker := name.optional(), str))


def result_for_cron(result: Any, metadata: Any) -> Any:
    """Return the result of a job's answer, which cron sends again on another way if it failed.

    Since 0.22 cron makes an exception for what may have arrived.
    """
    is_job = isinstance(metadata, Mapping) and "job_id" in metadata
    return settled(result) if is_job and table.PARTIAL_DELIVERY.optional() is None else result


async def send_first(answers: Answers, chat_id: str, answer: str, send: Send) -> Any:
    """Send an answer, on record while it may have arrived."""
    key = _key(chat_id, answer)
    await answers.begin(key)
    result = await send()
    if not result.success and not may_have_arrived(result):
        await answers.forget(key)
    return result


async def note(answers: Answers, chat_id: str, answer: str) -> None:
    """Put on record an answer that grew, of which a part has arrived."""
    await answers.begin(_key(chat_id, answer))


async def send_again(answers: Answers, chat_id: str, answer: str, send: Send) -> Any:
    """Send an answer again if certainly nothing of it arrived. Any other one is reported as sent, which ends it."""
    made: Any = table.SEND_RESULT.load()
    try:
        began = await answers.began(_key(chat_id, answer))
    except StateError as exc:
        return made(success=False, error=str(exc))
    if began:
        logger.warning("an answer is not sent again: all or part of it arrived before, or may have")
        return made(success=True)
    return await send_first(answers, chat_id, answer, send)


def _key(chat_id: str, answer: str) -> str:
    return hashlib.sha256(f"{chat_id}\n{answer}".encode(errors="replace")).hexdigest()
