"""Changes of stored entries, through Hermes' own store: its locks, limits, scan and drift guard stay in force.

They are a person's own, so they do not wait for an approval as those of the agent may.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ....core.errors import MemoryRefused
from ....tenancy import memory, reviews
from ....tenancy.inventory import Entry
from ..store import Store


def move(entry: Entry, source: Store, target: Store) -> None:
    """Move an entry: it is in both places for a moment, never in none. Raises MemoryRefused; nothing changed then."""
    added = add([entry], target)
    try:
        remove(entry, source)
    except MemoryRefused:
        _undo(added, target)
        raise


def add(added: Sequence[Entry], store: Store) -> list[Entry]:
    """Add entries, and return those that were not there before. Raises MemoryRefused; nothing changed then."""
    fresh: list[Entry] = []
    for target in memory.FILES:
        texts = [entry.text for entry in added if entry.target == target]
        if not texts:
            continue
        before = _texts(store, target)
        try:
            _add(texts, target, store)
        except MemoryRefused:
            _undo(fresh, store)
            raise
        fresh += [Entry(target, text) for text in texts if text not in before]
    return fresh


def remove(entry: Entry, store: Store) -> None:
    """Remove exactly that entry. Raises MemoryRefused if it is gone, or if Hermes refuses."""
    there = _texts(store, entry.target)
    if entry.text not in there:
        raise MemoryRefused("the entry is gone")
    # The host finds entries by a part of their text: longer ones that contain this one step aside.
    longer = [text for text in there if entry.text in text and text != entry.text]
    if not longer:
        # Newer hosts empty no file by a batch.
        _carry_out(lambda: store.hosts.remove(entry.target, entry.text), store)
        return
    gone = [*sorted(longer, key=len, reverse=True), entry.text]
    operations = [{"action": "remove", "old_text": text, "matched_entry": text} for text in gone]
    operations += [{"action": "add", "content": text} for text in longer]
    _carry_out(lambda: store.hosts.apply_batch(entry.target, operations), store)


def clear(store: Store) -> None:
    """Delete all entries of a context, the copies that Hermes makes of files, and what waits for approval."""
    with _translated():
        reviews.discard_all(store.folder)
        for name in memory.FILES.values():
            path = store.folder / name
            with store.hosts._file_lock(path):
                for file in (path, *store.folder.glob(f"{name}.bak.*")):
                    file.unlink(missing_ok=True)


def delete(store: Store) -> None:
    """Delete a context with its folder. Raises MemoryRefused if that fails."""
    clear(store)
    with _translated():
        shutil.rmtree(store.folder)


def vacate(store: Store) -> bool:
    """Delete the memory files of a folder, and the folder if nothing else is in it; return True if it is gone."""
    with _translated():
        for name in memory.FILES.values():
            path = store.folder / name
            with store.hosts._file_lock(path):
                path.unlink(missing_ok=True)
            path.with_suffix(f"{path.suffix}.lock").unlink(missing_ok=True)
    with suppress(OSError):
        store.folder.rmdir()
    return not store.folder.exists()


def _add(texts: Iterable[str], target: str, store: Store) -> None:
    operations = [{"action": "add", "content": text} for text in texts]
    _carry_out(lambda: store.hosts.apply_batch(target, operations), store)


def _undo(added: Iterable[Entry], store: Store) -> None:
    for entry in added:
        with suppress(MemoryRefused):
            remove(entry, store)


def _texts(store: Store, target: str) -> list[str]:
    return memory.entries(store.folder / memory.FILES[target])


def _carry_out(change: Callable[[], Any], store: Store) -> None:
    """Let the host's store change a file. Raises MemoryRefused if it fails or refuses."""
    with _translated():
        answer = change()
        if store.context:
            memory.make_private(store.folder)
    if not answer.get("success"):
        raise MemoryRefused(_why(answer))


def _why(answer: dict[str, Any]) -> str:
    """Return the first sentence of the host's answer, the rest of which advises a model."""
    why = str(answer.get("error") or "it gave no reason").partition(". ")[0].rstrip(".")
    backup = answer.get("drift_backup")
    return f"{why}; a copy of the file is in {backup}" if backup else why


@contextmanager
def _translated() -> Iterator[None]:
    # The host raises RuntimeError for files that it cannot write.
    try:
        yield
    except (OSError, RuntimeError) as exc:
        raise MemoryRefused(f"the files cannot be changed ({exc})") from exc
