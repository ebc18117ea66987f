"""The seam to Hermes: what is inherited is there, and what is not there is said."""

from __future__ import annotations

import dataclasses

import pytest
from gateway.platforms.signal import SignalAdapter as Stock
from hermes_hardened_adapters.adapters.signal.stock import STOCK
from hermes_hardened_adapters.common.core.errors import HostContractError
from hermes_hardened_adapters.common.host import contract


def test_the_stock_adapter_is_found_and_keeps_the_contract() -> None:
    assert contract.stock_adapter(STOCK, {"send": ("chat_id", "content")}) is Stock


def test_a_host_that_changed_is_refused_with_all_that_changed() -> None:
    with pytest.raises(HostContractError) as caught:
        contract.stock_adapter(STOCK, {"send": ("chat_id", "subject"), "no_such_method": ()})
    assert "send takes no subject" in str(caught.value)
    assert "no_such_method is gone" in str(caught.value)


def test_a_host_whose_results_lost_a_field_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass
    class SendResult:
        success: bool

    monkeypatch.setattr("gateway.platforms.base.SendResult", SendResult)
    with pytest.raises(HostContractError, match="SendResult has no message_id, error"):
        contract.stock_adapter(STOCK, {})


@pytest.mark.parametrize("version", ["0.13.0", "0.18.0"])
def test_an_old_host_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(contract.metadata, "version", lambda _: version)
    with pytest.raises(HostContractError, match=r"too old: 0\.18\.1"):
        contract.stock_adapter(STOCK, {})


@pytest.mark.parametrize("version", ["0.18.1", "0.19.0", "1.0", "0.20.0rc1"])
def test_hosts_that_are_new_enough(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(contract.metadata, "version", lambda _: version)
    assert contract.stock_adapter(STOCK, {}) is Stock
