"""The blocks of `config.yaml`, through the host's own loader, into the adapters' settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gateway.config import Platform, load_gateway_config
from hermes_hardened_adapters.adapters.mattermost.settings import MattermostSettings
from hermes_hardened_adapters.adapters.signal.settings import SignalSettings
from hermes_hardened_adapters.common.settings import environment

from tests.fakes.signal_daemon import ACCOUNT, ALICE, GROUP

CHANNEL, USER = "c" * 26, "u" * 26
BLOCKS = {
    "signal": {
        "allowed_users": [ALICE],
        "group_allowed": [GROUP],
        "require_mention": True,
        "group_invite_policy": "ignore",
        "group_allow_admin_from": [ALICE],
    },
    "mattermost": {
        "allowed_users": USER,
        "allowed_channels": [CHANNEL],
        "reply_mode": "thread",
        "join_policy": "allow-all",
        "require_mention": False,
    },
}


def test_the_blocks_of_the_configuration_file(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = {"plugins": {"enabled": ["hardened-adapters"]}, **BLOCKS}
    (hermes_home / "config.yaml").write_text(json.dumps(blocks))
    monkeypatch.setenv("SIGNAL_HTTP_URL", "http://127.0.0.1:8080")
    monkeypatch.setenv("SIGNAL_ACCOUNT", ACCOUNT)
    monkeypatch.setenv("MATTERMOST_URL", "https://chat.example.com")
    monkeypatch.setenv("MATTERMOST_TOKEN", "token")
    for name in ("ALLOWED_USERS", "REQUIRE_MENTION", "ALLOWED_CHANNELS", "FREE_RESPONSE_CHANNELS"):
        # What the host is shown here is taken back at the end of the test.
        monkeypatch.setenv(f"SIGNAL_{name}", "")
        monkeypatch.setenv(f"MATTERMOST_{name}", "")

    platforms = load_gateway_config().platforms
    process = dict(environment.variables())
    signal = SignalSettings.load(platforms[Platform.SIGNAL].extra, process)
    assert (signal.group_allowed, signal.require_mention, signal.group_invite_policy) == ((GROUP,), True, "ignore")
    assert signal.people("group").admins == (ALICE,)
    assert process["SIGNAL_ALLOWED_USERS"] == ALICE

    extra = {**platforms[Platform.MATTERMOST].extra, "token": platforms[Platform.MATTERMOST].token}
    mattermost = MattermostSettings.load(extra, process)
    assert (mattermost.allowed_channels, mattermost.reply_mode, mattermost.join_policy) == (
        (CHANNEL,),
        "thread",
        "allow-all",
    )
    assert mattermost.require_mention is False
    assert process["MATTERMOST_ALLOWED_USERS"] == USER
    assert process["MATTERMOST_ALLOWED_CHANNELS"] == CHANNEL
