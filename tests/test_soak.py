"""The soak run itself, for two seconds: nothing else would tell that it no longer runs."""

from __future__ import annotations

import math
import sys

import pytest

import soak


def test_a_short_soak_loses_and_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soak, "WARM_UP_SECONDS", 1.0)
    monkeypatch.setattr(soak, "FAULT_EVERY", 0.5)
    for growth in ("GROWTH_MB", "GROWTH_FILES"):  # two seconds do not tell
        monkeypatch.setattr(soak, growth, math.inf)
    monkeypatch.setattr(sys, "argv", ["soak", "0.03", "7"])
    assert soak.main() == 0
    said = capsys.readouterr().out
    assert " 0 lost, 0 doubled" in said
    assert ": 0 faults" not in said
