"""The check of strict mode: Hermes' own adapter must not be able to connect in this plugin's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ..settings.stock import Stock
from ..settings.strict import faults, in_use, variables
from .checks import Check
from .findings import Result, advice, failed, ok, sentence


def strict_check(stock: Stock, keys: Callable[[], Sequence[str]]) -> Check[Mapping[str, str]]:
    """Return a platform's check of the environment, and of the `keys` in configuration files (`strict.written`)."""
    return Check(f"{stock.platform}.strict", lambda environment: _strict(stock, environment, keys()))


def _strict(stock: Stock, environment: Mapping[str, str], keys: Sequence[str]) -> Iterator[Result]:
    wrong = list(faults(stock, environment, keys))
    for fault in wrong:
        what, _, remedy = fault.partition("; ")
        yield failed(f"{what}.", sentence(remedy))
    if wrong:
        return
    read = [name for name in stock.connecting.values() if environment.get(name, "").strip()]
    # Hermes' own adapters do not read these settings from a block at the top of the file.
    read += [key for key in keys if not key.startswith(f"{stock.platform}.")]
    if in_use(stock, environment) or not read:
        yield ok("Without this plugin nothing connects: Hermes' own adapter has no address.")
    else:
        yield advice(
            f"If this plugin does not load, stock connects in its place: it reads {', '.join(read)}.",
            f"Keep them under {', '.join(variables(stock).values())} instead (strict mode).",
        )
