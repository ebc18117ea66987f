"""A private database in which Hermes' queries find the rows of some sessions only."""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from .sessions import STORED, OwnSessions, Whose, asked
from .text_index import TextIndex

TEXT, SUBSTRINGS = "messages_fts", "messages_fts_trigram"
"""Hermes' indexes of messages: of words, and of parts of words, for scripts that do not separate words."""
_WAIT_SECONDS = 5.0
_CACHE_KIB = 8_000
_OWN = (
    "CREATE TABLE main.own (at INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)",
    # So many that SQLite looks up those whose ids it has, so few that it looks through these and not through all.
    "ANALYZE main",
    "INSERT INTO main.sqlite_stat1 VALUES ('own', 'sqlite_autoindex_own_1', '1000 1')",
    "ANALYZE main.sqlite_master",
)
"""One's own sessions, and their rows in Hermes' table: a row is found faster than an id."""
_OWN_SESSION = "JOIN main.own ON own.at = sessions.rowid"
# The sign keeps SQLite from going through all own messages, where Hermes asks for those of one session.
_OWN_MESSAGE = "WHERE +session_id IN (SELECT id FROM main.own)"
_NONE = "WHERE 0"
_INDEXED_BY = re.compile(r"\bINDEXED\s+BY\s+\w+")
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


class Shown(NamedTuple):
    """The sessions that Hermes' queries find."""

    own: Set[str]
    other: str
    """One that they do not find; empty if there is none."""


class _Connection(sqlite3.Connection):
    before: Callable[[str], str] | None = None
    """Called with each statement of Hermes; returns the one to execute."""
    mark = ""
    """Begins each of our own statements. Python keeps statements, and Hermes must not get one that was allowed us."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        return super().execute(self.before(sql) if self.before else f"{self.mark}{sql}", *parameters)


class OwnRows:
    """The database, and the connection to it that Hermes gets.

    Hermes' file is attached, read-only. Its tables are reached through temporary views, which come before all tables of
    the same name; SQLite refuses every other way to them, and every way outside a search. Not thread-safe.

    What a search changes makes SQLite prepare all statements anew, and Hermes' are long: most searches change nothing.
    """

    def __init__(self) -> None:
        # A nameless database is a file that nobody else can open, kept in memory while it is small.
        self.connection = sqlite3.connect(
            "", _WAIT_SECONDS, isolation_level=None, check_same_thread=False, factory=_Connection, uri=True
        )
        self.connection.row_factory = sqlite3.Row
        self.connection.mark = f"/*{secrets.token_hex()}*/"
        for pragma in ("journal_mode=MEMORY", f"cache_size=-{_CACHE_KIB}"):
            self.connection.execute(f"PRAGMA main.{pragma}")
        for statement in _OWN:
            self.connection.execute(statement)
        self._sessions = OwnSessions()
        self._sessions.create(self.connection)
        self._attached: object = None
        self._shown: Shown | None = None
        self._version = 0
        self._schema: object = None
        self._indexes: dict[str, TextIndex] = {}
        self._outdated: set[str] = set()
        self._trusted = False
        self.connection.execute("PRAGMA query_only=ON")
        self.connection.set_authorizer(self._authorize)

    def close(self) -> None:
        self.connection.close()

    @property
    def indexes(self) -> Set[str]:
        """The names of the text indexes that there are."""
        return self._indexes.keys()

    @contextmanager
    def showing(self, path: Path, whose: Whose) -> Iterator[Shown]:
        """Show one's own sessions as Hermes' database has them at this moment.

        Raises sqlite3.Error if it cannot be read. Close this one after any error.
        """
        with self._trusting():
            self._attach(path)
            if whose.basis is None:
                whose = asked(self.connection, whose)
            self.connection.execute("BEGIN")
            shown = self._look(whose)
        self.connection.before = self._before
        try:
            yield shown
        finally:
            self.connection.before = _refused
        with self._trusting():
            self.connection.execute("COMMIT")

    def _look(self, whose: Whose) -> Shown:
        """Find out whose the sessions are, unless that is known; prepare for Hermes' statements."""
        # SQLite counts here what others write.
        version = self.connection.execute(f"PRAGMA {STORED}.data_version").fetchone()[0]
        unchanged = self._shown is not None and self._version == version
        own = self._sessions.known(self.connection, whose, unchanged=unchanged)
        if self._shown is not None and own is not None and unchanged:
            return self._shown
        self._shown = None
        if own is None:
            with self._writing():
                own = self._sessions.read(self.connection, whose)
                self._remember(own)
        self._shadow()
        self._outdated = set(self._indexes)
        found = self.connection.execute(
            f"SELECT id FROM {STORED}.sessions WHERE id NOT IN (SELECT id FROM main.own) LIMIT 1"
        ).fetchone()
        self._shown, self._version = Shown(own.keys(), found[0] if found else ""), version
        return self._shown

    @contextmanager
    def _trusting(self) -> Iterator[None]:
        """Execute our own statements, which only read."""
        before, self.connection.before = self.connection.before, None
        self._trusted = True
        try:
            yield
        finally:
            self._trusted = False
            self.connection.before = before

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self.connection.execute("PRAGMA query_only=OFF")
        try:
            yield
        finally:
            self.connection.execute("PRAGMA query_only=ON")

    def _attach(self, path: Path) -> None:
        """Attach Hermes' file; another one, if it has taken the place of that."""
        try:
            status = path.stat()
            file: object = (path, status.st_dev, status.st_ino)
        except OSError:
            file = None
        if file is not None and file == self._attached:
            return
        self._shown = None
        if self._attached is not None:
            self._attached = None
            self.connection.execute(f"DETACH {STORED}")
        self.connection.execute(f"ATTACH ? AS {STORED}", (f"{path.absolute().as_uri()}?mode=ro",))
        self._attached, self._schema = file, None

    def _remember(self, own: Mapping[str, int]) -> None:
        known = {tuple(row) for row in self.connection.execute("SELECT id, at FROM main.own")}
        self.connection.executemany("DELETE FROM main.own WHERE id = ? AND at = ?", known - own.items())
        self.connection.executemany("INSERT INTO main.own (id, at) VALUES (?, ?)", own.items() - known)

    def _shadow(self) -> None:
        """Create the views, and hide every other table: some hold other chats' ids, or count their messages."""
        schema = self.connection.execute(f"PRAGMA {STORED}.schema_version").fetchone()[0]
        strangers = self.connection.execute(
            f"SELECT EXISTS (SELECT 1 FROM main.own JOIN {STORED}.sessions AS s ON s.rowid = own.at"
            " WHERE s.parent_session_id NOT IN (SELECT id FROM main.own))"
        ).fetchone()[0]
        if self._schema == (schema, strangers):
            return
        with self._writing():
            self._create(strangers)
        self._schema = (schema, strangers)

    def _create(self, strangers: int) -> None:
        tables = f"SELECT name, sql FROM {STORED}.sqlite_master WHERE type = 'table' ORDER BY name"
        stored = [tuple(row) for row in self.connection.execute(tables)]
        for (view,) in self.connection.execute("SELECT name FROM temp.sqlite_master WHERE type = 'view'").fetchall():
            self.connection.execute(f'DROP VIEW temp."{view}"')
        found = {name: TextIndex.read(name, sql) for name, sql in stored if name in {TEXT, SUBSTRINGS}}
        indexes = {name: index for name, index in found.items() if index}
        for name, index in indexes.items():
            if self._indexes.get(name) != index:
                index.create(self.connection)
        self._indexes = indexes
        for name, sql in stored:
            if name == "sessions":
                link = "CASE WHEN parent_session_id IN (SELECT id FROM main.own) THEN parent_session_id END"
                self._view(name, _OWN_SESSION, {"id": "own.id", **({"parent_session_id": link} if strangers else {})})
            elif sql.startswith("CREATE TABLE") and not name.startswith("sqlite_"):
                self._view(name, _OWN_MESSAGE if name == "messages" else _NONE, {})

    def _view(self, name: str, rule: str, instead: Mapping[str, str]) -> None:
        """Create a view of those rows of a table that a rule allows, with something else instead of some columns."""
        columns = [row["name"] for row in self.connection.execute(f'PRAGMA {STORED}.table_info("{name}")')]
        shown = (f'{instead[each]} AS "{each}"' if each in instead else f'{name}."{each}"' for each in columns)
        self.connection.execute(f'CREATE TEMP VIEW "{name}" AS SELECT {", ".join(shown)} FROM {STORED}."{name}" {rule}')

    def _before(self, sql: str) -> str:
        """Bring the text indexes that a statement uses up to date: many searches need none.

        Returns the statement without names of the indexes that SQLite must use: a view has none.
        """
        rewritten, used = _rewritten(sql)
        if needed := self._outdated & used:
            with self._trusting(), self._writing():
                for name in needed:
                    self._indexes[name].update(self.connection)
                # The index keeps what it is given, and would write it with COMMIT, when nothing may be written.
                self.connection.execute("SAVEPOINT written")
                self.connection.execute("RELEASE written")
            self._outdated -= needed
        return rewritten

    def _authorize(
        self, action: int, table: str | None, column: str | None, database: str | None, via: str | None
    ) -> int:
        """Allow reading; and reading Hermes' file only through our views."""
        if self._trusted:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            return sqlite3.SQLITE_OK if database != STORED or via == table else sqlite3.SQLITE_DENY
        # The text index asks whether it is up to date.
        if action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and table == "data_version"):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY


@lru_cache(maxsize=64)
def _rewritten(sql: str) -> tuple[str, Set[str]]:
    """Return a statement without names of indexes, and the text indexes that it uses."""
    return _INDEXED_BY.sub("", sql), {TEXT, SUBSTRINGS}.intersection(re.findall(r"\w+", sql))


def _refused(sql: str) -> str:
    raise sqlite3.ProgrammingError("no search is going on")
