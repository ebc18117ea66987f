"""The tree of errors: what a loop may try again, and what is shown of an error that ends it."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.core import errors
from hermes_hardened_adapters.common.core.errors import (
    Closed,
    ConfigError,
    ConnectionLost,
    Fatal,
    FileTooLarge,
    HardenedError,
    HostContractError,
    InstallError,
    MemoryRefused,
    NotSent,
    RateLimited,
    Retryable,
    StateError,
    Unanswered,
)


def test_what_may_have_been_carried_out_is_not_among_what_is_tried_again() -> None:
    every = {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, HardenedError)}
    retryable = {cls for cls in every if issubclass(cls, Retryable)}
    assert retryable == {Retryable, ConnectionLost, Closed, NotSent, RateLimited}
    assert every - retryable == {
        HardenedError, ConfigError, HostContractError, InstallError, StateError, MemoryRefused, Unanswered,
        FileTooLarge, Fatal,
    }  # fmt: skip


def test_every_fault_of_the_settings_is_shown_at_once() -> None:
    error = ConfigError(["SIGNAL_ACCOUNT: missing", "SIGNAL_HTTP_URL: no address"])
    assert str(error) == "SIGNAL_ACCOUNT: missing; SIGNAL_HTTP_URL: no address"
    assert error.faults == ["SIGNAL_ACCOUNT: missing", "SIGNAL_HTTP_URL: no address"]


def test_a_rate_limit_says_when_to_come_again() -> None:
    error = RateLimited(2.5, "POST /posts")
    assert error.retry_after == 2.5
    assert str(error).endswith("again in 2.5 s")


@pytest.mark.parametrize("heals", [True, False])
def test_a_refusal_carries_its_code_and_its_remedy(heals: bool) -> None:
    error = Fatal("signal_refused", "check the address", heals=heals)
    assert (error.code, error.remedy, error.heals) == ("signal_refused", "check the address", heals)
    assert str(error) == "signal_refused: check the address"
