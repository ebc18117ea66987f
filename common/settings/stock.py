"""The facts about Hermes' own adapters that the hardened ones need. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stock:
    """A description of Hermes' own adapter for one platform.

    `places` are those where a version of Hermes may keep the class, as `module:class`, in the order to try.
    `connecting` maps the settings without which nothing connects to the variables that the stock adapter reads;
    `secrets` are those among them that Hermes must not show.
    """

    platform: str
    places: tuple[str, ...]
    connecting: Mapping[str, str]
    secrets: frozenset[str] = frozenset()
