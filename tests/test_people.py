"""People: numbers, ACIs, the operator's lists, and the host's word on a person."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.people import NOBODY, Lists, as_aci, as_number, authorization_of

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


def test_lists_name_people_by_any_alias_the_admins_spelling_first() -> None:
    lists = Lists(admins=(ALICE_ACI.upper(), "bob"), allowed=("+15550002222", "bob"))
    assert lists.spellings(["+15550002222", ALICE_ACI]) == (ALICE_ACI.upper(), "+15550002222")
    assert lists.spellings(["bob"]) == ("bob",)
    assert lists.spellings(["mallory"]) == ()
    assert lists.numbers() == ("+15550002222",)


def test_the_host_is_asked_about_listed_aliases_first_and_no_further_than_needed() -> None:
    asked: list[str] = []

    def accepts(alias: str) -> bool:
        asked.append(alias)
        return alias == "b"

    lists = Lists(allowed=("b", "c"))
    authorization = authorization_of(["a", "c", "b"], "a", lists, accepts, lambda _: False, is_open=False)
    assert (authorization.user_id, authorization.allowed, authorization.listed) == ("b", True, True)
    assert asked == ["b"]


def test_only_whom_nobody_listed_can_be_paired() -> None:
    asked: list[str] = []

    def paired(alias: str) -> bool:
        asked.append(alias)
        return True

    free = authorization_of(["a"], None, Lists(), lambda _: True, paired, is_open=False)
    assert (free.authority, free.listed, asked) == (Authority.ALLOWED, False, ["a"])
    listed = authorization_of(["a"], None, Lists(("x",), ("a",)), lambda _: True, paired, is_open=False)
    assert (listed.authority, asked) == (Authority.ALLOWED, ["a"])
    refused = authorization_of(["a"], None, Lists(), lambda _: None, paired, is_open=True)
    assert (refused.authority, refused.allowed, asked) == (Authority.MEMBER, False, ["a"])


def test_nobody_has_no_rights() -> None:
    assert not NOBODY.allowed
    assert NOBODY.authority is Authority.STRANGER
    assert not NOBODY.rights.turn
