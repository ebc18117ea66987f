"""A stage for a test: the home is cleaned, the environment set, everything connected, everything closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from tests.attacks.harness import HOME, Model, Stage, clean_home
from tests.attacks.mattermost_stage import MattermostStage
from tests.attacks.signal_stage import SignalStage
from tests.attacks.table import Door

PLUGIN_ONLY = "plugins:\n  enabled: [hardened-adapters]\n"
STAGES: dict[str, type[Stage]] = {"signal": SignalStage, "mattermost": MattermostStage}

OpenStage = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> OpenStage:
    """Opens a stage: `async with stage("signal", Door.OPEN, **extra) as signal`; without `agent` nothing is answered."""

    @asynccontextmanager
    async def opened(
        network: str,
        door: Door = Door.LISTS,
        *,
        agent: bool = True,
        env: dict[str, str] | None = None,
        config: Any = None,
        **extra: Any,
    ) -> AsyncIterator[Stage]:
        async with Model() as model:
            clean_home(model.base_url, **(config or {}))
            monkeypatch.setenv("HERMES_HOME", str(HOME))
            monkeypatch.setenv("TERMINAL_CWD", str(HOME / "agent"))
            on = STAGES[network](model, door, extra, reads_only=not agent)
            for name, value in {**on.environment(), **(env or {})}.items():
                monkeypatch.setenv(name, value)
            server: Any = on.daemon if isinstance(on, SignalStage) else on.server  # type: ignore[attr-defined]
            try:
                async with server, on.open():
                    yield on
            finally:
                (HOME / "config.yaml").write_text(PLUGIN_ONLY)

    return opened
