"""What Hermes calls before it sends an answer: the answer is checked, or it is withheld."""

from __future__ import annotations

import logging
import threading

from ....core.bounded import Bounded
from ....core.errors import ConfigError
from . import texts

logger = logging.getLogger(__name__)

WRONG_SETTINGS = "The settings of memory are wrong: `hermes adapters doctor` names every fault."
_UNCHECKED = "The check of this answer failed."
_KEEP = 1_000

_checked: Bounded[int, tuple[str, str | None]] = Bounded(_KEEP)
"""Answers and what became of them, by identity, which is an answer's own as long as it is here."""
_lock = threading.Lock()


def checked(*, response_text: str = "", session_id: str = "", **_: object) -> str | None:
    """Take the agent's files from an answer. Called by the hook `transform_llm_output`; no answer on any error."""
    with _lock:
        text, changed = _checked.get(id(response_text), (None, None))
    if text is response_text:
        return changed
    changed = _without_files(response_text, session_id)
    with _lock:
        _checked.put(id(response_text), (response_text, changed))
    return changed


def unchecked(*, response_text: str = "", **_: object) -> str | None:
    """Withhold an answer for which Hermes has skipped `checked`. Called by the hook `transform_llm_output`, as last."""
    with _lock:
        text, changed = _checked.pop(id(response_text), (None, None))
    return changed if text is response_text else _UNCHECKED


def _without_files(answer: str, session_id: str) -> str | None:
    try:
        return texts.without_files(answer, session_id)
    except ConfigError:
        return WRONG_SETTINGS
    except Exception as exc:
        logger.error("an answer could not be checked (%s)", type(exc).__name__)
        return _UNCHECKED
