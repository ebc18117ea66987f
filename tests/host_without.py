"""Takes names away from the installed Hermes for the length of a test."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module, metadata
from typing import Any

import pytest
from hermes_hardened_adapters.common.host.contract import names
from hermes_hardened_adapters.common.host.contract.names import HostName


def take_away(monkeypatch: pytest.MonkeyPatch, *taken: HostName) -> None:
    """Remove names wherever they are: from modules, from classes and their bases, and from what methods set."""
    gone = {place.rpartition(".")[2] for name in taken for place in name.places if "." in place.partition(":")[2]}
    inner = names._set_on_instances
    monkeypatch.setattr(names, "_set_on_instances", lambda classes: inner(classes) - gone)
    # First all modules, which import each other's names.
    for owner, attribute in [found for name in taken for place in name.places if (found := _owner(place))]:
        _remove(monkeypatch, owner, attribute)


def uninstall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Hermes be absent, as far as its version tells."""

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    for module in ["hermes_cli", *(name for name in sys.modules if name.startswith("hermes_cli."))]:
        monkeypatch.setitem(sys.modules, module, None)


def _owner(place: str) -> tuple[Any, str] | None:
    module, _, path = place.partition(":")
    *owners, attribute = path.split(".")
    try:
        owner: Any = import_module(module)
        for each in owners:
            owner = getattr(owner, each)
    except (ModuleNotFoundError, AttributeError):
        return None
    return owner, attribute


def _remove(monkeypatch: pytest.MonkeyPatch, owner: Any, attribute: str) -> None:
    if attribute == "__init__":
        # Every class has one, so it can only change.
        monkeypatch.setattr(owner, attribute, lambda self: None)
        return
    for holder in owner.__mro__ if inspect.isclass(owner) else (owner,):
        if attribute in vars(holder):
            monkeypatch.delattr(holder, attribute)
    if inspect.ismodule(owner) and (computed := vars(owner).get("__getattr__")):

        def without(name: str) -> Any:
            if name == attribute:
                raise AttributeError(name)
            return computed(name)

        monkeypatch.setattr(owner, "__getattr__", without)
