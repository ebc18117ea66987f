"""A stage for a test: the home is cleaned, the environment set, everything connected, everything closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.harness import AGENT, HOME, Model, Stage, clean_home
from tests.attacks.mattermost_stage import MattermostStage
from tests.attacks.signal_stage import SignalStage
from tests.attacks.table import Door

PLUGIN_ONLY = "plugins:\n  enabled: [hardened-adapters]\n"
STAGES: dict[str, type[Stage]] = {"signal": SignalStage, "mattermost": MattermostStage}

_numbers = count()
LONGEST = 120.0
"""Seconds a stage may be open."""
OpenStage = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> OpenStage:
    """Opens a stage: `async with stage("signal", Door.OPEN, **extra) as on`; without `agent` nothing is answered."""

    @asynccontextmanager
    async def opened(
        network: str,
        door: Door = Door.LISTS,
        *,
        agent: bool = True,
        prepare: Callable[[Any], None] = lambda _: None,
        env: dict[str, str] | None = None,
        config: Any = None,
        **extra: Any,
    ) -> AsyncIterator[Stage]:
        # What waits for ever fails, and shows where it waits.
        async with asyncio.timeout(LONGEST), Model() as model:
            clean_home(model.base_url, **(config or {}))
            # A name of its own for the same home: what a process keeps by home is new with each stage.
            home = tmp_path / f"home{next(_numbers)}"
            home.symlink_to(HOME)
            monkeypatch.setenv("HERMES_HOME", str(home))
            monkeypatch.setenv("TERMINAL_CWD", str(AGENT))
            on = STAGES[network](model, door, extra, reads_only=not agent)
            prepare(on)
            for name, value in {**on.environment(), **(env or {})}.items():
                monkeypatch.setenv(name, value)
            server: Any = on.daemon if isinstance(on, SignalStage) else on.server  # type: ignore[attr-defined]
            try:
                async with server, on.open():
                    yield on
            finally:
                (HOME / "config.yaml").write_text(PLUGIN_ONLY)

    return opened
