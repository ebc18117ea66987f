"""Strict mode at the seam to Hermes: what it reads, what it is handed, what it must keep to itself."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from ..settings import strict
from ..settings.stock import Stock
from . import profile

logger = logging.getLogger(__name__)


def is_on(stock: Stock) -> bool:
    """Return whether the operator uses strict mode for that platform of this profile."""
    return bool(strict.in_use(stock, profile.environment()))


def written(stock: Stock) -> list[str]:
    """The keys of this profile's configuration files that say where to connect. What is unreadable says nothing."""
    home = profile.home()
    older = _document(home / "gateway.json", json.loads)
    newer = _document(home / "config.yaml", importlib.import_module("yaml").safe_load)
    newer = importlib.import_module("hermes_cli.managed_scope").apply_managed_overlay(newer)
    return [*strict.written(stock, older), *strict.written(stock, newer)]


def _document(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        document = parse(path.read_text(encoding="utf-8"))
    except Exception:
        # Whatever it is that keeps the host from reading the file: it goes on without.
        return {}
    return document if isinstance(document, dict) else {}


def handed(stock: Stock, fields: Iterable[str]) -> dict[str, Any] | None:
    """What the host puts into `PlatformConfig` in strict mode, the home channel included; None where it is off.

    `fields` are the settings it may see. It looks for a home channel before it knows of the platform.
    """
    variables = profile.environment()
    if not strict.in_use(stock, variables):
        return None
    twins = strict.variables(stock)
    values: dict[str, Any] = {field: variables.get(twins[field], "").strip() for field in fields}
    home = f"{stock.platform.upper()}_HOME_CHANNEL"
    if chat_id := variables.get(home, "").strip():
        values["home_channel"] = {
            "chat_id": chat_id,
            "name": variables.get(f"{home}_NAME", "").strip() or "Home",
            "thread_id": variables.get(f"{home}_THREAD_ID", "").strip() or None,
        }
    return values


def keep_secret(names: Collection[str]) -> None:
    """Have the host keep these variables, as it does its own credentials, from the commands that the agent runs.

    It knows them by name (hermes_cli/config.py, OPTIONAL_ENV_VARS; tools/environments/local.py).
    """
    try:
        known: dict[str, Any] = importlib.import_module("hermes_cli.config").OPTIONAL_ENV_VARS
        for name in names:
            known[name] = {
                "description": f"{name.removeprefix(strict.PREFIX)}, for the hardened adapters alone",
                "prompt": name,
                "url": None,
                "password": name.endswith("TOKEN"),
                "category": "messaging",
            }
        # Built from them once; where that has happened already, it is done again.
        if local := sys.modules.get("tools.environments.local"):
            local._HERMES_PROVIDER_ENV_BLOCKLIST |= frozenset(names)  # type: ignore[attr-defined]
    except (ImportError, AttributeError, TypeError) as exc:
        logger.warning("Strict mode: commands that the agent runs may see %s: %s", ", ".join(names), exc)
