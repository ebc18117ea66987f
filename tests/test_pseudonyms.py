"""Pseudonyms of recordings: what has a form keeps it, equal stays equal, and nothing keeps its value."""

from __future__ import annotations

import base64
import re

import pytest
from hermes_hardened_adapters.common.recording.pseudonyms import Pseudonyms, content_type

from tests.fakes.signal_daemon import (
    ALICE,
    ALICE_ACI,
    GROUP,
)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (ALICE, r"\+1555\d{7}"),
        (ALICE_ACI, r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        (f"PNI:{ALICE_ACI}", r"PNI:[0-9a-f-]{36}"),
        ("u:alice.01", r"u:user[0-9a-f]{4}"),
        (GROUP, r"[A-Za-z0-9+/]{43}="),
        ("AAECAwQFBgcICQoLDA0ODw==", r"[A-Za-z0-9+/]{22}=="),
        ("bq94ybh58insbfxpqbj3ktfcgr", r"[ybndrfg8ejkmcpqxot1uwisza345h769]{26}"),
        ("2a61280b066855ff320c3cd1e352f026aa035bfb", r"[0-9a-f]{40}"),
    ],
)
def test_an_identity_keeps_its_form_and_equal_stays_equal(value: str, form: str) -> None:
    one, other = Pseudonyms(), Pseudonyms()
    made = one.identity(value)
    assert made is not None
    assert re.fullmatch(form, made)
    assert made != value
    assert one.identity(value) == made
    assert other.identity(value) != made


def test_a_uuid_is_the_same_in_every_spelling() -> None:
    pseudonyms = Pseudonyms()
    made = pseudonyms.identity(ALICE_ACI)
    assert made is not None
    spelled = ALICE_ACI.replace("2", "a")
    assert pseudonyms.identity(spelled.upper()) == pseudonyms.identity(spelled)
    assert pseudonyms.identity(ALICE_ACI.replace("-", "")) == made.replace("-", "")
    assert pseudonyms.identity(f"PNI:{ALICE_ACI}") == f"PNI:{made}"
    assert len(base64.b64decode(pseudonyms.identity(GROUP) or "")) == 32


def test_names_are_told_apart_by_the_thousand() -> None:
    pseudonyms = Pseudonyms()
    people = {pseudonyms.person(f"someone {number}") for number in range(3000)}
    assert len(people) == 3000
    assert pseudonyms.username("@Alice") == "@" + pseudonyms.username("alice")
    assert re.fullmatch(r"file-[0-9a-f]{4}\.pdf", pseudonyms.file("My CV.pdf"))
    assert re.fullmatch(r"file-[0-9a-f]{4}", pseudonyms.file("archive.alice"))
    assert pseudonyms.person("") == ""


def test_all_times_move_by_the_same_years() -> None:
    pseudonyms = Pseudonyms()
    now = 1_795_329_305_315
    assert now - pseudonyms.time(now) >= 365 * 86_400_000
    assert pseudonyms.time(now + 7) - pseudonyms.time(now) == 7
    assert (pseudonyms.time(now) - now) // 1000 - (pseudonyms.time(now // 1000) - now // 1000) in {-1, 0}
    assert [pseudonyms.time(value) for value in (0, -5, 7, 2**64)] == [0, 0, 0, 0]


def test_a_content_type_stays_if_it_is_a_registered_one() -> None:
    assert content_type("Image/JPEG; name=alice.jpg") == "image/jpeg"
    for renamed in ("application/javascript", "audio/x-wav", "video/x-msvideo"):
        assert content_type(renamed) == renamed
    assert content_type("audio/x-alice") == "audio/x-xxxxx"
    assert content_type("alice") == "xxxxx"
