"""The README tells the truth where that can be checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_commands_exist(target: str) -> None:
    assert f"make {target}" in README.split("## ")[0]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
