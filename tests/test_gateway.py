"""Both networks in the real gateway process, against the replaying daemon and server."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from demo import scenes
from tests import scene_mattermost
from tests.fakes.echo_model import EchoModel, addressed_part, last_user_text
from tests.fakes.mattermost_server import OPS
from tests.fakes.signal_daemon import FakeSignalDaemon
from tests.gateway_process import GatewayFailed, GatewayProcess
from tests.scene_signal import ALICE_A, ALLOTMENT, BOT, BOT_ITSELF, environment, in_group, lines, stage, variant


def gateway(daemon: FakeSignalDaemon, model: EchoModel, home: Path | None = None, **more: Any) -> GatewayProcess:
    return GatewayProcess(model.base_url, env=environment(daemon), home=home, **more)


def answers(daemon: FakeSignalDaemon) -> list[str]:
    return [str(params["message"]) for params in daemon.called("send")]


async def test_the_scenes_of_the_demo_go_as_expected() -> None:
    """On both networks, side by side in one gateway."""
    written = io.StringIO()
    assert await scenes(Console(file=written, width=170)) == 0, written.getvalue()


async def test_a_webhook_of_an_admins_does_not_restart_the_gateway() -> None:
    """The admin, typing the same himself, does."""
    async with scene_mattermost.stage() as server, EchoModel() as model:
        running = GatewayProcess(
            model.base_url,
            env=scene_mattermost.environment(server),
            config=scene_mattermost.CONFIG,
            platforms=("mattermost",),
        )
        async with running:
            command = (scene_mattermost.ADMIN, OPS, "@hermes /restart")
            hooked = await server.post(*command, props={"from_webhook": "true", "override_username": "admin"})
            await running.until(lambda: hooked["id"] in {v.event for v in running.verdicts()}, "a verdict")
            await asyncio.sleep(1)
            assert not running.restart_asked()
            assert [call.path for call in server.calls if call.method == "POST"] == []
            assert model.requests == []
            await server.post(*command)
            await running.until(running.restart_asked, "the restart")


async def test_an_event_seen_before_a_restart_is_not_answered_after_it(tmp_path: Path) -> None:
    async with stage() as daemon, EchoModel() as model:
        asked = in_group(ALICE_A, f"{BOT} once only", BOT_ITSELF)
        async with gateway(daemon, model, tmp_path) as first:
            assert first.adapter() == "hardened"
            await daemon.streams_open(1)
            await daemon.emit_event(asked)
            await first.until(lambda: len(answers(daemon)) == 1, "an answer")
        async with gateway(daemon, model, tmp_path) as second:
            await daemon.streams_open(1)
            await daemon.emit_event(asked, in_group(ALICE_A, f"{BOT} and this", BOT_ITSELF))
            await second.until(lambda: len(answers(daemon)) >= 2, "an answer to the new message")
            await asyncio.sleep(1)
        assert answers(daemon) == ["echo: once only", "echo: and this"]


async def test_an_accepted_invitation_survives_a_restart(tmp_path: Path) -> None:
    async with stage() as daemon, EchoModel() as model:
        invitation = next(line for line in lines(daemon) if line.effect)
        async with gateway(daemon, model, tmp_path) as first:
            await daemon.streams_open(1)
            await invitation.say()
            await first.until(lambda: bool(daemon.called("updateGroup")), "the invitation accepted")
            await asyncio.sleep(0.5)
        async with gateway(daemon, model, tmp_path) as second:
            await daemon.streams_open(1)
            await daemon.emit_event(in_group(ALICE_A, f"{BOT} still there?", BOT_ITSELF, group_id=ALLOTMENT))
            await second.until(lambda: answers(daemon) == ["echo: still there?"], "an answer")


async def test_what_arrives_while_the_host_starts_is_answered_once() -> None:
    async with stage() as daemon, EchoModel() as model, gateway(daemon, model, settle=False) as running:
        await daemon.streams_open(1)
        await daemon.emit_event(
            in_group(ALICE_A, "tomorrow at nine"), in_group(ALICE_A, f"{BOT} early bird", BOT_ITSELF)
        )
        await running.until(lambda: bool(answers(daemon)), "an answer")
        await asyncio.sleep(1)
        assert answers(daemon) == ["echo: early bird"]
        assert last_user_text(model.requests[0]).count("tomorrow at nine") == 1


async def test_an_aborted_stream_is_opened_again_and_nothing_is_answered_twice() -> None:
    async with stage() as daemon, EchoModel() as model, gateway(daemon, model) as running:
        await daemon.streams_open(1)
        before = variant("dm_text", ALICE_A, text="before")
        await daemon.emit_event(before)
        await running.until(lambda: len(answers(daemon)) == 1, "an answer")
        daemon.drop_streams()
        await daemon.streams_open(1, timeout=15)
        # In another session: the host can lose what comes into one just as its answer goes out.
        await daemon.emit_event(before, in_group(ALICE_A, f"{BOT} after", BOT_ITSELF))

        def echoes() -> list[str]:
            # On a slow machine the host says in between that it interrupts its turn.
            return [said for said in answers(daemon) if said.startswith("echo")]

        await running.until(lambda: len(echoes()) >= 2, "an answer")
        await asyncio.sleep(0.6)
        assert echoes() == ["echo: before", "echo: after"]


async def test_a_daemon_without_the_account_is_never_called_connected() -> None:
    async with stage() as daemon, EchoModel() as model:
        daemon.refuse_events = 400
        async with gateway(daemon, model, platforms=(), settle=False) as running:

            def state() -> dict[str, Any]:
                signal: dict[str, Any] = running.state().get("platforms", {}).get("signal", {})
                return signal

            await running.until(lambda: bool(state().get("error_code")), "an error of the platform")
            await asyncio.sleep(3)
            assert state()["error_code"] == "signal_unknown_account"
            assert state()["state"] != "connected"
        assert len(daemon.event_requests) <= 2


async def test_a_wrong_address_stops_the_gateway_with_its_remedy(tmp_path: Path) -> None:
    """The host ends when its only platform has an error that does not heal (gateway/run.py, non-retryable start-up)."""
    async with stage() as daemon, EchoModel() as model:
        daemon.refuse_events = 404
        with pytest.raises(GatewayFailed, match="another API"):
            await gateway(daemon, model, tmp_path).__aenter__()
    state = json.loads((tmp_path / "gateway_state.json").read_text())
    assert state["gateway_state"] == "startup_failed"
    assert state["platforms"]["signal"]["error_code"] == "signal_other_api"
    assert "signal-cli daemon --http" in state["exit_reason"]


@pytest.mark.parametrize("mode", ["interrupt", "queue", "steer"])
async def test_background_is_told_once_however_busy_the_agent_is(mode: str) -> None:
    async with stage() as daemon, EchoModel(delay=1.0) as model:
        busy = {"display": {"busy_input_mode": mode}}
        async with gateway(daemon, model, config=busy) as running:
            await daemon.streams_open(1)
            said: list[str] = []

            async def mention(text: str) -> None:
                said.append(f"what was said before {text}")
                await daemon.emit_event(in_group(ALICE_A, said[-1]))
                await daemon.emit_event(in_group(ALICE_A, f"{BOT} {text}", BOT_ITSELF))

            await mention("one")
            await running.until(lambda: bool(model.requests), "the first request")
            await mention("two")
            await mention("three")
            await running.until(lambda: any("three" in str(request) for request in model.requests), "the third asked")
            await asyncio.sleep(3)
            await mention("four")
            await running.until(lambda: addressed_part(last_user_text(model.requests[-1])) == "four", "the last asked")
            conversation = "\n".join(str(message) for message in model.requests[-1]["messages"])
            assert {line: conversation.count(line) for line in said} == dict.fromkeys(said, 1)
