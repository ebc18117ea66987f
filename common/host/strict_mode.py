"""The host's side of strict mode: its configuration files, the values passed to it, the variables it must hide."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..core.errors import HostContractError
from ..settings import strict
from ..settings.stock import Stock
from . import profile
from .contract import table
from .documents import parse_yaml

logger = logging.getLogger(__name__)


def is_on(stock: Stock) -> bool:
    """Return True if the operator uses strict mode for the platform in this profile."""
    return bool(strict.in_use(stock, profile.environment()))


def written(stock: Stock) -> list[str]:
    """Return the keys with an address or a credential in this profile's configuration files. Skip unreadable files."""
    home = profile.home()
    older = _document(home / "gateway.json", json.loads)
    newer = _document(home / "config.yaml", parse_yaml)
    newer = table.MANAGED_CONFIG(newer)
    return [*strict.written(stock, older), *strict.written(stock, newer)]


def _document(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        document = parse(path.read_text(encoding="utf-8"))
    except Exception:
        # The host cannot read such a file either, and goes on without it.
        return {}
    return document if isinstance(document, dict) else {}


def platform_values(stock: Stock, fields: Iterable[str]) -> dict[str, Any] | None:
    """Return the values for the host's `PlatformConfig` in strict mode, None if it is off.

    `fields` are the settings that the host may see. The home channel is included, because the host looks for one before
    it knows the platform.
    """
    variables = profile.environment()
    if not strict.in_use(stock, variables):
        return None
    names = strict.variables(stock)
    values: dict[str, Any] = {field: variables.get(names[field], "").strip() for field in fields}
    home = f"{stock.platform.upper()}_HOME_CHANNEL"
    if chat_id := variables.get(home, "").strip():
        values["home_channel"] = {
            "chat_id": chat_id,
            "name": variables.get(f"{home}_NAME", "").strip() or "Home",
            "thread_id": variables.get(f"{home}_THREAD_ID", "").strip() or None,
        }
    return values


def keep_secret(stock: Stock) -> None:
    """Make the host hide the platform's strict variables from child processes, like its own credentials.

    It hides them by name (hermes_cli/config.py, OPTIONAL_ENV_VARS; tools/environments/). A module makes its lists once,
    on import, so `hide` is needed again for those that are imported later.
    """
    names = strict.variables(stock)
    try:
        known: dict[str, Any] = table.SECRET_VARIABLES.load()
        for field, name in names.items():
            known[name] = {
                "description": f"{name.removeprefix(strict.PREFIX)}, only for the hardened adapters",
                "prompt": name,
                "url": None,
                "password": field in stock.secrets,
                "category": "messaging",
            }
    except (HostContractError, ImportError, TypeError) as exc:
        hidden = ", ".join(names.values())
        logger.warning("Strict mode: commands that the agent runs may see %s: %s", hidden, exc)
    hide(stock)


def hide(stock: Stock) -> None:
    """Add the platform's strict variables to all lists of secrets that the host has made so far, copies as well."""
    names = strict.variables(stock)
    secrets = frozenset(names[field] for field in stock.secrets)
    # Some children get the credentials of models, but never those of messengers.
    lists = (
        (table.SECRET_LIST, frozenset(names.values())),
        (table.ALWAYS_SECRET, secrets),
        (table.ALWAYS_SECRET_FOLDED, secrets),
    )
    for module in [each for name, each in sys.modules.items() if name.startswith("tools.")]:
        made = getattr(module, "__dict__", {})
        for name, more in lists:
            if isinstance(built := made.get(name.attribute), frozenset) and not more <= built:
                setattr(module, name.attribute, built | more)
