"""The scripts of docker/ as they stand: the entry script before a fake `hermes`, the health check on a fake daemon.

The health check meets the real daemon in tests/e2e.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compose_file import DOCKER, ENTRY, SECRETS, health_command
from tests.fakes.signal_daemon import ACCOUNT, ALICE, FakeSignalDaemon, RawConnection, RpcFault, raw_daemon

# -- the entry script


def enter(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the entry script as the image lays it out; the fake `hermes` prints arguments and environment."""
    image, fake, home = tmp_path / "image", tmp_path / "fake", tmp_path / "home"
    if not image.exists():
        for directory in (image, fake, home):
            directory.mkdir()
        shutil.copy(ENTRY, image / "hermes")
        shutil.copy(DOCKER / "config.yaml", image)
        (fake / "hermes").write_text('#!/bin/sh\necho "arguments: $*"\nenv\n')
        for script in (image / "hermes", fake / "hermes"):
            script.chmod(0o755)
    path = f"{image}:{fake}:/usr/bin:/bin"
    return subprocess.run(
        ["hermes", *arguments],
        executable=str(image / "hermes"),
        env={"PATH": path, "HERMES_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=10,
    )


def test_the_script_knows_a_closed_list_of_secrets() -> None:
    (listed,) = re.findall(r"^for name in (.*); do$", ENTRY.read_text(), re.MULTILINE)
    assert tuple(listed.split()) == SECRETS


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_read_from_its_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"s3 $cr'et\r\n")
    entered = enter(tmp_path, "gateway", "run", **{f"{name}_FILE": str(tmp_path / "file")})
    assert entered.returncode == 0
    assert entered.stderr == ""
    assert entered.stdout.startswith("arguments: gateway run\n")
    assert f"{name}=s3 $cr'et\n" in entered.stdout


def test_no_other_variable_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "\nPYTHONPATH=" not in enter(tmp_path, PYTHONPATH_FILE=str(tmp_path / "file")).stdout


def test_an_empty_secret_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("\n")
    assert "OPENAI_API_KEY=" not in enter(tmp_path, OPENAI_API_KEY_FILE=str(tmp_path / "file")).stdout


def test_a_secret_that_cannot_be_read_ends_the_start(tmp_path: Path) -> None:
    entered = enter(tmp_path, OPENAI_API_KEY_FILE=str(tmp_path / "absent"))
    assert (entered.returncode, entered.stdout) == (78, "")
    assert "OPENAI_API_KEY_FILE" in entered.stderr


def test_the_first_configuration_is_laid_down_once(tmp_path: Path) -> None:
    config = tmp_path / "home" / "config.yaml"
    enter(tmp_path)
    assert config.read_bytes() == (DOCKER / "config.yaml").read_bytes()
    config.write_text("plugins: {}\n")
    enter(tmp_path)
    assert config.read_text() == "plugins: {}\n"


def test_files_to_be_sent_can_be_read_by_signal_cli() -> None:
    assert "\numask 022\n" in ENTRY.read_text()


# -- signal-cli's health check


async def health(url: str, account: str = ACCOUNT) -> tuple[int | None, str]:
    host, port = url.removeprefix("http://").split(":")
    process = await asyncio.create_subprocess_exec(
        *health_command(host, int(port), account), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, output.decode().strip()


def daemon_of(*accounts: str) -> FakeSignalDaemon:
    """A daemon with these accounts that reaches Signal."""

    async def accounts_listed(_: dict[str, Any]) -> Any:
        return [{"number": number} for number in accounts]

    async def devices(_: dict[str, Any]) -> Any:
        return [{"id": 1, "name": None}]

    return FakeSignalDaemon(handlers={"listAccounts": accounts_listed, "listDevices": devices})


@pytest.mark.parametrize("account", [ACCOUNT, "", "11111111-1111-4111-8111-111111111111"])
async def test_a_daemon_that_reaches_signal_is_healthy(account: str) -> None:
    async with daemon_of(ACCOUNT, ALICE) as daemon:
        assert await health(daemon.url, account) == (0, "healthy")
        assert daemon.called("listDevices") == [{"account": ACCOUNT}]


async def test_the_health_check_takes_no_message_from_the_gateway() -> None:
    async with daemon_of(ACCOUNT) as daemon:
        await health(daemon.url)
        assert daemon.event_requests == []


@pytest.mark.parametrize(
    ("accounts", "reason"),
    [((), "no account; link or register one"), ((ALICE,), "HARDENED_SIGNAL_ACCOUNT is not an account")],
)
async def test_a_daemon_without_our_account_is_unhealthy(accounts: tuple[str, ...], reason: str) -> None:
    async with daemon_of(*accounts) as daemon:
        status, said = await health(daemon.url)
        assert status == 1
        assert reason in said
        assert ACCOUNT not in said


async def test_a_daemon_cut_off_from_signal_is_unhealthy() -> None:
    async def offline(_: dict[str, Any]) -> Any:
        raise RpcFault(-3, "Connection closed!")

    async with daemon_of(ACCOUNT) as daemon:
        daemon.handlers["listDevices"] = offline
        status, said = await health(daemon.url)
    assert status == 1
    assert "Signal's server" in said


async def test_a_daemon_that_refuses_us_or_is_down_is_unhealthy() -> None:
    async def misdirected(connection: RawConnection) -> None:
        await connection.status(421)

    async with raw_daemon(misdirected) as daemon:
        assert await health(daemon.url) == (1, "unhealthy: listAccounts is answered with 'HTTP/1.1 421'")
    status, said = await health(daemon.url)
    assert status == 1
    assert "nobody listens" in said


async def test_a_daemon_that_pins_its_host_name_is_healthy() -> None:
    async with daemon_of(ACCOUNT) as daemon:
        daemon.pinned_host = "elsewhere:8080"
        assert await health(daemon.url) == (0, "healthy")
