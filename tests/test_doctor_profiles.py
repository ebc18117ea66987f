"""The doctor in one profile of several: it looks at that profile's own files, and at the accounts of the others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.common.core.errors import HostContractError
from hermes_hardened_adapters.common.doctor.findings import Result, Status
from hermes_hardened_adapters.common.host import checks
from hermes_hardened_adapters.common.host.checks import CheckName
from hermes_hardened_adapters.common.host.profile import state_file
from hermes_hardened_adapters.common.host.setup import Setup
from hermes_hardened_adapters.common.state import identities
from hermes_hardened_adapters.common.state.identities import Pair, Source
from hermes_hardened_adapters.common.state.store import Store

from tests.fakes.signal_daemon import ACCOUNT, ALICE, BOB, GROUP, OWN_ACI, FakeSignalDaemon
from tests.test_doctor import ENABLED, HERMES, context, report

SERVER = {"MATTERMOST_URL": "https://chat.example.com", "MATTERMOST_TOKEN": "secret-token"}
BOT = {"SIGNAL_HTTP_URL": "http://127.0.0.1:8080", "SIGNAL_ACCOUNT": ACCOUNT}
ELSEWHERE = {"SIGNAL_HTTP_URL": "http://127.0.0.1:8080", "SIGNAL_ACCOUNT": BOB}


def write(home: Path, environment: Mapping[str, str], config: object = None) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    (home / ".env").write_text("".join(f"{key}={value}\n" for key, value in environment.items()))
    (home / "config.yaml").write_text(config if isinstance(config, str) else json.dumps(config or ENABLED))
    return home


def examined(home: Path, mine: Mapping[str, Mapping[str, str]]) -> list[Result]:
    """Return the findings in a profile with these settings."""
    setup = Setup(home, {}, mine)
    found = context(home)
    found.setup = setup
    found.accounts = {name: each.account_names for name, each in NETWORKS.items()}
    results = list(checks.accounts(found))
    assert not [each for each in results if ACCOUNT in str(each) or "secret-token" in str(each)]
    return results


MINE = {"signal": {"http_url": "http://127.0.0.1:8080", "account": ACCOUNT}}


@pytest.mark.parametrize(
    ("environment", "config"),
    [
        (BOT, None),
        ({"HARDENED_SIGNAL_ACCOUNT": ACCOUNT, "HARDENED_SIGNAL_HTTP_URL": "http://127.0.0.1:1"}, None),
        ({}, {"signal": {"account": ACCOUNT}}),
        ({}, {"platforms": {"signal": {"extra": {"account": ACCOUNT}}}}),
        ({"BOT": ACCOUNT}, {"signal": {"account": "${BOT}"}}),
        # Whatever else is wrong there.
        (BOT | {"SIGNAL_REQUIRE_MENTION": "perhaps"}, {"signal": 7, "platforms": []}),
    ],
)
def test_the_same_account_in_another_profile(environment: Mapping[str, str], config: object, hermes_home: Path) -> None:
    write(hermes_home / "profiles" / "club", environment, config)
    write(hermes_home / "profiles" / "family", ELSEWHERE)
    (found,) = examined(hermes_home, MINE)
    assert (found.status, found.what) == (
        Status.ADVICE, "The profiles default and club have the same signal account."
    )  # fmt: skip
    # The default profile has none of its own here.
    (found,) = examined(hermes_home / "profiles" / "family", MINE)
    assert found.what == "The profiles family and club have the same signal account."


@pytest.mark.parametrize(
    ("environment", "config"),
    [
        (ELSEWHERE, None),
        (BOT, {"signal": {"enabled": False}}),
        ({}, None),
        ({}, {"signal": {"account": "${BOT}"}}),
        ({}, {"signal": {"account": 15550001111}}),
    ],
)
def test_another_account(environment: Mapping[str, str], config: object, hermes_home: Path) -> None:
    write(hermes_home / "profiles" / "club", environment, config)
    (found,) = examined(hermes_home, MINE)
    assert found.status is Status.OK


def test_two_other_profiles(hermes_home: Path) -> None:
    for name in ("club", "family"):
        write(hermes_home / "profiles" / name, SERVER)
    (found,) = examined(hermes_home, MINE)
    assert found.what == "The profiles club and family have the same mattermost account."


def test_many_profiles_with_one_account_are_one_finding(hermes_home: Path) -> None:
    for name in ("club", "family", "work"):
        write(hermes_home / "profiles" / name, BOT)
    (found,) = examined(hermes_home, MINE)
    assert found.what == "The profiles default, club, family and work have the same signal account."


def test_a_token_of_another_server_is_another_account(hermes_home: Path) -> None:
    write(hermes_home / "profiles" / "club", SERVER)
    for url, status in (("HTTP://Chat.example.com:80/", Status.ADVICE), ("https://chat.example.org", Status.OK)):
        (found,) = examined(hermes_home, {"mattermost": {"url": url, "token": "secret-token"}})
        assert found.status is status


async def test_a_number_and_its_aci(hermes_home: Path) -> None:
    other = write(hermes_home / "profiles" / "club", BOT)
    (found,) = examined(hermes_home, {"signal": {"account": OWN_ACI.upper()}})
    assert found.status is Status.OK
    store = Store(state_file(other))
    await store.open()
    identities.record(store, Pair(ACCOUNT, OWN_ACI, Source.CONTACTS), 0.0)
    await store.close()
    (found,) = examined(hermes_home, {"signal": {"account": OWN_ACI.upper()}})
    assert found.status is Status.ADVICE


def test_a_profile_that_cannot_be_read(hermes_home: Path) -> None:
    write(hermes_home / "profiles" / "club", BOT, "a: [")
    (hermes_home / "profiles" / "family" / ".env").mkdir(parents=True)
    found = examined(hermes_home, MINE)
    assert [each.status for each in found] == [Status.ADVICE] * 2
    assert found[0].what.startswith("The settings of the profile club cannot be read (")
    assert found[1].what == "The settings of the profile family cannot be read (IsADirectoryError)."
    assert found[1].remedy == "Run `hermes -p family adapters doctor`."


async def test_the_doctor_of_a_profile(tmp_path: Path, daemon_with_profile: FakeSignalDaemon) -> None:
    """Its files are another profile's than those of the default profile, whose bot has no group here."""
    daemon = daemon_with_profile
    settings = {"SIGNAL_HTTP_URL": daemon.url, "SIGNAL_ACCOUNT": ACCOUNT, "SIGNAL_ALLOWED_USERS": ALICE}
    club = write(tmp_path / "profiles" / "club", settings | {"SIGNAL_GROUP_ALLOWED_USERS": GROUP})
    write(tmp_path, {"SIGNAL_HTTP_URL": "http://127.0.0.1:9", "SIGNAL_ACCOUNT": ACCOUNT})
    program = (HERMES[0], "-p", "club", "adapters")
    _, found = await report(tmp_path, "--network", "signal", program=program)
    assert found[CheckName.CONFIG][0]["what"] == f"Hermes is configured in {club}."
    assert str(club) in found[CheckName.STATE][0]["what"]
    assert {each["status"] for each in found["signal.groups"]} == {"ok"}
    assert found[CheckName.ACCOUNTS][0]["what"] == "The profiles club and default have the same signal account."
    assert found["signal.account"][0]["status"] == "ok"
    _, found = await report(tmp_path, "--network", "signal")
    assert found[CheckName.CONFIG][0]["what"] == f"Hermes is configured in {tmp_path}."
    assert found[CheckName.ACCOUNTS][0]["what"] == "The profiles default and club have the same signal account."
    assert "ok" not in {each["status"] for each in found["signal.account"]}


def test_a_hermes_that_does_not_read_other_profiles(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agent import secret_scope

    write(hermes_home / "profiles" / "club", BOT)
    monkeypatch.delattr(secret_scope, "build_profile_secret_scope")
    with pytest.raises(HostContractError):
        examined(hermes_home, MINE)
