"""The memory tool of strict memory. Newer versions of Hermes do not offer their own while their memory is off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...tenancy import requests
from ...tenancy.answers import failed
from ..contract import table
from . import tenant

NAME = "chat_memory"
"""Of the tool, and of its toolset: in Hermes' own, the tool would switch that toolset on for every platform."""
GUIDANCE = (
    f"Your persistent memory is the tool {NAME}: save durable facts with it, compactly. What it holds stands below, as"
    " it was when this session began."
)
_BEHIND_SEARCH = "tool_call"
"""The tool through which newer versions of Hermes call those of plugins, unless `tools.tool_search` is off."""


def register(ctx: Any) -> None:
    """Offer the tool in strict memory if Hermes offers none then. Its schema is that of Hermes' own tool."""
    if not tenant.is_strict(table.LOAD_WHOLE_CONFIG() or {}) or _hosts_is_offered():
        return
    if register_tool := table.REGISTER_TOOL.of(ctx):
        schema = {**table.MEMORY_SCHEMA.load(), "name": NAME}
        register_tool(name=NAME, toolset=NAME, schema=schema, handler=_refuse)


def is_offered(request: Mapping[str, Any]) -> bool:
    """Return True if a model request offers the tool, directly or through Hermes' search for tools."""
    if not tenant.tenant().settings.strict or _hosts_is_offered():
        return False
    return requests.offers_tool(request, NAME) or requests.offers_tool(request, _BEHIND_SEARCH)


def _hosts_is_offered() -> bool:
    check = table.MEMORY_OFFERED.optional()
    return check is None or bool(check())


def _refuse(args: Any, **_: object) -> str:
    """Answer a call that our middleware did not carry out."""
    return failed("Memory is not available here.")
