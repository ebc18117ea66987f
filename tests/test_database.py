"""The database file: files that cannot be opened or read, and files that are left alone."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.core.errors import StateError
from hermes_hardened_adapters.common.state.database import connect, read
from hermes_hardened_adapters.common.state.schema import prepare
from hermes_hardened_adapters.common.state.store import Store, change

from tests.state import set_aside


async def test_a_locked_file_is_not_taken_for_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    change(path, [])
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: connect(*args, **{**kwargs, "timeout": 0.05}))
    with closing(connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        store = Store(path)
        with pytest.raises(StateError, match="locked"):
            await store.open()
        await store.close()
        with pytest.raises(StateError, match="locked"):
            change(path, [("DELETE FROM meta", ())])
    assert not set_aside(tmp_path)


def test_there_is_nothing_to_read_before_the_first_run(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="has not run"):
        read(tmp_path / "state.db", "SELECT 1")
    (tmp_path / "garbage.db").write_bytes(b"no database" * 200)
    with pytest.raises(StateError, match="cannot be read"):
        read(tmp_path / "garbage.db", "SELECT * FROM meta")


def test_what_a_link_names_is_as_private(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link, elsewhere = tmp_path / "folder" / "state.db", tmp_path / "elsewhere.db"
    link.symlink_to(elsewhere)
    for _ in range(2):
        connection = connect(link, prepare)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('a', 'b')")
        connection.commit()
        files = [elsewhere, *tmp_path.glob("elsewhere.db-*")]
        assert len(files) == 3
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3
        connection.close()
        elsewhere.chmod(0o644)
