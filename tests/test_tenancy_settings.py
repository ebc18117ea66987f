"""The settings of memory: what YAML makes of them, and every fault at once under the key the operator wrote."""

from __future__ import annotations

from typing import Any

import pytest
from hermes_hardened_adapters.common.core.errors import ConfigError
from hermes_hardened_adapters.common.tenancy.chats import Chat, Operation
from hermes_hardened_adapters.common.tenancy.contexts import BUILT_IN, KEY
from hermes_hardened_adapters.common.tenancy.settings import MemorySettings

OWNER = Chat("signal", "+15550001111", "dm", user_id="+15550001111")
OTHER = Chat("signal", "group:AbC=", "group", user_id="+15550001111")


def faults(**block: Any) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        MemorySettings.load(block)
    assert all(each.startswith(f"{KEY}.") for each in raised.value.faults)
    return [each.removeprefix(f"{KEY}.") for each in raised.value.faults]


def of_policy(chat: Chat, operation: Operation) -> object:
    return chat.chat_id


def by_team(metadata: dict[str, str]) -> str:
    return metadata["scope_id"] or "no team"


@pytest.mark.parametrize("block", [None, {}, dict.fromkeys(MemorySettings.model_fields)])
def test_without_a_value_the_defaults_hold(block: Any) -> None:
    settings = MemorySettings.load(block)
    assert settings == MemorySettings()
    assert settings.resolved("home").policy is BUILT_IN["chat"]
    assert not settings.contexts
    assert not settings.writes_global(OWNER)
    assert settings.reads_global(OTHER)
    assert not settings.trusts(OWNER)
    assert not any([settings.strict, settings.own_shells, settings.write_skills, settings.cli_context])


def test_every_setting() -> None:
    settings = MemorySettings.load(
        {
            "policy": " user ",
            "contexts": {
                " signal:+15550001111 ": " owner ",
                "mattermost:town": ("sales", " org-acme"),
                "signal:group:x=": None,
                "telegram:5": "global",
            },
            "cli_context": " owner ",
            "global_writers": "signal:+15550001111, mattermost:town",
            "global_readers": "dm",
            "trusted_chats": ["signal:+15550001111"],
            "deny_tools": "terminal",
            "write_skills": "yes",
            "own_shells": 1,
            "strict": True,
        }
    )
    assert settings.policy == "user"
    assert settings.contexts == {
        "signal:+15550001111": "owner",
        "mattermost:town": ["sales", "org-acme"],
        "signal:group:x=": None,
        "telegram:5": "global",
    }
    assert settings.cli_context == "owner"
    assert settings.global_writers == ("signal:+15550001111", "mattermost:town")
    assert (settings.writes_global(OWNER), settings.writes_global(OTHER)) == (True, False)
    assert (settings.reads_global(OWNER), settings.reads_global(OTHER)) == (True, False)
    assert (settings.trusts(OWNER), settings.trusts(OTHER)) == (True, False)
    assert settings.deny_tools == ("terminal",)
    assert settings.write_skills is settings.own_shells is settings.strict is True
    assert settings.resolved("home").of(OWNER, Operation.READ) == ("owner",)


def test_two_lines_make_one_memory_of_two_networks_and_the_terminal() -> None:
    settings = MemorySettings.load(
        {"contexts": {"signal:+15550001111": "me", "mattermost:alice": "me"}, "cli_context": "me"}
    )
    contexts = settings.resolved("home")
    mattermost = Chat("mattermost", "d1rectch4nnel", "dm", user_id="alice")
    assert contexts.of(OWNER, Operation.WRITE) == contexts.of(mattermost, Operation.WRITE) == ("me",)
    assert contexts.named(settings.cli_context) == "me"
    assert contexts.of(OTHER, Operation.READ) == ("signal:group:AbC=",)


@pytest.mark.parametrize(
    ("readers", "owner", "other"),
    [("all", True, True), ([], False, False), ("signal:group:AbC=", False, True), (["dm", "signal:x"], True, False)],
)
def test_who_reads_what_is_global(readers: Any, owner: bool, other: bool) -> None:
    settings = MemorySettings.load({"global_readers": readers, "strict": True})
    assert (settings.reads_global(OWNER), settings.reads_global(OTHER)) == (owner, other)


def test_a_function() -> None:
    contexts = MemorySettings.load({"policy": f"{__name__}:by_team"}).resolved("home")
    assert contexts.of(OWNER, Operation.READ) == ("no team",)


# -- faults

NAMES = "must be one of chat, user, chat+user, thread, global, or package.module:function"
LOOKS = "must look like signal:+15550001111"
NEEDS = "needs the name of a context, a list of names, or global"
QUOTES = "must be a text in quotes"


def entries(fault: str, *positions: int) -> str:
    return "; ".join(f"entry {n} {fault}" for n in positions)


@pytest.mark.parametrize("block", ["chat", ["chat"], 5, True])
def test_a_block_of_another_form(block: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{KEY}: must be a block of settings$"):
        MemorySettings.load(block)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("chats", f"{NAMES}; did you mean chat?"),
        ("per-chat", NAMES),
        ("Global", f"{NAMES}; did you mean global?"),
        ("", NAMES),
        ({"policy": "chat"}, NAMES),
        (["chat"], NAMES),
        (True, NAMES),
        (5, NAMES),
        ("no_such_module:f", "no_such_module:f cannot be imported (ModuleNotFoundError)"),
        (f"{__name__}:of_policy", f"{__name__}:of_policy takes chat; a policy gets operation, session_id, platform,"),
    ],
)
def test_a_policy_that_is_none(value: Any, fault: str) -> None:
    (found,) = faults(policy=value)
    assert found.startswith(f"policy: {fault}")


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("owner", "must be a table of chats and their contexts"),
        (["signal:x"], "must be a table of chats and their contexts"),
        ({15550001111: "a", "signal:x": "b", "owner": "c"}, entries(LOOKS, 1, 3)),
        ({"Signal:+1": "a", "signal:": "b", ":x": "c", "my signal:x": "d"}, entries(LOOKS, 1, 2, 3, 4)),
        ({"signal:x": 5}, f"entry 1 {NEEDS}"),
        ({"signal:x": True, "signal:y": ["a", 5], "signal:z": {"a": "b"}}, entries(NEEDS, 1, 2, 3)),
        ({"signal:x": "", "signal:y": [], "signal:z": ["a", "global"]}, entries(NEEDS, 1, 2, 3)),
        ({"signal:x": "Global"}, f"entry 1 {NEEDS}"),
        ({"signal:x": [["a"]]}, f"entry 1 {NEEDS}"),
        ({"signal:x": "signal:y"}, "entry 1 gives a chat in place of a context; give both chats a context of one name"),
    ],
)
def test_a_table_that_is_none(value: Any, fault: str) -> None:
    assert faults(contexts=value) == [f"contexts: {fault}"]


@pytest.mark.parametrize("value", ["global", "GLOBAL ", ["me"], {"a": "b"}, 5, True, "\ud800"])
def test_a_context_of_the_terminal_that_is_none(value: Any) -> None:
    assert faults(cli_context=value) == ["cli_context: must be the name of one context, and not global"]


@pytest.mark.parametrize("key", ["global_writers", "global_readers", "trusted_chats"])
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("owner", f"entry 1 {LOOKS}"),
        ("signal:+1, everybody", f"entry 2 {LOOKS}"),
        (["signal:+1", "SIGNAL:+1"], f"entry 2 {LOOKS}"),
        (["signal:+1", {"signal": 15550001111}, 15550001111], entries(QUOTES, 2, 3)),
        ({"signal": "+1"}, "must be a list of texts"),
        (True, "must be a list of texts"),
        (15550001111, "must be a list of texts"),
    ],
)
def test_chats_that_are_none(key: str, value: Any, fault: str) -> None:
    assert faults(**{key: value}, strict=True) == [f"{key}: {fault}"]


def test_all_and_dm_are_words_for_readers_alone() -> None:
    assert faults(global_writers="all", trusted_chats="dm") == [
        f"global_writers: entry 1 {LOOKS}",
        f"trusted_chats: entry 1 {LOOKS}",
    ]


@pytest.mark.parametrize("readers", ["dm", [], "signal:x"])
def test_hiding_what_is_global_needs_strict_memory(readers: Any) -> None:
    assert faults(global_readers=readers) == [
        "global_readers: needs strict: true, because Hermes shows its own memory in every chat"
    ]


def test_every_fault_is_reported_at_once_and_no_value_is_quoted() -> None:
    number = "15559998888"
    found = faults(
        polici="chat",
        policy="chatt",
        contexts={number: number},
        cli_context=[number],
        global_writers=[number],
        global_readers=number,
        trusted_chats=int(number),
        deny_tools=True,
        write_skills="perhaps",
        own_shells=[],
        strict={"on": True},
    )
    assert [each.partition(":")[0] for each in found] == ["polici", *MemorySettings.model_fields]
    assert found[0] == "polici: unknown setting; did you mean policy?"
    assert not [each for each in found if number in each or "perhaps" in each]


def test_what_follows_from_two_settings_is_reported_beside_the_fault_of_a_third() -> None:
    assert [each.partition(":")[0] for each in faults(policy=5, global_readers="dm")] == ["policy", "global_readers"]


def test_a_wrong_switch_is_not_reported_a_second_time() -> None:
    (found,) = faults(global_readers="dm", strict="maybe")
    assert found.startswith("strict:")


@pytest.mark.parametrize(("key", "meant"), [("global_writer", "global_writers"), ("context", "contexts"), (5, "")])
def test_a_name_that_is_unknown(key: Any, meant: str) -> None:
    with pytest.raises(ConfigError) as raised:
        MemorySettings.load({key: "x"})
    assert raised.value.faults == [f"{KEY}.{key}: unknown setting{f'; did you mean {meant}?' if meant else ''}"]
