"""docker/compose.yaml as Python, read without Docker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
DOCKER = ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"
HEALTH_SCRIPT = DOCKER / "signal-health.bash"
ENTRY = DOCKER / "hermes.sh"
SECRETS = ("HARDENED_MATTERMOST_TOKEN", "OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY")
"""What the entry script reads from files."""


def services() -> dict[str, dict[str, Any]]:
    """The services, their common part merged in."""
    return dict(document()["services"])


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def health_command(host: str, port: int, account: str) -> list[str]:
    """signal-cli's health check as the compose file has it, asked of another address for that account."""
    kind, shell, script, *arguments = services()["signal-cli"]["healthcheck"]["test"]
    assert kind == "CMD"
    assert arguments == ["127.0.0.1", "8080", "${HARDENED_SIGNAL_ACCOUNT:-}"]
    assert f"./{HEALTH_SCRIPT.name}:{script}:ro" in services()["signal-cli"]["volumes"]
    return [shell, str(HEALTH_SCRIPT), host, str(port), account]
