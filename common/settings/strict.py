"""Strict mode: where to connect and with what, under names that Hermes' own adapters do not read.

When a plugin does not load, Hermes connects its own adapter with the same settings and logs one line. Kept under the
names of this module alone, the settings leave that adapter with nothing to connect to.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CONNECTING: Mapping[str, Mapping[str, str]] = {
    "signal": {"http_url": "SIGNAL_HTTP_URL", "account": "SIGNAL_ACCOUNT"},
    "mattermost": {"url": "MATTERMOST_URL", "token": "MATTERMOST_TOKEN"},
}
"""For each platform the settings without which nothing connects, with the variables that Hermes' own adapters read."""

PREFIX = "HARDENED_"


def variables(platform: str) -> dict[str, str]:
    """Setting to the variable that holds it in strict mode."""
    return {field: PREFIX + name for field, name in CONNECTING[platform].items()}


def required(platform: str, environment: Mapping[str, str]) -> list[str]:
    """The variables the operator has to set: the strict ones where he has begun with them."""
    names = CONNECTING[platform] if not in_use(platform, environment) else variables(platform)
    return list(names.values())


def in_use(platform: str, environment: Mapping[str, str]) -> list[str]:
    """The platform's strict variables that are set, misspelt ones among them. Strict mode is on when there is one."""
    ours = f"{PREFIX}{platform.upper()}_"
    names = [*variables(platform).values(), *(name for name in environment if name.startswith(ours))]
    return [name for name in dict.fromkeys(names) if environment.get(name, "").strip()]


def written(platform: str, document: Mapping[str, Any]) -> list[str]:
    """The keys by which a configuration file (`config.yaml`, or the older `gateway.json`) says where to connect."""
    found = []
    for path in ((platform,), ("platforms", platform), ("gateway", "platforms", platform)):
        for inner in (path, (*path, "extra")):
            block = _at(document, inner)
            found += [".".join((*inner, field)) for field in CONNECTING[platform] if block.get(field)]
    return found


def _at(document: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def faults(platform: str, environment: Mapping[str, str], keys: Sequence[str] = ()) -> Iterator[str]:
    """What is wrong with strict mode where it is on. `keys` are those `written` in the configuration files."""
    strict = in_use(platform, environment)
    if not strict:
        return
    twins = variables(platform)
    for name in strict:
        if name not in twins.values():
            near = difflib.get_close_matches(name, twins.values(), 1, 0.85) or [name.removeprefix(PREFIX)]
            yield f"{name}: unknown setting; did you mean {near[0]}?"
    beside = [(name, twins[field]) for field, name in CONNECTING[platform].items() if environment.get(name, "").strip()]
    beside += [(key, twins[key.rpartition(".")[2]]) for key in keys]
    for name, twin in beside:
        remedy = "remove it" if twin in strict else f"move it to {twin}"
        yield f"{name}: set beside {strict[0]}; {remedy}, stock would connect with it"
