"""The check of strict mode: whether Hermes' own adapter could connect in this plugin's place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..settings.stock import Stock
from ..settings.strict import faults, in_use, variables
from .findings import Finding, Status


def findings(stock: Stock, environment: Mapping[str, str], keys: Sequence[str] = ()) -> Iterator[Finding]:
    """Whether Hermes' own adapter could connect in this plugin's place. `keys` as in `faults`."""
    check = f"{stock.platform}.strict"
    twins = variables(stock)
    wrong = list(faults(stock, environment, keys))
    for fault in wrong:
        yield Finding(check, Status.FAILED, fault.partition("; ")[0] + ".", _sentence(fault.partition("; ")[2]))
    if wrong:
        return
    read = [name for name in stock.connecting.values() if environment.get(name, "").strip()]
    # Hermes' own adapters do not read these settings from a block at the top of the file.
    read += [key for key in keys if not key.startswith(f"{stock.platform}.")]
    if in_use(stock, environment) or not read:
        yield Finding(check, Status.OK, "Without this plugin nothing connects: stock is not told where to.")
        return
    yield Finding(
        check,
        Status.ADVICE,
        f"If this plugin does not load, stock connects in its place: it reads {', '.join(read)}.",
        f"Keep them under {', '.join(twins.values())} instead (strict mode).",
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith("?") else ".")
