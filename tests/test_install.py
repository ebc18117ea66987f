"""`install` in the real host: what it writes and enables, and how the host loads the plugin from two places."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from hermes_hardened_adapters.cli.main import main
from hermes_hardened_adapters.common.host.documents import parse_yaml
from hermes_hardened_adapters.common.host.wrapper import enabling, files, origin

MODULE = (sys.executable, "-P", "-m", "hermes_hardened_adapters")
HERMES = (str(Path(sys.executable).parent / "hermes"), "adapters")
CONFIG = """\
plugins:
  enabled: [another]
  disabled: [hardened-adapters]
signal: {require_mention: true}
model: {default: "${MODEL}"}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Hermes home in which the operator has disabled the plugin."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.yaml").write_text(CONFIG)
    return home


def run(home: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {"HOME": str(home), "HERMES_HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=home, env={**base, **environment})


def snapshot(home: Path) -> dict[str, tuple[bytes, int]]:
    """Return content and time of change of the configuration and the wrapper's files."""
    paths = [home / "config.yaml", *files.folder(home).glob("*.*")]
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def plugins(home: Path) -> dict[str, object]:
    content: dict[str, dict[str, object]] = parse_yaml((home / "config.yaml").read_text())
    return content["plugins"]


def test_the_plugin_is_installed_once(home: Path) -> None:
    checked = run(home, *MODULE, "install", "--check")
    assert (checked.returncode, checked.stderr) == (1, "")
    assert checked.stdout.startswith("To write: __init__.py, pyproject.toml, plugin.yaml in ")
    assert checked.stdout.splitlines()[-1].startswith("To enable: the plugin")
    assert not files.folder(home).exists()
    assert (home / "config.yaml").read_text() == CONFIG

    done = run(home, *MODULE, "install")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Wrote: __init__.py, pyproject.toml, plugin.yaml in ")
    assert "Enabled: the plugin, without permission to override tools." in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Next: ")
    assert plugins(home)["enabled"] == ["another", "hardened-adapters"]
    assert plugins(home)["disabled"] == []
    assert plugins(home)["entries"] == {"hardened-adapters": {"allow_tool_override": False}}
    rest = parse_yaml((home / "config.yaml").read_text())
    assert (rest["signal"], rest["model"]) == ({"require_mention": True}, {"default": "${MODEL}"})

    before = snapshot(home)
    for program, option in ((MODULE, []), (HERMES, []), (HERMES, ["--check"])):
        again = run(home, *program, "install", *option)
        assert (again.returncode, again.stderr) == (0, "")
        assert again.stdout == "Nothing to do: the plugin is installed and enabled.\n"
    assert snapshot(home) == before


def test_a_wrapper_of_an_older_version_is_updated(home: Path) -> None:
    older = files.contents(origin.origin("0.0.9", None))
    files.write(home, older, older)
    done = run(home, *MODULE, "install")
    assert done.stdout.startswith("Wrote: __init__.py, pyproject.toml, plugin.yaml in ")
    assert files.outdated(home, files.contents(origin.installed())) == []


def test_another_plugin_of_that_name_is_left_alone(home: Path) -> None:
    files.folder(home).mkdir(parents=True)
    (files.folder(home) / "plugin.yaml").write_text("name: hardened-adapters\nversion: '7'\n")
    before = snapshot(home)
    refused = run(home, *MODULE, "install")
    assert refused.returncode == 2
    assert "plugin.yaml belongs to another plugin" in refused.stderr
    assert snapshot(home) == before


@pytest.mark.parametrize("content", ["plugins:\n  enabled: [\nsecret: x }\n", "- secret\n"])
def test_a_configuration_that_cannot_be_read_is_left_alone(home: Path, content: str) -> None:
    (home / "config.yaml").write_text(content)
    before = (home / "config.yaml").read_bytes()
    refused = run(home, *MODULE, "install")
    assert refused.returncode == 2
    assert f"{home / 'config.yaml'} " in refused.stderr
    assert "secret" not in refused.stderr
    assert (home / "config.yaml").read_bytes() == before
    assert not files.folder(home).exists()


def test_a_python_environment_without_hermes(home: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['hermes_constants'] = None\n")
    for _ in range(2):
        done = run(home, *MODULE, "install", PYTHONPATH=str(hidden))
        assert (done.returncode, done.stderr) == (0, "")
        assert "Next: run `hermes plugins enable hardened-adapters --no-allow-tool-override`" in done.stdout
    assert files.outdated(home, files.contents(origin.installed())) == []
    assert (home / "config.yaml").read_text() == CONFIG
    lost = run(home, *MODULE, "install", PYTHONPATH=str(hidden), HERMES_HOME=str(home / "nowhere"))
    assert lost.returncode == 2
    assert "set HERMES_HOME" in lost.stderr


# -- in this process


def refuse(_: str, **__: object) -> None:
    print("It conflicts\nwith something.")
    raise SystemExit(1)


def fail(_: str, **__: object) -> None:
    raise LookupError("a secret")


@pytest.mark.parametrize(
    ("command", "why"),
    [(refuse, "It conflicts with something."), (fail, "LookupError"), (lambda _, **__: None, "is unchanged")],
)
def test_a_host_that_does_not_enable_the_plugin(
    command: Callable[..., None],
    why: str,
    hermes_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (hermes_home / "config.yaml").write_text("{}\n")
    monkeypatch.setattr(import_module("hermes_cli.plugins_cmd"), "cmd_enable", command)
    monkeypatch.setattr(enabling, "_reaches_this_environment", lambda: True)
    assert main(["install"]) == 2
    said = capsys.readouterr()
    assert why in said.err
    assert "secret" not in said.err


def test_the_package_manager_is_not_asked_for_an_environment_that_is_not_its_own(hermes_home: Path) -> None:
    """Hosts before 0.22 have none: enabling a plugin touches no environment there."""
    assert enabling._reaches_this_environment() is (find_spec("pm") is None)


def test_an_origin_that_is_gone(hermes_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = origin.origin("0.1.0", json.dumps({"url": (tmp_path / "gone").as_uri(), "dir_info": {}}))
    monkeypatch.setattr(origin, "origin", lambda *_: found)
    with pytest.raises(origin.InstallError, match="gone: install it from a lasting place"):
        origin.installed()


# -- how the host loads it


PROBE = """
from hermes_cli.plugins import discover_plugins, get_plugin_manager
from gateway.platform_registry import platform_registry
import json
discover_plugins()
ours = [plugin for plugin in get_plugin_manager().list_plugins() if plugin["name"] == "hardened-adapters"]
print(json.dumps({
    "loaded": [[plugin["enabled"], plugin["error"]] for plugin in ours],
    "callbacks": len(get_plugin_manager()._hooks["pre_gateway_dispatch"]),
    "platforms": [platform_registry.get(name).plugin_name for name in ("signal", "mattermost")],
}))
"""


@pytest.mark.parametrize("hidden", [False, True], ids=["entry point and folder", "folder alone"])
def test_the_plugin_is_loaded_once(home: Path, tmp_path: Path, hidden: bool) -> None:
    """An entry point and a folder of one name are one plugin, whichever the host prefers."""
    assert run(home, *MODULE, "install").returncode == 0
    blind = tmp_path / "blind"
    blind.mkdir()
    (blind / "sitecustomize.py").write_text(
        "import importlib.metadata as metadata\nmetadata.entry_points = lambda **_: metadata.EntryPoints()\n"
        if hidden
        else ""
    )
    found = run(home, sys.executable, "-c", PROBE, PYTHONPATH=str(blind))
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout.splitlines()[-1])
    assert result == {"loaded": [[True, None]], "callbacks": 1, "platforms": ["hardened-adapters"] * 2}


def test_the_host_has_nothing_to_object(home: Path) -> None:
    """Hosts before 0.21.5 validate nothing, and list what they found."""
    assert run(home, *MODULE, "install").returncode == 0
    validates = find_spec("hermes_cli.plugin_validate") is not None
    command = ("validate", str(files.folder(home))) if validates else ("list",)
    checked = run(home, HERMES[0], "plugins", *command)
    assert checked.returncode == 0, checked.stdout
    assert ("python dependencies — 1 " if validates else "hardened-adapters") in checked.stdout
    # A direct address is one of the dependencies that the host warns of and drops.
    assert not validates or "URL" not in checked.stdout
