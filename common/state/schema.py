"""The tables of the state file, and the steps that lead to them from every earlier version."""

from __future__ import annotations

import sqlite3

_FIRST = """
CREATE TABLE identity (number TEXT PRIMARY KEY, uid TEXT NOT NULL, source INTEGER NOT NULL, moved_to TEXT);
CREATE TABLE direct_chat (alias TEXT PRIMARY KEY, chat TEXT NOT NULL);
CREATE TABLE chat_group (
    network TEXT, id TEXT, status TEXT NOT NULL, by TEXT, at REAL NOT NULL, PRIMARY KEY (network, id)
);
CREATE TABLE ledger (key TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX ledger_at ON ledger (at);
CREATE TABLE observed (
    network TEXT, chat TEXT, seq INTEGER, key TEXT, author TEXT, verified INTEGER, text TEXT, at REAL,
    PRIMARY KEY (network, chat, seq)
);
CREATE TABLE observed_cursor (session TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE trace (
    at REAL, network TEXT, chat TEXT, who TEXT, event TEXT, verdict TEXT, rule INTEGER, reason TEXT
);
CREATE TABLE cursor (network TEXT, chat TEXT, at INTEGER NOT NULL, PRIMARY KEY (network, chat));
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_AUDIT = """
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, network TEXT NOT NULL, chat TEXT NOT NULL,
    status TEXT NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL
);
"""
_LEDGER = """
CREATE TABLE appended (network TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL);
INSERT INTO appended SELECT
    CASE WHEN key LIKE '+%' OR key LIKE '________-%' THEN 'signal' ELSE 'mattermost' END, key, at
    FROM ledger ORDER BY at;
DROP TABLE ledger;
ALTER TABLE appended RENAME TO ledger;
"""
_SENT_AT = """
CREATE TABLE sent (network TEXT NOT NULL, key TEXT NOT NULL, sent_at INTEGER NOT NULL);
INSERT INTO sent SELECT network, key, CAST(at * 1000 AS INTEGER) FROM ledger ORDER BY rowid;
DROP TABLE ledger;
ALTER TABLE sent RENAME TO ledger;
CREATE INDEX audit_chat ON audit (network, chat, id);
"""
"""A message is never older than its arrival, so what was kept before errs on the safe side."""

STEPS = (_FIRST, _AUDIT, _LEDGER, _SENT_AT)
"""What makes each schema version of the one before it."""
SCHEMA_VERSION = len(STEPS)

BOUND_AUDIT = """
DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - 2000 AND id NOT IN (
    SELECT max(audit.id) FROM audit JOIN chat_group ON chat_group.network = audit.network AND chat_group.id = chat
    GROUP BY audit.network, chat
)
"""
"""Leaves the latest entry of every chat, and of the rest the last 2,000."""


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of that version up to date, within the caller's transaction."""
    if version == SCHEMA_VERSION:
        return
    for statement in "".join(STEPS[version:]).split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
