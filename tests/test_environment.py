"""What the configuration file says, shown to a host that reads the environment."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.settings import environment


def test_settings_are_shown_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDENED_A", "")
    monkeypatch.setenv("HARDENED_B", " kept ")
    # Set and deleted, so that it is gone again afterwards.
    monkeypatch.setenv("HARDENED_C", "")
    monkeypatch.delenv("HARDENED_C")
    variables = {"a": "HARDENED_A", "b": "HARDENED_B", "c": "HARDENED_C", "d": "HARDENED_D"}
    environment.show({"a": ["x", 1], "b": "other", "c": True}, variables)
    assert [environment.value(name) for name in variables.values()] == ["x,1", "kept", "True", ""]
    assert environment.variables()["HARDENED_B"] == " kept "
