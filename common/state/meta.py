"""The table of single values by key: the secret of the pseudonyms, snapshots, the ledger's horizon and the like."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from .database import Write, read

if TYPE_CHECKING:
    from .store import Store

SECRET = "pseudonym key"
_READ = "SELECT value FROM meta WHERE key = ?"


def put(key: str, value: str) -> Write:
    """Set a value."""
    return "INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value)


def put_new(key: str, value: str) -> Write:
    """Set a value unless there is one."""
    return "INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value)


def drop(key: str) -> Write:
    """Remove a value."""
    return "DELETE FROM meta WHERE key = ?", (key,)


def secret(connection: sqlite3.Connection) -> str:
    """Return the secret of the pseudonyms, which every prepared file has."""
    ((value,),) = connection.execute(_READ, (SECRET,)).fetchall()
    return str(value)


async def load(store: Store, key: str) -> str | None:
    """Return a value, None if it is not set; raise StateError."""
    rows = await store.rows(_READ, (key,))
    return rows[0][0] if rows else None


async def keys(store: Store, prefix: str) -> list[str]:
    """Return what follows a prefix in the keys that begin with it; raise StateError."""
    sql, length = "SELECT substr(key, ?) FROM meta WHERE substr(key, 1, ?) = ?", len(prefix)
    rows = await store.rows(sql, (length + 1, length, prefix))
    return [str(key) for (key,) in rows]


def read_value(path: Path, key: str) -> str | None:
    """Return a value of a state file, None if it is not set; raise StateError."""
    rows = read(path, _READ, (key,))
    return rows[0][0] if rows else None
