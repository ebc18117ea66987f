"""Strict mode in the real gateway process: no stock adapter connects, whatever keeps the plugin from loading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.common.host.contract.version import host_version, version_tuple
from hermes_hardened_adapters.common.settings.strict import PREFIX

from tests import scene_mattermost, scene_signal
from tests.fakes.echo_model import EchoModel
from tests.fakes.mattermost_server import FakeMattermostServer
from tests.fakes.signal_daemon import FakeSignalDaemon
from tests.gateway_process import GatewayProcess, gateway_config

BOTH = ("signal", "mattermost")


def settings(daemon: FakeSignalDaemon, server: FakeMattermostServer) -> dict[str, str]:
    """Return the settings under stock's names."""
    return scene_signal.environment(daemon) | scene_mattermost.environment(server)


def strict(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the same settings under the names of strict mode."""
    connecting = [name for network in NETWORKS.values() for name in network.stock.connecting.values()]
    return {PREFIX + name if name in connecting else name: value for name, value in settings.items()}


def write(home: Path, settings: Mapping[str, str]) -> None:
    (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def of_stock() -> tuple[str, ...]:
    """Return the platforms that stock has: one packaging lacks the manifest of its Mattermost plugin."""
    manifest = Path(import_module("plugins.platforms.mattermost").__path__[0], "plugin.yaml")
    return BOTH if manifest.exists() else ("signal",)


async def test_strict_names_in_the_file_connect_the_hardened_adapters(tmp_path: Path) -> None:
    async with scene_signal.stage() as daemon, scene_mattermost.stage() as server, EchoModel() as model:
        write(tmp_path, strict(settings(daemon, server)))
        async with GatewayProcess(model.base_url, env={}, home=tmp_path, platforms=BOTH) as running:
            assert [running.adapter(platform) for platform in BOTH] == ["hardened", "hardened"]
            assert server.token not in running.log
        assert (tmp_path / ".env").read_text().count(PREFIX) == 4


async def test_each_profile_of_a_multiplexing_gateway_has_its_own(tmp_path: Path) -> None:
    """The default profile makes its adapters in no scope of secrets, another one in its own.

    Since 0.21.5, the host starts no Mattermost in another profile whose token it does not know.
    """
    needs_token = version_tuple(host_version() or "1") >= (0, 21, 5)
    home = tmp_path / "hermes"
    other = home / "profiles" / "other"
    other.mkdir(parents=True)
    async with scene_signal.stage() as daemon, scene_mattermost.stage() as server, EchoModel() as model:
        write(home, strict(scene_signal.environment(daemon)))
        mattermost = scene_mattermost.environment(server)
        write(other, mattermost if needs_token else strict(mattermost))
        (other / "config.yaml").write_text(json.dumps(gateway_config(model.base_url, plugin=True)))
        async with GatewayProcess(
            model.base_url,
            env={},
            home=home,
            platforms=BOTH,
            config={"gateway": {"multiplex_profiles": True}},
        ) as running:
            assert "✓ signal connected\n" in running.log
            assert "✓ mattermost connected (profile: other)" in running.log
            assert [running.adapter(platform) for platform in BOTH] == ["hardened", "hardened"]


@pytest.mark.parametrize("why", ["not enabled", "does not import", "safe mode"])
async def test_without_the_plugin_nothing_connects(why: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken" / "hermes_hardened_adapters"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('broken on purpose')\n")
    home = tmp_path / "home"
    home.mkdir()
    env = {
        "not enabled": {},
        "does not import": {"PYTHONPATH": str(broken.parent)},
        "safe mode": {"HERMES_SAFE_MODE": "1"},
    }[why]
    switched_on = {platform: {"enabled": True} for platform in BOTH}
    async with scene_signal.stage() as daemon, scene_mattermost.stage() as server, EchoModel() as model:
        write(home, strict(settings(daemon, server)))
        async with GatewayProcess(
            model.base_url, env=env, home=home, plugin=why != "not enabled", platforms=(), config=switched_on
        ) as running:
            said = running.log + (home / "logs" / "agent.log").read_text()
            states = {name: platform.get("state") for name, platform in running.state()["platforms"].items()}
        assert ("Failed to load plugin 'hardened-adapters': broken on purpose" in said) == (why == "does not import")
        assert "No adapter available for signal" in said
        assert "No adapter available for mattermost" in said
        assert "connected" not in states.values()
        assert daemon.event_requests == []
        assert daemon.calls == []
        assert server.calls == []


async def test_with_stocks_names_stock_does_connect() -> None:
    """Control the tests above."""
    platforms = of_stock()
    async with scene_signal.stage() as daemon, scene_mattermost.stage() as server, EchoModel() as model:
        env = settings(daemon, server)
        async with GatewayProcess(model.base_url, env=env, plugin=False, platforms=platforms) as running:
            assert {running.adapter(platform) for platform in platforms} == {"stock"}
        assert daemon.event_requests
        assert bool(server.calls) is ("mattermost" in platforms)
