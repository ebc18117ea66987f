"""The private database shows some sessions of Hermes' database, whatever is asked of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.state.hosts.own_rows import OwnRows
from hermes_hardened_adapters.common.state.hosts.sessions import Row, Whose
from hermes_hardened_adapters.common.state.hosts.text_index import TextIndex

ALICES = Whose(lambda row: row["chat_id"] == "alice", lambda row: False, lambda row: "", True)
SCHEMA = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, source TEXT, chat_id TEXT, chat_type TEXT, thread_id TEXT, user_id TEXT,
    session_key TEXT, origin_json TEXT, parent_session_id TEXT, "a column" TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY, session_id TEXT, content TEXT);
CREATE TABLE state_meta (key TEXT, value TEXT);
CREATE VIEW every_message AS SELECT id, content FROM messages;
CREATE VIRTUAL TABLE messages_fts USING fts5(content, content='every_message', content_rowid='id');
INSERT INTO sessions (id, source, chat_id, parent_session_id) VALUES ('a', 'signal', 'alice', 'b');
INSERT INTO sessions (id, source, chat_id) VALUES ('b', 'signal', 'bob');
INSERT INTO messages (session_id, content) VALUES ('a', 'wedding'), ('b', 'wedding ninth');
INSERT INTO state_meta VALUES ('total', '2');
"""
MATCHING = "SELECT rowid FROM messages_fts WHERE messages_fts MATCH ?"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a state?.db"
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    connection.close()
    return path


@pytest.fixture
def rows() -> Iterator[OwnRows]:
    rows = OwnRows()
    yield rows
    rows.close()


def test_other_rows_are_not_there(rows: OwnRows, path: Path) -> None:
    with rows.showing(path, ALICES) as shown:
        assert (shown.own, shown.other) == ({"a"}, "b")
        ask = rows.connection.execute
        assert [tuple(row) for row in ask("SELECT id, parent_session_id FROM sessions")] == [("a", None)]
        assert ask("SELECT count(*) FROM messages INDEXED BY some_index").fetchone()[0] == 1
        assert not ask("SELECT key, value FROM state_meta").fetchall()
        assert [row[0] for row in ask(MATCHING, ("wedding OR ninth",))] == [1]
    for statement in ("SELECT id, parent_session_id FROM sessions", "SELECT 1", "SELECT * FROM stored.sessions"):
        with pytest.raises(sqlite3.Error):
            rows.connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM stored.sessions",
        "SELECT count(*) FROM stored.messages",
        "SELECT content FROM stored.messages WHERE id = 2",
        "SELECT content FROM every_message",
        "SELECT * FROM stored.messages_fts",
        # As our own statement, which SQLite was allowed to prepare.
        "SELECT id FROM stored.sessions WHERE id NOT IN (SELECT id FROM main.own) LIMIT 1",
        "SELECT * FROM stored.sqlite_master",
        "WITH own AS (SELECT * FROM stored.messages) SELECT * FROM own",
        "UPDATE stored.sessions SET chat_id = 'alice'",
        "INSERT INTO own VALUES ('b')",
        "DELETE FROM messages",
        "DROP VIEW temp.messages",
        "CREATE TABLE main.more (id)",
        "ATTACH ':memory:' AS another",
        "PRAGMA query_only=OFF",
        "PRAGMA writable_schema=ON",
    ],
)
def test_no_statement_reaches_around_the_views(rows: OwnRows, path: Path, statement: str) -> None:
    with rows.showing(path, ALICES), pytest.raises(sqlite3.Error):
        rows.connection.execute(statement).fetchall()


def test_a_moment_is_shown(rows: OwnRows, path: Path) -> None:
    with sqlite3.connect(path) as writing:
        writing.execute("PRAGMA journal_mode=WAL")
    with rows.showing(path, ALICES):
        assert rows.connection.execute("SELECT count(*) FROM messages").fetchone()[0] == 1
        with writing:
            writing.execute("INSERT INTO messages (session_id, content) VALUES ('a', 'later')")
        assert rows.connection.execute("SELECT count(*) FROM messages").fetchone()[0] == 1
    with rows.showing(path, ALICES):
        assert [row[0] for row in rows.connection.execute(MATCHING, ("later",))] == [3]
    writing.close()


def test_sessions_are_looked_at_anew_after_one_of_them_has_changed(rows: OwnRows, path: Path) -> None:
    asked: list[str] = []

    def is_own(row: Row) -> bool:
        asked.append(row["id"])
        return bool(row["chat_id"] == "alice")

    def shown(basis: object) -> set[str]:
        with rows.showing(path, ALICES._replace(is_own=is_own, basis=basis)) as found:
            return {*found.own}

    assert shown("settings") == {"a"}
    assert sorted(asked) == ["a", "b"]
    writing = sqlite3.connect(path, isolation_level=None)
    for change, own in (
        ("SELECT 1", {"a"}),
        ("INSERT INTO messages (session_id, content) VALUES ('a', 'more')", {"a"}),
        ("UPDATE sessions SET \"a column\" = 'more'", {"a"}),
    ):
        writing.execute(change).fetchall()
        asked.clear()
        assert shown("settings") == own
        assert not asked
    for change, own in (
        ("UPDATE sessions SET chat_id = 'alice' WHERE id = 'b'", {"a", "b"}),
        ("INSERT INTO sessions (id, source, chat_id) VALUES ('c', 'signal', 'alice')", {"a", "b", "c"}),
        ("DELETE FROM sessions WHERE id = 'a'", {"b", "c"}),
        ("UPDATE sessions SET id = 'd' WHERE id = 'c'", {"b", "d"}),
        ("UPDATE sessions SET chat_id = 'bob'", set()),
    ):
        writing.execute(change)
        assert shown("settings") == own
    for column in ("source", "chat_type", "thread_id", "user_id", "session_key", "origin_json"):
        writing.execute(f"UPDATE sessions SET {column} = 'changed' WHERE id = 'b'")
        asked.clear()
        shown("settings")
        assert asked
    writing.close()
    for basis in ("other settings", None, None):
        asked.clear()
        shown(basis)
        assert asked


def test_rows_may_change_their_numbers(rows: OwnRows, path: Path) -> None:
    """Hermes' table has no number of its own, and SQLite may give its rows others."""
    whose = ALICES._replace(basis="settings")
    for _ in range(2):
        with rows.showing(path, whose):
            found = rows.connection.execute("SELECT id, chat_id FROM sessions").fetchall()
            assert [tuple(row) for row in found] == [("a", "alice")]
        with closing(sqlite3.connect(path)) as writing, writing:
            for number, session in ((9, "a"), (1, "b"), (2, "a")):
                writing.execute("UPDATE sessions SET rowid = ? WHERE id = ?", (number, session))


def test_what_inherits_follows_its_parent(rows: OwnRows, path: Path) -> None:
    whose = ALICES._replace(inherits=lambda row: not row["chat_id"], basis="settings")
    writing = sqlite3.connect(path, isolation_level=None)
    writing.execute("INSERT INTO sessions (id, source, parent_session_id) VALUES ('c', 'subagent', 'b')")
    for parent, own in (("b", {"a"}), ("a", {"a", "c"}), (None, {"a"})):
        writing.execute("UPDATE sessions SET parent_session_id = ? WHERE id = 'c'", (parent,))
        with rows.showing(path, whose) as shown:
            assert shown.own == own
    writing.close()


def test_what_hermes_adds_is_hidden_too(rows: OwnRows, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as writing:
        writing.executescript(SCHEMA.replace("state_meta", "secrets"))
    writing = sqlite3.connect(path, isolation_level=None)
    with rows.showing(path, ALICES):
        pass
    writing.execute("CREATE TABLE more AS SELECT * FROM sessions")
    writing.execute("UPDATE sessions SET parent_session_id = NULL")
    with rows.showing(path, ALICES):
        assert not rows.connection.execute("SELECT * FROM more").fetchall()
    writing.execute("UPDATE sessions SET parent_session_id = 'b' WHERE id = 'a'")
    with rows.showing(path, ALICES):
        assert rows.connection.execute("SELECT parent_session_id FROM sessions").fetchone()[0] is None
    writing.execute("DROP TABLE more")
    with rows.showing(path, ALICES):
        pass
    version = writing.execute("PRAGMA schema_version").fetchone()[0]
    writing.close()
    with closing(sqlite3.connect(other, isolation_level=None)) as writing:
        writing.execute(f"PRAGMA schema_version={version}")
    other.replace(path)
    with rows.showing(path, ALICES):
        assert not rows.connection.execute("SELECT * FROM secrets").fetchall()


@pytest.mark.parametrize(
    ("change", "word", "expected"),
    [
        ("UPDATE messages SET content = 'harbour' WHERE id = 1", "wedding", []),
        ("UPDATE messages SET content = 'harbour' WHERE id = 1", "harbour", [1]),
        ("UPDATE messages SET content = NULL WHERE id = 1", "wedding", []),
        ("DELETE FROM messages WHERE id = 1", "wedding", []),
        ("UPDATE messages SET session_id = 'b' WHERE id = 1", "wedding", []),
        ("UPDATE messages SET session_id = 'a' WHERE id = 2", "wedding", [1, 2]),
        ("UPDATE sessions SET chat_id = 'bob' WHERE id = 'a'", "wedding", []),
        ("UPDATE sessions SET chat_id = 'alice' WHERE id = 'b'", "ninth", [2]),
    ],
)
def test_the_text_index_is_that_of_the_messages_as_they_are(
    rows: OwnRows, path: Path, change: str, word: str, expected: list[int]
) -> None:
    """Hermes joins what it finds with its messages, which hides a part of an index that is out of date."""
    with rows.showing(path, ALICES):
        assert rows.connection.execute(MATCHING, ("wedding",)).fetchall()
    with closing(sqlite3.connect(path)) as writing, writing:
        writing.execute(change)
    with rows.showing(path, ALICES):
        assert [row[0] for row in rows.connection.execute(MATCHING, (word,))] == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "CREATE VIRTUAL TABLE messages_fts USING fts5(\n    content\n)",
            ("main.messages_fts USING fts5(content)", ("content",), "messages_fts_content", "id", ("c0",)),
        ),
        (
            "CREATE VIRTUAL TABLE f USING fts5(a, b UNINDEXED, content='src', content_rowid='id', tokenize='trigram')",
            ("main.f USING fts5(a, b UNINDEXED, tokenize='trigram')", ("a", "b"), "src", "id", ("a", "b")),
        ),
        ("CREATE TABLE messages_fts (content)", None),
    ],
)
def test_hermes_index_is_understood(sql: str, expected: tuple[object, ...] | None) -> None:
    index = TextIndex.read(sql.split()[3 if "VIRTUAL" in sql else 2], sql)
    found = index and (index.definition.partition("TABLE ")[2], *index[2:])
    assert found == expected
