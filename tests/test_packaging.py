"""The built wheel: its contents, its installation, and that Hermes loads it at no cost."""

from __future__ import annotations

import subprocess
import zipfile
from importlib import metadata
from pathlib import Path

from tests.environments import ROOMS, ROOT, HermesEnvironment, host_distribution

HEAVY = ("aiohttp", "pydantic", "aiohttp_sse_client", "gateway.run")


def test_the_wheel_holds_one_import_root_and_every_module(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names} == {
        "hermes_hardened_adapters",
        "hermes_hardened_adapters-0.1.0.dist-info",
    }
    for path in [path for room in ROOMS for path in ROOT.glob(f"{room}/**/*.py")]:
        assert f"hermes_hardened_adapters/{path.relative_to(ROOT)}" in names
    assert "hermes_hardened_adapters/__main__.py" in names
    assert "hermes_hardened_adapters/adapters/py.typed" in names
    assert "hermes_hardened_adapters/common/py.typed" in names


def test_the_wheel_is_loaded_by_hermes_from_its_entry_point(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.yaml").write_text("plugins:\n  enabled: [hardened-adapters]\n")
    environment = HermesEnvironment(tmp_path / "environment")
    environment.install(str(wheel), wheels=wheel.parent)
    probe = (
        "import sys; from hermes_cli.plugins import discover_plugins; discover_plugins()\n"
        "from gateway.platform_registry import platform_registry as r\n"
        "entry = r.get('signal'); assert entry.plugin_name == 'hardened-adapters', entry\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
        "import hermes_hardened_adapters.adapters.plugin as plugin; print(plugin.__file__)\n"
    )
    variables = {"HERMES_HOME": str(home), "HOME": str(home), "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        [environment.python, "-c", probe], check=True, capture_output=True, text=True, env=variables, timeout=120
    )
    heavy, origin = run.stdout.splitlines()[-2:]
    assert heavy == "[]"
    assert origin.startswith(str(environment.site))


def test_the_ranges_admit_what_hermes_pins() -> None:
    from packaging.requirements import Requirement

    ours = {}
    for text in metadata.requires("hermes-hardened-adapters") or ():
        requirement = Requirement(text)
        if requirement.marker is None:
            ours[requirement.name] = requirement.specifier
    for text in metadata.requires(host_distribution()) or ():
        requirement = Requirement(text)
        pins = [spec.version for spec in requirement.specifier if spec.operator == "=="]
        for pin in pins:
            assert requirement.name not in ours or pin in ours[requirement.name], text
    assert "pydantic" in ours
