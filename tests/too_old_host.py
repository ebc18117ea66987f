"""A Hermes older than these adapters work with: both platforms stay off and say so. Run by `tools/matrix.py` alone."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from hermes_hardened_adapters.common.host.contract.version import VERIFIED_HERMES

from tests import scene_mattermost, scene_signal
from tests.fakes.echo_model import EchoModel
from tests.gateway_process import GatewayProcess


async def test_nothing_connects_and_the_log_says_what_to_do(tmp_path: Path) -> None:
    async with scene_signal.stage() as daemon, scene_mattermost.stage() as server, EchoModel() as model:
        env = scene_signal.environment(daemon) | scene_mattermost.environment(server)
        async with GatewayProcess(model.base_url, env=env, home=tmp_path, platforms=()) as running:
            said = running.log
            states = {name: platform.get("state") for name, platform in running.state()["platforms"].items()}
        assert daemon.event_requests == daemon.calls == server.calls == []
        assert "connected" not in states.values()
    old, oldest = metadata.version("hermes-agent"), VERIFIED_HERMES[0]
    remedy = f"hermes-agent {old} is too old: {oldest} is the oldest these adapters work with. pip install"
    for platform in ("Signal", "Mattermost"):
        assert f"Failed to create adapter for platform '{platform}': {remedy}" in said
