"""Pseudonyms: the same for the same identity, and not to be found by trying out numbers."""

from __future__ import annotations

from pathlib import Path

from hermes_hardened_adapters.common.core.pseudonymizer import Pseudonymizer
from hermes_hardened_adapters.common.state.store import Store, pseudonymizer

from tests.state import started_anew

NUMBER = "+15550002222"


async def test_pseudonyms_are_keyed_with_the_files_own_secret(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "another profile" / "state.db")
    before = other.pseudonym(NUMBER)
    await other.open()
    named = {store.pseudonym(NUMBER), other.pseudonym(NUMBER), before, Pseudonymizer()(NUMBER)}
    assert len(named) == 4
    assert all(len(name) == 8 for name in named)
    assert pseudonymizer(store.path)(NUMBER) == store.pseudonym(NUMBER)
    assert store.pseudonym("") == ""
    name = store.pseudonym(NUMBER)
    await started_anew(store, without="orders")
    assert store.pseudonym(NUMBER) == name
    await other.close()
