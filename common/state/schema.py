"""The schema of the state file: the migrations from every earlier version, and the reconciliation with the journal."""

from __future__ import annotations

import secrets
import sqlite3

from ..core.chats import Status
from ..core.pseudonymizer import SECRET_BYTES
from . import audit, chats, identities, meta
from .database import Unusable
from .orders import ChatOrder, Journal, NumberOrder, Order

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
# Keys had no network. Signal's begin with a phone number or an ACI.
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
"""Earlier versions kept the time of arrival, which is the latest possible `sent_at`."""

STEPS = (_FIRST, _AUDIT, _LEDGER, _SENT_AT)
"""The statements that migrate to each schema version from the previous one."""
SCHEMA_VERSION = len(STEPS)


def prepare(connection: sqlite3.Connection, journal: Journal) -> None:
    """Migrate a file to the current schema and reconcile its chats and numbers with the journal; raise Unusable.

    Safe while another connection does the same.
    """
    with connection:
        # IMMEDIATE takes the write lock before the version is read: of two processes only one migrates.
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise Unusable(f"the state file was written by a newer version, schema {version}")
        _upgrade(connection, version)
        connection.execute(*meta.put_new(meta.SECRET, secrets.token_hex(SECRET_BYTES)))
        connection.execute(audit.PRUNE)
        with journal.appended(_reconcile(connection, journal)):
            connection.commit()


def _upgrade(connection: sqlite3.Connection, version: int) -> None:
    if version == SCHEMA_VERSION:
        return
    # Not `executescript`: it would commit the transaction first.
    for statement in "".join(STEPS[version:]).split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def _reconcile(connection: sqlite3.Connection, journal: Journal) -> list[Order]:
    """Apply to the tables the orders that only the journal has; return the orders that only the tables have.

    An order reaches the journal before the tables, so the journal wins if they differ. A revocation in either of them
    wins over everything else.
    """
    in_journal = journal.read()
    only_in_tables: list[Order] = []
    in_tables: list[Order] = [*chats.stored_orders(connection), *identities.stored_orders(connection)]
    for stored in in_tables:
        order = in_journal.get(stored.subject)
        if order is None or (isinstance(stored, ChatOrder) and stored.status is Status.REVOKED):
            in_journal.pop(stored.subject, None)
            if not isinstance(order, ChatOrder) or order.status is not Status.REVOKED:
                only_in_tables.append(stored)
    for order in in_journal.values():
        match order:
            case ChatOrder():
                chats.restore(connection, order)
            case NumberOrder():
                identities.restore(connection, order)
    return only_in_tables
