"""Other plugins beside our adapters, in the real host: one notes what it is given of both networks."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hermes_cli.plugins import VALID_HOOKS, PluginContext

from tests import scene_mattermost, scene_signal
from tests.fakes.echo_model import EchoModel
from tests.fakes.mattermost_server import ALICE as ALICE_ID
from tests.fakes.mattermost_server import DM, OPS, FakeMattermostServer
from tests.fakes.signal_daemon import ALICE, GROUP, FakeSignalDaemon, recorded_event
from tests.gateway_process import PLUGIN, GatewayProcess
from tests.hosted import hosted, hosted_mattermost
from tests.scene_mattermost import MALLORY as MALLORY_ID
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, MALLORY, Person, in_group, variant

CONFIG = {"plugins": {"enabled": [PLUGIN, "toy"]}}
HAS_HANDLERS = hasattr(PluginContext, "register_platform_handler")
HAS_EVENTS = "gateway_platform_event" in VALID_HOOKS
HAS_ADMISSION = "post_gateway_admission" in VALID_HOOKS

TOY = """
import json
from pathlib import Path

def note(*row):
    with Path(__file__).with_name("log").open("a") as log:
        log.write(json.dumps(row) + "\\n")

def raises(native, adapter):
    raise RuntimeError("on purpose")

def meets(native, adapter):
    note("met", native, adapter.platform.value, adapter.is_connected)

def changed(**envelope):
    note("changed", envelope)
    raise RuntimeError("on purpose")

def admitted(*, text, source, **_):
    note("admitted", text, source["user_id"], source["chat_type"])
    return {"action": "handled", "reply": "from the toy"} if text.startswith(("toy", "/adapters")) else None

def register(ctx):
    for platform in ("signal", "mattermost") if hasattr(ctx, "register_platform_handler") else ():
        ctx.register_platform_handler(platform, raises)
        ctx.register_platform_handler(platform, meets)
    ctx.register_hook("gateway_platform_event", changed)
    ctx.register_hook("post_gateway_admission", admitted)
"""


class Toy:
    """The plugin in a Hermes home."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "plugins" / "toy"
        self._folder.mkdir(parents=True)
        (self._folder / "plugin.yaml").write_text("name: toy\nversion: 0.1.0\ndescription: notes what it is given\n")
        (self._folder / "__init__.py").write_text(TOY)
        (home / "config.yaml").write_text(json.dumps(CONFIG))

    def noted(self, what: str) -> list[Any]:
        """What it noted of that kind, in order."""
        log = self._folder / "log"
        rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [row[1:] for row in rows if row[0] == what]


# -- handlers of adapters


@pytest.mark.parametrize("network", ["signal", "mattermost"])
async def test_a_handler_meets_each_adapter_once_it_is_connected(
    daemon: FakeSignalDaemon,
    server: FakeMattermostServer,
    hermes_home: Path,
    alice_on_signal: None,
    alice_on_mattermost: None,
    network: str,
) -> None:
    """A handler that raises harms nothing. The host makes a new adapter for each of its own reconnects."""
    toy = Toy(hermes_home)
    for connects in (1, 2):
        async with hosted(daemon) if network == "signal" else hosted_mattermost(server) as host:
            assert toy.noted("met") == [[None, network, True]] * (connects if HAS_HANDLERS else 0)
            if network == "signal":
                await daemon.emit_event(variant("dm_text", ALICE_A, text="hello"))
            else:
                await server.post(ALICE_ID, DM, "hello")
            await host.settled()
            assert host.texts == ["hello"]


# -- edits and deletions


def edited(who: Person, target: dict[str, Any], text: str) -> dict[str, Any]:
    """An edit of an event in the group."""
    now = variant("group_text", who, text=text, group_id=GROUP, group_name="Test Group")
    event = recorded_event("edit")
    said = now["envelope"].pop("dataMessage")
    event["envelope"] |= now["envelope"]
    event["envelope"]["editMessage"] = {"targetSentTimestamp": target["envelope"]["timestamp"], "dataMessage": said}
    return event


def deleted(who: Person, target: dict[str, Any]) -> dict[str, Any]:
    event = variant("remote_delete", who, group_id=GROUP, group_name="Test Group")
    event["envelope"]["dataMessage"]["remoteDelete"] = {"timestamp": target["envelope"]["timestamp"]}
    return event


async def change_on_signal(daemon: FakeSignalDaemon, who: Person) -> tuple[str, str]:
    """Say two things in the group, edit one and delete the other, which the daemon tells twice; return their ids."""
    typo, oops = in_group(who, "teh time"), in_group(who, "oops")
    gone = deleted(who, oops)
    await daemon.emit_event(typo, oops, edited(who, typo, "the time"), gone, gone)
    return str(typo["envelope"]["timestamp"]), str(oops["envelope"]["timestamp"])


async def change_on_mattermost(server: FakeMattermostServer, who: str) -> tuple[str, str]:
    typo = await server.post(who, OPS, "teh time")
    oops = await server.post(who, OPS, "oops", root_id=typo["id"])
    await server.edit(typo["id"], "the time")
    await server.pin(typo["id"])
    await server.delete(oops["id"])
    return typo["id"], oops["id"]


async def test_edits_and_deletions_of_people_whom_the_host_accepts_are_reported(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    async with scene_signal.stage() as daemon, scene_mattermost.stage() as server, EchoModel() as model:
        env = scene_signal.environment(daemon) | scene_mattermost.environment(server)
        platforms = ("signal", "mattermost")
        async with GatewayProcess(
            model.base_url, env=env, home=tmp_path, config=CONFIG, platforms=platforms
        ) as running:
            await daemon.streams_open(1)
            await change_on_signal(daemon, MALLORY)
            of_signal = await change_on_signal(daemon, ALICE_A)
            await daemon.emit_event(in_group(ALICE_A, f"{BOT} the last on Signal", BOT_ITSELF))
            await change_on_mattermost(server, MALLORY_ID)
            of_mattermost = await change_on_mattermost(server, ALICE_ID)
            await server.post(ALICE_ID, OPS, "@hermes the last on Mattermost")
            await running.until(lambda: bool(model.asked("the last on Signal")), "the last on Signal")
            await running.until(lambda: bool(model.asked("the last on Mattermost")), "the last on Mattermost")
        assert "the time" not in "\n".join(line for line in running.lines if "hermes_hardened" in line)
    envelopes = [envelope for (envelope,) in toy.noted("changed")]
    times = [envelope["payload"].pop("edited_at") for envelope in envelopes if "text" in envelope["payload"]]
    assert all(time.endswith("+00:00") for time in times)
    told = [
        *_told("signal", f"group:{GROUP}", ALICE, *of_signal, thread=None),
        *_told("mattermost", OPS, ALICE_ID, *of_mattermost, thread=of_mattermost[0]),
    ]
    assert envelopes == (told if HAS_EVENTS else [])


async def test_a_report_that_fails_costs_no_request(
    server: FakeMattermostServer, alice_on_mattermost: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(envelope: dict[str, Any], source: Any) -> None:
        raise RuntimeError(envelope["payload"]["text"])

    async with hosted_mattermost(server) as host:
        host.adapter._platform_event_handler = fails
        post = await server.post(ALICE_ID, OPS, "to nobody")
        await server.edit(post["id"], "@hermes hello")
        await host.settled()
        assert host.texts == ["(edited) hello"]
    assert "mattermost: a change was not reported (RuntimeError)" in caplog.messages
    assert "hello" not in caplog.text


def _told(network: str, chat: str, who: str, typo: str, oops: str, *, thread: str | None) -> list[dict[str, Any]]:
    edit = {"chat_id": chat, "message_id": typo, "thread_id": None, "text": "the time"}
    deletion = {"chat_id": chat, "message_id": oops, "thread_id": thread, "author_id": who}
    return [
        {"platform": network, "event_type": "message_edited", "payload": edit},
        {"platform": network, "event_type": "message_deleted", "payload": deletion},
    ]


# -- messages that a plugin answers in the agent's place


async def test_a_plugin_answers_an_admitted_message_and_the_background_stays_for_the_agent(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    async with scene_signal.stage() as daemon, EchoModel() as model:
        env = scene_signal.environment(daemon)
        async with GatewayProcess(model.base_url, env=env, home=tmp_path, config=CONFIG) as running:
            await daemon.streams_open(1)
            await daemon.emit_event(in_group(ALICE_A, "the pier at five"))
            await daemon.emit_event(in_group(ALICE_A, f"{BOT} toy, hello", BOT_ITSELF))
            await running.until(lambda: len(daemon.called("send")) == 1, "an answer")
            assert daemon.called("send")[0]["message"] == ("from the toy" if HAS_ADMISSION else "echo: toy, hello")
            await daemon.emit_event(in_group(ALICE_A, f"{BOT} when?", BOT_ITSELF))
            await running.until(lambda: bool(model.asked("when?")), "the agent's turn")
            conversation = "\n".join(str(message) for message in model.requests[-1]["messages"])
            assert conversation.count("the pier at five") == 1
    admitted = [["toy, hello", ALICE, "group"], ["when?", ALICE, "group"]]
    assert toy.noted("admitted") == (admitted if HAS_ADMISSION else [])


async def test_the_operators_command_is_answered_at_once_while_the_agent_works(tmp_path: Path) -> None:
    """The host's own hook for such answers would never see it, or, as plain words, redirect the work."""
    toy = Toy(tmp_path)
    held = asyncio.Event()
    async with scene_signal.stage() as daemon, EchoModel(held=held) as model:
        config = CONFIG | {"signal": {"allow_admin_from": [ALICE]}}
        async with GatewayProcess(
            model.base_url, env=scene_signal.environment(daemon), home=tmp_path, config=config
        ) as running:

            def answers() -> list[str]:
                return [str(params["message"]) for params in daemon.called("send")]

            await daemon.streams_open(1)
            await daemon.emit_event(variant("dm_text", ALICE_A, text="long work"))
            await running.until(lambda: len(model.requests) == 1, "the agent at work")
            await daemon.emit_event(variant("dm_text", ALICE_A, text="/adapters status"))
            await running.until(lambda: len(answers()) == 1, "the command's answer")
            assert "state: listening" in answers()[0]
            held.set()
            await running.until(lambda: len(answers()) == 2, "the agent's answer")
            assert answers()[1] == "echo: long work"
            # Some hosts ask for a title, without tools.
            assert len([each for each in model.requests if each.get("tools")]) == 1
    assert toy.noted("admitted") == ([["long work", ALICE, "dm"]] if HAS_ADMISSION else [])
