"""Checks the table against the installed Hermes, before a platform starts and for the doctor."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ...core.errors import HostContractError
from ...settings.stock import Stock
from .names import Found, HostName, State, members
from .table import ADAPTER_MEMBERS, MEMORY_NAMES, NAMES
from .version import check_version, host_version, version_tuple

logger = logging.getLogger(__name__)


REFUSED = "the platform refuses to start"
_NO_SUCH_VERSION = (0, 0, 0)


class Row(NamedTuple):
    """One name, as the doctor shows it. `consequence` is empty where nothing is off."""

    name: HostName
    found: Found
    consequence: str

    @property
    def fatal(self) -> bool:
        """True if no platform starts because of it."""
        return self.consequence == REFUSED

    def __str__(self) -> str:
        return f"{self.found} is {self.found.state}"


def stock_adapter(stock: Stock, names: Iterable[HostName]) -> Any:
    """Return the stock adapter class of the installed Hermes, checked with all that ours builds on.

    Logs what is off. Raises HostContractError if Hermes is missing, too old, or lacks something without which the
    adapter is not safe, so that the platform fails visibly instead of working in part. The names of memory are not
    among it: some settings need none of them (`tenancy/readiness.py`).
    """
    check_version()
    wanted = (name for name in names_of(stock, names) if name not in MEMORY_NAMES)
    rows = [row for row in examine(wanted) if row.consequence]
    if refused := [str(row) for row in rows if row.fatal]:
        raise HostContractError(
            f"the installed hermes-agent changed what the {stock.platform} adapter builds on: {'; '.join(refused)}."
            " Upgrade hermes-hardened-adapters, or go back to the hermes-agent version you had"
        )
    for row in rows:
        logger.warning("%s: %s in this Hermes; off: %s", stock.platform, row, row.consequence)
    return HostName(stock.places).load()


def names_of(stock: Stock, names: Iterable[HostName]) -> list[HostName]:
    """Return every name that a network's adapter builds on; `names` are the network's own."""
    return [*NAMES, *MEMORY_NAMES, HostName(stock.places), *members(stock.places, ADAPTER_MEMBERS), *names]


def examine(names: Iterable[HostName]) -> Iterator[Row]:
    """Yield the state of each name in the installed Hermes."""
    version = version_tuple(host_version() or "")
    for name in names:
        found = name.examine()
        older = found.state is State.MISSING and _NO_SUCH_VERSION < version < version_tuple(name.since)
        yield Row(name, found, "" if found.state is State.FOUND or older else name.without or REFUSED)
