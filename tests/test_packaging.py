"""The built wheel: its contents, its installation, and that Hermes loads it at no cost."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.host.contract.version import DISTRIBUTIONS

ROOT = Path(__file__).parent.parent
ROOMS = ("adapters", "cli", "common")
HEAVY = ("aiohttp", "pydantic", "aiohttp_sse_client", "gateway.run")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources."""
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE", "__main__.py"):
        (copy / name).write_bytes((ROOT / name).read_bytes())
    for path in [path for room in ROOMS for path in ROOT.glob(f"{room}/**/*")]:
        if path.suffix in {".py", ".typed"}:
            (copy / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            (copy / path.relative_to(ROOT)).write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (built,) = out.glob("*.whl")
    return built


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
    site, home = tmp_path / "site", tmp_path / "home"
    home.mkdir()
    (home / "config.yaml").write_text("plugins:\n  enabled: [hardened-adapters]\n")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(pip, check=True, capture_output=True, timeout=300)
    probe = (
        # Hermes may put its own folder first on the path, where the copy is that the other tests use.
        "import hermes_hardened_adapters as root; root.__path__ = root.__path__[:1]\n"
        "import sys; from hermes_cli.plugins import discover_plugins; discover_plugins()\n"
        "from gateway.platform_registry import platform_registry as r\n"
        "entry = r.get('signal'); assert entry.plugin_name == 'hardened-adapters', entry\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
        "import hermes_hardened_adapters.adapters.plugin as plugin; print(plugin.__file__)\n"
    )
    environment = {"PYTHONPATH": str(site), "HERMES_HOME": str(home), "HOME": str(home), "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        [sys.executable, "-c", probe], check=True, capture_output=True, text=True, env=environment, timeout=120
    )
    heavy, origin = run.stdout.splitlines()[-2:]
    assert heavy == "[]"
    assert origin.startswith(str(site))


def test_the_ranges_admit_what_hermes_pins() -> None:
    from packaging.requirements import Requirement

    ours = {}
    for text in metadata.requires("hermes-hardened-adapters") or ():
        requirement = Requirement(text)
        if requirement.marker is None:
            ours[requirement.name] = requirement.specifier
    host = next(found for found in metadata.distributions() if found.name in DISTRIBUTIONS)
    for text in host.requires or ():
        requirement = Requirement(text)
        pins = [spec.version for spec in requirement.specifier if spec.operator == "=="]
        for pin in pins:
            assert requirement.name not in ours or pin in ours[requirement.name], text
    assert "pydantic" in ours
