"""The table of rights, and an author's place in it."""

from __future__ import annotations

from hermes_hardened_adapters.common.core.authority import RIGHTS, Authority


def test_nobody_who_is_not_allowed_has_files_fetched() -> None:
    assert [RIGHTS[who].files.files for who in (Authority.STRANGER, Authority.PROGRAM)] == [0, 0]
