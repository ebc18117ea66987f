"""Generates the settings tables of the documentation from the settings models: `python tools/settings_tables.py`."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.common.settings.config import Settings
from hermes_hardened_adapters.common.tenancy.settings import MemorySettings
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

DOCS = Path(__file__).parent.parent / "docs"
_BEGIN, _END = "<!-- settings -->", "<!-- /settings -->"
MEMORY = "memory"
"""The page of the settings of memory, which have no environment variables."""
_HEADINGS = ("variable", "key", "default", "values", "meaning")


def pages() -> dict[str, type[Settings]]:
    """Map each page of the documentation that describes a network to the network's settings."""
    return {network.name: network.settings() for network in NETWORKS.values()}


def models() -> dict[str, type[BaseModel]]:
    """Map each page that lists settings to their model."""
    return {**pages(), MEMORY: MemorySettings}


def table(model: type[BaseModel], page: str) -> str:
    """Return the table of a page: of a platform's settings the required ones, its own, then those that all share."""
    fields = list(model.model_fields.items())
    if page != MEMORY:
        fields.sort(key=lambda item: _order(item[1], page))
    rows = [_HEADINGS, ("---",) * len(_HEADINGS), *(_row(name, info) for name, info in fields)]
    return "\n".join(f"| {' | '.join(row[page == MEMORY :])} |" for row in rows)


def rewritten(page: str, content: str) -> str:
    """Return the content of a page with a new table between the markers."""
    before, _, rest = content.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise ValueError(f"docs/{page}.md has no {_BEGIN} … {_END}")
    return f"{before}{_BEGIN}\n{table(models()[page], page)}\n{end}{after}"


def _variable(info: FieldInfo) -> str:
    return str(info.json_schema_extra["env"]) if isinstance(info.json_schema_extra, dict) else ""


def _order(info: FieldInfo, platform: str) -> tuple[bool, bool]:
    return not info.is_required(), not _variable(info).startswith(platform.upper())


def _row(name: str, info: FieldInfo) -> tuple[str, ...]:
    variable = f"`{_variable(info)}`" if _variable(info) else ""
    # Secrets have no key in config.yaml: Hermes does not pass one on.
    key = "" if info.annotation is SecretStr else f"`{name}`"
    return variable, key, _default(info), _values(info), str(info.description)


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if value in ((), {}, ""):
        return "empty"
    match value:
        case None:
            return "none"
        case (str(entry),):
            return f"`{entry}`"
        case bool(flag):
            return f"`{str(flag).lower()}`"
        case float(number):
            return f"`{number:g}`"
    return f"`{value}`"


def _values(info: FieldInfo) -> str:
    kind: Any = info.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    bounds = [str(limit) for limit in _bounds(info)]
    if bounds:
        return f"{'whole numbers, ' if kind is int else ''}{' to '.join(bounds)}"
    if kind is bool:
        return "`true`, `false`"
    if get_origin(kind) is tuple:
        return "list"
    if get_origin(kind) is dict:
        return "table"
    if get_origin(kind) in {Union, types.UnionType}:
        return "path of a file"
    return "secret" if kind is SecretStr else "text"


def _bounds(info: FieldInfo) -> Iterator[Any]:
    yield from (mark.ge for mark in info.metadata if isinstance(mark, Ge))
    yield from (mark.le for mark in info.metadata if isinstance(mark, Le))


def main() -> None:
    for page in models():
        path = DOCS / f"{page}.md"
        path.write_text(rewritten(page, path.read_text()))


if __name__ == "__main__":
    main()
