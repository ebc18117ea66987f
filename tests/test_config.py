"""Settings: their sources, and that every fault is reported at once."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.adapters.mattermost.settings import MattermostSettings
from hermes_hardened_adapters.adapters.signal.settings import SignalSettings
from hermes_hardened_adapters.common.core.errors import ConfigError

from tests.fakes.signal_daemon import ACCOUNT, ALICE, ALICE_ACI, GROUP

LEAST = {"SIGNAL_HTTP_URL": "http://127.0.0.1:8080/", "SIGNAL_ACCOUNT": ACCOUNT}


def test_the_environment() -> None:
    settings = SignalSettings.load(
        {},
        {
            **LEAST,
            "SIGNAL_ALLOWED_USERS": f" {ALICE}, {ALICE_ACI},,",
            "SIGNAL_GROUP_ALLOWED_USERS": GROUP,
            "SIGNAL_REQUIRE_MENTION": "Yes",
            "SIGNAL_OBSERVE_UNMENTIONED": "off",
            "SIGNAL_MENTION_ALIASES": "bot,Hermes",
            "SIGNAL_SSE_STALE_SECONDS": "16",
            "SIGNAL_SSE_STREAMS": "2",
        },
    )
    assert settings.http_url == "http://127.0.0.1:8080"
    assert settings.people("dm").allowed == (ALICE, ALICE_ACI)
    assert settings.group_allowed == (GROUP,)
    assert (settings.require_mention, settings.observe_unmentioned) == (True, False)
    assert settings.mention_aliases == ("bot", "Hermes")
    assert (settings.sse_stale_seconds, settings.sse_streams) == (16.0, 2)


def test_defaults_are_the_closed_ones() -> None:
    settings = SignalSettings.load({}, LEAST)
    assert settings.people("dm").allowed == settings.group_allowed == ()
    assert (settings.group_members, settings.group_invite_policy) == ("allowlist", "approved-only")
    assert not settings.persist_observed


def test_the_configuration_file_wins() -> None:
    extra = {"account": ALICE, "require_mention": False, "allow_admin_from": [ALICE], "group_sessions_per_user": True}
    settings = SignalSettings.load(extra, {**LEAST, "SIGNAL_REQUIRE_MENTION": "true"})
    assert (settings.account, settings.require_mention, settings.people("dm").admins) == (ALICE, False, (ALICE,))


def test_a_wildcard_names_nobody() -> None:
    assert SignalSettings.load({}, {**LEAST, "SIGNAL_ALLOWED_USERS": "*"}).people("group").allowed == ()


def test_the_admins_of_a_kind_of_chat_come_first_there() -> None:
    extra = {"allow_admin_from": [ALICE], "group_allow_admin_from": [ALICE_ACI]}
    settings = SignalSettings.load(extra, LEAST)
    assert (settings.people("dm").admins, settings.people("group").admins) == ((ALICE,), (ALICE_ACI,))
    assert settings.people("dm").spellings((ALICE, ALICE_ACI)) == (ALICE, ALICE_ACI)
    assert settings.people("group").spellings((ALICE, ALICE_ACI)) == (ALICE_ACI, ALICE)


def test_every_fault_is_told_under_the_key_that_was_written() -> None:
    with pytest.raises(ConfigError) as caught:
        SignalSettings.load(
            {"group_members": "everyone", "account": "15550001111"},
            {
                "SIGNAL_HTTP_URL": "127.0.0.1:8080",
                "SIGNAL_ALLOWED_USERS": f"{ALICE},alice",
                "SIGNAL_GROUP_ALLOWED_USERS": "group.QUFB",
                "SIGNAL_SSE_STALE_SECONDS": "5",
                "SIGNAL_REQUIRE_MENTION": "perhaps",
                "SIGNAL_GROUP_INVITE_POLCY": "ignore",
                "SIGNAL_HOME_CHANNEL": "x",
                "SIGNAL_ALLOW_ALL_USERS": "true",
            },
        )
    labels = {fault.partition(":")[0] for fault in caught.value.faults}
    assert labels == {
        "signal.group_members",
        "signal.account",
        "SIGNAL_HTTP_URL",
        "SIGNAL_ALLOWED_USERS",
        "SIGNAL_GROUP_ALLOWED_USERS",
        "SIGNAL_SSE_STALE_SECONDS",
        "SIGNAL_REQUIRE_MENTION",
        "SIGNAL_GROUP_INVITE_POLCY",
    }


def test_the_table_of_reactions_is_json_or_a_mapping() -> None:
    settings = SignalSettings.load({}, {**LEAST, "SIGNAL_REACTION_TURNS": '{"🔁": " do that again "}'})
    assert settings.reaction_turns == {"🔁": "do that again"}
    assert SignalSettings.load({"reaction_turns": {"🔁": "again"}}, LEAST).reaction_turns == {"🔁": "again"}
    assert SignalSettings.load({}, LEAST).reaction_turns == {}
    # YAML reads the name `+1` as a number.
    faulty: tuple[object, ...] = ("again", '["🔁"]', '{"🔁": ""}', '{"🔁": 1}', {1: "again"}, ["🔁"], {"🔁": None})
    for value in faulty:
        with pytest.raises(ConfigError) as caught:
            SignalSettings.load({"reaction_turns": value}, LEAST)
        assert [fault.partition(":")[0] for fault in caught.value.faults] == ["signal.reaction_turns"]


def test_no_identity_stands_in_a_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        SignalSettings.load({}, {**LEAST, "SIGNAL_ACCOUNT": "+15 550001111", "SIGNAL_ALLOWED_USERS": "15550002222"})
    assert "1555" not in str(caught.value).replace(" ", "")


@pytest.mark.parametrize("group", ["not base64!", GROUP.rstrip("="), "QUFB", "a" * 44])
def test_what_is_no_group_id(group: str) -> None:
    with pytest.raises(ConfigError, match="SIGNAL_GROUP_ALLOWED_USERS"):
        SignalSettings.load({}, {**LEAST, "SIGNAL_GROUP_ALLOWED_USERS": group})


CHANNEL, USER = "c" * 26, "u" * 26
MATTERMOST = {"MATTERMOST_URL": "https://chat.example.com/sub/", "MATTERMOST_TOKEN": "not to be seen"}


def test_mattermost_settings() -> None:
    settings = MattermostSettings.load(
        {"reply_mode": "thread", "allowed_channels": [CHANNEL]},
        {**MATTERMOST, "MATTERMOST_ALLOWED_USERS": f"{USER},*", "MATTERMOST_REPLY_MODE": "off"},
    )
    assert settings.url == "https://chat.example.com/sub"
    assert (settings.reply_mode, settings.allowed_channels, settings.require_mention) == ("thread", (CHANNEL,), True)
    assert settings.people("group").allowed == (USER,)
    assert "not to be seen" not in repr(settings)


def test_mattermost_faults_show_no_token() -> None:
    with pytest.raises(ConfigError) as caught:
        MattermostSettings.load(
            {},
            {
                "MATTERMOST_URL": "chat.example.com",
                "MATTERMOST_TOKEN": "not to be seen",
                "MATTERMOST_ALLOWED_USERS": "@alice",
                "MATTERMOST_ALLOWED_CHANNELS": "*",
                "MATTERMOST_ALLOW_BOTS": "some",
                "MATTERMOST_CA_FILE": "/no/such/file",
                "MATTERMOST_REQUIRE_MENTIONS": "true",
            },
        )
    assert {fault.partition(":")[0] for fault in caught.value.faults} == {
        "MATTERMOST_URL",
        "MATTERMOST_ALLOWED_USERS",
        "MATTERMOST_ALLOWED_CHANNELS",
        "MATTERMOST_ALLOW_BOTS",
        "MATTERMOST_CA_FILE",
        "MATTERMOST_REQUIRE_MENTIONS",
    }
    assert "not to be seen" not in str(caught.value)
