"""Recorded traffic told anew, and the count of what became of it."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost import connection as mattermost
from hermes_hardened_adapters.adapters.mattermost import gaps
from hermes_hardened_adapters.adapters.mattermost import link as mattermost_link
from hermes_hardened_adapters.adapters.mattermost.rest.client import MattermostClient
from hermes_hardened_adapters.adapters.signal import connection as signal
from hermes_hardened_adapters.adapters.signal import link as signal_link
from hermes_hardened_adapters.common.stream.supervisor import Supervisor

from tests.fakes.signal_daemon import ACCOUNT, OWN_ACI, recorded_event
from tests.figures import Figures

STALE_SECONDS = 1.0
KEEPALIVE_SECONDS = 0.1

_numbers = itertools.count()
_times = itertools.count(1_795_700_000_000)


async def short_sleep(seconds: float) -> None:
    """Back-off fifty times as fast, and never long."""
    await asyncio.sleep(min(seconds / 50, 0.05))


def _signal_stream(*args: Any, **options: Any) -> Supervisor:
    quick = {"stale_after": STALE_SECONDS, "give_up_after": 3600.0, "sleep": short_sleep}
    return signal_link.supervised_stream(*args, **options | quick)


def _mattermost_stream(*args: Any, **options: Any) -> Supervisor:
    quick = {"ping_every": 0.2, "reply_within": 0.5, "give_up_after": 3600.0, "sleep": short_sleep}
    return mattermost_link.supervised_stream(*args, **options | quick)


def _mattermost_client(*args: Any, **options: Any) -> MattermostClient:
    return MattermostClient(*args, **options, sleep=short_sleep)


def _soon() -> Iterator[float]:
    return itertools.repeat(0.05)


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Both adapters with time-outs and back-offs of a fraction of a second, everything else as it is."""
    patch.setattr(signal, "supervised_stream", _signal_stream)
    patch.setattr(mattermost, "supervised_stream", _mattermost_stream)
    patch.setattr(mattermost, "MattermostClient", _mattermost_client)
    patch.setattr(gaps, "backoff", _soon)


@dataclass
class Tally:
    """The texts sent, by chat and in order; every text is unlike all others."""

    sent: dict[str, list[str]] = field(default_factory=dict)

    def text(self, chat: str, kind: str = "message") -> str:
        """A new text for that chat."""
        text = f"{chat} {kind} {next(_numbers)}"
        self.sent.setdefault(chat, []).append(text)
        return text

    def arrived(self, texts: Iterable[str]) -> dict[str, list[str]]:
        """What was handed to the host by chat, in order of arrival."""
        by_chat: dict[str, list[str]] = {chat: [] for chat in self.sent}
        for text in texts:
            by_chat.setdefault(text.split(" ", 1)[0], []).append(text)
        return by_chat

    def all_in(self, texts: Iterable[str]) -> bool:
        return not self._missing(texts)

    def settle(self, texts: Iterable[str], figures: Figures) -> tuple[int, int]:
        """How many were lost and how many doubled, added to the figures."""
        counts = Counter(texts)
        lost, doubled = self._missing(counts), counts.total() - len(counts)
        figures.sent += sum(map(len, self.sent.values()))
        figures.lost += lost
        figures.doubled += doubled
        return lost, doubled

    def _missing(self, texts: Iterable[str]) -> int:
        there = set(texts)
        return sum(text not in there for chat in self.sent.values() for text in chat)


def handed_over(adapter: Any) -> list[str]:
    """The texts that are handed to the host to be answered from now on, noted before the host merges any."""
    texts: list[str] = []
    inner = adapter.handle_message

    async def handle_message(event: Any) -> None:
        if not event.observe_only:
            texts.append(event.text)
        await inner(event)

    adapter.handle_message = handle_message
    return texts


def told_anew(name: str, **changes: Any) -> dict[str, Any]:
    """A recorded Signal event with a timestamp of its own and changed fields in its data message."""
    event = recorded_event(name)
    envelope = event["envelope"]
    envelope["timestamp"] = next(_times)
    envelope["dataMessage"] |= {"timestamp": envelope["timestamp"], **changes}
    return event


def from_alice(tally: Tally) -> dict[str, Any]:
    return told_anew("dm_text", message=tally.text("alice"))


def from_carol(tally: Tally) -> dict[str, Any]:
    """She shows herself only by her ACI."""
    return told_anew("dm_uuid_only", message=tally.text("carol"))


def in_the_group(tally: Tally) -> dict[str, Any]:
    """It ends with a mention of us, which the agent does not get to read."""
    text = f"{tally.text('group')} "
    mention = {"number": ACCOUNT, "uuid": OWN_ACI, "start": len(text), "length": 1}
    return told_anew("group_mention_bot", message=f"{text}\ufffc", mentions=[mention])


SPEAKERS: tuple[Callable[[Tally], dict[str, Any]], ...] = (from_alice, from_carol, in_the_group)
