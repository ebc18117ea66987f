"""The wrapper's files: their content, and writing them into a Hermes home."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...core.errors import InstallError
from ..contract.version import VERIFIED_HERMES
from .origin import DISTRIBUTION, Origin

PLUGIN = "hardened-adapters"
"""The name of the plugin, of its entry point and of its folder: Hermes loads only one plugin of a name."""

_MARK = "# Written by `hermes adapters install`, which overwrites changes.\n"
"""The first line of each file. It stays as it is, because files of older versions are recognized by it."""

_HOOKS = (
    *("post_approval_response", "pre_approval_request", "pre_gateway_dispatch", "pre_llm_call", "subagent_start"),
    "transform_llm_output",
)

Files = Mapping[str, str]
"""The content of each file by name, in the order of writing."""


def folder(home: Path) -> Path:
    """Return the wrapper's folder in a Hermes home."""
    return home / "plugins" / PLUGIN


def contents(origin: Origin) -> Files:
    """Return the wrapper's files for a package. The manifest comes last, because it makes the folder a plugin."""
    remedy = (
        f"{DISTRIBUTION} cannot be imported in the Python environment of Hermes. Run `pip install {origin.pip}` there,"
        " or `hermes pm install` if Hermes manages that environment, and restart the gateway"
    )
    module = f"""\
try:
    from hermes_hardened_adapters.adapters.plugin import register
except ImportError as exc:
    remedy = {remedy!r}
    raise ImportError(f"{{exc}}: {{remedy}}") from exc
"""
    entries = [f"{key} = {_quoted(value)}" for key, value in origin.source.items()]
    sources = f"\n[tool.uv.sources]\n{DISTRIBUTION} = {{ {', '.join(entries)} }}\n" if entries else ""
    project = f"""\
[project]
name = "hermes-plugin-{PLUGIN}"
version = {_quoted(origin.version)}
requires-python = ">=3.11"
dependencies = [{_quoted(origin.requirement)}]

[tool.uv]
package = false
{sources}"""
    manifest = f"""\
name: {PLUGIN}
version: {_quoted(origin.version)}
description: Loads the Python package {DISTRIBUTION}
kind: platform
provides_hooks: [{", ".join(_HOOKS)}]
provides_middleware: [llm_request, tool_execution, tool_request]
requires_hermes: ">={VERIFIED_HERMES[0]}"
"""
    return {"__init__.py": _MARK + module, "pyproject.toml": _MARK + project, "plugin.yaml": _MARK + manifest}


def _quoted(value: str | bool) -> str:
    """Return a value in the notation that JSON, TOML and YAML share."""
    return json.dumps(value, ensure_ascii=False)


def outdated(home: Path, files: Files) -> list[str]:
    """Return the names of the files that are missing or different in a Hermes home.

    Raises InstallError if one of them was not written by this module, or lies outside the home.
    """
    target = folder(home)
    if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(home)):
        raise InstallError(f"a symbolic link takes {target} out of the Hermes home: remove the link")
    return [name for name, content in files.items() if _written(target / name) != content]


def _written(path: Path) -> str | None:
    """Return the content of a file of ours, None if there is none. Raises InstallError if it is not ours."""
    if path.is_symlink():
        raise InstallError(f"{path} is a symbolic link: remove it")
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise InstallError(f"{path} cannot be read ({type(exc).__name__}): remove it") from exc
    if not content.startswith(_MARK):
        raise InstallError(f"{path} belongs to another plugin: move that plugin's folder away")
    return content


def write(home: Path, files: Files, names: Iterable[str]) -> None:
    """Write the named files, each atomically. Raises InstallError. Call `outdated` before."""
    target = folder(home)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            new = target / f".{name}.new"
            # A crash during an earlier call may have left it behind.
            new.unlink(missing_ok=True)
            with new.open("x", encoding="utf-8", newline="\n") as file:
                file.write(files[name])
            new.replace(target / name)
    except OSError as exc:
        raise InstallError(f"{exc.filename or target} cannot be written: {exc.strerror}") from exc
