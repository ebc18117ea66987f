"""The files in docker/, checked without Docker: no image is built and no container runs here.

What the containers would run is run in tests/test_docker_scripts.py and tests/e2e.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hermes_hardened_adapters.adapters.mattermost.settings import MattermostSettings
from hermes_hardened_adapters.adapters.signal.settings import SignalSettings
from hermes_hardened_adapters.cli.main import add_commands

from tests.compose_file import COMPOSE, DOCKER, ENTRY, HEALTH_SCRIPT, ROOT, SECRETS, document, services

DOCKERFILE = DOCKER / "gateway.Dockerfile"

each_service = pytest.mark.parametrize("name", services())


def lint(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A linter of the development extra, from this interpreter's environment."""
    command = [str(Path(sysconfig.get_path("scripts"), tool)), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of that name, continued lines joined."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    return re.findall(rf"^{name} +(.*)$", text, re.MULTILINE)


# -- linters


def schema_check(path: Path) -> subprocess.CompletedProcess[str]:
    return lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)


def test_the_compose_file_keeps_to_the_specification() -> None:
    checked = schema_check(COMPOSE)
    assert checked.returncode == 0, checked.stdout


def test_a_misspelt_key_would_be_seen(tmp_path: Path) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text(COMPOSE.read_text().replace("cap_drop", "cap_dropped"))
    assert "cap_dropped" in schema_check(broken).stdout


def test_hadolint_has_nothing_to_say() -> None:
    checked = lint("hadolint", DOCKERFILE)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize("script", [ENTRY, HEALTH_SCRIPT])
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    checked = lint("shellcheck", script)
    assert (checked.returncode, checked.stdout) == (0, "")


# -- our own rules for the compose file


@each_service
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].split(":")[0] not in {"", "0", "root"}
    for key in ("privileged", "cap_add", "ports", "network_mode", "pid", "ipc", "devices"):
        assert key not in service
    assert not any("docker.sock" in volume for volume in service["volumes"])


@each_service
def test_a_service_is_pinned_and_has_a_health_check(name: str) -> None:
    service = services()[name]
    assert re.fullmatch(r"[a-z./-]+:(\$\{SIGNAL_CLI_VERSION:-\d+\.\d+\.\d+\}|local)", service["image"])
    assert service["healthcheck"]["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= service["healthcheck"].keys()


def test_the_gateways_health_check_is_a_command_of_ours() -> None:
    cmd, hermes, name, *arguments = services()["gateway"]["healthcheck"]["test"]
    assert (cmd, hermes, name) == ("CMD", "hermes", "adapters")
    parser = ArgumentParser()
    add_commands(parser)
    assert callable(parser.parse_args(arguments).run)


def test_only_the_two_services_share_the_network_of_the_daemon() -> None:
    networks = document()["networks"]
    joined = [set(service["networks"]) for service in services().values()]
    assert networks["rpc"] == {"internal": True}
    assert set.intersection(*joined) == {"rpc"}
    assert set.union(*joined) == set(networks)


def test_the_daemon_fetches_only_while_somebody_listens() -> None:
    command = services()["signal-cli"]["command"]
    assert command[command.index("--receive-mode") + 1] == "on-connection"
    assert "--no-receive-stdout" in command


def mounts(name: str) -> dict[str, tuple[str, str]]:
    """Named volume to (path, mode)."""
    split = (volume.split(":") for volume in services()[name]["volumes"] if not volume.startswith("."))
    return {source: (target, "".join(mode)) for source, target, *mode in split}


def test_what_hermes_sends_lies_at_the_same_path_for_signal_cli() -> None:
    daemon, gateway = mounts("signal-cli"), mounts("gateway")
    shared = daemon.keys() & gateway.keys()
    assert shared == {"files", "workspace"}
    for volume in shared:
        assert daemon[volume] == (gateway[volume][0], "ro")
    assert daemon.keys() | gateway.keys() == document()["volumes"].keys()


def test_every_file_cache_of_hermes_lies_on_the_shared_volume(hermes_home: Path) -> None:
    from gateway.platforms import base

    (environment,) = instructions("ENV")
    assert "HERMES_HOME=/opt/data " in environment
    assert mounts("gateway")["files"][0] == "/opt/data/cache"
    for find in (
        base.get_image_cache_dir,
        base.get_audio_cache_dir,
        base.get_video_cache_dir,
        base.get_document_cache_dir,
    ):
        assert find().parent == hermes_home / "cache"


def test_secrets_come_from_files_only() -> None:
    given: Mapping[str, Any] = services()["gateway"]["environment"]
    secrets = services()["gateway"]["secrets"]
    assert secrets == list(document()["secrets"])
    assert all(set(secret) == {"file"} for secret in document()["secrets"].values())
    assert all(name.removesuffix("_FILE") in SECRETS for name in given)
    assert list(given.values()) == [f"/run/secrets/{secret}" for secret in secrets]


def test_hermes_sends_what_signal_cli_can_open_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.platforms import base

    first = yaml.safe_load((DOCKER / "config.yaml").read_text())["gateway"]
    assert (first["strict"], first["trust_recent_files"]) == (True, False)
    monkeypatch.setenv(base.MEDIA_DELIVERY_STRICT_ENV, "1")
    monkeypatch.setenv(base.MEDIA_DELIVERY_TRUST_RECENT_ENV, "0")
    monkeypatch.setenv(base.MEDIA_DELIVERY_ALLOW_DIRS_ENV, str(tmp_path / "workspace"))
    for place in ("workspace", "secrets"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "file").touch()
    assert base.validate_media_delivery_path(str(tmp_path / "workspace" / "file"))
    assert base.validate_media_delivery_path(str(tmp_path / "secrets" / "file")) is None


def test_java_may_map_the_libraries_it_unpacks() -> None:
    assert any(mount.startswith("/tmp:exec") for mount in services()["signal-cli"]["tmpfs"])


def test_git_does_not_know_the_operators_files() -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {"docker/.env", "docker/secrets/"} <= set(ignored)


def test_the_example_settings_are_settings() -> None:
    names = re.findall(r"^([A-Z_]+)=", (DOCKER / "env.example").read_text(), re.MULTILINE)
    known = {*SignalSettings.environment_names().values(), *MattermostSettings.environment_names().values()}
    strict = {"HARDENED_SIGNAL_HTTP_URL", "HARDENED_SIGNAL_ACCOUNT", "HARDENED_MATTERMOST_URL"}
    assert set(names) - strict - {"COMPOSE_PROFILES"} <= known
    assert strict <= set(names)


# -- the gateway's image


def test_the_image_is_pinned_and_not_root() -> None:
    bases = instructions("FROM")
    assert bases
    assert all(re.fullmatch(r"\S+:\d\S+", base) for base in bases)
    assert instructions("USER")[-1] == services()["gateway"]["user"] == "10000:10000"
    assert instructions("ADD") == []


def copied(target: Path) -> None:
    """Lay out what the COPY lines name, as far as the ignore file lets it into the build's context."""
    wanted = [
        line.removeprefix("!") for line in DOCKERFILE.with_name("gateway.Dockerfile.dockerignore").read_text().split()
    ]
    for line in instructions("COPY"):
        *sources, last = [word for word in line.split() if not word.startswith("--")]
        for source in sources:
            assert source in wanted
            place = target / (Path(source) if last == "./" else Path(last.lstrip("/")))
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, place)


def test_what_is_copied_builds_the_whole_package(tmp_path: Path) -> None:
    sources, out = tmp_path / "sources", tmp_path / "dist"
    copied(sources)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(sources)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (wheel,) = out.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in [*ROOT.glob("adapters/**/*.py"), *ROOT.glob("common/*.py"), ROOT / "__main__.py"]:
        assert f"hermes_hardened_adapters/{path.relative_to(ROOT)}" in names


def test_the_first_configuration_is_made_of_settings_hermes_has() -> None:
    from hermes_cli.config import DEFAULT_CONFIG

    first: dict[str, dict[str, Any]] = yaml.safe_load((DOCKER / "config.yaml").read_text())
    assert first.pop("plugins") == {"enabled": ["hardened-adapters"]}
    for section, settings in first.items():
        assert settings.keys() <= DEFAULT_CONFIG[section].keys()
    assert first["gateway"]["media_delivery_allow_dirs"] == [mounts("gateway")["workspace"][0]]


# -- the text


def test_the_text_names_services_and_volumes_that_exist() -> None:
    text = (ROOT / "docs" / "docker.md").read_text()
    used = re.findall(r"docker compose (?:run --rm|exec|logs -f|stop|start|restart)((?: -\w+)*) ([a-z-]+)", text)
    assert used
    assert {name for _, name in used} <= services().keys()
    volumes = set(re.findall(r"-v hermes_([a-z]+):", text))
    assert volumes
    assert volumes <= document()["volumes"].keys()


def test_the_text_says_how_to_get_an_account() -> None:
    text = (ROOT / "docs" / "docker.md").read_text()
    for command in ("register", "verify", "link", "updateProfile", "listGroups"):
        assert re.search(rf"^docker compose run --rm signal-cli .*\b{command}\b", text, re.MULTILINE)
