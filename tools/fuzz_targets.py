"""The fuzz targets: strategies for input, and checks that must hold for any input."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from hermes_hardened_adapters.adapters.mattermost import decode as mattermost
from hermes_hardened_adapters.adapters.mattermost.mentions.grammar import find_mentions, without_broadcasts
from hermes_hardened_adapters.adapters.mattermost.settings import MattermostSettings
from hermes_hardened_adapters.adapters.signal.decode import decode
from hermes_hardened_adapters.adapters.signal.settings import SignalSettings
from hermes_hardened_adapters.adapters.signal.sse import EventParser
from hermes_hardened_adapters.common.core.errors import ConfigError
from hermes_hardened_adapters.common.core.events import Address, Inbound, Me, Mention, Unhandled
from hermes_hardened_adapters.common.core.mentions import addressed, readable, starts_command, without_alias
from hypothesis import strategies as st

from tests.fakes.mattermost_server import ALICE, FRAMES, HERMES
from tests.fakes.signal_daemon import ACCOUNT, FIXTURES, OWN_ACI
from tests.mattermost_recorded import event_in

SLOW_SECONDS = 2.0
TOKEN = "secret-secret-secret"

Target = tuple[st.SearchStrategy[Any], Callable[[Any], None]]


# -- the SSE parser: conforms to the standard, independent of chunk boundaries

_PIECES = [b"data", b":", b" ", b"\n", b"\r", b"\r\n", b"event", b"id", b"retry", b"\xef\xbb\xbf", b"\xc3", b"\0", b"x"]
_streams = st.tuples(
    st.lists(st.sampled_from(_PIECES) | st.binary(max_size=4) | st.just(b"data:x\n\n"), max_size=40).map(b"".join),
    st.lists(st.integers(0, 120), max_size=12),
)


def _expected(body: bytes) -> list[tuple[str, str]]:
    """Return type and data of the events, found by a slow and simple parser."""
    events, kind, data = [], "", []
    lines = re.split(rb"\r\n|\r|\n", body.removeprefix(b"\xef\xbb\xbf"))[:-1]
    for line in lines:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data:
                events.append((kind or "message", "\n".join(data)))
            kind, data = "", []
        elif name == b"data":
            data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            kind = value.decode("utf-8", "replace")
    return events


def check_sse(example: tuple[bytes, list[int]]) -> None:
    body, cuts = example
    parser, events, at = EventParser(), [], 0
    for cut in [*sorted(cut for cut in cuts if cut <= len(body)), len(body)]:
        events += parser.feed(body[at:cut])
        at = cut
    assert [(event.type, event.data) for event in events] == _expected(body)


# -- recorded JSON with some values replaced

_junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([ACCOUNT, OWN_ACI, HERMES, ALICE, "+1", "\ud800", "\ufffc", "@hermes"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [path, *(place for key, inner in value.items() for place in _places(inner, (*path, key)))]
    if isinstance(value, list):
        return [path, *(place for key, inner in enumerate(value) for place in _places(inner, (*path, key)))]
    return [path]


def _put(value: Any, path: tuple[Any, ...], junk: object) -> Any:
    if not path:
        return junk
    try:
        value[path[0]] = _put(value[path[0]], path[1:], junk)
    except (TypeError, LookupError):
        return junk  # An earlier change removed this place.
    return value


@st.composite
def _damaged(draw: st.DrawFn, texts: list[str]) -> str:
    value = json.loads(draw(st.sampled_from(texts)))
    if isinstance(value, dict) and isinstance((value.get("data") or {}).get("post"), str):
        value["data"]["post"] = json.loads(value["data"]["post"])
        inside = True
    else:
        inside = False
    for _ in range(draw(st.integers(0, 4))):
        value = _put(value, draw(st.sampled_from(_places(value))), draw(_junk))
    if inside and isinstance(value, dict) and isinstance(value.get("data"), dict) and draw(st.booleans()):
        value["data"]["post"] = json.dumps(value["data"].get("post"))
    return json.dumps(value)


_SIGNAL = [
    line[5:]
    for path in sorted(FIXTURES.glob("*.sse"))
    if path.stem != "big_200k"
    for line in path.read_text().split("\n")
    if line.startswith("data:")
]
_MATTERMOST = [line for path in sorted(FRAMES.glob("*.jsonl")) for line in path.read_text().splitlines() if line]


def _sound(inbound: Inbound) -> None:
    assert inbound.key
    assert inbound.sender
    for mention in inbound.mentions:
        if mention.span is not None:
            start, end = mention.span
            assert 0 <= start < end <= len(inbound.text)
    addressed(inbound.text, inbound.mentions, Me(OWN_ACI, ACCOUNT))


def check_signal_decoder(text: str) -> None:
    for me in (Me(OWN_ACI, ACCOUNT), Me(None, ACCOUNT)):
        inbound = decode(text, ACCOUNT, me)
        assert inbound == decode(text, ACCOUNT, me)
        if isinstance(inbound, Unhandled):
            assert inbound.kind
        else:
            _sound(inbound)


def check_mattermost_decoder(text: str) -> None:
    event = event_in(text)
    if isinstance(event, mattermost.Posted | mattermost.Edited | mattermost.Deleted):
        for kind in ("posted", "edited", "deleted"):
            decoded = mattermost.to_inbound(
                event.post,
                Me(HERMES),
                {"hermes": HERMES}.get,
                lambda _: "",
                channel_type="O",
                kind=kind,  # type: ignore[arg-type]
            )
            _sound(decoded.inbound)
            assert not decoded.inbound.text or kind != "deleted"


# -- mentions

_BITS = [
    "@hermes",
    "@alice",
    "@all",
    "@here",
    "`",
    "```",
    "\n",
    "    ",
    "[",
    "](",
    ")",
    "<",
    ">",
    "http://a.b/",
    "&amp;",
]
_markdown = st.tuples(
    st.lists(st.sampled_from([*_BITS, " ", ".", ":", "_", "*", "\\", "-", "/", "é", "x"]) | st.text(max_size=3)).map(
        "".join
    ),
    st.sampled_from([1, 1, 1, 400]),
)


def check_grammar(example: tuple[str, int]) -> None:
    text = example[0] * example[1]
    started = time.process_time()
    found = find_mentions(text, {"hermes": HERMES, "alice": ALICE}.get)
    assert time.process_time() - started < SLOW_SECONDS
    before = 0
    for start, end, user_id in found.mentions:
        assert before <= start < end <= len(text)
        assert user_id in {HERMES, ALICE}
        before = end
    if example[1] == 1:
        safe = without_broadcasts(text)
        assert not find_mentions(safe, lambda _: None).everybody
        assert safe.replace("\u200b", "") == text.replace("\u200b", "")


_WORDS = st.sampled_from([" ", ",", "/sethome", "hi", "!", "…", "\u200b", "*", "'s", "\n", "a  b", "(", ")"])
_literals = st.lists(_WORDS | st.text(max_size=4), max_size=4).map("".join).map(lambda text: text.replace("Ω", ""))


def check_stripping(example: tuple[list[tuple[str, bool]], str]) -> None:
    pieces, tail = example
    text, mentions, me = "", [], Me("us")
    for literal, ours in pieces:
        text += literal
        mentions.append(Mention(Address("us" if ours else "them"), "Ω", (len(text), len(text) + 1)))
        text += "\ufffc"
    text += tail
    shown, asked = readable(text, mentions), addressed(text, mentions, me)
    written = "".join(literal for literal, _ in pieces) + tail
    assert [c for c in asked if c.isalnum() and c != "Ω"] == [c for c in written if c.isalnum()]
    assert asked.strip() or not shown.strip()
    assert asked.count("Ω") >= sum(not ours for _, ours in pieces)
    if not any(ours for _, ours in pieces):
        assert starts_command(asked) == starts_command(shown)
    rest = without_alias(text, ("hi", "Ω"))
    assert rest is None or text.endswith(rest)


# -- settings

_values = _junk | st.sampled_from(["*", "true", "yes ", "", "60", "1e3", "http://[", "group.x", ALICE, "nan", "inf"])


def _settings(model: Any) -> st.SearchStrategy[Any]:
    fields = model.environment_names()
    envs = [name for name in fields.values() if name]
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
        ["*", "1", "on", "http://h"]
    )
    return st.tuples(
        st.just(model),
        st.dictionaries(st.sampled_from(list(fields)) | st.text(max_size=12), _values, max_size=8),
        st.dictionaries(st.sampled_from(envs) | st.sampled_from(envs).map(lambda name: name[:-1]), text, max_size=6),
    )


def check_settings(example: tuple[Any, dict[str, Any], dict[str, str]]) -> None:
    model, extra, environment = example
    extra = extra | ({"token": TOKEN} if "token" in model.environment_names() else {})
    try:
        loaded = model.load(extra, environment)
    except ConfigError as exc:
        output = str(exc)
    else:
        output = repr(loaded)
        loaded.people("dm")
    assert output
    assert TOKEN not in output


TARGETS: dict[str, Target] = {
    "sse": (_streams, check_sse),
    "signal_decoder": (_damaged(_SIGNAL) | st.text(), check_signal_decoder),
    "mattermost_decoder": (_damaged(_MATTERMOST) | st.text(), check_mattermost_decoder),
    "grammar": (_markdown, check_grammar),
    "stripping": (st.tuples(st.lists(st.tuples(_literals, st.booleans()), max_size=4), _literals), check_stripping),
    "settings": (_settings(SignalSettings) | _settings(MattermostSettings), check_settings),
}
