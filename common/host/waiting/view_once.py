"""Deletes files that are meant to be seen once, right after the turn that got them.

They are on record in the state file before Hermes gets them, so that the next start deletes what a crash has left.
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...core.errors import StateError
from ...state import meta
from ...state.store import Store
from .. import files

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _File:
    """A file of this process. `keys` are those that Hermes may use for its session, empty until Hermes has it."""

    keys: Collection[str] = ()


@cache
def _of_process(home: Path, network: str) -> dict[str, _File]:
    """Return the files of an account, by path: turns outlive the adapter in which they began."""
    return {}


class ViewOnce:
    """The files of one adapter that are to be seen once. `waiting` returns the events that wait for their turns."""

    def __init__(self, home: Path, network: str, store: Store, waiting: Callable[[], Iterable[Any]]) -> None:
        self._home = home
        self._label = f"{network} view once "
        self._store = store
        self._waiting = waiting
        self._files = _of_process(home, network)

    async def connected(self) -> None:
        """Delete what an earlier process has left."""
        try:
            left = await meta.keys(self._store, self._label)
        except StateError as exc:
            logger.warning("files to be seen once may be left (%s)", type(exc).__name__)
            return
        for path in left:
            if path not in self._files:
                self._delete(path)

    def fetched(self, paths: Iterable[str]) -> None:
        """Put files on record. They are on disk with the next commit, which comes before the hand-over."""
        for path in paths:
            self._files[path] = _File()
            self._store.write(*meta.put(self._label + path, ""))

    def handed_over(self, event: Any, keys: Collection[str]) -> None:
        """Note that Hermes has an event."""
        for path in event.media_urls:
            if path in self._files:
                self._files[path].keys = keys

    def refused(self, event: Any) -> None:
        """Delete the files of an event that Hermes does not get."""
        for path in event.media_urls:
            if path in self._files:
                self._delete(path)

    def turn_ended(self, keys: Collection[str]) -> None:
        """Delete the files of a session, but for those that wait for another turn of it."""
        if not self._files:
            return
        waiting = {path for event in self._waiting() for path in event.media_urls}
        for path, file in tuple(self._files.items()):
            if path not in waiting and not set(keys).isdisjoint(file.keys):
                self._delete(path)

    def _delete(self, path: str) -> None:
        """Delete one file, if it is a regular one directly in a cache of Hermes'; links are not followed."""
        try:
            file = Path(path)
            inside = files.within(file.parent.resolve(), self._home.resolve())
            is_cached = inside is not None and any(inside.is_relative_to(cache) for cache in files.MEDIA_CACHES)
            if is_cached and stat.S_ISREG(file.lstat().st_mode):
                file.unlink()
        except FileNotFoundError:
            pass
        except (OSError, RuntimeError, ValueError) as exc:
            # It stays on record, for the next start.
            logger.warning("a file to be seen once is left (%s)", type(exc).__name__)
            self._files.pop(path, None)
            return
        self._files.pop(path, None)
        self._store.write(*meta.drop(self._label + path))
