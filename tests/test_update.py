"""An update of Hermes: a new Python environment, made without this package, with the old Hermes home."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

from hermes_hardened_adapters.common.host.wrapper import files

from tests import scene_mattermost, scene_signal
from tests.environments import HermesEnvironment
from tests.fakes.echo_model import EchoModel
from tests.gateway_process import GatewayProcess
from tests.test_strict_gateway import BOTH, settings, strict, write


def install(environment: HermesEnvironment, home: Path) -> None:
    """Run our command in an environment."""
    subprocess.run(
        [environment.python, "-m", "hermes_hardened_adapters", "install"],
        check=True,
        capture_output=True,
        timeout=120,
        cwd=home,
        env={"HOME": str(home), "HERMES_HOME": str(home), "PATH": "/usr/bin:/bin"},
    )


def dependencies(home: Path) -> list[str]:
    """Return what an update of Hermes installs for the plugin."""
    document = tomllib.loads((files.folder(home) / "pyproject.toml").read_text())
    names: list[str] = document["project"]["dependencies"]
    return names


async def test_an_update_keeps_the_plugin_and_until_then_nothing_connects(tmp_path: Path, wheel: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    old = HermesEnvironment(tmp_path / "old")
    old.install("hermes-hardened-adapters", wheels=wheel.parent)
    install(old, home)
    assert dependencies(home) == ["hermes-hardened-adapters>=0.1.0"]

    new = HermesEnvironment(tmp_path / "new")
    switched_on = {platform: {"enabled": True} for platform in BOTH}
    async with scene_signal.stage() as daemon, scene_mattermost.stage() as server, EchoModel() as model:
        write(home, strict(settings(daemon, server)))
        async with GatewayProcess(
            model.base_url, env={}, home=home, platforms=(), config=switched_on, program=new.hermes
        ) as without:
            said = without.log + (home / "logs" / "agent.log").read_text()
            states = {name: platform.get("state") for name, platform in without.state()["platforms"].items()}
        assert "Failed to load plugin 'hardened-adapters': No module named 'hermes_hardened_adapters'" in said
        assert "Run `pip install 'hermes-hardened-adapters>=0.1.0'` there" in said
        assert "No adapter available for signal" in said
        assert "No adapter available for mattermost" in said
        assert "connected" not in states.values()
        assert daemon.event_requests == daemon.calls == server.calls == []

        new.install(*dependencies(home), wheels=wheel.parent)
        async with GatewayProcess(model.base_url, env={}, home=home, platforms=BOTH, program=new.hermes) as running:
            assert [running.adapter(platform) for platform in BOTH] == ["hardened", "hardened"]
        assert daemon.event_requests
        assert server.calls
