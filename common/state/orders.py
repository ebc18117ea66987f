"""The journal of orders: beside the state file, a second copy of what permits and forbids, only ever appended to.

A state file that is lost or set aside is rebuilt from it, so that no revocation is lost with the file.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..core.errors import StateError

logger = logging.getLogger(__name__)

_COMPACT_BYTES = 256 * 1024
_LINE_BYTES = 64 * 1024


class Status(StrEnum):
    """What the bot makes of a group or channel."""

    KNOWN = "known"
    """Heard of; nobody who may has invited the bot."""
    BARRED = "barred"
    """Opened by an act that was not approved: not served until somebody allowed acts or an admin approves."""
    APPROVED = "approved"
    """Invited into by somebody who may invite."""
    GRANTED = "granted"
    """Approved by the operator: holds until the operator says otherwise."""
    REVOKED = "revoked"
    """Barred by the operator, whatever the settings and invitations say."""


@dataclass(frozen=True, slots=True)
class ChatOrder:
    """A chat's new status; None for one that is forgotten. `by` and `why` are for people, `at` is Unix time."""

    network: str
    chat: str
    status: Status | None
    by: str
    why: str
    at: float

    @property
    def about(self) -> tuple[str, str]:
        return self.network, self.chat


@dataclass(frozen=True, slots=True)
class NumberOrder:
    """A phone number, the ACI it belongs to, and the one it turned up with later; None once that is confirmed."""

    number: str
    aci: str
    moved_to: str | None
    at: float

    @property
    def about(self) -> tuple[str, str]:
        return "number", self.number


Order = ChatOrder | NumberOrder
Orders = dict[tuple[str, str], Order]
"""The last order about each chat and number."""


class Journal:
    """The file, one JSON object a line. Whoever reads or appends holds the state file's write lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._compact_at = _COMPACT_BYTES

    def read(self) -> Orders:
        """The last order about each chat and number; raises StateError. A torn last line was never confirmed."""
        orders: Orders = {}
        *lines, torn = self._content().split(b"\n")
        for number, line in enumerate(lines, 1):
            try:
                order = _parsed(line)
            except (ValueError, TypeError) as exc:
                raise StateError(
                    f"line {number} of the orders kept in {self.path} makes no sense: repair it, or move the file"
                    " away if the state file beside it is sound"
                ) from exc
            orders[order.about] = order
        if last := _whole(torn):
            orders[last.about] = last
        return orders

    @contextmanager
    def appended(self, orders: Sequence[Order]) -> Iterator[None]:
        """Orders are on disk within the context, and taken back when it is left by an exception; raises OSError."""
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
        """Leave only the last order about each chat and number."""
        orders = [order for order in self.read().values() if not isinstance(order, ChatOrder) or order.status]
        anew = self.path.with_name(f"{self.path.name}.new")
        anew.unlink(missing_ok=True)
        with _opened(anew, os.O_CREAT | os.O_EXCL) as descriptor:
            _write(descriptor, b"".join(map(_line, orders)))
        os.replace(anew, self.path)
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
        """Returns the size before."""
        is_new = not self.path.exists()
        if not is_new and self.path.stat().st_size > self._compact_at:
            self.compact()
        with _opened(self.path, os.O_CREAT | os.O_APPEND) as descriptor:
            size, ending = _mended(descriptor)
            try:
                _write(descriptor, ending + b"".join(map(_line, orders)))
                if is_new:
                    _sync_folder(self.path)
            except OSError:
                self._cut(size)
                raise
        return size

    def _cut(self, size: int) -> None:
        try:
            os.truncate(self.path, size)
        except OSError as exc:
            logger.error("an order that failed could not be taken out of %s again: %s", self.path, exc.strerror)


def _line(order: Order) -> bytes:
    return json.dumps(asdict(order), separators=(",", ":")).encode() + b"\n"


def _whole(line: bytes) -> Order | None:
    """The order of a last line that lacks only its end."""
    try:
        return _parsed(line)
    except (ValueError, TypeError):
        return None


def _parsed(line: bytes) -> Order:
    """Raises ValueError or TypeError."""
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


def _mended(descriptor: int) -> tuple[int, bytes]:
    """The size without a torn last line, and what a whole one lacks at its end."""
    size = os.fstat(descriptor).st_size
    os.lseek(descriptor, max(0, size - _LINE_BYTES), os.SEEK_SET)
    torn = os.read(descriptor, _LINE_BYTES).rpartition(b"\n")[2]
    if not torn:
        return size, b""
    if _whole(torn):
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
    """Everything, on disk."""
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


def _sync_folder(path: Path) -> None:
    """A file's new name is on disk."""
    if os.name != "posix":
        return
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
