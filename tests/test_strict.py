"""Strict mode: the names it reads, the faults beside them, and the values that Hermes receives."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from gateway.config import Platform, PlatformConfig, load_gateway_config
from gateway.platform_registry import platform_registry
from gateway.run import GatewayRunner
from hermes_cli.plugins import discover_plugins
from hermes_hardened_adapters.adapters.mattermost.settings import MattermostSettings
from hermes_hardened_adapters.adapters.mattermost.stock import STOCK as MATTERMOST_STOCK
from hermes_hardened_adapters.adapters.signal.settings import SignalSettings
from hermes_hardened_adapters.adapters.signal.stock import STOCK as SIGNAL_STOCK
from hermes_hardened_adapters.common.core.errors import ConfigError
from hermes_hardened_adapters.common.doctor.checks import run_checks
from hermes_hardened_adapters.common.doctor.findings import Status
from hermes_hardened_adapters.common.doctor.strict import strict_check
from hermes_hardened_adapters.common.host import strict_mode
from hermes_hardened_adapters.common.settings import strict

from tests.fakes.mattermost_server import OPS, FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, ALICE, FakeSignalDaemon

URL = "http://127.0.0.1:8080"
SIGNAL = {"HARDENED_SIGNAL_HTTP_URL": URL, "HARDENED_SIGNAL_ACCOUNT": ACCOUNT}
MATTERMOST = {"HARDENED_MATTERMOST_URL": "https://chat.example.com", "HARDENED_MATTERMOST_TOKEN": "not to be seen"}
BEFORE = {"SIGNAL_HTTP_URL": URL, "SIGNAL_ACCOUNT": ACCOUNT}


def faults(environment: dict[str, str], written: tuple[str, ...] = (), **extra: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        SignalSettings.load(extra, environment, written)
    return caught.value.faults


# -- settings


def test_the_strict_names_are_read() -> None:
    settings = SignalSettings.load({}, {**SIGNAL, "SIGNAL_ALLOWED_USERS": ALICE})
    assert (settings.http_url, settings.account, settings.allowed_users) == (URL, ACCOUNT, (ALICE,))
    mattermost = MattermostSettings.load({}, MATTERMOST)
    assert (mattermost.url, mattermost.token.get_secret_value()) == ("https://chat.example.com", "not to be seen")


def test_what_the_host_hands_on_counts_for_nothing_in_strict_mode() -> None:
    settings = SignalSettings.load({"http_url": "http://127.0.0.1:9", "account": ALICE}, SIGNAL)
    assert (settings.http_url, settings.account) == (URL, ACCOUNT)


def test_faults_stand_under_the_strict_name() -> None:
    environment = {"HARDENED_SIGNAL_HTTP_URL": "127.0.0.1:8080"}
    assert [fault.partition(":")[0] for fault in faults(environment, account=ACCOUNT)] == [
        "HARDENED_SIGNAL_HTTP_URL",
        "HARDENED_SIGNAL_ACCOUNT",
    ]


@pytest.mark.parametrize(
    ("beside", "fault"),
    [
        (
            {"SIGNAL_HTTP_URL": URL},
            "SIGNAL_HTTP_URL: set beside HARDENED_SIGNAL_HTTP_URL; remove it, stock would connect with it",
        ),
        (
            {"SIGNAL_ACCOUNT": ACCOUNT},
            "SIGNAL_ACCOUNT: set beside HARDENED_SIGNAL_HTTP_URL; remove it, stock would connect with it",
        ),
        (
            {"HARDENED_SIGNAL_HTTP_ULR": URL},
            "HARDENED_SIGNAL_HTTP_ULR: unknown setting; did you mean HARDENED_SIGNAL_HTTP_URL?",
        ),
        (
            {"HARDENED_SIGNAL_GROUP_ALLOWED_USERS": "*"},
            "HARDENED_SIGNAL_GROUP_ALLOWED_USERS: unknown setting; did you mean SIGNAL_GROUP_ALLOWED_USERS?",
        ),
    ],
)
def test_what_is_a_fault_beside_the_strict_names(beside: dict[str, str], fault: str) -> None:
    assert faults({**SIGNAL, **beside}) == [fault]


def test_half_moved_is_a_fault_that_says_how_to_go_on() -> None:
    assert faults({"HARDENED_SIGNAL_HTTP_URL": URL, "SIGNAL_ACCOUNT": ACCOUNT})[0] == (
        "SIGNAL_ACCOUNT: set beside HARDENED_SIGNAL_HTTP_URL; move it to HARDENED_SIGNAL_ACCOUNT,"
        " stock would connect with it"
    )


def test_names_that_are_set_to_nothing_are_not_set() -> None:
    assert SignalSettings.load({}, {**SIGNAL, "SIGNAL_HTTP_URL": " "}).http_url == URL
    assert SignalSettings.load({}, {**BEFORE, "HARDENED_SIGNAL_HTTP_URL": ""}).http_url == URL


def test_no_strict_name_of_one_platform_concerns_the_other() -> None:
    assert SignalSettings.load({}, {**BEFORE, **MATTERMOST}).http_url == URL


def test_a_fault_shows_no_value() -> None:
    with pytest.raises(ConfigError) as caught:
        MattermostSettings.load({}, {**MATTERMOST, "MATTERMOST_TOKEN": "nor this"})
    assert "not to be seen" not in str(caught.value)
    assert "nor this" not in str(caught.value)


# -- the configuration files


@pytest.mark.parametrize(
    ("document", "keys"),
    [
        ({"signal": {"http_url": URL, "require_mention": True}}, ["signal.http_url"]),
        ({"platforms": {"signal": {"extra": {"account": ACCOUNT}}}}, ["platforms.signal.extra.account"]),
        ({"gateway": {"platforms": {"signal": {"http_url": URL}}}}, ["gateway.platforms.signal.http_url"]),
        ({"signal": {"account": ""}, "platforms": ["signal"], "gateway": None}, []),
    ],
)
def test_where_a_configuration_file_says_where_to_connect(document: dict[str, Any], keys: list[str]) -> None:
    assert strict.written(SIGNAL_STOCK, document) == keys


def test_both_files_are_looked_into(hermes_home: Path) -> None:
    (hermes_home / "gateway.json").write_text(json.dumps({"platforms": {"mattermost": {"token": "secret"}}}))
    (hermes_home / "config.yaml").write_text("mattermost:\n  url: https://chat.example.com\n")
    assert strict_mode.written(MATTERMOST_STOCK) == ["platforms.mattermost.token", "mattermost.url"]
    (hermes_home / "gateway.json").write_text("{half")
    (hermes_home / "config.yaml").write_text("- a list\n")
    assert strict_mode.written(MATTERMOST_STOCK) == []


# -- findings


@pytest.mark.parametrize(
    ("environment", "keys", "status", "words"),
    [
        (SIGNAL, [], Status.OK, ""),
        ({}, ["signal.http_url", "signal.account"], Status.OK, ""),
        (BEFORE, [], Status.ADVICE, "SIGNAL_HTTP_URL, SIGNAL_ACCOUNT"),
        ({}, ["platforms.signal.extra.http_url"], Status.ADVICE, "platforms.signal.extra.http_url"),
        ({**SIGNAL, "SIGNAL_ACCOUNT": ACCOUNT}, [], Status.FAILED, "SIGNAL_ACCOUNT: set beside"),
        (SIGNAL, ["signal.http_url"], Status.FAILED, "signal.http_url: set beside"),
    ],
)
async def test_findings(environment: dict[str, str], keys: list[str], status: Status, words: str) -> None:
    (finding,) = [f async for f in run_checks((strict_check(SIGNAL_STOCK, lambda: keys),), environment)]
    assert (finding.check, finding.status) == ("signal.strict", status)
    assert words in finding.what
    assert bool(finding.remedy) == (status is not Status.OK)
    assert ACCOUNT not in finding.what + finding.remedy


# -- the host


@pytest.fixture
def variables(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give a home with the plugin enabled, and an environment that is restored after the test."""
    discover_plugins()
    return monkeypatch


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_the_host_is_told_where_to_connect_and_its_home_channels(variables: pytest.MonkeyPatch) -> None:
    set_all(variables, {**SIGNAL, **MATTERMOST, "SIGNAL_HOME_CHANNEL": ALICE, "MATTERMOST_HOME_CHANNEL": OPS})
    config = load_gateway_config()
    signal, mattermost = config.platforms[Platform.SIGNAL], config.platforms[Platform.MATTERMOST]
    assert signal.enabled
    assert (signal.extra["http_url"], signal.extra["account"]) == (URL, ACCOUNT)
    assert mattermost.enabled
    assert mattermost.extra["url"] == "https://chat.example.com"
    assert "not to be seen" not in repr(mattermost)
    assert [signal.home_channel.chat_id, mattermost.home_channel.chat_id] == [ALICE, OPS]
    assert set(config.get_connected_platforms()) == {Platform.SIGNAL, Platform.MATTERMOST}


def test_a_platform_that_was_switched_off_stays_off(variables: pytest.MonkeyPatch, hermes_home: Path) -> None:
    with (hermes_home / "config.yaml").open("a") as file:
        file.write("signal:\n  enabled: false\n")
    set_all(variables, SIGNAL)
    assert not load_gateway_config().platforms[Platform.SIGNAL].enabled


def test_nothing_is_handed_over_without_strict_names(variables: pytest.MonkeyPatch) -> None:
    assert strict_mode.platform_values(SIGNAL_STOCK, ("http_url",)) is None
    assert Platform.SIGNAL not in load_gateway_config().platforms


def test_a_profile_in_its_own_scope(variables: pytest.MonkeyPatch) -> None:
    """The multiplexing gateway loads each profile's configuration in the scope of that profile's secrets."""
    set_all(variables, {"HARDENED_SIGNAL_HTTP_URL": "http://127.0.0.1:9", "HARDENED_SIGNAL_ACCOUNT": ALICE})
    scope = importlib.import_module("agent.secret_scope")
    token = scope.set_secret_scope(SIGNAL)
    try:
        assert load_gateway_config().platforms[Platform.SIGNAL].extra["http_url"] == URL
    finally:
        scope.reset_secret_scope(token)
    token = scope.set_secret_scope({})
    try:
        assert Platform.SIGNAL not in load_gateway_config().platforms
    finally:
        scope.reset_secret_scope(token)


@pytest.mark.parametrize(
    ("beside", "key"),
    [
        ({"SIGNAL_HTTP_URL": URL}, "SIGNAL_HTTP_URL"),
        ({"HARDENED_SIGNAL_ACCOUNT": ""}, "HARDENED_SIGNAL_ACCOUNT"),
        ({"signal": {"http_url": URL}}, "signal.http_url"),
        ({"platforms": {"signal": {"extra": {"http_url": URL}}}}, "platforms.signal.extra.http_url"),
    ],
)
def test_half_strict_leaves_the_platform_off_and_says_why(
    beside: dict[str, Any],
    key: str,
    variables: pytest.MonkeyPatch,
    hermes_home: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    set_all(variables, {**SIGNAL, **{name: value for name, value in beside.items() if isinstance(value, str)}})
    blocks = {name: value for name, value in beside.items() if isinstance(value, dict)}
    (hermes_home / "config.yaml").write_text(json.dumps({"plugins": {"enabled": ["hardened-adapters"]}, **blocks}))
    config = load_gateway_config()
    runner = GatewayRunner(config)
    assert runner._create_adapter(Platform.SIGNAL, config.platforms[Platform.SIGNAL]) is None
    assert f"{key}: " in caplog.text


def test_the_host_tries_a_lost_mattermost_again(variables: pytest.MonkeyPatch) -> None:
    """It drops a platform from its reconnect queue when it sees no token in its configuration."""
    set_all(variables, MATTERMOST)
    config = load_gateway_config()
    settings = config.platforms[Platform.MATTERMOST]
    adapter = GatewayRunner(config)._create_adapter(Platform.MATTERMOST, settings)
    assert adapter is not None
    assert settings.token == "not to be seen"
    # 0.18 asks for no token.
    has_credential = getattr(importlib.import_module("gateway.run"), "_platform_has_bot_credential", None)
    assert has_credential is None or has_credential(Platform.MATTERMOST, settings)


def test_commands_that_the_agent_runs_see_none_of_the_strict_names(variables: pytest.MonkeyPatch) -> None:
    set_all(variables, {**SIGNAL, **MATTERMOST, "HARDENED_OTHER": "seen"})
    local = importlib.import_module("tools.environments.local")
    for environment in (local._sanitize_subprocess_env(dict(os.environ)), local.hermes_subprocess_env()):
        assert [name for name in environment if name.startswith("HARDENED_")] == ["HARDENED_OTHER"]


def test_names_are_kept_secret_where_the_host_has_made_its_list_already(monkeypatch: pytest.MonkeyPatch) -> None:
    local = importlib.import_module("tools.environments.local")
    monkeypatch.setattr(local, "_HERMES_PROVIDER_ENV_BLOCKLIST", frozenset({"MATTERMOST_TOKEN"}))
    strict_mode.keep_secret(MATTERMOST_STOCK)
    assert {*MATTERMOST, "MATTERMOST_TOKEN"} == local._HERMES_PROVIDER_ENV_BLOCKLIST


def test_a_host_that_keeps_its_secrets_otherwise_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr("hermes_cli.config.OPTIONAL_ENV_VARS")
    strict_mode.keep_secret(MATTERMOST_STOCK)
    assert "commands that the agent runs may see HARDENED_MATTERMOST_URL, HARDENED_MATTERMOST_TOKEN" in caplog.text


async def test_cron_outside_the_gateway_posts_to_mattermost(variables: pytest.MonkeyPatch) -> None:
    async with FakeMattermostServer() as server:
        set_all(variables, {"HARDENED_MATTERMOST_URL": server.url, "HARDENED_MATTERMOST_TOKEN": server.token})
        send = platform_registry.get("mattermost").standalone_sender_fn
        config = load_gateway_config().platforms[Platform.MATTERMOST]
        assert (await send(config, OPS, "good morning"))["success"]
        assert [call.json["message"] for call in server.calls if call.path == "/posts"] == ["good morning"]
        assert config.token is None

        variables.setenv("MATTERMOST_TOKEN", server.token)
        assert "MATTERMOST_TOKEN: set beside" in (await send(config, OPS, "not to be said"))["error"]
        assert len([call for call in server.calls if call.path == "/posts"]) == 1


async def test_cron_and_the_send_command_reach_signal(variables: pytest.MonkeyPatch) -> None:
    """`hermes send`, cron and the agent's own tool all read the address from the loaded configuration."""
    async with FakeSignalDaemon() as daemon:
        set_all(variables, {**SIGNAL, "HARDENED_SIGNAL_HTTP_URL": daemon.url})
        tool = importlib.import_module("tools.send_message_tool")
        config: PlatformConfig = load_gateway_config().platforms[Platform.SIGNAL]
        assert (await tool._send_to_platform(Platform.SIGNAL, config, ALICE, "good morning"))["success"]
        assert [call["message"] for call in daemon.called("send")] == ["good morning"]


def test_what_the_operator_is_asked_to_set() -> None:
    assert strict.required(SIGNAL_STOCK, BEFORE) == ["SIGNAL_HTTP_URL", "SIGNAL_ACCOUNT"]
    assert strict.required(SIGNAL_STOCK, {"HARDENED_SIGNAL_ACCOUNT": ACCOUNT}) == [*SIGNAL]
