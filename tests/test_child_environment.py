"""Strict mode's variables stay out of the processes that the host starts, in whichever order it imports its modules."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_strict import MATTERMOST, SIGNAL

CONTROL = "LC_CONTROL"
"""Harmless, and let through by every filter but that of MCP servers."""
REPOSITORY = Path(__file__).parents[1]


async def children(home: Path, order: str, source: str) -> dict[str, Any]:
    """Return the names of the variables in each kind of child process."""
    strict = {**SIGNAL, **MATTERMOST}
    if source == "file":
        (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in strict.items()))
    config = {
        "plugins": {"enabled": ["hardened-adapters"]},
        "terminal": {"env_passthrough": [CONTROL, *strict]},
    }
    (home / "config.yaml").write_text(json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "tests.child_environment", order),
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "HERMES_HOME": str(home),
            CONTROL: "1",
            **(strict if source == "environment" else {}),
        },
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    names: dict[str, Any] = json.loads(printed.decode().splitlines()[-1])
    return names


@pytest.mark.parametrize("source", ["environment", "file"])
@pytest.mark.parametrize("order", ["before", "after"])
async def test_no_process_that_the_host_starts_gets_the_strict_variables(
    order: str, source: str, tmp_path: Path
) -> None:
    found = await children(tmp_path, order, source)
    assert [way for way, names in found.items() if CONTROL not in names] == ["mcp"]
    assert "HARDENED_MATTERMOST_TOKEN" not in found.pop("model's own")
    assert {way: set(names) & {*SIGNAL, *MATTERMOST} for way, names in found.items()} == {way: set() for way in found}
