"""The code that does without a name of Hermes: its feature is off, and nobody gets more rights by that."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from agent.context_references import parse_context_references
from gateway.config import Platform, PlatformConfig
from gateway.platforms.base import MessageEvent
from gateway.session import SessionSource
from gateway.session_context import clear_session_vars, set_session_vars
from hermes_hardened_adapters.adapters.mattermost import host_names as mattermost_names
from hermes_hardened_adapters.adapters.mattermost import plugin as mattermost_plugin
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.adapters.signal import files as signal_files
from hermes_hardened_adapters.adapters.signal import host_names as signal_names
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.bounded import Bounded
from hermes_hardened_adapters.common.core.errors import HostContractError
from hermes_hardened_adapters.common.host import files, people, questions, sessions, setup
from hermes_hardened_adapters.common.host.contract import check, table, version
from hermes_hardened_adapters.common.host.contract.names import HostName

from tests.fakes.mattermost_server import OPS
from tests.fakes.signal_daemon import ALICE, BOB, GROUP, FakeSignalDaemon, recorded_event
from tests.host_without import take_away
from tests.hosted import created, hosted
from tests.test_deletions import busy, says, takes_back

SHARED = {"group_sessions_per_user": False}
CHAT = f"group:{GROUP}"
AAC = bytes.fromhex("fff15080001ffc") + b"\0" * 64


def event(text: str, user: str = ALICE, *files: str, chat_type: str = "group") -> Any:
    source = SessionSource(platform=Platform.SIGNAL, chat_id=CHAT, chat_type=chat_type, user_id=user)
    return MessageEvent(text=text, source=source, media_urls=list(files))


def is_refused(event: Any, authority: Authority) -> bool:
    return questions.refused(event, authority, SHARED, None) is not None


# -- what may be missing


@pytest.mark.usefixtures("alice_on_signal")
def test_the_adapter_knows_the_gateway_on_every_hermes() -> None:
    runner, adapter = created("http://127.0.0.1:1")
    assert sessions.runner_of(adapter) is runner


async def test_answers_show_their_markdown(
    monkeypatch: pytest.MonkeyPatch, daemon: FakeSignalDaemon, alice_on_signal: None
) -> None:
    async with hosted(daemon) as host:
        await host.adapter.send(CHAT, "**bold**")
        take_away(monkeypatch, signal_names.MARKDOWN_TO_SIGNAL)
        await host.adapter.send(CHAT, "**bold**")
    styled, plain = daemon.called("send")
    assert (styled["message"], len(styled["textStyles"])) == ("bold", 1)
    assert (plain["message"], "textStyles" in plain) == ("**bold**", False)


def test_voice_memos_keep_their_format(monkeypatch: pytest.MonkeyPatch, hermes_home: Path) -> None:
    take_away(monkeypatch, signal_names.REMUX_AAC)
    path, content_type = signal_files.cache(AAC)
    assert (Path(path).read_bytes(), content_type) == (AAC, "audio/aac")


def test_members_of_an_open_group_run_no_command_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_refused(event("/help"), Authority.MEMBER)
    take_away(monkeypatch, table.COMMANDS_FOR_ALL)
    assert is_refused(event("/help"), Authority.MEMBER)
    assert not is_refused(event("/help"), Authority.ALLOWED)


@pytest.mark.parametrize("name", [table.RUNNER_PAIRING, table.PAIRING_APPROVED], ids=lambda name: name.attribute)
def test_nobody_counts_as_paired(
    monkeypatch: pytest.MonkeyPatch, hermes_home: Path, name: HostName, alice_on_signal: None
) -> None:
    runner, adapter = created("http://127.0.0.1:1")
    # The host keeps pairings in the home of the test process, and each person gets one code in ten minutes.
    user = f"+1555000{len(name.attribute):04}"
    store = runner._pairing_store_for(adapter.build_source(chat_id=user, chat_type="dm", user_id=user))
    assert store.approve_code("signal", store.generate_code("signal", user, "Paula"))
    try:
        assert people.is_paired(adapter, user)
        with monkeypatch.context() as patch:
            take_away(patch, name)
            assert not people.is_paired(adapter, user)
    finally:
        store.revoke("signal", user)


def test_only_admins_approve_what_a_turn_without_an_id_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.approval.has_blocking_approval", lambda key: True)
    monkeypatch.setattr(questions, "_approvals", Bounded(10))

    def asked_by_bob() -> None:
        tokens = set_session_vars(platform="signal", user_id=BOB)
        questions.approval_asked(sessions.session_key(event("").source, SHARED, None))
        clear_session_vars(tokens)

    asked_by_bob()
    assert not is_refused(event("yes", BOB), Authority.ALLOWED)
    take_away(monkeypatch, table.SESSION_ENV)
    asked_by_bob()
    assert is_refused(event("yes", BOB), Authority.ALLOWED)
    assert not is_refused(event("yes", ALICE), Authority.ADMIN)


@pytest.mark.parametrize(
    "name", [table.REFERENCE_PATTERN, table.PARSE_REFERENCES, table.REFERENCE], ids=lambda name: name.attribute
)
def test_no_reference_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: HostName) -> None:
    said = "see @file:plan.md and @folder:notes, @alice"
    assert files.without_home_references(said, tmp_path / "home", tmp_path) == said
    with monkeypatch.context() as patch:
        take_away(patch, name)
        defused = files.without_home_references(said, tmp_path / "home", tmp_path)
    assert not parse_context_references(defused)


SEPARATE_TURNS = [
    *(table.RUNNER_ENQUEUE, table.RUNNER_QUEUE_DEPTH, table.RUNNER_QUEUE_LIMIT, table.RUNNER_DRAINING),
    table.PENDING_MESSAGES,
]


@pytest.mark.parametrize("name", [None, *SEPARATE_TURNS], ids=lambda name: name.attribute if name else "all there")
async def test_what_arrives_while_the_agent_works_takes_the_hosts_own_way(
    monkeypatch: pytest.MonkeyPatch, alice_on_signal: None, name: HostName | None
) -> None:
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", f"{ALICE},{BOB}")
    runner, adapter = created("http://127.0.0.1:1", **SHARED)
    coming = event("mine", BOB, "/b.png")
    key = sessions.session_key(coming.source, SHARED, adapter)
    adapter._pending_messages[key] = event("hers", ALICE, "/a.png")
    if name is not None:
        take_away(monkeypatch, name)
        for owner in (runner, adapter):
            monkeypatch.delattr(owner, name.attribute, raising=False)
    passed: list[Any] = []

    async def handler(event: Any, session_key: str) -> bool:
        passed.append(event)
        return True

    assert await adapter._interceptor.screened_while_busy(handler)(coming, key)
    assert passed == ([coming] if name else [])
    # Commands are refused all the same.
    assert await adapter._interceptor.screened_while_busy(handler)(event("/restart", BOB), key)
    assert passed == ([coming] if name else [])


@pytest.mark.usefixtures("alice_on_signal")
async def test_a_command_that_waits_for_the_agent_takes_the_hosts_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    _, adapter = created("http://127.0.0.1:1")
    assert adapter._interceptor._held.takes(event("/skill"), "another key")
    monkeypatch.delattr(adapter, table.ACTIVE_SESSIONS.attribute)
    assert not adapter._interceptor._held.takes(event("/skill"), "key")


async def test_a_job_outside_the_gateway_is_told_that_it_cannot_send(
    monkeypatch: pytest.MonkeyPatch, hermes_home: Path
) -> None:
    take_away(monkeypatch, mattermost_names.STANDALONE_SEND)
    config = PlatformConfig(enabled=True, token="t", extra={"url": "http://127.0.0.1:1"})
    result = await mattermost_plugin.send_standalone(config, OPS, "done")
    assert result == {"error": f"this Hermes has no {mattermost_names.STANDALONE_SEND.places[0]}"}


def test_the_setup_says_what_to_set(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    take_away(monkeypatch, mattermost_names.INTERACTIVE_SETUP)
    mattermost_plugin.set_up()
    assert "Set HARDENED_MATTERMOST_URL and HARDENED_MATTERMOST_TOKEN" in capsys.readouterr().out


def test_recordings_keep_no_command_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "help" in setup.slash_commands()
    take_away(monkeypatch, table.COMMAND_REGISTRY)
    assert setup.slash_commands() == frozenset()


def test_a_checkout_that_cannot_tell_its_version_counts_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "_declared", lambda distribution: "0.0.0")
    take_away(monkeypatch, table.VERSION_INFO, table.VERSION_NUMBER, table.PACKAGE_VERSION)
    assert version.host_version() is None
    version.check_version()
    absent = HostName(("gateway.no_such_module:name",), since="0.18.2")
    assert [row.fatal for row in check.examine([absent])] == [True]


# -- what may not


def test_a_phrase_that_may_be_a_command_does_not_pass_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    restart = "restart the gateway"
    assert is_refused(event(restart, chat_type="dm"), Authority.MEMBER)
    take_away(monkeypatch, table.COERCE_COMMAND)
    with pytest.raises(HostContractError, match="coerce_plaintext_gateway_command"):
        is_refused(event(restart, chat_type="dm"), Authority.MEMBER)


@pytest.mark.parametrize(("installed", "fatal"), [("0.21.5", False), ("0.22.2", True), (None, True)])
def test_words_of_approval_in_other_languages_are_known_or_not_there(
    monkeypatch: pytest.MonkeyPatch, installed: str | None, fatal: bool
) -> None:
    take_away(monkeypatch, table.APPROVAL_WORDS)
    monkeypatch.setattr(check, "host_version", lambda: installed)
    (row,) = check.examine([table.APPROVAL_WORDS])
    assert row.fatal is fatal


# -- a Hermes one release ahead


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch, alice_on_signal: None) -> Iterator[None]:
    """The next release, whose adapters nobody has made yet."""
    for module in (version, check):
        monkeypatch.setattr(module, "host_version", lambda: "0.23.0")
    for network in NETWORKS:
        monkeypatch.delitem(sys.modules, f"hermes_hardened_adapters.adapters.{network}.adapter", raising=False)

    @dataclasses.dataclass
    class NewerResult(table.SEND_RESULT.load()):  # type: ignore[misc]
        receipt: str | None = None

    monkeypatch.setattr("gateway.platforms.base.SendResult", NewerResult)
    questions._words_of_host.cache_clear()
    yield
    questions._words_of_host.cache_clear()


@pytest.mark.usefixtures("ahead")
async def test_the_next_release_runs_without_what_it_may_lack(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, daemon: FakeSignalDaemon
) -> None:
    if table.APPROVAL_WORDS.optional() is None:
        busy = ModuleType("gateway.run_busy")
        busy.approval_input_words = lambda key: ("oui",)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, busy.__name__, busy)
    gone = (signal_names.MARKDOWN_TO_SIGNAL, signal_names.REMUX_AAC, table.PAIRING_LIST, table.RUNTIME_STATUS)
    take_away(monkeypatch, *gone)
    with caplog.at_level(logging.WARNING):
        async with hosted(daemon) as host:
            await host.emit(recorded_event("dm_text"))
            assert host.texts
    assert all(f"{name.places[0]} is missing in this Hermes; off: {name.without}" in caplog.text for name in gone)


@pytest.mark.usefixtures("ahead")
@pytest.mark.parametrize(
    "name", [table.SLASH_POLICY, table.RUNNER_SESSION_KEY, table.APPROVAL_WORDS], ids=lambda name: name.attribute
)
def test_the_next_release_is_refused_with_the_name_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: HostName
) -> None:
    take_away(monkeypatch, name)
    with caplog.at_level(logging.ERROR):
        _, adapter = created("http://127.0.0.1:1")
    assert adapter is None
    assert "Failed to create adapter for platform 'Signal'" in caplog.text
    assert f"{name.places[0]} is missing" in caplog.text


@pytest.mark.usefixtures("alice_on_signal")
@pytest.mark.parametrize("name", ["PENDING_MESSAGES", "QUEUED_EVENTS"])
async def test_deleted_messages_stay_in_a_queue_that_is_not_known(
    daemon: FakeSignalDaemon, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with hosted(daemon) as host:
        agent = await busy(host)
        said = [says("one"), says("two")]
        await agent.hear(*said)
        # Instances of the host have them already.
        monkeypatch.setattr(table, name, HostName(("gateway.run:GatewayRunner._gone",), without="nothing"))
        await agent.hear(*(takes_back(each) for each in said))
        assert [event.text for event in agent.waiting] == ["one" if name == "PENDING_MESSAGES" else "two"]
        agent.done.set()
