"""The README tells the truth where that can be checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hermes_hardened_adapters.adapters.mattermost.settings import MattermostSettings
from hermes_hardened_adapters.adapters.signal.settings import SignalSettings
from hermes_hardened_adapters.common.config import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("model", [SignalSettings, MattermostSettings])
def test_every_setting_stands_in_the_readme(model: type[Settings]) -> None:
    for field, variable in model.environment_names().items():
        assert f"`{variable or field}`" in README, field


def test_no_setting_in_the_readme_is_made_up() -> None:
    known = {*SignalSettings.environment_names().values(), *MattermostSettings.environment_names().values()}
    assert set(re.findall(r"`((?:SIGNAL|MATTERMOST)_[A-Z_]+)`", README)) <= known


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_commands_exist(target: str) -> None:
    assert f"make {target}" in README.split("## ")[0]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
