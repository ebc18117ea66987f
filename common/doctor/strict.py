"""The check of strict mode: whether Hermes' own adapter could connect in this plugin's place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..settings.strict import CONNECTING, faults, in_use, variables
from .findings import Finding, Status


def findings(platform: str, environment: Mapping[str, str], keys: Sequence[str] = ()) -> Iterator[Finding]:
    """Whether Hermes' own adapter could connect in this plugin's place. `keys` as in `faults`."""
    check = f"{platform}.strict"
    twins = variables(platform)
    wrong = list(faults(platform, environment, keys))
    for fault in wrong:
        yield Finding(check, Status.FAILED, fault.partition("; ")[0] + ".", _sentence(fault.partition("; ")[2]))
    if wrong:
        return
    stock = [name for name in CONNECTING[platform].values() if environment.get(name, "").strip()]
    # Hermes' own adapters do not read these settings from a block at the top of the file.
    stock += [key for key in keys if not key.startswith(f"{platform}.")]
    if in_use(platform, environment) or not stock:
        yield Finding(check, Status.OK, "Without this plugin nothing connects: stock is not told where to.")
        return
    yield Finding(
        check,
        Status.ADVICE,
        f"If this plugin does not load, stock connects in its place: it reads {', '.join(stock)}.",
        f"Keep them under {', '.join(twins.values())} instead (strict mode).",
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith("?") else ".")
