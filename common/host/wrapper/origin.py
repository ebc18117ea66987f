"""The place that this package was installed from, and how to install it from there again (PEP 610)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from urllib.request import url2pathname

from ...core.errors import InstallError

DISTRIBUTION = "hermes-hardened-adapters"


@dataclass(frozen=True, slots=True)
class Origin:
    """How to install the package again. Contains no credentials."""

    version: str
    """The version that is installed now."""
    requirement: str
    """The dependency, as in `[project]` of a pyproject.toml.

    It is never a direct reference: Hermes skips those (pm/plugin_declarations.py, applicable_requirements), but it
    keeps `[tool.uv.sources]`. From an index, it accepts newer versions, because a newer Hermes may need one, and no
    older ones, because they cannot read a newer state file.
    """
    source: Mapping[str, str | bool]
    """The entry for the package in `[tool.uv.sources]`; empty if it comes from an index."""
    pip: str
    """The arguments of `pip install`, quoted for a shell."""


def installed() -> Origin:
    """Return the origin of the installed package. Raises InstallError if either is missing."""
    try:
        found = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise InstallError(f"{DISTRIBUTION} is not installed in this Python environment: install it with pip") from None
    result = origin(found.version, found.read_text("direct_url.json"))
    if (path := result.source.get("path")) and not Path(str(path)).exists():
        raise InstallError(f"{DISTRIBUTION} was installed from {path}, which is gone: install it from a lasting place")
    return result


def origin(version: str, direct_url: str | None) -> Origin:
    """Return the origin of an installed version, given its `direct_url.json`, None if it came from an index.

    Raises InstallError if it is of a kind that cannot be installed again.
    """
    if direct_url is None:
        # A requirement with `>=` may not have a local version.
        requirement = f"{DISTRIBUTION}>={version.partition('+')[0]}"
        return Origin(version, requirement, {}, shlex.quote(requirement))
    source: dict[str, str | bool]
    match _parsed(direct_url):
        case {"url": str(url), "vcs_info": {"vcs": "git", "commit_id": str(commit)}, **rest}:
            source = {"git": (address := without_credentials(url)), "rev": commit}
            pip = f"git+{address}@{commit}"
            if isinstance(folder := rest.get("subdirectory"), str):
                source["subdirectory"] = folder
                pip += f"#subdirectory={folder}"
        case {"url": str(url), "dir_info": {"editable": True}}:
            source = {"path": (path := _path(url)), "editable": True}
            return Origin(version, DISTRIBUTION, source, f"-e {shlex.quote(path)}")
        case {"url": str(url), "dir_info": dict()}:
            source = {"path": (pip := _path(url))}
        case {"url": str(url), "archive_info": dict()}:
            is_local = urlsplit(url).scheme == "file"
            pip = _path(url) if is_local else without_credentials(url)
            source = {"path" if is_local else "url": pip}
        case _:
            raise InstallError(f"{DISTRIBUTION} was installed in a way that cannot be repeated: install it with pip")
    return Origin(version, DISTRIBUTION, source, shlex.quote(pip))


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _path(url: str) -> str:
    return url2pathname(urlsplit(url).path)


def without_credentials(url: str) -> str:
    """Return an address without password, query and fragment, and without a user, except the login of ssh."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    if user and parts.scheme.endswith("ssh"):
        host = f"{user.partition(':')[0]}@{host}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
