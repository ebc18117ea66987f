"""`/adapters memory` from a chat: what this chat has stored, for those who may see and delete it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gateway.config import Platform
from gateway.session import SessionSource
from hermes_hardened_adapters.common.core.authority import RIGHTS, Authority
from hermes_hardened_adapters.common.host import commands
from hermes_hardened_adapters.common.host.tenancy import origins
from hermes_hardened_adapters.common.host.tenancy.managing import own
from hermes_hardened_adapters.common.state import snapshot
from hermes_hardened_adapters.common.tenancy import inventory, memory, reviews
from hermes_hardened_adapters.common.tenancy.chats import Operation
from hermes_hardened_adapters.common.tenancy.contexts import BUILT_IN

from tests import scene_mattermost
from tests.fakes.echo_model import EchoModel
from tests.fakes.mattermost_server import ALICE as ALICE_ID
from tests.fakes.mattermost_server import DM, HERMES, FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, ALICE, CAROL, CAROL_ACI, GROUP, FakeSignalDaemon, contact
from tests.gateway_process import GatewayProcess, gateway_config
from tests.hosted import SignalHosted, hosted, hosted_mattermost
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, CAROL_C, MALLORY, environment, in_group, stage, variant
from tests.scripted_tools import asks, says
from tests.test_tenancy_gateway import SECRET, TOOLS, Chats

DIRECT, HERE = f"signal:{ALICE}", f"signal:group:{GROUP}"


@pytest.fixture(autouse=True)
def config(hermes_home: Path) -> Callable[..., None]:
    def write(hosts: Mapping[str, Any] | None = None, **settings: Any) -> None:
        plugins = {"enabled": ["hardened-adapters"], "entries": {"hardened-adapters": {"memory": settings}}}
        (hermes_home / "config.yaml").write_text(json.dumps({"plugins": plugins, "memory": hosts or {}}))

    return write


@pytest.fixture
def daemon(daemon: FakeSignalDaemon, alice_on_signal: None, monkeypatch: pytest.MonkeyPatch) -> FakeSignalDaemon:
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", f"{ALICE},{CAROL}")
    monkeypatch.setattr(snapshot, "EVERY_SECONDS", 0.05)
    daemon.contacts.append(contact(CAROL, CAROL_ACI, "Carol"))
    monkeypatch.setenv("SIGNAL_HTTP_URL", daemon.url)
    monkeypatch.setenv("SIGNAL_ACCOUNT", ACCOUNT)
    return daemon


def keep(home: Path, context: str, *entries: str, file: str = "MEMORY.md") -> None:
    folder = memory.make_folder(home, context) if context else memory.memories(home)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(memory.DELIMITER.join(entries))


def stored(home: Path, context: str) -> list[str]:
    return [entry.text for entry in inventory.entries(memory.folder(home, context) if context else home / "memories")]


async def asked(host: SignalHosted, event: dict[str, Any]) -> str:
    before = len(host.daemon.called("send"))
    await host.emit(event)
    return "\n".join(str(sent["message"]) for sent in host.daemon.called("send")[before:])


def direct(text: str, who: Any = ALICE_A) -> dict[str, Any]:
    return variant("dm_text", who, text=text)


def group(text: str, who: Any = ALICE_A) -> dict[str, Any]:
    return in_group(who, f"{BOT} {text}", BOT_ITSELF)


async def test_a_chat_sees_and_deletes_its_own(daemon: FakeSignalDaemon, hermes_home: Path) -> None:
    keep(hermes_home, DIRECT, "secret of the direct chat")
    keep(hermes_home, HERE, "harvest on Monday", "tools in the shed")
    keep(hermes_home, HERE, "Carol likes tea", file="USER.md")
    keep(hermes_home, "", "known everywhere")
    async with hosted(daemon) as host:
        listed = await asked(host, group("/adapters memory", CAROL_C))
        assert listed.splitlines()[:4] == [
            "This chat has stored 3 entries. 1 entry of all chats is known here too.",
            "1. harvest on Monday",
            "2. tools in the shed",
            "3. (about people) Carol likes tea",
        ]
        assert "Deleted: tools in the shed" in await asked(host, group("/adapters memory forget 2", CAROL_C))
        assert stored(hermes_home, HERE) == ["harvest on Monday", "Carol likes tea"]
        assert "no entry 9" in await asked(host, group("/adapters memory forget 9"))
        assert "forget NUMBER" in await asked(host, group("/adapters memory forget everything"))
        assert "1. secret of the direct chat" in await asked(host, direct("/adapters memory"))
        assert "Deleted 2 entries" in await asked(host, group("/adapters memory FORGET all"))
        assert "stored nothing. 1 entry of all" in await asked(host, group("/adapters memory"))
        assert "stored nothing" in await asked(host, direct("/adapters memory", CAROL_C))
        assert host.reached == []
    assert stored(hermes_home, HERE) == []
    assert stored(hermes_home, DIRECT) == ["secret of the direct chat"]
    assert stored(hermes_home, "") == ["known everywhere"]


async def test_on_mattermost_too(
    server: FakeMattermostServer, alice_on_mattermost: None, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(hermes_home, f"mattermost:{DM}", "one")
    async with hosted_mattermost(server) as host:
        await server.post(ALICE_ID, DM, "@hermes /adapters memory forget 1")
        await host.settled()
    (answer,) = [post for post in server.posts.values() if post["user_id"] == HERMES]
    assert "Deleted: one" in answer["message"]
    assert stored(hermes_home, f"mattermost:{DM}") == []


async def test_members_of_an_open_group_and_strangers_see_nothing(
    daemon: FakeSignalDaemon, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(hermes_home, HERE, "harvest on Monday")
    monkeypatch.setenv("SIGNAL_GROUP_MEMBERS", "open")
    async with hosted(daemon) as host:
        for text in ("/adapters memory", "/adapters memory forget all"):
            assert "harvest" not in await asked(host, group(text, MALLORY))
        assert "harvest" not in await asked(host, direct("/adapters memory", MALLORY))
        assert len([event for event in host.passed if not event.observe_only]) == 3
        assert "harvest" in await asked(host, group("/adapters memory"))
    assert stored(hermes_home, HERE) == ["harvest on Monday"]


@pytest.mark.parametrize("authority", Authority)
async def test_the_table_of_rights_decides(hermes_home: Path, authority: Authority) -> None:
    keep(hermes_home, HERE, "harvest on Monday")
    event = FakeEvent("/adapters memory")
    answer = await commands.answer(event, RIGHTS[authority], {}, None, hermes_home)  # type: ignore[arg-type]
    assert ("harvest" in str(answer)) is (authority >= Authority.ALLOWED)


def source(chat_id: str = f"group:{GROUP}", chat_type: str = "group", user_id: str = ALICE) -> Any:
    return SessionSource(platform=Platform.SIGNAL, chat_id=chat_id, chat_type=chat_type, user_id=user_id)


class FakeEvent:
    """As much of an event as the command reads."""

    def __init__(self, text: str) -> None:
        self.text, self.source = text, source()


def test_the_agents_own_markers_in_an_entry_are_harmless(hermes_home: Path) -> None:
    keep(hermes_home, HERE, "a\n2. b [SYSTEM] <|im_start|> @file:/etc/passwd @all\x1b[2J\u202e MEDIA:/x")
    first, entry, _ = own.answer(source(), [], hermes_home).splitlines()
    assert first == "This chat has stored 1 entry."
    assert entry.startswith("1. a 2. b (SYSTEM)")
    assert not set("@<[\x1b\u202e") & set(entry)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"policy": "global"}, "nothing of its own. 1 entry of all"),
        ({"contexts": {HERE: "global"}}, "nothing of its own"),
        ({"policy": "tests.test_adapters_memory:broken"}, "cannot tell whose"),
        ({"policy": "tests.test_adapters_memory:write_only"}, "nothing of its own"),
        ({"policy": "nonsense"}, "settings of memory are wrong"),
    ],
)
@pytest.mark.parametrize("words", [[], ["forget", "1"], ["forget", "all"]])
def test_no_other_memory_is_touched(
    hermes_home: Path, config: Callable[..., None], settings: dict[str, Any], said: str, words: list[str]
) -> None:
    config(**settings)
    for context in ("", HERE, "elsewhere"):
        keep(hermes_home, context, f"secret of: {context}.")
    answer = own.answer(source(), words, hermes_home)
    assert said in answer
    assert "secret" not in answer
    for context in ("", HERE, "elsewhere"):
        assert stored(hermes_home, context) == [f"secret of: {context}."]


def broken(**_: object) -> str:
    raise RuntimeError("no")


def write_only(operation: str) -> str:
    return "elsewhere" if operation == "write" else "another"


def test_shared_contexts_are_counted(hermes_home: Path, config: Callable[..., None]) -> None:
    config(contexts={HERE: ["garden", "org"]})
    keep(hermes_home, "garden", "mine")
    keep(hermes_home, "org", "theirs")
    listed = own.answer(source(), [], hermes_home)
    assert "1. mine" in listed
    assert "1 entry of contexts that it shares" in listed
    assert "theirs" not in listed
    own.answer(source(), ["forget", "all"], hermes_home)
    assert (stored(hermes_home, "garden"), stored(hermes_home, "org")) == ([], ["theirs"])


@pytest.mark.parametrize("policy", ["user", "chat+user"])
def test_a_persons_memory_is_not_listed_before_the_group(
    hermes_home: Path, config: Callable[..., None], policy: str
) -> None:
    config(policy=policy)
    context = str(BUILT_IN[policy](origins.of_source(source()), Operation.READ))
    keep(hermes_home, context, "secret")
    reviews.stage(memory.folder(hermes_home, context), "secret", "foreground", 0.0, {"content": "secret"})
    assert own.answer(source(), [], hermes_home).startswith("What I keep here is about you alone")
    assert "about you alone" in own.answer(source(), ["forget", "1"], hermes_home)
    assert stored(hermes_home, context) == ["secret"]
    assert "secret" not in own.answer(source(user_id=CAROL), [], hermes_home)
    if policy == "user":
        assert "1. secret" in own.answer(source(ALICE, "dm"), [], hermes_home)
    assert "Deleted 1 entry" in own.answer(source(), ["forget", "all"], hermes_home)
    assert stored(hermes_home, context) == []


def by_other_id(metadata: dict[str, str]) -> str:
    return metadata["user_id_alt"] or "nobody"


def test_a_persons_memory_may_go_by_their_other_id(hermes_home: Path, config: Callable[..., None]) -> None:
    config(policy=f"{__name__}:by_other_id")
    keep(hermes_home, "alices-aci", "secret")
    assert "about you alone" in own.answer(replace(source(), user_id_alt="alices-aci"), [], hermes_home)


def test_hidden_global_memory_is_not_counted(hermes_home: Path, config: Callable[..., None]) -> None:
    config({"memory_enabled": False, "user_profile_enabled": False}, strict=True, global_readers="dm")
    keep(hermes_home, "", "known everywhere")
    assert own.answer(source(), [], hermes_home) == "This chat has stored nothing."
    assert "1 entry of all chats" in own.answer(source(ALICE, "dm"), [], hermes_home)


def test_another_profiles_memory_is_not_read(hermes_home: Path, tmp_path: Path) -> None:
    keep(hermes_home, HERE, "secret")
    assert "cannot tell whose" in own.answer(source(), ["forget", "all"], tmp_path)
    assert stored(hermes_home, HERE) == ["secret"]


def test_what_cannot_be_changed_is_said_without_a_path(hermes_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(hermes_home, HERE, "one", "written by hand " * 200)
    with caplog.at_level(logging.WARNING):
        answer = own.answer(source(), ["forget", "1"], hermes_home)
    assert "Nothing was deleted" in answer
    assert str(hermes_home) not in answer + caplog.text
    assert "by hand" not in caplog.text
    # To delete everything needs no understanding of it; the copies that Hermes makes go, too.
    own.answer(source(), ["forget", "all"], hermes_home)
    assert not list(memory.folder(hermes_home, HERE).glob("MEMORY.md*[!k]"))


def test_an_unreadable_file_can_be_deleted(hermes_home: Path) -> None:
    keep(hermes_home, HERE)
    file = memory.folder(hermes_home, HERE) / "MEMORY.md"
    file.write_bytes(b"\xff\xfe")
    assert "cannot read" in own.answer(source(), [], hermes_home)
    own.answer(source(), ["forget", "all"], hermes_home)
    assert not file.exists()


def test_what_waits_for_approval_is_shown_and_deleted(hermes_home: Path) -> None:
    folders = [memory.make_folder(hermes_home, context) for context in (HERE, "elsewhere")]
    for folder in folders:
        payload = {"action": "add", "target": "user", "content": "likes tea @all"}
        reviews.stage(folder, "add in user profile", "foreground", 0.0, payload)
    (folders[0] / "pending" / "00000000.json").write_text("likes tea, damaged")
    (folders[0] / "pending" / ".00000001").write_text("likes tea, unfinished")
    first, waits, _ = own.answer(source(), [], hermes_home).splitlines()
    assert first == "This chat has stored 0 entries."
    assert waits.startswith("Waits for approval (/memory): (about people) add likes tea")
    assert "@all" not in waits
    answer = own.answer(source(), ["forget", "all"], hermes_home)
    assert answer.startswith("Deleted 0 entries, and 1 that waited for approval.")
    assert not list((folders[0] / "pending").iterdir())
    assert own.answer(source(), [], hermes_home) == "This chat has stored nothing."
    assert len(reviews.waiting(folders[1])) == 1


async def test_what_the_agent_stored_is_what_the_command_deletes(tmp_path: Path) -> None:
    async with stage() as daemon, EchoModel(asks) as model:
        async with GatewayProcess(model.base_url, env=environment(daemon), home=tmp_path, config=TOOLS) as running:
            chats = Chats(daemon, running)
            await daemon.streams_open(1)
            await chats.direct(says("memory", action="add", target="memory", content=SECRET))
            assert SECRET not in await chats.group("/adapters memory forget all")
            assert f"1. {SECRET}" in await chats.direct("/adapters memory")
            assert f"Deleted: {SECRET}" in await chats.direct("/adapters memory forget 1")
        (context,) = memory.stored(tmp_path)
        assert context.context == DIRECT
        assert inventory.entries(context.path) == ()


async def test_each_profile_of_a_gateway_has_its_own(tmp_path: Path) -> None:
    other = tmp_path / "profiles" / "other"
    other.mkdir(parents=True)
    async with stage() as daemon, scene_mattermost.stage() as server, EchoModel() as model:
        for home, settings in ((tmp_path, environment(daemon)), (other, scene_mattermost.environment(server))):
            (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
            keep(home, f"mattermost:{DM}", f"stored in {home.name}")
        (other / "config.yaml").write_text(json.dumps(gateway_config(model.base_url, plugin=True)))
        async with GatewayProcess(
            model.base_url,
            # Hermes 0.18 asks the process alone whom it allows.
            env={"MATTERMOST_ALLOWED_USERS": ALICE_ID},
            home=tmp_path,
            platforms=("signal", "mattermost"),
            config={"gateway": {"multiplex_profiles": True}},
        ) as running:
            await server.post(ALICE_ID, DM, "/adapters memory forget 1")
            said = lambda: [post["message"] for post in server.posts.values() if post["user_id"] == HERMES]  # noqa: E731
            await running.until(lambda: bool(said()), "an answer")
    assert "Deleted: stored in other" in said()[0]
    assert stored(tmp_path, f"mattermost:{DM}") == [f"stored in {tmp_path.name}"]
