"""JSON documents of both networks, including JSON inside strings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Object = dict[str, Any]


def rows(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list; an empty list for any other value."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def only(keys: Iterable[str], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an object under those keys."""
    return {key: row[key] for key in keys if key in row}


def leaves(value: Any) -> Iterator[str]:
    """Yield every string and every key of a JSON document, including those of JSON inside its strings."""
    match value:
        case dict():
            for name, inner in value.items():
                yield name
                yield from leaves(inner)
        case list():
            for inner in value:
                yield from leaves(inner)
        case str() if (opened := nested(value)) is not None:
            yield from leaves(opened)
        case str():
            yield value


def nested(value: str) -> dict[str, Any] | list[Any] | None:
    """Return the object or list that a string holds as JSON, or None."""
    if value[:1] not in {"{", "["}:
        return None
    try:
        parsed = parsed_json(value)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict | list) else None


def parsed_object(text: str | bytes) -> dict[str, Any] | None:
    """Parse a JSON object; return None for any other text."""
    try:
        parsed = parsed_json(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def parsed_json(text: str | bytes) -> Any:
    """Parse strict JSON, without NaN and infinities. Raises ValueError or RecursionError."""
    return json.loads(text, parse_constant=_refused)


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def dumped(value: object) -> str:
    """Serialize like the networks' servers: one line, no spaces, only necessary escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
