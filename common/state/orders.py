"""The journal of orders: an append-only second copy of everything that permits or forbids, beside the state file.

A lost or unusable state file is rebuilt from it, so that no revocation is lost with the file.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..core.chats import Status
from ..core.errors import StateError

logger = logging.getLogger(__name__)

_COMPACT_BYTES = 256 * 1024
_LINE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ChatOrder:
    """A chat's new status, None if the chat is removed. `by` and `why` are for people, `at` is Unix time."""

    network: str
    chat: str
    status: Status | None
    by: str
    why: str
    at: float

    @property
    def subject(self) -> tuple[str, str]:
        return self.network, self.chat


@dataclass(frozen=True, slots=True)
class NumberOrder:
    """A phone number, its ACI, and the ACI seen with it later; None once the operator has confirmed that one."""

    number: str
    aci: str
    moved_to: str | None
    at: float

    @property
    def subject(self) -> tuple[str, str]:
        return "number", self.number


Order = ChatOrder | NumberOrder
Orders = dict[tuple[str, str], Order]
"""The last order about each chat and number, by subject."""


class Journal:
    """A file with one JSON object per line. Read it and append to it only while holding the state file's write lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._compact_at = _COMPACT_BYTES

    def read(self) -> Orders:
        """Return the last order about each chat and number; raise StateError.

        A torn last line is ignored, because its order was never confirmed.
        """
        orders: Orders = {}
        *lines, torn = self._content().split(b"\n")
        for number, line in enumerate(lines, 1):
            try:
                order = _parsed(line)
            except (ValueError, TypeError) as exc:
                raise StateError(
                    f"line {number} of the orders kept in {self.path} cannot be parsed: repair it, or move the file"
                    " away if the state file beside it is sound"
                ) from exc
            orders[order.subject] = order
        if last := _complete(torn):
            orders[last.subject] = last
        return orders

    @contextmanager
    def appended(self, orders: Sequence[Order]) -> Iterator[None]:
        """Append orders for the length of the context; remove them again if it raises. Raise OSError."""
        if not orders:
            yield
            return
        size = self._append(orders)
        try:
            yield
        except BaseException:
            self._cut(size)
            raise

    def compact(self) -> None:
        """Rewrite the file with only the last order about each chat and number."""
        # A removed chat needs no line: the table has no row of it either.
        orders = [order for order in self.read().values() if not isinstance(order, ChatOrder) or order.status]
        new = self.path.with_name(f"{self.path.name}.new")
        # A crash during an earlier call may have left it behind.
        new.unlink(missing_ok=True)
        with _opened(new, os.O_CREAT | os.O_EXCL) as descriptor:
            _write(descriptor, b"".join(map(_line, orders)))
        # The new file is on disk before it gets the name, so that a crash leaves one of the two whole.
        os.replace(new, self.path)
        _sync_folder(self.path)
        self._compact_at = self.path.stat().st_size * 2 + _COMPACT_BYTES

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as exc:
            raise StateError(f"the orders kept in {self.path} cannot be read: {exc.strerror}") from exc

    def _append(self, orders: Sequence[Order]) -> int:
        """Append orders and wait for the disk; return the size of the file before."""
        is_new = not self.path.exists()
        if not is_new and self.path.stat().st_size > self._compact_at:
            self.compact()
        with _opened(self.path, os.O_CREAT | os.O_APPEND) as descriptor:
            # After a torn line, the next order would be part of an unreadable one.
            size, ending = _without_torn_line(descriptor)
            try:
                _write(descriptor, ending + b"".join(map(_line, orders)))
                if is_new:
                    _sync_folder(self.path)
            except OSError:
                # A full disk may have taken part of it.
                self._cut(size)
                raise
        return size

    def _cut(self, size: int) -> None:
        try:
            os.truncate(self.path, size)
        except OSError as exc:
            logger.error("an order that failed could not be removed from %s: %s", self.path, exc.strerror)


def _line(order: Order) -> bytes:
    return json.dumps(asdict(order), separators=(",", ":")).encode() + b"\n"


def _complete(line: bytes) -> Order | None:
    """Return the order of a last line that lacks only its newline, None for a torn line."""
    try:
        return _parsed(line)
    except (ValueError, TypeError):
        return None


def _parsed(line: bytes) -> Order:
    """Return the order of a line; raise ValueError or TypeError."""
    values: dict[str, Any] = json.loads(line)
    order = NumberOrder(**values) if "number" in values else ChatOrder(**values)
    if isinstance(order, NumberOrder):
        texts = [order.number, order.aci, order.moved_to or ""]
    else:
        texts = [order.network, order.chat, order.by, order.why]
    if not all(isinstance(text, str) for text in texts) or not isinstance(order.at, int | float):
        raise ValueError("a value of another type")
    if isinstance(order, ChatOrder) and order.status is not None:
        return ChatOrder(**{**values, "status": Status(order.status)})
    return order


def _without_torn_line(descriptor: int) -> tuple[int, bytes]:
    """Cut off a torn last line. Return the size, and the newline that a complete last line may lack."""
    size = os.fstat(descriptor).st_size
    os.lseek(descriptor, max(0, size - _LINE_BYTES), os.SEEK_SET)
    torn = os.read(descriptor, _LINE_BYTES).rpartition(b"\n")[2]
    if not torn:
        return size, b""
    if _complete(torn):
        return size, b"\n"
    os.ftruncate(descriptor, size - len(torn))
    return size - len(torn), b""


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_RDWR, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    """Write everything and wait for the disk."""
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


def _sync_folder(path: Path) -> None:
    """Wait until a file's new name is on disk."""
    if os.name != "posix":
        return
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
