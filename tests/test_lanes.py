"""The busy sessions of a further profile's adapter, which it knows without their profile."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hermes_hardened_adapters.common.host import sessions
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.waiting.lanes import Lanes

GIVEN, KEY = "agent:main:signal:dm:ann", "agent:work:signal:dm:ann"


def adapter_of(home: Path, *, listed: bool = True, multiplex: bool = True) -> Any:
    adapter = SimpleNamespace(home=home, _pending_messages={})
    adapter.gateway_runner = SimpleNamespace(
        _session_key_for_source=lambda source: f"agent:{source.profile or 'main'}:signal:dm:ann",
        _profile_adapters={"work": {"signal": adapter}} if listed else {},
        _running_agents={},
        config=SimpleNamespace(multiplex_profiles=multiplex),
    )
    return adapter


def event(text: str = "hello") -> Any:
    source = table.SESSION_SOURCE.load()(platform=PLATFORM, chat_id="ann", chat_type="dm", user_id="ann")
    return SimpleNamespace(text=text, source=source, internal=False, is_command=lambda: text.startswith("/"))


PLATFORM = SimpleNamespace(value="signal")


def test_what_waits_is_found_by_the_one_that_looks_next(tmp_path: Path) -> None:
    adapter = adapter_of(tmp_path / "profiles" / "work")
    lanes, waiting = Lanes(adapter, {}), adapter._pending_messages
    first = event()
    assert lanes.enter(first, GIVEN) == KEY
    assert first.source.profile == "work"
    # Before the runner's turn, the adapter looks next.
    waiting[KEY] = "first"
    lanes.leave(KEY)
    assert waiting == {GIVEN: "first"}
    # During it, the runner does.
    adapter.gateway_runner._running_agents[KEY] = object()
    lanes.enter(event(), GIVEN)
    lanes.leave(KEY)
    assert waiting == {KEY: "first"}
    lanes.turn_ended(KEY)
    assert waiting == {GIVEN: "first"}


def test_the_gateways_own_profile_keeps_its_keys(tmp_path: Path) -> None:
    adapter = adapter_of(tmp_path, listed=False)
    own = event()
    assert Lanes(adapter, {}).enter(own, GIVEN) == GIVEN
    assert own.source.profile is None


@pytest.mark.parametrize(
    ("home", "listed", "multiplex", "served"),
    [
        ("profiles/work", True, True, "work"),
        # Not connected yet.
        ("profiles/work", False, True, "work"),
        ("profiles/work", False, False, None),
        (".", False, True, None),
        ("profiles/other", False, True, None),
    ],
)
def test_the_profile_that_an_adapter_serves(
    home: str, listed: bool, multiplex: bool, served: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The gateway was started for this one.
    monkeypatch.setattr("hermes_state.DEFAULT_DB_PATH", tmp_path / "profiles" / "other" / "state.db")
    adapter = adapter_of(tmp_path / home, listed=listed, multiplex=multiplex)
    assert sessions.profile_of(adapter) == served
