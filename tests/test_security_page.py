"""docs/security.md: every statement names tests, and every test it names is there."""

from __future__ import annotations

import re

import pytest

from settings_tables import DOCS

PAGE = (DOCS / "security.md").read_text()
TESTS = {
    name
    for path in (DOCS.parent / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE)
}
STATEMENTS = re.findall(r"^\| ([^|]+?) \| ([^|]*`test_[^|]*) \|$", PAGE, re.MULTILINE)


def test_there_are_statements_and_each_table_of_them_is_whole() -> None:
    tables = re.findall(r"^\| statement \| held by \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert len(tables) >= 6
    assert sum(table.count("\n") for table in tables) == len(STATEMENTS) > 40


@pytest.mark.parametrize(("statement", "holders"), STATEMENTS)
def test_what_holds_a_statement_is_a_test_of_ours(statement: str, holders: str) -> None:
    assert statement.endswith(".")
    names = re.findall(r"`([^`]+)`", holders)
    assert names
    assert set(names) <= TESTS


def test_what_chats_still_share_is_said() -> None:
    section = PAGE.partition("### What chats still share\n")[2].partition("\n## ")[0]
    for subject in ("machine", "HERMES_HOME", "MCP servers", "model", "before", "does not load", "Skills", "provider"):
        assert re.search(rf"^- \*\*[^*]*{subject}[^*]*\*\*", section, re.MULTILINE)
