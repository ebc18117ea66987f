"""A Hermes that cannot keep memory apart: no platform starts, and the reason is named, unless all is global."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hermes_cli.plugins import discover_plugins
from hermes_hardened_adapters.adapters import plugin
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.common.core.errors import ConfigError, HostContractError
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.contract.names import HostName, State
from hermes_hardened_adapters.common.host.tenancy import readiness, recall, rehearsal, store
from hermes_hardened_adapters.common.tenancy import memory, sealing

from tests.host_without import take_away
from tests.hosted import created

NEEDED = [
    pytest.param(name, id=name.places[0])
    for name in table.MEMORY_NAMES
    if not name.without and name.examine().state is State.FOUND
]
SURELY = "policy: global"
FINDS_OTHERS = "its session_search finds sessions of other chats"


def configure(home: Path, block: Any, **more: Any) -> None:
    entries = {"hardened-adapters": {"memory": block}}
    plugins = {"enabled": ["hardened-adapters"], "entries": entries}
    (home / "config.yaml").write_text(json.dumps({"plugins": plugins, **more}))


@pytest.fixture(autouse=True)
def home(hermes_home: Path, alice_on_signal: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rehearsal, "_passed", Event())
    return hermes_home


@pytest.fixture
def loaded(home: Path) -> None:
    """Let Hermes load the plugin."""
    discover_plugins()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    with caplog.at_level(logging.INFO):
        yield lambda: caplog.text


def starts() -> bool:
    """Return whether the real gateway gets a Signal adapter."""
    return created("http://127.0.0.1:1")[1] is not None


def test_on_a_verified_hermes_the_platforms_start(home: Path) -> None:
    assert starts()
    assert readiness.faults() == []
    assert not list((home / "memories").rglob("*.md"))


# -- what Hermes lacks


def test_there_is_much_to_take_away() -> None:
    assert len(NEEDED) > 20


@pytest.mark.parametrize("name", NEEDED)
def test_without_a_name_of_memory_the_platform_refuses_and_names_it(
    monkeypatch: pytest.MonkeyPatch, said: Callable[[], str], home: Path, name: HostName
) -> None:
    take_away(monkeypatch, name)
    with pytest.raises(HostContractError) as caught:
        readiness.require()
    assert any(f"{place} is missing" in str(caught.value) or f"{place} (" in str(caught.value) for place in name.places)
    assert SURELY in str(caught.value)


@pytest.mark.parametrize("name", NEEDED)
def test_without_a_name_of_memory_global_memory_needs_nothing(
    monkeypatch: pytest.MonkeyPatch, home: Path, name: HostName
) -> None:
    configure(home, {"policy": "global"})
    take_away(monkeypatch, name)
    readiness.require()


@pytest.mark.parametrize("name", [table.MEMORY_PATH, table.SESSION_CONNECTION, table.SCAN_FOR_THREATS])
def test_the_gateway_gets_no_adapter_then(
    monkeypatch: pytest.MonkeyPatch, said: Callable[[], str], home: Path, name: HostName
) -> None:
    take_away(monkeypatch, name)
    assert not starts()
    assert "Failed to create adapter for platform 'Signal'" in said()
    assert f"{name.places[0]} is missing" in said()
    assert SURELY in said()


def test_the_gateway_gets_its_adapters_then_if_all_memory_is_global(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    configure(home, {"policy": "global"})
    take_away(monkeypatch, table.MEMORY_PATH)
    assert starts()


def test_a_mapped_chat_beside_a_global_policy_needs_all_of_it(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    configure(home, {"policy": "global", "contexts": {"signal:group:one": "one"}})
    take_away(monkeypatch, table.MEMORY_PATH)
    with pytest.raises(HostContractError):
        readiness.require()


# -- what Hermes does otherwise than it says


def broken(*faults: str) -> None:
    """Assert that memory is refused for one of these faults."""
    with pytest.raises(HostContractError) as caught:
        readiness.require()
    assert any(fault in str(caught.value) for fault in faults)
    assert SURELY in str(caught.value)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("as_told", "fault"), [(True, "writes elsewhere than it is told to"), (False, "writes nothing where it is told to")]
)
def test_memory_that_is_written_elsewhere(
    monkeypatch: pytest.MonkeyPatch, home: Path, as_told: bool, fault: str
) -> None:
    tool = table.MEMORY_TOOL.load()

    def strays(*, target: str, store: Any, **more: Any) -> Any:
        if target in memory.FILES:
            folder = table.HERMES_HOME() / "memories"
            folder.mkdir(exist_ok=True)
            (folder / "MEMORY.md").write_text(str(more))
        return tool(target=target, store=store if as_told else table.MEMORY_STORE(), **more)

    monkeypatch.setattr("tools.memory_tool.memory_tool", strays)
    broken(f"its memory store {fault}")
    # What was tried went to a temporary folder.
    assert not list((home / "memories").rglob("*.md"))


@pytest.mark.usefixtures("loaded")
def test_a_memory_tool_that_forgives_a_wrong_target(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = table.MEMORY_TOOL.load()

    def forgiving(*, target: str, **more: Any) -> Any:
        return tool(target=target.rpartition(":")[2], **more)

    monkeypatch.setattr("tools.memory_tool.memory_tool", forgiving)
    broken("its memory tool carries out a sealed call")


@pytest.mark.usefixtures("loaded")
def test_a_search_that_forgives_a_wrong_session(monkeypatch: pytest.MonkeyPatch) -> None:
    search = table.SESSION_SEARCH.load()

    def forgiving(query: str = "", session_id: Any = None, **more: Any) -> Any:
        return search(query=query, session_id=None if session_id == "sealed" else session_id, **more)

    monkeypatch.setattr("tools.session_search_tool.session_search", forgiving)
    broken("its session_search carries out a sealed call")


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("read_only", "faults"),
    [
        (True, [FINDS_OTHERS]),
        # Without a write-ahead log, a writer waits for the search that it belongs to.
        (False, [FINDS_OTHERS, "own_search stopped with OperationalError"]),
    ],
)
def test_a_search_that_opens_a_database_of_its_own(
    monkeypatch: pytest.MonkeyPatch, read_only: bool, faults: list[str]
) -> None:
    search = table.SESSION_SEARCH.load()

    def wide(query: str = "", session_id: Any = None, db: Any = None, **more: Any) -> Any:
        own = table.SESSION_DB(db_path=table.HERMES_HOME() / "state.db", read_only=read_only)
        own._fts_enabled = True
        try:
            return search(query=query, session_id=session_id, db=own, **more)
        finally:
            own.close()

    monkeypatch.setattr("tools.session_search_tool.session_search", wide)
    monkeypatch.setattr(table.SESSION_DB.load(), "_WRITE_PATIENCE_S", 0.0, raising=False)
    broken(*faults)


@pytest.mark.usefixtures("loaded")
def test_what_fails_in_the_rehearsal_is_a_fault_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(store, "open_store", lambda *_: 1 / 0)
        patch.setattr(recall, "search", lambda *_: 1 / 0)
        found = rehearsal.faults()
    assert found == ["own_memory stopped with ZeroDivisionError", "own_search stopped with ZeroDivisionError"]
    assert rehearsal.faults() == []


# -- what cannot be registered


class Context:
    """The context that Hermes gives a plugin, without the middleware. A fake."""

    def __init__(self) -> None:
        self.platforms: list[str] = []
        self.hooks: list[str] = []

    def register_platform(self, *, name: str, **_: Any) -> None:
        self.platforms.append(name)

    def register_hook(self, name: str, callback: Any) -> None:
        self.hooks.append(name)


class Raising(Context):
    def register_middleware(self, kind: str, callback: Any) -> None:
        raise RuntimeError("on purpose")


@pytest.mark.parametrize("context", [Context, Raising])
def test_a_plugin_that_cannot_register_its_middleware_still_replaces_stock(
    context: type[Context], said: Callable[[], str]
) -> None:
    given = context()
    plugin.register(given)
    assert given.platforms == list(NETWORKS)
    assert "pre_llm_call" in given.hooks
    assert "the memory of chats cannot be kept apart" in said()


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("kind", ["tool_request", "tool_execution", "llm_request"])
def test_a_manager_that_lost_our_middleware_is_refused(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setitem(table.PLUGIN_MANAGER()._middleware, kind, [])
    broken(f"the plugin did not register {kind}")


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("kind", ["transform_llm_output", "pre_gateway_dispatch"])
def test_a_manager_that_lost_our_hooks_is_refused(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setitem(table.PLUGIN_MANAGER()._hooks, kind, [])
    broken(f"the plugin did not register {kind}")


@pytest.mark.usefixtures("loaded")
def test_a_kind_that_hermes_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = set(table.MIDDLEWARE.load()) - {"tool_execution"}
    monkeypatch.setattr("hermes_cli.middleware.VALID_MIDDLEWARE", known)
    broken("VALID_MIDDLEWARE (takes no tool_execution)")


# -- settings


def test_all_faults_of_the_settings_are_reported_at_once(home: Path, said: Callable[[], str]) -> None:
    configure(
        home,
        {
            "policy": "chatt",
            "contextz": {},
            "own_shells": "perhaps",
            "global_writers": ["alice"],
            "strict": True,
        },
        memory={"memory_enabled": "false", "user_profile_enabled": False},
    )
    with pytest.raises(ConfigError) as caught:
        readiness.require()
    faults = "\n".join(caught.value.faults)
    for fault in (
        "memory.contextz: unknown setting; did you mean contexts?",
        "memory.policy: must be one of chat,",
        "memory.own_shells: ",
        "memory.global_writers: entry 1 must look like",
        "memory.memory_enabled: must be false, because",
    ):
        assert fault in faults
    assert len(caught.value.faults) == 5
    assert not starts()
    assert all(fault in said() for fault in caught.value.faults)


@pytest.mark.parametrize("block", ["chat", [], 5, {"policy": 5}, {"strict": "perhaps"}, {"contexts": ["signal:1"]}])
def test_a_block_of_the_wrong_shape_is_refused(home: Path, block: object) -> None:
    configure(home, block)
    with pytest.raises(ConfigError):
        readiness.require()


@pytest.mark.parametrize("flag", ["memory_enabled", "user_profile_enabled"])
@pytest.mark.parametrize("value", [True, "false", 0, None])
def test_strict_memory_refuses_beside_hermes_own(home: Path, flag: str, value: object) -> None:
    off = {"memory_enabled": False, "user_profile_enabled": False}
    configure(home, {"strict": True}, memory=off | {flag: value})
    with pytest.raises(ConfigError, match=rf"^memory\.{flag}: must be false") as caught:
        readiness.require()
    assert len(caught.value.faults) == 1


def test_the_seal_says_what_the_host_must_refuse() -> None:
    assert sealing.sealed("memory", {"target": "user"})["target"] not in {"memory", "user"}
