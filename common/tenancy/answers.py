"""Answers of tools, in the form that the host's own tools give them."""

from __future__ import annotations

import json
from collections.abc import Mapping


def failed(why: str) -> str:
    """Return the answer of a tool that did nothing."""
    return json.dumps({"success": False, "error": why}, ensure_ascii=False)


def succeeded(answer: object) -> bool:
    """Return True unless an answer says that the tool failed."""
    try:
        found = json.loads(str(answer))
    except ValueError:
        return True
    return not isinstance(found, Mapping) or found.get("success") is not False
