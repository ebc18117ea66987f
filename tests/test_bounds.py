"""How much of one message counts, and that the work grows no faster than the message."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.decode import parse_post, to_inbound
from hermes_hardened_adapters.adapters.signal.decode import decode as decode_signal
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import (
    MOST_ATTACHMENTS,
    MOST_MENTIONS,
    Address,
    Decision,
    Dispatch,
    Inbound,
    Me,
    Mention,
    Reason,
)
from hermes_hardened_adapters.common.core.mentions import addressed
from hermes_hardened_adapters.common.core.policy import Policy, decide

from tests.fakes.signal_daemon import ACCOUNT, CAROL_ACI, OWN_ACI, recorded_event
from tests.mattermost_recorded import HERMES, NAMES, USERS, frame

OPEN = Policy(every_chat=True)


def signal_data(text: str, mentions: list[tuple[str, int]], **changes: Any) -> bytes:
    """A group message in which those ACIs are mentioned at those places."""
    event = recorded_event("group_text")
    told = [{"uuid": uuid, "number": None, "start": start, "length": 1} for uuid, start in mentions]
    event["envelope"]["dataMessage"] |= {"message": text, "mentions": told, **changes}
    return json.dumps(event, ensure_ascii=False).encode()


def signal_inbound(text: str, mentions: list[tuple[str, int]], **changes: Any) -> Inbound:
    inbound = decode_signal(signal_data(text, mentions, **changes), ACCOUNT, Me(OWN_ACI, ACCOUNT))
    assert isinstance(inbound, Inbound)
    return inbound


def mattermost_inbound(text: str, **changes: Any) -> Inbound:
    post = parse_post(frame("channel_mention_bot")["data"]["post"] | {"message": text, **changes})
    assert post is not None
    known: Any = (USERS.get, lambda user_id: NAMES.get(user_id, ""))
    return to_inbound(post, Me(HERMES), *known, channel_type="O").inbound


def on_signal(before: int, after: int) -> tuple[Inbound, Me]:
    """Carol mentioned that often before us and after us."""
    people = [CAROL_ACI] * before + [OWN_ACI] + [CAROL_ACI] * after
    text = "\ufffc " * len(people)
    return signal_inbound(text, [(uuid, 2 * at) for at, uuid in enumerate(people)]), Me(OWN_ACI, ACCOUNT)


def on_mattermost(before: int, after: int) -> tuple[Inbound, Me]:
    return mattermost_inbound("@bob " * before + "@hermes " + "@bob " * after), Me(HERMES)


@pytest.mark.parametrize("network", [on_signal, on_mattermost])
@pytest.mark.parametrize(
    ("before", "after", "dispatched"),
    [(0, 0, True), (0, 600, True), (MOST_MENTIONS - 1, 100, True), (MOST_MENTIONS, 0, False)],
)
def test_the_first_mentions_count(
    network: Callable[[int, int], tuple[Inbound, Me]], before: int, after: int, dispatched: bool
) -> None:
    """Whoever writes more mentions than anybody reads may only fail to address us, and never seem to address nobody."""
    inbound, me = network(before, after)
    decision: Decision = decide(inbound, me, OPEN, authority=Authority.ALLOWED)
    assert len(inbound.mentions) == min(before + 1 + after, MOST_MENTIONS)
    assert isinstance(decision, Dispatch) is dispatched
    assert decision.reason is (Reason.MENTIONED if dispatched else Reason.ADDRESSED_ELSEWHERE)


def test_files_and_quotes_are_bounded() -> None:
    files = [{"contentType": "image/png", "id": f"{number}"} for number in range(MOST_ATTACHMENTS + 20)]
    quote = {"id": 1, "authorUuid": OWN_ACI, "text": "q" * 100_000}
    inbound = signal_inbound("", [], attachments=files, quote=quote)
    assert [file.id for file in inbound.attachments] == [f"{number}" for number in range(MOST_ATTACHMENTS)]
    assert inbound.quote is not None
    assert len(inbound.quote.text) == 1_000
    ids = [f"{number:026}" for number in range(MOST_ATTACHMENTS + 20)]
    told = [{"id": file_id, "name": "a.png"} for file_id in ids[:30]]
    inbound = mattermost_inbound("", metadata={"files": told}, file_ids=ids)
    assert [file.id for file in inbound.attachments] == ids[:MOST_ATTACHMENTS]
    assert len(mattermost_inbound("", props={"attachments": [{"text": "a" * 1_000}] * 1_000}).text) < 65_537


def cost(work: Callable[[], object]) -> float:
    """Seconds of this process' own time, the best of five."""
    times = []
    for _ in range(5):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def test_mentions_in_a_long_text_are_found_at_the_cost_of_the_text() -> None:
    """Once each of them cost as much as the whole text before it."""
    few, many = (
        signal_data("🙂" * 200_000 + "\ufffc" * number, [(OWN_ACI, 400_000 + at) for at in range(number)])
        for number in (5, MOST_MENTIONS)
    )
    me = Me(OWN_ACI, ACCOUNT)
    inbound = decode_signal(many, ACCOUNT, me)
    assert isinstance(inbound, Inbound)
    assert inbound.mentions[-1].span == (200_000 + MOST_MENTIONS - 1, 200_000 + MOST_MENTIONS)
    assert cost(lambda: decode_signal(many, ACCOUNT, me)) < 10 * cost(lambda: decode_signal(few, ACCOUNT, me))


def test_eight_times_the_mentions_cost_no_sixty_four_times_as_much() -> None:
    few, many = (signal_data("\ufffc" * size, [(OWN_ACI, at) for at in range(size)]) for size in (2_500, 20_000))
    me = Me(OWN_ACI, ACCOUNT)
    assert cost(lambda: decode_signal(many, ACCOUNT, me)) < 24 * cost(lambda: decode_signal(few, ACCOUNT, me))


@pytest.mark.parametrize("text", ["①{}", "{}①", "a {}"], ids=["start", "end", "middle"])
def test_taking_off_mentions_is_linear(text: str) -> None:
    """The decoders' bound aside."""

    def work(size: int) -> Callable[[], object]:
        whole = text.format("① " * size)
        mentions = [Mention(Address("me"), "me", (at, at + 1)) for at, char in enumerate(whole) if char == "①"]
        return lambda: addressed(whole, mentions, Me("me"))

    assert cost(work(20_000)) < 24 * cost(work(2_500))


def test_marks_at_the_end_are_read_once_for_all_mentions() -> None:
    def work(size: int) -> Callable[[], object]:
        whole = "a " + "① " * size + "!" * 100_000
        mentions = [Mention(Address("me"), "me", (at, at + 1)) for at, char in enumerate(whole) if char == "①"]
        return lambda: addressed(whole, mentions, Me("me"))

    assert work(3)() == "a" + "!" * 100_000
    assert cost(work(500)) < 10 * cost(work(5))
