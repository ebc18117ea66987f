"""A text index of some messages of Hermes, like its own index of all.

Hermes' index would order findings by how frequent a word is in everybody's messages, and so tell what others write.
"""

from __future__ import annotations

import re
from sqlite3 import Connection
from typing import NamedTuple

from .sessions import STORED

_ARGUMENTS = re.compile(r"USING\s+fts5\s*\((.*)\)\s*$", re.IGNORECASE | re.DOTALL)
_CONTENT = re.compile(r"\s*content\s*=\s*'(\w+)'\s*", re.IGNORECASE)
_ROWID = re.compile(r"\s*content_rowid\s*=\s*'?(\w+)'?\s*", re.IGNORECASE)
OWN_MESSAGES = f"SELECT id FROM {STORED}.messages WHERE session_id IN (SELECT id FROM main.own)"


class TextIndex(NamedTuple):
    """An index of Hermes, and how to make its like."""

    name: str
    definition: str
    columns: tuple[str, ...]
    source: str
    """The table or view that has the indexed texts."""
    key: str
    """The column of `source` that has the message's id."""
    texts: tuple[str, ...]
    """The columns of `source` that have those of the index."""

    @classmethod
    def read(cls, name: str, sql: str) -> TextIndex | None:
        """Return the index that a statement creates, None if it creates none."""
        if (found := _ARGUMENTS.search(sql)) is None:
            return None
        source, key, kept, columns = "", "rowid", [], []
        for each in found[1].split(","):
            if content := _CONTENT.fullmatch(each):
                source = content[1]
            elif rowid := _ROWID.fullmatch(each):
                key = rowid[1]
            else:
                kept.append(each.strip())
                if "=" not in each:
                    columns.append(each.split()[0])
        definition = f"CREATE VIRTUAL TABLE main.{name} USING fts5({', '.join(kept)})"
        if not source:
            stored = tuple(f"c{n}" for n in range(len(columns)))
            return cls(name, definition, (*columns,), f"{name}_content", "id", stored)
        return cls(name, definition, (*columns,), source, key, (*columns,))

    def create(self, connection: Connection) -> None:
        """Create the index anew, empty."""
        connection.execute(f"DROP TABLE IF EXISTS main.{self.name}")
        connection.execute(self.definition)

    def update(self, connection: Connection) -> None:
        """Make the index that of the messages of the sessions in `own`, as they are now."""
        kept, source = f"main.{self.name}_content", f"{STORED}.{self.source}"
        differs = " OR ".join(f"k.c{n} IS NOT s.{text}" for n, text in enumerate(self.texts))
        connection.execute(
            f"DELETE FROM main.{self.name} WHERE rowid IN ("
            f"SELECT k.id FROM {kept} k WHERE k.id NOT IN ({OWN_MESSAGES})"
            f" UNION ALL SELECT k.id FROM {kept} k LEFT JOIN {source} s ON s.{self.key} = k.id WHERE {differs})"
        )
        connection.execute(
            f"INSERT INTO main.{self.name}(rowid, {', '.join(self.columns)})"
            f" SELECT {self.key}, {', '.join(self.texts)} FROM {source}"
            f" WHERE {self.key} IN ({OWN_MESSAGES} EXCEPT SELECT id FROM {kept})"
        )
