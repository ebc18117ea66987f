"""The chat of a turn, in the real gateway process: every hook and middleware of a turn names the chat it came from."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hermes_cli.commands import resolve_command
from hermes_hardened_adapters.common.host.contract.version import host_version, version_tuple
from hermes_hardened_adapters.common.tenancy.chats import Chat

from tests import scene_mattermost
from tests.fakes.echo_model import Answer, EchoModel, ToolCall, last_user_text, text_of
from tests.fakes.mattermost_server import ALICE as ALICE_ID
from tests.fakes.mattermost_server import DM, OPS, TEAM
from tests.fakes.signal_daemon import ALICE, ALICE_ACI, CAROL, GROUP, FakeSignalDaemon
from tests.gateway_process import GatewayProcess, gateway_config, merged
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, CAROL_C, environment, in_group, stage, variant
from tests.witness import CONFIG, ENVIRONMENT, Witness

TOOLS = ["memory", "session_search", "delegation", "todo", "cronjob"]
NEWEST = version_tuple(host_version() or "1") >= (0, 21, 5)
JOBS = "cronjob_manage" if NEWEST else "cronjob"
"""The tool's name."""
BACKGROUND = "/background" if resolve_command("background") else "/bg"
GROUP_ID = f"group:{GROUP}"
SETTINGS = merged(CONFIG, {"platform_toolsets": dict.fromkeys(("signal", "mattermost", "witness"), TOOLS)})


def asks(request: dict[str, Any]) -> Answer | None:
    """Call the tools whose calls stand in the message as JSON, once; then answer with the last one's result."""
    last = request["messages"][-1]
    if last["role"] == "tool":
        return f"result: {text_of(last['content'])}"
    _, found, call = last_user_text(request).partition("call ")
    try:
        wanted, _ = json.JSONDecoder().raw_decode(call)
    except ValueError:
        return None
    return [ToolCall(name, args) for name, args in wanted] if found else None


def calls(*wanted: tuple[str, dict[str, Any]]) -> str:
    return f"call {json.dumps(wanted)}"


SEARCH = calls(("session_search", {"query": "wedding"}))
DELEGATE = calls(("delegate_task", {"goal": SEARCH}))


class Turns:
    """A gateway with Signal and the witness."""

    def __init__(self, daemon: FakeSignalDaemon, running: GatewayProcess, witness: Witness, model: EchoModel) -> None:
        self.daemon, self.running, self.witness, self.model = daemon, running, witness, model

    async def until(self, true: Callable[[], Any], what: str) -> None:
        await self.running.until(lambda: bool(true()), what)

    def answered(self, command: bool) -> int:
        """Count the answers of the model that were sent; of a command, anything. The host adds notices of its own."""
        texts = [str(params["message"]) for params in self.daemon.called("send")]
        return len(texts) if command else sum(text.startswith(("echo: ", "result: ")) for text in texts)

    async def ask(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Say something, wait for an answer; return what was noted meanwhile."""
        command = "/" in event["envelope"]["dataMessage"]["message"].removeprefix(f"{BOT} ")[:1]
        before, rows = self.answered(command), len(self.witness.rows())
        await self.daemon.emit_event(event)
        await self.until(lambda: self.answered(command) > before, "an answer")
        return self.witness.rows()[rows:]

    async def direct(self, text: str) -> list[dict[str, Any]]:
        return await self.ask(variant("dm_text", ALICE_A, text=text))

    async def group(self, text: str) -> list[dict[str, Any]]:
        return await self.ask(in_group(ALICE_A, f"{BOT} {text}", BOT_ITSELF))

    async def noted(self, where: Callable[[dict[str, Any]], Any], what: str) -> list[dict[str, Any]]:
        """Wait for such notes; return them."""
        await self.until(lambda: any(map(where, self.witness.rows())), what)
        return [row for row in self.witness.rows() if where(row)]


@asynccontextmanager
async def turns(home: Path, **config: Any) -> AsyncIterator[Turns]:
    witness = Witness(home)
    async with stage() as daemon, EchoModel(asks) as model:
        env = environment(daemon)
        async with GatewayProcess(model.base_url, env=env, home=home, config=merged(SETTINGS, config)) as running:
            await daemon.streams_open(1)
            yield Turns(daemon, running, witness, model)


def chats(rows: list[dict[str, Any]]) -> set[tuple[str, str, str, str] | str]:
    """Return every chat and every refusal in the notes."""
    return {
        row["unknown"] or tuple(row["chat"][name] for name in ("platform", "chat_id", "chat_type", "user_id"))
        if row["unknown"] or row["chat"]
        else "nobody's"
        for row in rows
    }


IN_DIRECT = {("signal", ALICE, "dm", ALICE)}
IN_GROUP = {("signal", GROUP_ID, "group", ALICE)}


async def test_every_part_of_a_turn_is_its_chats(tmp_path: Path) -> None:
    """Tools in parallel threads, and sessions that began anew or branched off, in a direct chat beside a group."""
    two = calls(*[("session_search", {"query": word}) for word in ("one", "two")])
    async with turns(tmp_path) as running:
        for text in ("hello", two, "/new", "hello", "/branch other", two):
            assert chats(await running.direct(text)) <= IN_DIRECT
            assert chats(await running.group(text.replace("/branch other", "hello"))) <= IN_GROUP
        rows = running.witness.rows()
        assert {row["where"] for row in rows} >= {"pre_llm_call", "llm_request", "tool_request"}
        assert len({row["session_id"] for row in rows if row["chat"]["chat_id"] == ALICE}) == 3
        origins = [row["chat"]["origin"] for row in rows if row["chat"]["chat_id"] == GROUP_ID]
        assert all(origin == {"chat_name": "Test Group", "user_id_alt": ALICE_ACI} for origin in origins)


async def test_sub_agents_work_for_the_chat_that_asked(tmp_path: Path) -> None:
    """Before 0.20, they run in threads without any context."""
    async with turns(tmp_path) as running:
        for say, expected in ((running.direct, IN_DIRECT), (running.group, IN_GROUP)):
            await say(DELEGATE)
            rows = await running.noted(
                lambda row, chat=expected: row["tool"] == "session_search" and chats([row]) == chat, "a sub-agent"
            )
            assert chats(rows) == expected
        assert not [row for row in running.witness.rows() if row["unknown"] or not row["chat"]]


async def test_background_tasks_work_for_the_chat_that_asked(tmp_path: Path) -> None:
    async with turns(tmp_path) as running:
        await running.group("hello")
        await running.direct(f"{BACKGROUND} {calls(('todo' if not NEWEST else 'todo_list', {}))}")
        await running.direct(f"{BACKGROUND} {DELEGATE}")
        searched = await running.noted(lambda row: row["tool"] == "session_search", "the task's sub-agent")
        tasks = [row for row in running.witness.rows() if str(row["session_id"]).startswith("bg_")]
        assert {row["where"] for row in tasks} >= {"pre_llm_call", "llm_request", "tool_execution"}
        assert chats(tasks) == chats(searched) == IN_DIRECT


async def test_jobs_and_their_sub_agents_work_for_the_chat_that_made_them(tmp_path: Path) -> None:
    async with turns(tmp_path) as running:
        made = calls((JOBS, {"action": "create", "schedule": "every 2h", "prompt": DELEGATE, "name": "a_b"}))
        await running.group(made)
        await running.direct("hello")
        await running.group(calls((JOBS, {"action": "run", "job_id": "a_b"})))
        searched = await running.noted(lambda row: row["tool"] == "session_search", "the job's sub-agent")
        runs = [row for row in running.witness.rows() if str(row["session_id"]).startswith("cron_")]
        assert {row["where"] for row in runs} >= {"pre_llm_call", "llm_request", "tool_execution"}
        assert chats(runs) == chats(searched) == IN_GROUP
        assert {row["chat"]["origin"]["chat_name"] for row in runs + searched} == {"Test Group"}
        # Hermes ends a job by clearing the variables of the turn that ran it.
        assert not [row for row in running.witness.rows() if row["unknown"] or not row["chat"]]


async def test_the_background_review_works_for_its_chat(tmp_path: Path) -> None:
    async with turns(tmp_path, memory={"nudge_interval": 1}) as running:
        await running.direct("hello")
        reviews = lambda: [row for row in running.witness.rows() if row["where"] == "llm_request"]  # noqa: E731
        await running.until(lambda: len(reviews()) > 1, "the review")
        assert chats(running.witness.rows()) == IN_DIRECT


async def test_after_a_restart_nothing_is_forgotten(tmp_path: Path) -> None:
    async with turns(tmp_path) as running:
        await running.group("hello")
        before = len(running.witness.rows())
    async with turns(tmp_path) as running:
        await running.group(DELEGATE)
        await running.noted(lambda row: row["tool"] == "session_search", "the sub-agent")
        rows = running.witness.rows()
        assert chats(rows) == IN_GROUP
        assert rows[0]["session_id"] == rows[before]["session_id"]


async def test_people_in_a_shared_session_have_their_own_turns(tmp_path: Path) -> None:
    async with turns(tmp_path, group_sessions_per_user=False) as running:
        await running.group("hello")
        assert chats(await running.ask(in_group(CAROL_C, f"{BOT} hello", BOT_ITSELF))) == {
            ("signal", GROUP_ID, "group", "+15550004040")
        }
        rows = running.witness.rows()
        assert len({row["session_id"] for row in rows}) == 1
        assert {row["chat"]["origin"]["user_id_alt"] for row in rows} == {ALICE_ACI, CAROL_C.aci}


@pytest.mark.parametrize("mode", ["queue", "steer"])
async def test_whose_a_waiting_message_is_cannot_be_told_in_a_shared_session(mode: str, tmp_path: Path) -> None:
    """Hermes may run it in the name of the turn before it, so `policy: user` has to know that several people speak."""
    async with turns(tmp_path, group_sessions_per_user=False, display={"busy_input_mode": mode}) as running:
        running.model.held = asyncio.Event()
        await running.daemon.emit_event(in_group(ALICE_A, f"{BOT} first", BOT_ITSELF))
        await running.until(lambda: running.model.asked("first"), "the first question")
        await running.daemon.emit_event(in_group(CAROL_C, f"{BOT} second", BOT_ITSELF))
        await running.until(lambda: len(running.running.verdicts()) == 2, "the second message")
        running.model.held.set()
        await running.until(lambda: running.model.asked("second"), "the second question")
        assert {chat[:3] for chat in chats(running.witness.rows())} == {("signal", GROUP_ID, "group")}
        assert all(Chat(**row["chat"]).is_shared for row in running.witness.rows())


async def test_a_chat_of_another_platform_is_scoped_too(tmp_path: Path) -> None:
    """A gateway in which it alone runs, so that only Hermes' own hooks tell us of it."""
    witness = Witness(tmp_path)
    secret = "the wedding is on the ninth"
    remember = calls(("memory", {"action": "add", "target": "memory", "content": secret}))
    async with EchoModel(asks) as model:
        config = merged(SETTINGS, {"platforms": {"witness": {"enabled": True}}})
        running = GatewayProcess(model.base_url, env=ENVIRONMENT, home=tmp_path, config=config, platforms=("witness",))
        async with running:
            for n, (room, text) in enumerate([("a", remember), ("b", "hello"), ("a", f"{BACKGROUND} {DELEGATE}")], 1):
                witness.says(chat_id=room, chat_type="group", user_id="u1", text=text, guild_id="g1", chat_name=room)
                await running.until(lambda n=n: len(witness.answers()) >= n, "an answer")
            await running.until(
                lambda: any(row["tool"] == "session_search" for row in witness.rows()), "the task's sub-agent"
            )
    rows = witness.rows()
    assert chats(rows) == {("witness", "a", "group", "u1"), ("witness", "b", "group", "u1")}
    assert {row["chat"]["origin"]["scope_id"] for row in rows} == {"g1"}
    assert '"success": true' in witness.answers()[0][1]
    assert [path for path in (tmp_path / "memories" / "contexts").glob("*/MEMORY.md") if secret in path.read_text()]
    assert not [r for r in model.asked("hello") if secret in json.dumps(r)]
    assert not (tmp_path / "memories" / "MEMORY.md").exists()


async def test_chats_of_mattermost_name_their_team_and_their_thread(tmp_path: Path) -> None:
    witness = Witness(tmp_path)
    async with scene_mattermost.stage() as server, EchoModel(asks) as model:
        env = scene_mattermost.environment(server)
        running = GatewayProcess(model.base_url, env=env, home=tmp_path, config=SETTINGS, platforms=("mattermost",))
        async with running:
            await server.connected()
            root = await server.post(ALICE_ID, OPS, "@hermes one")
            await running.until(lambda: model.asked("one"), "the channel's question")
            await server.post(ALICE_ID, OPS, "@hermes two", root_id=root["id"])
            await server.post(ALICE_ID, DM, "three")
            await running.until(lambda: model.asked("two") and model.asked("three"), "the other questions")
    told = [row["chat"] | row["chat"]["origin"] for row in witness.rows()]
    assert {(row["chat_id"], row["chat_type"], row["thread_id"], row.get("scope_id")) for row in told} == {
        (OPS, "channel", "", TEAM),
        (OPS, "channel", root["id"], TEAM),
        (DM, "dm", "", None),
    }
    assert {row["user_id"] for row in told} == {ALICE_ID}


async def test_equal_chats_of_two_profiles_stay_apart(tmp_path: Path) -> None:
    """Hermes' home in each turn, its tools and its sub-agents is that of the profile which serves the chat."""
    home = tmp_path / "hermes"
    homes = (home, home / "profiles" / "other")
    homes[1].mkdir(parents=True)
    witnesses = [Witness(each) for each in homes]
    remember = calls(("memory", {"action": "add", "target": "memory", "content": "said to the other"}))

    def rows() -> list[dict[str, Any]]:
        return [row for witness in witnesses for row in witness.rows()]

    async with stage() as daemon, stage() as second, EchoModel(asks) as model:
        settings = merged(gateway_config(model.base_url, plugin=True), SETTINGS)
        (homes[1] / "config.yaml").write_text(json.dumps(settings))
        for each, env in zip(homes, (environment(daemon), environment(second)), strict=True):
            numbered = env | ({"SIGNAL_ACCOUNT": CAROL} if each is homes[1] else {})
            (each / ".env").write_text("".join(f'{name}="{value}"\n' for name, value in numbered.items()))
        config = merged(SETTINGS, {"gateway": {"multiplex_profiles": True}})
        async with GatewayProcess(model.base_url, env={}, home=home, config=config) as running:
            await running.until(lambda: "signal connected (profile: other)" in running.log, "both profiles")
            for daemon_, text in ((second, remember), (daemon, "hello"), (daemon, DELEGATE), (second, DELEGATE)):
                before = len(daemon_.called("send"))
                account = {"account": CAROL} if daemon_ is second else {}
                await daemon_.emit_event(variant("dm_text", ALICE_A, text=text) | account)
                await running.until(lambda d=daemon_, b=before: len(d.called("send")) > b, "an answer")
            await running.until(lambda: sum(row["platform"] == "subagent" for row in rows()) >= 6, "both sub-agents")
    assert chats(rows()) - {"a sub-agent outside its profile"} == IN_DIRECT
    assert {row["home"]: row["chat"]["profile"] for row in rows() if row["chat"] and row["platform"] == "signal"} == {
        "hermes": "",
        "other": "other",
    }
    assert list((homes[1] / "memories" / "contexts").glob("*/MEMORY.md"))
    assert not (homes[0] / "memories" / "contexts").exists()
    assert model.asked("hello")
    assert not [r for r in model.asked("hello") if "said to the other" in text_of(r["messages"][0]["content"])]
