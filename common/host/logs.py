"""Keeps personal data out of what stock code logs."""

from __future__ import annotations

import inspect
import logging
import re


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
