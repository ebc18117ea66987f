"""The wrapper's files: what they say for each origin of the package, and what is never overwritten."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.plugin import register
from hermes_hardened_adapters.common.core.errors import InstallError
from hermes_hardened_adapters.common.host.documents import parse_yaml
from hermes_hardened_adapters.common.host.wrapper import files
from hermes_hardened_adapters.common.host.wrapper.enabling import listed
from hermes_hardened_adapters.common.host.wrapper.origin import DISTRIBUTION, Origin, origin, without_credentials

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = {"vcs": "git", "requested_revision": "main", "commit_id": COMMIT}
INDEX = origin("0.1.0", None)


def from_url(url: str, **more: Any) -> Origin:
    return origin("0.1.0", json.dumps({"url": url, **more}))


# -- the origin


def test_from_an_index_this_version_or_a_newer_one_is_installed() -> None:
    assert (INDEX.requirement, INDEX.source) == (f"{DISTRIBUTION}>=0.1.0", {})
    assert origin("0.2.0+local.1", None).requirement == f"{DISTRIBUTION}>=0.2.0"


@pytest.mark.parametrize(
    ("found", "source", "pip"),
    [
        (
            from_url("https://git.example.org/a/b.git", vcs_info=GIT),
            {"git": "https://git.example.org/a/b.git", "rev": COMMIT},
            f"git+https://git.example.org/a/b.git@{COMMIT}",
        ),
        (
            from_url("https://joe:secret@git.example.org/b.git?token=secret", vcs_info=GIT, subdirectory="py"),
            {"git": "https://git.example.org/b.git", "rev": COMMIT, "subdirectory": "py"},
            f"'git+https://git.example.org/b.git@{COMMIT}#subdirectory=py'",
        ),
        (from_url("file:///src/my%20copy", dir_info={}), {"path": "/src/my copy"}, "'/src/my copy'"),
        (
            from_url("file:///src/checkout", dir_info={"editable": True}),
            {"path": "/src/checkout", "editable": True},
            "-e /src/checkout",
        ),
        (
            from_url("file:///dist/x-0.1.0-py3-none-any.whl", archive_info={"hash": "sha256=00"}),
            {"path": "/dist/x-0.1.0-py3-none-any.whl"},
            "/dist/x-0.1.0-py3-none-any.whl",
        ),
        (
            from_url("https://token@example.org/x-0.1.0.tar.gz#sha256=00", archive_info={}),
            {"url": "https://example.org/x-0.1.0.tar.gz"},
            "https://example.org/x-0.1.0.tar.gz",
        ),
    ],
)
def test_from_elsewhere_the_same_thing_is_installed(found: Origin, source: dict[str, Any], pip: str) -> None:
    assert (found.requirement, found.source, found.pip) == (DISTRIBUTION, source, pip)


@pytest.mark.parametrize(
    "direct_url",
    [
        "",
        "[]",
        '{"url": "https://example.org/x"}',
        '{"url": 7, "dir_info": {}}',
        '{"url": "https://hg.example.org/x", "vcs_info": {"vcs": "hg", "commit_id": "00"}}',
    ],
)
def test_an_origin_that_cannot_be_repeated_is_refused(direct_url: str) -> None:
    with pytest.raises(InstallError, match="cannot be repeated"):
        origin("0.1.0", direct_url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://${USER}:${TOKEN}@example.org:8443/a", "https://example.org:8443/a"),
        ("ssh://git@example.org/a.git", "ssh://git@example.org/a.git"),
        ("ssh://git:secret@example.org/a.git", "ssh://git@example.org/a.git"),
        ("https://[::1]/a;b?c=d#e", "https://[::1]/a;b"),
        ("file:///a/b", "file:///a/b"),
    ],
)
def test_an_address_loses_its_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


# -- the files


ODD = from_url('file:///src/it\'s "mine"%20\\ é%E2%82%AC', dir_info={"editable": True})


@pytest.mark.parametrize("found", [INDEX, ODD], ids=["index", "odd path"])
def test_what_the_files_say(found: Origin) -> None:
    content = files.contents(found)
    manifest = parse_yaml(content["plugin.yaml"])
    assert (manifest["name"], manifest["version"], manifest["kind"]) == (files.PLUGIN, "0.1.0", "platform")
    document = tomllib.loads(content["pyproject.toml"])
    assert document["project"]["dependencies"] == [found.requirement]
    # Without a build system, Hermes takes only the dependencies; the name is that of no package.
    assert "build-system" not in document
    assert document["project"]["name"] != DISTRIBUTION
    assert document["tool"]["uv"].get("sources", {}).get(DISTRIBUTION, {}) == found.source


def test_the_manifest_names_hooks_and_middleware() -> None:
    class Recorder:
        def __init__(self) -> None:
            self.hooks: list[str] = []
            self.middleware: list[str] = []

        def register_hook(self, name: str, _: object) -> None:
            self.hooks.append(name)

        def register_middleware(self, kind: str, callback: object) -> None:
            self.middleware.append(kind)

        def __getattr__(self, name: str) -> Any:
            return lambda *_, **__: None

    recorder = Recorder()
    register(recorder)
    manifest = parse_yaml(files.contents(INDEX)["plugin.yaml"])
    assert manifest["provides_hooks"] == sorted(set(recorder.hooks))
    assert manifest["provides_middleware"] == sorted(set(recorder.middleware))


def test_the_module_registers_the_plugin() -> None:
    namespace: dict[str, Any] = {}
    exec(files.contents(INDEX)["__init__.py"], namespace)
    assert namespace["register"] is register


@pytest.mark.parametrize("found", [INDEX, ODD], ids=["index", "odd path"])
def test_without_the_package_the_module_says_what_to_do(found: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hermes_hardened_adapters.adapters.plugin", None)
    with pytest.raises(ImportError) as caught:
        exec(files.contents(found)["__init__.py"], {})
    assert "hermes_hardened_adapters.adapters.plugin" in str(caught.value)
    assert f"Run `pip install {found.pip}` there" in str(caught.value)


# -- writing them


def test_only_what_is_missing_or_different_is_written(tmp_path: Path) -> None:
    content = files.contents(INDEX)
    assert files.outdated(tmp_path, content) == list(content)
    files.write(tmp_path, content, content)
    assert files.outdated(tmp_path, content) == []
    assert {path.name for path in files.folder(tmp_path).iterdir()} == set(content)
    (files.folder(tmp_path) / "__init__.py").unlink()
    newer = files.contents(origin("0.2.0", None))
    assert files.outdated(tmp_path, newer) == list(newer)
    (files.folder(tmp_path) / ".plugin.yaml.new").write_text("left behind by a crash")
    files.write(tmp_path, newer, newer)
    assert files.outdated(tmp_path, newer) == []
    assert {path.name for path in files.folder(tmp_path).iterdir()} == set(content)


@pytest.mark.parametrize("name", files.contents(INDEX))
@pytest.mark.parametrize("foreign", [b"", b"name: hardened-adapters\n", b"\xff\xfe"])
def test_files_of_another_plugin_are_refused(tmp_path: Path, name: str, foreign: bytes) -> None:
    path = files.folder(tmp_path) / name
    path.parent.mkdir(parents=True)
    path.write_bytes(foreign)
    with pytest.raises(InstallError, match=name):
        files.outdated(tmp_path, files.contents(INDEX))
    assert path.read_bytes() == foreign


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (files.folder(tmp_path) / "plugin.yaml").mkdir(parents=True)
    with pytest.raises(InstallError, match="IsADirectoryError"):
        files.outdated(tmp_path, files.contents(INDEX))


@pytest.mark.parametrize("link", ["plugins", "plugins/hardened-adapters", "plugins/hardened-adapters/plugin.yaml"])
def test_a_link_out_of_the_home_is_refused(tmp_path: Path, link: str) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    outside.mkdir()
    path = home / link
    path.parent.mkdir(parents=True)
    path.symlink_to(outside / "nothing" if link.endswith("yaml") else outside)
    with pytest.raises(InstallError, match="symbolic link"):
        files.outdated(home, files.contents(INDEX))
    assert not list(outside.iterdir())


def test_a_home_behind_a_link_is_a_home(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    home = tmp_path / "home"
    home.symlink_to(tmp_path / "real")
    files.write(home, files.contents(INDEX), files.outdated(home, files.contents(INDEX)))
    assert files.outdated(tmp_path / "real", files.contents(INDEX)) == []


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "plugins").write_text("a file")
    content = files.contents(INDEX)
    with pytest.raises(InstallError, match="plugins"):
        files.write(tmp_path, content, content)


# -- the configuration


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"plugins": {"enabled": ["a", "b"]}}, {"a", "b"}),
        ({"plugins": {"enabled": ["a", 7, None]}}, {"a"}),
        ({"plugins": {"enabled": "a"}}, set()),
        ({"plugins": ["enabled"]}, set()),
        ({}, set()),
    ],
)
def test_what_a_configuration_lists(config: dict[str, Any], names: set[str]) -> None:
    assert listed(config, "enabled") == names
