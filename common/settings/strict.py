"""Strict mode: the address and the credentials of a network under names that Hermes' own adapters do not read.

If a plugin does not load, Hermes connects its own adapter with the same settings and logs a single line. With the
settings under the names of this module, that adapter has nothing to connect to.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .stock import Stock

PREFIX = "HARDENED_"


def variables(stock: Stock) -> dict[str, str]:
    """Map each connecting setting to the variable that holds it in strict mode."""
    return {field: PREFIX + name for field, name in stock.connecting.items()}


def required(stock: Stock, environment: Mapping[str, str]) -> list[str]:
    """Return the variables that the operator has to set: the strict ones as soon as one of those is set."""
    names = variables(stock) if in_use(stock, environment) else stock.connecting
    return list(names.values())


def in_use(stock: Stock, environment: Mapping[str, str]) -> list[str]:
    """Return the platform's strict variables that are set, misspelt ones included. One of them turns strict mode on."""
    prefix = f"{PREFIX}{stock.platform.upper()}_"
    names = [*variables(stock).values(), *(name for name in environment if name.startswith(prefix))]
    return [name for name in dict.fromkeys(names) if environment.get(name, "").strip()]


def written(stock: Stock, document: Mapping[str, Any]) -> list[str]:
    """Return the keys of a configuration file (`config.yaml`, or the older `gateway.json`) that hold an address or a
    credential of the platform."""
    found = []
    for path in ((stock.platform,), ("platforms", stock.platform), ("gateway", "platforms", stock.platform)):
        for inner in (path, (*path, "extra")):
            block = _block_at(document, inner)
            found += [".".join((*inner, field)) for field in stock.connecting if block.get(field)]
    return found


def _block_at(document: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def faults(stock: Stock, environment: Mapping[str, str], keys: Sequence[str] = ()) -> Iterator[str]:
    """Yield every fault of strict mode, none if it is off. `keys` is the result of `written`."""
    strict = in_use(stock, environment)
    if not strict:
        return
    strict_names = variables(stock)
    for name in strict:
        if name not in strict_names.values():
            near = difflib.get_close_matches(name, strict_names.values(), 1, 0.85) or [name.removeprefix(PREFIX)]
            yield f"{name}: unknown setting; did you mean {near[0]}?"
    readable = [
        (name, strict_names[field]) for field, name in stock.connecting.items() if environment.get(name, "").strip()
    ]
    readable += [(key, strict_names[key.rpartition(".")[2]]) for key in keys]
    for name, strict_name in readable:
        remedy = "remove it" if strict_name in strict else f"move it to {strict_name}"
        yield f"{name}: set beside {strict[0]}; {remedy}, stock would connect with it"
