"""The bounds of one message on both networks: how many of its mentions, files and words count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.decode import parse_post, to_inbound
from hermes_hardened_adapters.adapters.signal.decode import decode
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import (
    MOST_ATTACHMENTS,
    MOST_MENTIONS,
    Decision,
    Dispatch,
    Inbound,
    Me,
    Reason,
)
from hermes_hardened_adapters.common.core.policy import Policy, decide

from tests.fakes.signal_daemon import ACCOUNT, CAROL_ACI, OWN_ACI
from tests.mattermost_recorded import HERMES, NAMES, USERS, frame
from tests.signal_recorded import mentioning

OPEN = Policy(every_chat=True)


def signal_inbound(text: str, mentions: list[tuple[str, int]], **changes: Any) -> Inbound:
    inbound = decode(mentioning(text, mentions, **changes), ACCOUNT, Me(OWN_ACI, ACCOUNT))
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
