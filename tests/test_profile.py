"""The profile that the host runs in, read as the host reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from agent.secret_scope import reset_secret_scope, set_secret_scope
from hermes_hardened_adapters.common.host import profile


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [(None, 4.0), ("10", 9.0), ("5", 4.0), ("1.5", 0.75), ("0", 4.0), ("-3", 4.0), ("soon", 4.0), ("", 4.0)],
)
def test_the_time_to_hand_over_lies_within_the_hosts_limit(
    limit: str | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HERMES_GATEWAY_ADAPTER_DISCONNECT_TIMEOUT", raising=False)
    if limit is not None:
        monkeypatch.setenv("HERMES_GATEWAY_ADAPTER_DISCONNECT_TIMEOUT", limit)
    assert profile.handover_seconds() == seconds


def test_the_state_file_lies_in_the_profiles_home(hermes_home: Path) -> None:
    assert profile.home() == hermes_home
    assert profile.state_file(profile.home()).is_relative_to(hermes_home)


def test_another_home_is_left_again_whatever_happens_there(hermes_home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with pytest.raises(OSError, match="full"), profile.entered(other):
        assert profile.home() == other
        raise OSError("the disk is full")
    assert profile.home() == hermes_home


def test_a_profile_in_a_scope_has_an_environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNAL_ACCOUNT", "+15550001111")
    assert profile.environment()["SIGNAL_ACCOUNT"] == "+15550001111"
    token = set_secret_scope({"MATTERMOST_TOKEN": "x"})
    try:
        assert dict(profile.environment()) == {"MATTERMOST_TOKEN": "x"}
    finally:
        reset_secret_scope(token)
