"""A name of Hermes' own code: where it is, what it must accept, and what is off without it."""

from __future__ import annotations

import dis
import importlib
import inspect
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from ...core.errors import HostContractError

_ABSENT = object()


class State(StrEnum):
    """The state of a name in the installed Hermes."""

    FOUND = "found"
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class HostName:
    """One name, as `module:attribute`. Imports nothing of Hermes until it is used."""

    places: tuple[str, ...]
    """The first one that exists counts."""
    takes: tuple[str, ...] = ()
    """Parameters that calls name; fields of a dataclass; members of a set."""
    without: str = ""
    """What is off without the name. Empty: without it no platform starts, unless it is new."""
    since: str = ""
    """The first version that has it; in older ones there is nothing to miss."""

    @property
    def attribute(self) -> str:
        return self.places[0].rpartition(":")[2].rpartition(".")[2]

    def load(self) -> Any:
        """Return the object. Raises HostContractError if Hermes has none."""
        found = self._find()
        if found is _ABSENT:
            raise HostContractError(f"the installed hermes-agent has no {self.places[0]}")
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object. Raises HostContractError if Hermes has none."""
        return self.load()(*args, **kwargs)

    def optional(self) -> Any:
        """Return the object, None if Hermes has none or changed it."""
        return self._usable(self._find())

    def of(self, owner: Any) -> Any:
        """Return that attribute of an object of Hermes, None if it has none or Hermes changed it."""
        return self._usable(getattr(owner, self.attribute, _ABSENT))

    def state(self) -> tuple[State, str]:
        """Return the state in the installed Hermes, and how it changed."""
        try:
            found = self._find()
        except Exception as exc:
            return State.CHANGED, f"cannot be imported ({type(exc).__name__})"
        if found is _ABSENT:
            return (State.FOUND, "") if self._is_set_on_instances() else (State.MISSING, "")
        missing = _not_accepted(found, self.takes)
        return (State.CHANGED, f"takes no {', '.join(missing)}") if missing else (State.FOUND, "")

    def _find(self) -> Any:
        return next((found for place in self.places if (found := _at(place)) is not _ABSENT), _ABSENT)

    def _usable(self, found: Any) -> Any:
        return None if found is _ABSENT or _not_accepted(found, self.takes) else found

    def _is_set_on_instances(self) -> bool:
        """Return True if methods of the class set the attribute, which the class itself does not have then."""
        for place in self.places:
            owner, _, attribute = place.rpartition(".")
            cls: Any = _at(owner) if ":" in owner else None
            if inspect.isclass(cls) and attribute in _set_on_instances(cls.__mro__):
                return True
        return False


def _at(place: str) -> Any:
    """Return what is at a place, `_ABSENT` if there is nothing. Raises the error of a module that does not import."""
    module, _, path = place.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if not f"{module}.".startswith(f"{exc.name}."):
            raise
        return _ABSENT
    for attribute in filter(None, path.split(".")):
        found = getattr(found, attribute, _ABSENT)
    return found


def _not_accepted(found: Any, wanted: tuple[str, ...]) -> tuple[str, ...]:
    if not wanted:
        return ()
    members: object = getattr(found, "__members__", found)
    if isinstance(members, Collection):
        return tuple(each for each in wanted if each not in members)
    return _missing_parameters(getattr(found, "__func__", found), wanted) if callable(found) else wanted


@lru_cache(maxsize=1024)
def _missing_parameters(found: Callable[..., Any], wanted: tuple[str, ...]) -> tuple[str, ...]:
    accepted = inspect.signature(found).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in accepted.values()):
        return ()
    return tuple(name for name in wanted if name not in accepted)


@lru_cache(maxsize=64)
def _set_on_instances(classes: tuple[type, ...]) -> frozenset[str]:
    return frozenset(name for cls in classes for name in _set_by(cls))


def _set_by(cls: type) -> Iterator[str]:
    yield from vars(cls).get("__annotations__", {})
    for member in vars(cls).values():
        if isinstance(member, FunctionType):
            yield from _stored(member.__code__)


def _stored(code: CodeType) -> Iterator[str]:
    return (str(step.argval) for step in dis.get_instructions(code) if step.opname == "STORE_ATTR")
