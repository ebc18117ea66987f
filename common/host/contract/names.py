"""A name of Hermes' own code: where it is, what it must accept, and what is off without it."""

from __future__ import annotations

import dis
import importlib
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from ...core.errors import HostContractError

_ABSENT = object()


class State(StrEnum):
    """The state of a name in the installed Hermes."""

    FOUND = "found"
    CHANGED = "changed"
    MISSING = "missing"


class Found(NamedTuple):
    """A name in the installed Hermes, or where it should be."""

    place: str
    state: State
    how: str = ""
    """How it changed."""
    value: Any = _ABSENT

    def __str__(self) -> str:
        return f"{self.place} ({self.how})" if self.how else self.place


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
        """Return the object. Raises HostContractError if Hermes has none or changed it."""
        found = self._find()
        if found.state is State.FOUND:
            return found.value
        lacks = "has no" if found.state is State.MISSING else "changed"
        raise HostContractError(f"the installed hermes-agent {lacks} {found}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object. Raises HostContractError if Hermes has none or changed it."""
        return self.load()(*args, **kwargs)

    def optional(self) -> Any:
        """Return the object, None if Hermes has none or changed it."""
        found = self._find()
        return found.value if found.state is State.FOUND else None

    def of(self, owner: Any) -> Any:
        """Return that attribute of an object of Hermes, None if it has none or Hermes changed it."""
        found = getattr(owner, self.attribute, _ABSENT)
        return None if found is _ABSENT or _not_accepted(found, self.takes) else found

    def lacks(self) -> tuple[str, ...]:
        """Return those of `takes` that the installed Hermes does not accept; none if it has no such name at all."""
        found = self._find().value
        return () if found is _ABSENT else _not_accepted(found, self.takes)

    def examine(self) -> Found:
        """Return the state in the installed Hermes."""
        found = self._find()
        if found.state is State.MISSING and (place := self._set_on_instances()):
            return Found(place, State.FOUND)
        return found

    def _find(self) -> Found:
        for place in self.places:
            try:
                value = _at(place)
            except Exception as exc:
                return Found(place, State.CHANGED, f"cannot be imported: {type(exc).__name__}")
            if value is not _ABSENT:
                missing = _not_accepted(value, self.takes)
                return Found(place, State.CHANGED if missing else State.FOUND, _takes_no(missing), value)
        return Found(self.places[0], State.MISSING)

    def _set_on_instances(self) -> str:
        """Return the place where methods of a class set the attribute, which the class itself does not have then."""
        for place in self.places:
            owner, _, attribute = place.rpartition(".")
            cls: Any = _at(owner) if ":" in owner else None
            if inspect.isclass(cls) and attribute in _set_on_instances(cls.__mro__):
                return place
        return ""


def needed(place: str, *takes: str) -> HostName:
    """Return a name without which no platform starts."""
    return HostName((place,), takes)


def members(places: Iterable[str], wanted: Mapping[str, tuple[str, ...]]) -> tuple[HostName, ...]:
    """Return the members of a class, each with the parameters that it must take. No platform starts without them."""
    owners = tuple(places)
    return tuple(HostName(tuple(f"{owner}.{name}" for owner in owners), takes) for name, takes in wanted.items())


def one_of(owners: Iterable[str], *names: str) -> HostName:
    """Return a member of a class that was renamed, with its names newest first. No platform starts without one."""
    places = tuple(owners)
    return HostName(tuple(f"{owner}.{name}" for name in names for owner in places))


def _at(place: str) -> Any:
    """Return what is at a place, `_ABSENT` if there is nothing. Raises the error of a module that does not import."""
    module, path = _parts(place)
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if not f"{module}.".startswith(f"{exc.name}."):
            raise
        return _ABSENT
    for attribute in path:
        found = getattr(found, attribute, _ABSENT)
    return found


@lru_cache(maxsize=1024)
def _parts(place: str) -> tuple[str, tuple[str, ...]]:
    module, _, path = place.partition(":")
    return module, tuple(filter(None, path.split(".")))


def _takes_no(missing: tuple[str, ...]) -> str:
    return f"takes no {', '.join(missing)}" if missing else ""


def _not_accepted(found: Any, wanted: tuple[str, ...]) -> tuple[str, ...]:
    if not wanted:
        return ()
    members: object = getattr(found, "__members__", found)
    if isinstance(members, Collection):
        return tuple(each for each in wanted if each not in members)
    try:
        return _missing_parameters(getattr(found, "__func__", found), wanted)
    except (TypeError, ValueError):
        # It is no function, or none that says what it takes.
        return wanted


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
