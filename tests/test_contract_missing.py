"""A name that Hermes lost: the one feature that needs it is off, or the platform refuses and names it.

`tests/test_tenancy_readiness.py` has those of memory, without which some settings start the platforms all the same.
"""

from __future__ import annotations

import json
import logging
import sys
from importlib import import_module
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.network import Network
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.cli import doctor, host_names
from hermes_hardened_adapters.common.core.errors import HostContractError
from hermes_hardened_adapters.common.doctor.findings import Status
from hermes_hardened_adapters.common.host.contract import check
from hermes_hardened_adapters.common.host.contract.names import HostName, State
from hermes_hardened_adapters.common.host.contract.table import MEMORY_NAMES

from tests.host_without import take_away


def present(*, needed: bool, memory: bool = False) -> list[Any]:
    """The names that this Hermes has, each with one network that uses it; those of memory only if wanted."""
    users = {name: network for network in NETWORKS.values() for name in network.names()}
    wanted = [name for name in users if needed is not bool(name.without) and (memory or name not in MEMORY_NAMES)]
    found = [(users[name], name, name.examine()) for name in wanted]
    return [pytest.param(network, name, id=at.place) for network, name, at in found if at.state is State.FOUND]


def own_names(network: Network[Any]) -> tuple[HostName, ...]:
    names: tuple[HostName, ...] = import_module(f"hermes_hardened_adapters.adapters.{network.name}.host_names").NAMES
    return names


def test_this_hermes_has_what_is_taken_away() -> None:
    assert len(present(needed=True)) > 100
    assert len(present(needed=False)) > 25


@pytest.mark.parametrize(("network", "name"), present(needed=False))
def test_without_a_name_that_can_be_missed_the_log_says_what_is_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, network: Network[Any], name: HostName
) -> None:
    stock = HostName(network.stock.places).load()
    take_away(monkeypatch, name)
    with caplog.at_level(logging.WARNING):
        assert check.stock_adapter(network.stock, own_names(network)) is stock
    said = [record.getMessage() for record in caplog.records if name.without in record.getMessage()]
    assert any(f"{name.places[0]} is missing in this Hermes; off: {name.without}" in line for line in said)


@pytest.mark.parametrize(("network", "name"), present(needed=True))
def test_without_a_name_that_is_needed_the_platform_refuses_and_names_it(
    monkeypatch: pytest.MonkeyPatch, network: Network[Any], name: HostName
) -> None:
    take_away(monkeypatch, name)
    with pytest.raises(HostContractError) as caught:
        check.stock_adapter(network.stock, own_names(network))
    (named,) = [part for part in str(caught.value).split("; ") if name.places[0] in part][:1]
    assert " is missing" in named or " is changed" in named


@pytest.mark.parametrize(("network", "name"), [p for n in (True, False) for p in present(needed=n, memory=True)])
async def test_the_doctor_goes_on_without_a_name_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    network: Network[Any],
    name: HostName,
) -> None:
    # In the home of the whole test process, for which Hermes has loaded its plugins once.
    import_module("hermes_cli.plugins").discover_plugins()
    for each in NETWORKS:
        monkeypatch.delitem(sys.modules, f"hermes_hardened_adapters.adapters.{each}.adapter", raising=False)
    take_away(monkeypatch, name)
    findings = [finding async for finding in doctor.examine()]
    said = [finding for finding in findings if any(place in finding.what for place in name.places)]
    assert said
    if not name.without:
        assert Status.FAILED in {finding.status for finding in said}
    capsys.readouterr()

    status = host_names.run(NETWORKS, as_json=True)
    listed = json.loads(capsys.readouterr().out)
    assert status == (0 if name.without else 1)
    assert (network.name in listed["refused"]) is not bool(name.without)
    entries = [entry for entry in listed["names"] if entry["name"] == name.places[0]]
    assert {(entry["state"], entry["off"]) for entry in entries} <= {
        (state, name.without or check.REFUSED) for state in ("missing", "changed")
    }
    assert entries
