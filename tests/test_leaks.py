"""`record` against planted texts: no recording holds one, wherever it was planted, or else it is not written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.recording import rewriting as of_mattermost
from hermes_hardened_adapters.adapters.signal.recording import rewriting as of_signal
from hermes_hardened_adapters.common.recording import pseudonyms
from hermes_hardened_adapters.common.recording.leaks import Leak, Originals
from hermes_hardened_adapters.common.recording.masking import mask
from hermes_hardened_adapters.common.recording.pseudonyms import Pseudonyms

from tests.fakes.mattermost_server import HERMES
from tests.fakes.signal_daemon import (
    ALICE,
    ALICE_ACI,
    GROUP,
    recorded_event,
)
from tests.mattermost_recorded import frame, packed

BITS = f"{int.from_bytes(b'Rendezvous'):b}"
HIDDEN = {
    "zero width": BITS.replace("0", "\u200b").replace("1", "\u200c"),
    "joiners": BITS.replace("0", "\u200d").replace("1", "\u2060"),
    "tags": "".join(chr(0xE0000 + ord(char)) for char in "Rendezvous"),
    "selectors": BITS.replace("0", "\ufe00").replace("1", "\ufe01"),
    "selectors between letters": "a".join(BITS.replace("0", "\ufe00").replace("1", "\ufe0f")),
    "spaces": BITS.replace("0", "\u2009").replace("1", "\u200a"),
    "control": BITS.replace("0", "\x01").replace("1", "\x02"),
    "soft hyphens": BITS.replace("0", "\xad").replace("1", "\u061c"),
}
UNKNOWN: dict[str, Any] = {
    "pinCode": 4821,
    "born": [1971, 12],
    "place": {"lat": 52.5163, "height": 34},
    "likes": True,
    "opened": json.dumps({"pinCode": 4821, "likes": [True]}),
    "phone": 15_550_002_222,
    "called": "4915123456789",
}
SECRETS = {
    "number": ALICE,
    "a number without plus": ALICE[1:],
    "uuid": ALICE_ACI,
    "uuid in capitals, without dashes": "2B222222-2222-4222-8222-222222222222".replace("-", ""),
    "group": GROUP,
    "group, the other alphabet": GROUP.replace("+", "-").replace("/", "_"),
    "name": "Alice",
    "short name": "Ann",
    "word": "Rendezvous",
    "word in another script": "свидание",
    "file": "tax-return.pdf",
    "time": 1_795_329_305_315,
    "pin": "48213",
    "short pin": "4821",
    "hidden": "\u200b\u200c\u200b",
    "tags": "\U000e0041\U000e0042",
    "a small number": 4821,
    "seconds": 1_795_329_305,
}
ORIGINAL = {
    "source": ALICE,
    "sourceUuid": ALICE_ACI,
    "other": "2b222222-2222-4222-8222-222222222222",
    "groupId": GROUP,
    "sourceName": "Alice Ann",
    "message": "Rendezvous or свидание with code 48213 or\u200b\u200c 4821\u200b\nor\U000e0041\U000e0042",
    "code": 4821,
    "since": 1_795_329_305,
    "filename": "tax-return.pdf",
    "timestamp": 1_795_329_305_315,
}


def on_signal(text: str, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a message of the real daemon with that text and those fields: rewritten, and the original."""
    event = recorded_event("group_mention_after_emoji")
    event["envelope"]["dataMessage"] |= {"message": text, **more}
    recording = of_signal.SignalRecording({"sethome"})
    recording.add(json.dumps(event), 0.5)
    (written,) = of_signal.events_of(recording.files([], [])[".sse"])
    return written["envelope"]["dataMessage"], event["envelope"]["dataMessage"]


def on_mattermost(text: str, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    event = frame("channel_mention_bot")
    event["data"]["post"] |= {"message": text, **more}
    recording = of_mattermost.MattermostRecording({"sethome"})
    recording.add(packed(event), 0.5)
    files = recording.files({"id": HERMES, "username": "hermes"}, [], [])
    return json.loads(json.loads(files[".jsonl"])["data"]["post"]), event["data"]["post"]


NETWORKS = pytest.mark.parametrize("network", [on_signal, on_mattermost])
Network = Callable[..., tuple[dict[str, Any], dict[str, Any]]]


@NETWORKS
@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
def test_what_is_written_in_nothing_is_not_recorded(network: Network, hidden: str) -> None:
    written, _ = network(f"/sethome {hidden} now")
    said = written["message"]
    assert said.startswith("/sethome ")
    assert said.endswith(" xxx")
    assert len(said) == len(f"/sethome {hidden} now")
    assert len(set(said[9:-4])) <= 2


@NETWORKS
@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
def test_if_the_mask_kept_it_nothing_would_be_written(
    network: Network, hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (of_signal, of_mattermost, pseudonyms):
        monkeypatch.setattr(module, "mask", lambda text, kept=(): "".join(mask(c) if c.isalpha() else c for c in text))
    with pytest.raises(Leak, match="of kind hidden text"):
        network(f"/sethome {hidden} now")


@NETWORKS
def test_under_unknown_keys_only_the_types_stay(network: Network) -> None:
    written, original = network("hi", **UNKNOWN)
    unknown = [value for key, value in written.items() if key not in original]
    assert unknown[:4] == [0, [0, 0], unknown[2], False]
    assert sorted(map(str, unknown[2].values())) == ["0", "34"]  # `height` is a key of both networks
    opened = json.loads(unknown[4])
    assert list(opened.values()) == [0, [False]]
    assert unknown[5:] == [0, "0" * 13]
    assert len(unknown) == len(UNKNOWN)


@NETWORKS
def test_times_keep_their_order_and_distance_but_not_their_milliseconds(network: Network) -> None:
    key = "timestamp" if network is on_signal else "create_at"
    for _ in range(20):
        written, original = network("hi")
        assert original[key] - written[key] > 365 * 86_400_000
        assert written[key] % 1_000 != original[key] % 1_000
    times, now = Pseudonyms(), 1_795_329_305_315
    assert [times.time(now + later) - times.time(now) for later in (0, 1, 60_000)] == [0, 1, 60_000]
    assert times.time(now) // 1_000 - times.time(now // 1_000) in {-1, 0}


def test_the_structure_that_decides_survives() -> None:
    written, original = on_signal("👋 hi \ufffc and \ufffc!")
    assert [(m["start"], m["length"]) for m in written["mentions"]] == [
        (m["start"], m["length"]) for m in original["mentions"]
    ]
    assert written["groupInfo"]["revision"] == original["groupInfo"]["revision"]
    assert written["viewOnce"] is original["viewOnce"]
    written, _ = on_mattermost(
        "hi", props={"from_oauth_app": "true"}, metadata={"files": [{"id": "a" * 26, "size": 12_345, "width": 640}]}
    )
    assert written["props"] == {"from_oauth_app": "true"}
    assert [(file["size"], file["width"]) for file in written["metadata"]["files"]] == [(12_345, 640)]


@pytest.mark.parametrize(
    ("written", "leaks"),
    [
        ({"name3f2a": 482}, True),
        ({"message": [482]}, True),
        ({"x": json.dumps({"y": {"z": 482}})}, True),
        ({"x": 52.5163}, True),
        ({"size": 482, "x": 483}, False),
        ([0.5, 482], False),
    ],
)
def test_a_small_number_is_found_where_none_may_stay(written: object, leaks: bool) -> None:
    originals = Originals({"size", "message"}, set(), {"size"})
    originals.add({"pin": 482, "at": {"lat": 52.5163}, "size": 482})
    if leaks:
        with pytest.raises(Leak, match="of kind number"):
            originals.search([json.dumps(written, separators=(",", ":")).encode()], ())
    else:
        originals.search([json.dumps(written, separators=(",", ":")).encode()], ())


def searched(written: bytes) -> None:
    originals = Originals(
        {"message", "source", "sourceUuid", "groupId", "sourceName", "filename", "timestamp"}, {"sourceName"}
    )
    originals.add(ORIGINAL)
    originals.search([written], {"user3f2a"})


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize(
    "written",
    [
        lambda value: json.dumps({"x": value}, ensure_ascii=False),
        lambda value: json.dumps({"x": value}),
        lambda value: json.dumps({"x": json.dumps({"y": [value]})}),
        lambda value: json.dumps({str(value): 1}),
        lambda value: json.dumps({"x": f"xx ({value}), xx"}),
        lambda value: "data:" + json.dumps({"x": str(value).upper()}),
        lambda value: f"{value}",
    ],
    ids=["value", "escaped", "json in json", "key", "in a text", "capitals", "raw"],
)
def test_a_planted_original_is_found(secret: object, written: Any) -> None:
    with pytest.raises(Leak) as caught:
        searched(written(secret).encode())
    assert str(secret) not in str(caught.value)


def test_a_planted_original_is_found_in_a_url() -> None:
    for secret in ("%2B15550002222", "%D1%81%D0%B2%D0%B8%D0%B4%D0%B0%D0%BD%D0%B8%D0%B5", "a%20Rendezvous%20b"):
        with pytest.raises(Leak):
            searched(json.dumps({"x": f"https://x/{secret}"}).encode())


def test_what_is_no_original_is_not_taken_for_one() -> None:
    harmless = {
        "message": "Xxxxx xx xxxx 00000",
        "source": "user3f2a",
        "timestamp": 1_495_329_305_315,
        "size": 48213,
        "sourceName": "annex, malice",
    }
    searched(json.dumps(harmless, separators=(",", ":")).encode())
