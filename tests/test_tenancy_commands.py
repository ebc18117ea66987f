"""Commands of Hermes that show or change what belongs to other chats: on our networks, and on every other platform."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway.config import GatewayConfig, Platform, PlatformConfig
from gateway.platforms.base import BasePlatformAdapter, MessageEvent, SendResult
from gateway.run import GatewayRunner
from gateway.session import SessionSource
from hermes_cli.commands import COMMAND_REGISTRY
from hermes_cli.plugins import discover_plugins
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.tenancy import commands, profiles, session, tenant
from hermes_hardened_adapters.common.tenancy import memory, reviews

from tests.fakes.signal_daemon import ALICE, FakeSignalDaemon
from tests.hosted import hosted
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, in_group, variant
from tests.stored_sessions import StoredSessions
from tools import write_approval

ADMIN, MEMBER, STRANGER = "1000", "2000", "3000"
OTHER = "agent:main:telegram:dm:1999"
"""The session of another chat, whose agent works."""
NOTICE = "⛔"

OF_THE_CHAT = {
    *("new", "retry", "undo", "title", "branch", "compress", "approve", "deny", "background", "bg", "btw", "queue"),
    *("steer", "goal", "subgoal", "moa", "status", "context", "usage", "save", "yolo", "heartbeat", "loop", "review"),
    *("refine", "learn", "plan", "init", "stop", "topic", "voice", "whoami", "blueprint", "start"),
}
"""They show and change what is the chat's own: its session, its queue, its agent."""
OF_THE_OPERATOR = {
    *(
        "help",
        "commands",
        "version",
        "profile",
        "bundles",
        "model",
        "personality",
        "codex-runtime",
        "reasoning",
        "fast",
    ),
    *("verbose", "footer", "busy", "approvals", "sethome", "reload-mcp", "reload-skills", "restart", "update", "pause"),
    *("platform", "egress", "login", "topup", "credits", "curator"),
}
"""They are about the installation, for whoever the operator lets run them; no chat's things are in them."""


def test_every_command_of_this_hermes_has_been_judged() -> None:
    gateway = {each.name for each in COMMAND_REGISTRY if not each.cli_only or each.gateway_config_gate}
    assert gateway <= commands._TABLE.keys() | OF_THE_CHAT | OF_THE_OPERATOR
    assert not commands._TABLE.keys() & (OF_THE_CHAT | OF_THE_OPERATOR)


class FakeTelegram(BasePlatformAdapter):  # type: ignore[misc]
    """An adapter of a platform that is not ours; `said` is what it sent."""

    def __init__(self, config: PlatformConfig) -> None:
        super().__init__(config, Platform.TELEGRAM)
        self.said: list[tuple[str, str]] = []

    async def connect(self, **_: object) -> bool:
        return True

    async def disconnect(self) -> None:
        return

    async def send(self, chat_id: str, content: str, reply_to: Any = None, metadata: Any = None) -> SendResult:
        self.said.append((chat_id, content))
        return SendResult(success=True, message_id="1")

    async def get_chat_info(self, chat_id: str) -> dict[str, Any]:
        return {"name": chat_id, "type": "dm"}


class Gateway:
    """The real gateway runner, without a model, and a platform of another plugin."""

    def __init__(self, **extra: Any) -> None:
        config = PlatformConfig(enabled=True, token="unused", extra=extra)
        self.runner = GatewayRunner(GatewayConfig(platforms={Platform.TELEGRAM: config}))
        self.adapter = FakeTelegram(config)
        self.adapter.gateway_runner = self.runner
        self.runner.adapters[Platform.TELEGRAM] = self.adapter
        self.runner._startup_restore_in_progress = False

    async def types(self, text: str, who: str = MEMBER, *, group: bool = False) -> str:
        """Return what the chat is answered, by us or by the host."""
        chat = {"chat_id": "-100", "chat_type": "group"} if group else {"chat_id": who, "chat_type": "dm"}
        source = SessionSource(platform=Platform.TELEGRAM, user_id=who, **chat)
        before = len(self.adapter.said)
        answer = await self.runner._handle_message(MessageEvent(text=text, source=source))
        while commands._replies:
            await asyncio.sleep(0)
        own = [text for chat_id, text in self.adapter.said[before:] if chat_id == chat["chat_id"]]
        assert len(own) <= 1
        assert not (own and answer), "it is answered once"
        return own[0] if own else str(answer or "")

    def works_elsewhere(self) -> None:
        self.runner._running_agents[OTHER] = object()
        self.runner._running_agents_ts[OTHER] = 0.0


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    tenant._tenants.clear()
    yield
    tenant._tenants.clear()
    session._arrived.set(None)
    session._serving.clear()


@pytest.fixture
def gateway(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Gateway]:
    """Start a gateway that allows everybody but the stranger; nobody is an admin unless a test says so."""
    monkeypatch.setenv("TELEGRAM_ALLOWED_USERS", f"{ADMIN},{MEMBER}")
    # It keeps the path from when it was imported.
    monkeypatch.setattr("gateway.run._hermes_home", hermes_home)
    discover_plugins()

    def made(**extra: Any) -> Gateway:
        made = Gateway(**extra)
        made.works_elsewhere()
        return made

    return made


LISTS = {"allow_admin_from": [ADMIN], "group_allow_admin_from": [ADMIN]}
ALLOWED = {"user_allowed_commands": sorted(commands._TABLE), "group_user_allowed_commands": sorted(commands._TABLE)}


def leaks(answer: str) -> bool:
    return OTHER in answer


# -- every platform


@pytest.mark.parametrize(
    "text", ["/agents", "/tasks", "/AGENTS", "/agents@hermes_bot", "/Agents all", "/agents\nplease"]
)
@pytest.mark.parametrize("group", [False, True])
async def test_agents_are_the_chats_own(gateway: Callable[..., Gateway], text: str, group: bool) -> None:
    for lists in ({}, LISTS | ALLOWED):
        at = gateway(**lists)
        answer = await at.types(text, group=group)
        assert not leaks(answer)
        assert "No agent is working" in answer


async def test_an_admin_gets_the_hosts_answer_in_a_direct_message_and_in_no_group(
    gateway: Callable[..., Gateway],
) -> None:
    at = gateway(**LISTS)
    assert leaks(await at.types("/agents", ADMIN)), "the control"
    assert not leaks(await at.types("/agents", ADMIN, group=True))


async def test_while_the_agent_works_it_is_the_same(gateway: Callable[..., Gateway]) -> None:
    at = gateway()
    key = at.runner._session_key_for_source(
        SessionSource(platform=Platform.TELEGRAM, chat_id=MEMBER, chat_type="dm", user_id=MEMBER)
    )
    at.runner._running_agents[key] = object()
    at.runner._running_agents_ts[key] = 0.0
    answer = await at.types("/agents")
    assert not leaks(answer)
    assert "is working in this chat" in answer
    assert (await at.types("/kanban list")).startswith(NOTICE)


SHOWN = ["/debug", "/diff", "/insights", "/kanban list", "/rollback", "/skills pending", "/suggestions", "/suggest"]
SHOWN += ["/resume --all", "/resume \u2014all 1", "/resume --cross-room x", "/sessions all", "/sessions list ALL"]
SHOWN += ["/sessions x --all", """/sessions "'--a''ll'" x""", "/resume '--a'll", "/resume --al\\l"]


@pytest.mark.parametrize("text", SHOWN)
async def test_what_shows_other_chats_things_is_refused(gateway: Callable[..., Gateway], text: str) -> None:
    known = table.RESOLVE_COMMAND(text.split()[0].lower())
    if known is None:
        assert text == "/diff", "the only one that is not on every host"
        return
    for lists, who, group in (({}, MEMBER, False), ({}, MEMBER, True), (LISTS | ALLOWED, ADMIN, True)):
        answer = await gateway(**lists).types(text, who, group=group)
        assert answer.startswith(f"{NOTICE} /{known.name} shows")
        assert "admin" in answer


@pytest.mark.parametrize("text", ["/status", "/resume", "/resume all hands", "/sessions", "/whoami", "/profile"])
async def test_the_chats_own_commands_stay_with_the_host(gateway: Callable[..., Gateway], text: str) -> None:
    answer = await gateway().types(text)
    assert answer
    assert not answer.startswith(NOTICE)


async def test_who_may_not_run_it_is_not_answered_with_it(gateway: Callable[..., Gateway]) -> None:
    at = gateway(**LISTS)
    assert (await at.types("/agents")).startswith(NOTICE)
    assert "pending" not in (await at.types("/memory pending")).lower()


async def test_a_stranger_is_left_to_the_host(gateway: Callable[..., Gateway]) -> None:
    at = gateway()
    for text in ("/agents", "/memory pending", "/kanban"):
        assert await at.types(text, STRANGER, group=True) == ""
        assert "No agent" not in await at.types(text, STRANGER)
        assert NOTICE not in await at.types(text, STRANGER)


async def test_memory_is_the_chats_own_and_its_switch_the_operators(gateway: Callable[..., Gateway]) -> None:
    at = gateway(**LISTS | ALLOWED)
    write_approval.stage_write("memory", {}, summary="of all chats", origin="foreground")
    for who in (MEMBER, ADMIN):
        assert await at.types("/memory pending", who) == "No pending memory writes."
    assert "of all chats" in await at.types("/memory global pending", ADMIN)
    for who, group in ((MEMBER, False), (ADMIN, True)):
        assert (await at.types("/memory global pending", who, group=group)).startswith(NOTICE)
    assert (await at.types("/memory approval on")).startswith(NOTICE)
    assert (await at.types("/memory approval on", ADMIN, group=True)).startswith(NOTICE)
    assert "on" in await at.types("/memory approval on", ADMIN)
    assert table.WRITE_APPROVAL("memory"), "the host carried it out"


async def test_with_global_memory_all_is_as_without_us(gateway: Callable[..., Gateway], hermes_home: Path) -> None:
    plugins = {"enabled": ["hardened-adapters"], "entries": {"hardened-adapters": {"memory": {"policy": "global"}}}}
    (hermes_home / "config.yaml").write_text(json.dumps({"plugins": plugins}))
    at = gateway()
    assert leaks(await at.types("/agents"))
    assert leaks(await at.types("/agents", group=True))


@pytest.mark.parametrize("content", ["plugins: {entries: {hardened-adapters: {memory: {policy: nonsense}}}}", "["])
async def test_with_unreadable_settings_nothing_is_shown(
    gateway: Callable[..., Gateway], hermes_home: Path, content: str
) -> None:
    (hermes_home / "config.yaml").write_text(content)
    assert not leaks(await gateway().types("/agents"))


async def test_an_error_of_ours_shows_nobody_anything(
    gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Any:
        raise RuntimeError("on purpose")

    at = gateway()
    for place in ("people.is_admin", "sessions.session_keys", "memory_command.answer"):
        with monkeypatch.context() as patch:
            patch.setattr(f"hermes_hardened_adapters.common.host.tenancy.commands.{place}", fails)
            for text in ("/agents", "/memory"):
                answer = await at.types(text)
                assert not leaks(answer)
                assert "Pending" not in answer


def by_session(metadata: dict[str, str]) -> str:
    """Decide as a policy of an operator does."""
    return metadata["session_key"]


async def test_a_policy_is_told_the_session_as_it_is_by_the_agents_calls(
    gateway: Callable[..., Gateway], hermes_home: Path
) -> None:
    entries = {"hardened-adapters": {"memory": {"policy": f"{__name__}:by_session"}}}
    plugins = {"enabled": ["hardened-adapters"], "entries": entries}
    (hermes_home / "config.yaml").write_text(json.dumps({"plugins": plugins}))
    folder = memory.make_folder(hermes_home, f"agent:main:telegram:dm:{MEMBER}")
    reviews.stage(folder, "of the session", "foreground", 0.0, {})
    assert "of the session" in await gateway().types("/memory pending")


async def test_every_profile_has_its_own_queues(gateway: Callable[..., Gateway], hermes_home: Path) -> None:
    at = gateway()
    (home := hermes_home / "profiles" / "work").mkdir(parents=True)
    (home / "config.yaml").write_text("{}")
    folder = memory.make_folder(home, f"telegram:{MEMBER}")
    reviews.stage(folder, "of the work profile", "foreground", 0.0, {})

    def waits(profile: str) -> str:
        source = SessionSource(Platform.TELEGRAM, MEMBER, chat_type="dm", user_id=MEMBER, profile=profile)
        said = commands.answer(MessageEvent(text="/memory pending", source=source), at.adapter, at.runner)
        assert said is not None
        return said()

    assert "of the work profile" not in waits("work"), "one profile serves all"
    at.runner.config.multiplex_profiles = True
    assert "of the work profile" in waits("work")
    assert "of the work profile" not in waits("default")


# -- our networks


@pytest.fixture
def alice(daemon: FakeSignalDaemon, alice_on_signal: None) -> Callable[..., Any]:
    """Return what the host and the chat get when Alice says something."""

    async def says(text: str, *, group: bool = False, **extra: Any) -> tuple[list[str], list[str]]:
        async with hosted(daemon, **extra) as host:
            before = len(daemon.called("send"))
            await host.emit(
                in_group(ALICE_A, f"{BOT} {text}", BOT_ITSELF) if group else variant("dm_text", ALICE_A, text=text)
            )
            sent = [str(params["message"]) for params in daemon.called("send")[before:] if "message" in params]
            return host.texts, [text for text in sent if text != "answer"]

    return says


@pytest.mark.parametrize("text", ["/agents", "/tasks", "/AGENTS", "/agents@hermes", "  /agents", "/memory", "/kanban"])
@pytest.mark.parametrize("group", [False, True])
async def test_on_our_networks_the_host_never_gets_it(alice: Callable[..., Any], text: str, group: bool) -> None:
    reached, sent = await alice(text, group=group)
    assert not [event for event in reached if event.lstrip().startswith("/")]
    assert not reached or sent == [], "an older host reads no command behind blanks"
    assert len(reached) + len(sent) == 1


async def test_on_our_networks_an_admin_gets_the_hosts_answer_in_a_direct_message(alice: Callable[..., Any]) -> None:
    lists = {"allow_admin_from": [ALICE], "group_allow_admin_from": [ALICE]}
    assert (await alice("/agents", **lists))[0] == ["/agents"]
    reached, sent = await alice("/agents", group=True, **lists)
    assert not reached
    assert "No agent" in sent[0]


async def test_on_our_networks_others_commands_reach_the_host(alice: Callable[..., Any]) -> None:
    assert await alice("/status") == (["/status"], [])


# -- the sessions of several profiles


RESUMING = [
    "/resume theirs",
    "/resume of theirs",
    "/resume <theirs>",
    "/resume 1",
    "/resume",
    "/sessions",
    "/sessions x",
]
RESUMING += ["/sessions theirs", "/sessions search theirs", "/resume after theirs", "/resume unkeyed", "/resume mixed"]


class Bots:
    """A gateway for two profiles: Hermes' database has sessions of one person with the bots of both."""

    def __init__(self, home: Path, gateway: Callable[..., Gateway]) -> None:
        other = home / "profiles" / "other"
        other.mkdir(parents=True)
        (other / "config.yaml").write_bytes((home / "config.yaml").read_bytes())
        # Since 0.20.6 each profile has its own.
        is_one = table.SESSIONS_DATABASE.optional() is None
        with StoredSessions(home) as first, StoredSessions(home if is_one else other) as second:
            self._add(first, "mine", "main")
            self._add(second, "theirs", "other")
            self._add(second, "after", "other", parent="theirs")
            self._add(second, "unkeyed", "other", key=None)
            if is_one:
                self._add(first, "mixed", "main")
                self._add(first, "mixed further", "other", parent="mixed")
            self._add(first, "latest", "main")
        self.at = gateway()
        self.at.runner.config.multiplex_profiles = True

    def _add(self, stored: StoredSessions, name: str, profile: str, parent: str | None = None, **more: Any) -> None:
        key = more.get("key", f"agent:{profile}:telegram:dm:{MEMBER}")
        said = [("user", f"harbour of {name}"), ("assistant", "yes")]
        stored.add(name, MEMBER, said, source="telegram", user=MEMBER, kind="dm", parent=parent, title=f"of {name}")
        stored.write("UPDATE sessions SET session_key = ? WHERE id = ?", (key, name))

    async def opened(self, text: str) -> tuple[str, str]:
        """Return the answer to a command, and the session in which the chat goes on."""
        answer = await self.at.types(text)
        source = SessionSource(platform=Platform.TELEGRAM, chat_id=MEMBER, chat_type="dm", user_id=MEMBER)
        runner = self.at.runner
        return answer, str(runner.session_store.peek_session_id(runner._session_key_for_source(source)))


@pytest.fixture
def bots(hermes_home: Path, gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch) -> Bots:
    monkeypatch.setattr("hermes_state.DEFAULT_DB_PATH", hermes_home / "state.db")
    return Bots(hermes_home, gateway)


@pytest.mark.parametrize("text", RESUMING)
async def test_another_profiles_session_is_neither_shown_nor_gone_on_with(bots: Bots, text: str) -> None:
    answer, session_id = await bots.opened(text)
    assert answer
    assert session_id not in {"theirs", "after", "unkeyed", "mixed", "mixed further"}
    for name in ("theirs", "after", "unkeyed"):
        assert f"harbour of {name}" not in answer
        assert f"of {name}" not in answer or f"of {name}" in text


async def test_the_profiles_own_session_is_gone_on_with(bots: Bots) -> None:
    answer, session_id = await bots.opened("/resume mine")
    assert session_id == "mine"
    assert not answer.startswith(NOTICE)


async def test_where_all_sessions_of_the_chat_are_its_own_it_gets_all_of_them(bots: Bots, hermes_home: Path) -> None:
    with StoredSessions(hermes_home) as stored:
        stored.write("DELETE FROM messages WHERE session_id NOT IN ('mine', 'latest')")
        stored.write("UPDATE sessions SET parent_session_id = NULL")
        stored.write("DELETE FROM sessions WHERE id NOT IN ('mine', 'latest')")
    assert "of mine" in (await bots.opened("/sessions"))[0]
    assert (await bots.opened("/resume of mine"))[1] == "mine"


@pytest.mark.parametrize("text", ["/resume theirs", "/resume mine", "/sessions"])
async def test_what_cannot_be_told_is_not_shown(bots: Bots, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    def fails(*_: object) -> Any:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(profiles, "may_resume", fails)
    answer, session_id = await bots.opened(text)
    assert answer.startswith(NOTICE)
    assert session_id not in {"mine", "theirs"}
