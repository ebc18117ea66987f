"""The private database shows some sessions of Hermes' database, whatever is asked of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.state.hosts.own_rows import OwnRows
from hermes_hardened_adapters.common.state.hosts.sessions import Whose
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
