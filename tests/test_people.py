"""People: what counts as a number and as an ACI."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.core.people import as_aci, as_number

from tests.fakes.signal_daemon import ALICE_ACI


@pytest.mark.parametrize("value", ["+15550002222", "+49123456"])
def test_numbers(value: str) -> None:
    assert as_number(value) == value


@pytest.mark.parametrize(
    "value", ["15550002222", "+0123456", "+1555 000", "+1555000222233334444", "", None, 5, "+１５５５０００"]
)
def test_no_numbers(value: object) -> None:
    assert as_number(value) is None


@pytest.mark.parametrize(
    "value",
    [
        f"PNI:{ALICE_ACI}",
        ALICE_ACI.replace("-", ""),
        "{" + ALICE_ACI + "}",
        "2222-2222222-22224-2228-222222222222",
        "{" + ALICE_ACI[:-2] + "}",
        "urn:uuid:" + ALICE_ACI[9:],
        "２" + ALICE_ACI[1:],
        ALICE_ACI + "\n",
        "u:alice.01",
        "",
        None,
        7,
    ],
)
def test_no_acis(value: object) -> None:
    assert as_aci(value) is None
