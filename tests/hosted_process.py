"""Both adapters in the real host, to be killed: `python -m tests.hosted_process SIGNAL_URL MATTERMOST_URL LOG`.

Every text handed to the host is a line of LOG, written before the host does anything with it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from gateway.config import GatewayConfig, Platform, PlatformConfig
from gateway.run import GatewayRunner
from hermes_cli.plugins import discover_plugins

from tests.fakes.mattermost_websocket import TOKEN
from tests.fakes.signal_daemon import ACCOUNT

READY = "ready"


def _note(adapter: Any, log: int) -> None:
    async def handle_message(event: Any) -> None:
        if not event.observe_only:
            os.write(log, f"{event.text}\n".encode())
        await asyncio.sleep(0.001)

    adapter.handle_message = handle_message


async def _serve(signal_url: str, mattermost_url: str, log: Path) -> None:
    discover_plugins()
    platforms = {
        Platform.SIGNAL: PlatformConfig(enabled=True, extra={"http_url": signal_url, "account": ACCOUNT}),
        Platform.MATTERMOST: PlatformConfig(enabled=True, token=TOKEN, extra={"url": mattermost_url}),
    }
    runner = GatewayRunner(GatewayConfig(platforms=platforms))
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for platform, config in platforms.items():
        adapter: Any = runner._create_adapter(platform, config)
        adapter.set_session_store(runner.session_store)
        adapter.set_authorization_check(runner._make_adapter_auth_check(adapter.platform))
        _note(adapter, written)
        if not await adapter.connect():
            sys.exit(f"{platform}: {adapter.fatal_error_message}")
    print(READY, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
