"""The real `hermes gateway run` as a child process, with nothing of this machine's in it.

HOME and HERMES_HOME are a temporary folder, the environment is made from nothing, and all it may talk to is on
loopback: an OpenAI-compatible endpoint and the chat servers the caller names in the environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hermes_hardened_adapters.common.core.errors import StateError
from hermes_hardened_adapters.common.state.snapshot import read_snapshot
from hermes_hardened_adapters.common.state.trace import Entry, entries

from tests.catalogs import catalogs

PLUGIN = "hardened-adapters"
STATE_DB = Path("hardened_adapters") / "state.db"
SETTLED = "gateway.run: Press Ctrl+C to stop"
"""The host logs this after its start-up restore, during which it parks events and hands them over a second time."""
NOBODY = "+15550009999"
"""The home channel, so that the host does not ask every new chat whether it should be the one."""

_STOCK_SAYS = {
    "signal": "gateway.platforms.signal: Signal: connected to",
    "mattermost": "Mattermost: WebSocket connected and authenticated",
}


class GatewayFailed(Exception):
    """The gateway ended or did not come up in time; the end of its log is in the message."""


def signal_env(url: str, account: str, *, users: str = "", groups: str = "", **more: str) -> dict[str, str]:
    """The SIGNAL_* settings; `users` and `groups` are comma lists, `more` goes in as it is."""
    env = {"SIGNAL_HTTP_URL": url, "SIGNAL_ACCOUNT": account}
    env |= {"SIGNAL_ALLOWED_USERS": users} if users else {}
    env |= {"SIGNAL_GROUP_ALLOWED_USERS": groups} if groups else {}
    return env | more


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on it, mapping by mapping."""
    result = dict(base)
    for key, value in over.items():
        inner = result.get(key)
        result[key] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return result


def gateway_config(model_url: str, *, plugin: bool) -> dict[str, Any]:
    """A config.yaml with everything off that needs the internet, asks the model more, or says more than its answers."""
    return {
        "model": {
            "default": "echo-model",
            "provider": "custom",
            "base_url": model_url,
            "api_key": "unused",
            "context_length": 131072,
        },
        "plugins": {"enabled": [PLUGIN] if plugin else []},
        "platform_toolsets": {"signal": ["memory"], "mattermost": ["memory"]},
        "security": {"tirith_enabled": False},
        "compression": {"enabled": False},
        "curator": {"enabled": False},
        "streaming": {"enabled": False},
        "stt": {"enabled": False},
        "auxiliary": {"title_generation": {"enabled": False}},
        "onboarding": {"profile_build": "off"},
        "signal": {"gateway_restart_notification": False},
        "mattermost": {"gateway_restart_notification": False},
    }


class GatewayProcess:
    """Use as an async context manager: inside, every platform in `platforms` is connected and the host has settled.

    `settle=False` returns as soon as they are connected, while the host still parks events.
    `plugin=False` runs the stock adapters. With `home` given the folder is kept at the end, so that a second process
    can continue where the first one stopped. `config` is laid over the config.yaml written here. `program` is the
    command `hermes`, for example that of another Python environment.
    """

    def __init__(
        self,
        model_url: str,
        *,
        env: Mapping[str, str],
        plugin: bool = True,
        config: Mapping[str, Any] | None = None,
        platforms: tuple[str, ...] = ("signal",),
        home: Path | None = None,
        settle: bool = True,
        ready_within: float = 30.0,
        program: Path = Path(sys.executable).parent / "hermes",
    ) -> None:
        self.config = merged(gateway_config(model_url, plugin=plugin), config or {})
        self.env = {"SIGNAL_HOME_CHANNEL": NOBODY, "MATTERMOST_HOME_CHANNEL": NOBODY, **env}
        self.settle = settle
        self.platforms = platforms
        self.ready_within = ready_within
        self.program = program
        self.ready_after = 0.0
        """Seconds from process start until every platform was connected (and the host had settled)."""
        self.lines: list[str] = []
        self._keep_home = home is not None
        self.home = home or Path(tempfile.mkdtemp(prefix="hermes-gateway-"))
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> GatewayProcess:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the process and return when the platforms are connected; raises GatewayFailed otherwise."""
        # JSON is YAML: no YAML library needed on this side.
        (self.home / "config.yaml").write_text(json.dumps(self.config, indent=1))
        environment = {
            "HOME": str(self.home),
            "HERMES_HOME": str(self.home),
            "PATH": f"{self.program.parent}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            # Told to restart it ends with status 75, and leaves no process behind that would start another.
            "HERMES_GATEWAY_EXTERNAL_SUPERVISOR": "1",
            "NO_COLOR": "1",
            **catalogs(),
            **self.env,
        }
        began = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            str(self.program),
            "gateway",
            "run",
            "-vv",
            env=environment,
            cwd=self.home,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=2**22,
        )
        self._reader = asyncio.create_task(self._collect())
        await self.until(self.connected, f"{', '.join(self.platforms)} connected", self.ready_within)
        if self.settle:
            await self.until(lambda: SETTLED in self.log, "start-up restore done", self.ready_within)
        self.ready_after = time.monotonic() - began

    async def command(self, *words: str) -> tuple[int | None, str]:
        """Run `hermes` with these words, in the home of the gateway and without its settings; return status and output.

        The gateway need not be running.
        """
        home = str(self.home)
        process = await asyncio.create_subprocess_exec(
            *(str(self.program), *words),
            env={"HOME": home, "HERMES_HOME": home, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "NO_COLOR": "1"},
            cwd=home,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode(errors="replace")

    async def stop(self, patience: float = 15.0) -> int | None:
        """SIGTERM, then SIGKILL after `patience` seconds; removes the temporary home. Returns the exit status."""
        process, self._process = self._process, None
        status = None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                status = await asyncio.wait_for(process.wait(), patience)
            except TimeoutError:
                self.lines.append("(harness) still running after SIGTERM: killed")
                process.kill()
                status = await process.wait()
        if self._reader is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._reader, 2.0)
            self._reader = None
        if not self._keep_home:
            await asyncio.to_thread(shutil.rmtree, self.home, ignore_errors=True)
        return status

    async def kill(self) -> None:
        """SIGKILL, as a crash would end it."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    # -- what can be seen from outside

    @property
    def log(self) -> str:
        """Everything the process wrote so far, stdout and stderr."""
        return "\n".join(self.lines)

    def state(self) -> dict[str, Any]:
        """The host's own gateway_state.json, empty while there is none."""
        try:
            state: dict[str, Any] = json.loads((self.home / "gateway_state.json").read_text())
        except (OSError, ValueError):
            return {}
        return state

    def connected(self) -> bool:
        """What the host claims; a state file left by an earlier process in the same home does not count."""
        state = self.state()
        # Newer hosts put the profile before the name of a platform that is not the default profile's.
        platforms = {name.rpartition(":")[2]: each for name, each in state.get("platforms", {}).items()}
        if self._process is None or state.get("pid") != self._process.pid or state.get("gateway_state") != "running":
            return False
        return all(platforms.get(name, {}).get("state") == "connected" for name in self.platforms)

    def adapter(self, platform: str = "signal") -> str:
        """Whose adapter connected: "hardened", "stock" (it alone logs such a line), or "none" so far."""
        if _STOCK_SAYS[platform] in self.log:
            return "stock"
        return "hardened" if platform in self.platforms and self.connected() else "none"

    def restart_asked(self) -> bool:
        """Whether somebody's /restart reached the host, which makes a note of it at once."""
        return (self.home / ".restart_last_processed.json").exists()

    def verdicts(self) -> list[Entry]:
        """The plugin's trace, oldest first; empty when the plugin is not the one running."""
        try:
            return entries(self.home / STATE_DB)
        except StateError:
            return []

    def awake_at(self, network: str) -> float:
        """When the gateway's event loop last wrote its health, in Unix time; 0 as long as it has not."""
        try:
            snapshot = read_snapshot(self.home / STATE_DB, network)
        except StateError:
            return 0.0
        return snapshot.at if snapshot else 0.0

    @property
    def ended(self) -> bool:
        """Whether the process has ended, or was never started."""
        return self._process is None or self._process.returncode is not None

    async def until(self, true: Callable[[], bool], what: str, within: float = 60.0) -> None:
        """Wait until `true()`; raises GatewayFailed naming `what` on time-out or when the process ends."""
        deadline = time.monotonic() + within
        while not true():
            if self.ended:
                raise GatewayFailed(f"gateway ended while waiting for: {what}\n{self._tail()}")
            if time.monotonic() > deadline:
                raise GatewayFailed(f"not within {within:g} s: {what}\n{self._tail()}")
            await asyncio.sleep(0.05)

    def _tail(self) -> str:
        return "\n".join(self.lines[-40:])

    async def _collect(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip(os.linesep))
