"""The contract with Hermes: finds its classes and checks that they have what these adapters inherit and use.

Imports no module of the host until a call needs it.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import logging
import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from ..core.errors import HostContractError
from ..settings.stock import Stock

VERIFIED_HERMES = ("0.18.1", "0.18.2", "0.19.0")
"""The versions of hermes-agent that the scenario tests run against (`make test-matrix`), oldest first.

Older versions are refused; newer ones must keep the contract below.
"""

Contract = Mapping[str, tuple[str, ...]]
"""Methods that a stock class must have, each with the parameters used in calls."""

BASE_CONTRACT: Contract = {
    "__init__": ("config",),
    "connect": ("is_reconnect",),
    "disconnect": (),
    "handle_message": ("event",),
    "build_source": ("chat_id", "chat_name", "chat_type", "user_id", "user_name", "user_id_alt", "chat_id_alt",
                     "message_id", "role_authorized"),
    "_is_sender_authorized": ("user_id", "chat_type", "chat_id"),
    "_acquire_platform_lock": ("scope", "identity", "resource_desc"),
    "_release_platform_lock": (),
    "_mark_connected": (),
    "_mark_disconnected": (),
    "_set_fatal_error": ("code", "message", "retryable"),
    "_notify_fatal_error": (),
    "set_message_handler": ("handler",),
    "set_busy_session_handler": ("handler",),
}  # fmt: skip

_FIELDS: Contract = {
    "MessageEvent": (
        "text", "message_type", "source", "raw_message", "message_id", "media_urls", "media_types", "channel_context",
        "channel_prompt", "reply_to_message_id", "reply_to_text", "reply_to_author_id", "reply_to_author_name",
        "reply_to_is_own_message", "internal", "metadata", "timestamp",
    ),
    "SendResult": (
        "success", "message_id", "error", "raw_response", "retry_after", "continuation_message_ids", "error_kind",
    ),
}  # fmt: skip
"""Fields that the host's dataclasses (gateway/platforms/base.py) must have."""


def stock_adapter(stock: Stock, contract: Contract) -> Any:
    """Return the stock adapter class of the installed Hermes.

    Raises HostContractError when Hermes is missing, too old, or lacks something inherited, so that the platform fails
    visibly instead of working in part.
    """
    check_version()
    cls = getattr(_first_module(stock.modules), stock.class_name, None)
    if cls is None:
        raise HostContractError(f"the installed hermes-agent has no {stock.class_name}")
    faults = [*_breaches(cls, {**BASE_CONTRACT, **contract}), *_missing_fields()]
    if faults:
        raise HostContractError(
            f"the installed hermes-agent changed what the {stock.platform} adapter builds on: {'; '.join(faults)}."
            " Upgrade hermes-hardened-adapters, or go back to the hermes-agent version you had"
        )
    return cls


def check_version() -> None:
    """Raise HostContractError when Hermes is missing or too old."""
    try:
        version = metadata.version("hermes-agent")
    except metadata.PackageNotFoundError:
        raise HostContractError(
            "hermes-agent is not installed: pip install 'hermes-hardened-adapters[hermes]'"
        ) from None
    oldest = VERIFIED_HERMES[0]
    if version_tuple(version) < version_tuple(oldest):
        raise HostContractError(
            f"hermes-agent {version} is too old: {oldest} is the oldest these adapters work with."
            f" pip install 'hermes-agent>={oldest}'"
        )


def version_tuple(version: str) -> tuple[int, ...]:
    """Return a version as a tuple that can be compared."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _first_module(names: tuple[str, ...]) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as exc:
            if not name.startswith(str(exc.name)):
                raise
    raise HostContractError(f"the installed hermes-agent has none of {', '.join(names)}")


def _breaches(cls: type, contract: Contract) -> Iterator[str]:
    for name, parameters in contract.items():
        member = getattr(cls, name, None)
        if not callable(member):
            yield f"{name} is gone"
            continue
        accepted = inspect.signature(member).parameters
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values()):
            continue
        if missing := [parameter for parameter in parameters if parameter not in accepted]:
            yield f"{name} takes no {', '.join(missing)}"


def _missing_fields() -> Iterator[str]:
    base: Any = importlib.import_module("gateway.platforms.base")
    for name, wanted in _FIELDS.items():
        present = {field.name for field in dataclasses.fields(getattr(base, name))}
        if missing := [field for field in wanted if field not in present]:
            yield f"{name} has no {', '.join(missing)}"


class PhoneNumberFilter(logging.Filter):
    """Removes phone numbers from stock's log lines."""

    _NUMBER = re.compile(r"\+\d{5,15}")

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if self._NUMBER.search(message):
            record.msg, record.args = self._NUMBER.sub("+…", message), None
        return True


def redact_phone_numbers(cls: type) -> None:
    """Keep phone numbers out of the log lines of a stock adapter's module."""
    stock_logger = logging.getLogger(inspect.getmodule(cls).__name__)  # type: ignore[union-attr]
    if not any(isinstance(present, PhoneNumberFilter) for present in stock_logger.filters):
        stock_logger.addFilter(PhoneNumberFilter())
