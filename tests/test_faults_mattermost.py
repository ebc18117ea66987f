"""Mattermost over sockets that are cut, swallowed or lose events, and a REST API that is ill: all arrives once."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Callable

import pytest

from tests.fakes.mattermost_rest import Fault
from tests.fakes.mattermost_server import ALICE, BOB, DM, OPS, SECRET, FakeMattermostServer
from tests.figures import Figures
from tests.hosted import Hosted, hosted_mattermost
from tests.traffic import Tally, handed_over, hurry

CHANNELS = {"dm": DM, "ops": OPS, "secret": SECRET}


@pytest.fixture
def server(
    server: FakeMattermostServer, alice_and_bob_on_mattermost: None, monkeypatch: pytest.MonkeyPatch
) -> FakeMattermostServer:
    """A server whose people are listed, and an adapter in a hurry."""
    hurry(monkeypatch)
    return server


def words(tally: Tally, chat: str) -> str:
    """A new text for that chat, with a mention which the agent does not get to read."""
    return tally.text(chat) if chat == "dm" else f"@hermes {tally.text(chat)}"


async def say(server: FakeMattermostServer, tally: Tally, chat: str) -> None:
    author = BOB if chat == "ops" else ALICE
    await server.post(author, CHANNELS[chat], words(tally, chat))


def whisper(server: FakeMattermostServer, tally: Tally, chat: str) -> dict[str, object]:
    """A post that is stored, and the event that would tell of it."""
    return server.posted(server.store(ALICE, CHANNELS[chat], words(tally, chat)))


# -- the faults, each with what is said meanwhile


async def cut(server: FakeMattermostServer, tally: Tally, chat: str) -> None:
    server.resumes = True
    server.cut()
    await say(server, tally, chat)


async def cut_and_refuse(server: FakeMattermostServer, tally: Tally, chat: str) -> None:
    server.resumes = False
    server.cut()
    await say(server, tally, chat)


async def skip(server: FakeMattermostServer, tally: Tally, chat: str) -> None:
    server.skip(2)
    await say(server, tally, chat)


async def lose(server: FakeMattermostServer, tally: Tally, chat: str) -> None:
    server.lose(whisper(server, tally, chat))
    await say(server, tally, chat)


async def double(server: FakeMattermostServer, tally: Tally, chat: str) -> None:
    event = whisper(server, tally, chat)
    await server.emit(event, event)
    for connection in server.connections:
        if connection.kept:
            await connection.send(connection.kept[-1][1])


async def swallow(server: FakeMattermostServer, tally: Tally, chat: str) -> None:
    server.black_hole()
    await say(server, tally, chat)


async def ill(server: FakeMattermostServer, tally: Tally, chat: str) -> None:
    server.faults += [Fault(500, 3, path="/channels"), Fault(500, 1, path="/users/me/channels")]
    await cut_and_refuse(server, tally, chat)


async def busy(server: FakeMattermostServer, tally: Tally, chat: str) -> None:
    server.limit_rate(3)
    await cut_and_refuse(server, tally, chat)


FAULTS = (cut, cut_and_refuse, skip, lose, double, swallow, ill, busy)


async def well(host: Hosted, server: FakeMattermostServer, got: list[str], said: Callable[[list[str]], bool]) -> None:
    """Wait until the socket is open and everything said has come."""
    stats = host.adapter.connection.stream.stats
    async with asyncio.timeout(20):
        while stats.disconnected_since is not None or not said(got):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_happens_every_mention_and_direct_message_arrives_once(
    server: FakeMattermostServer, figures: Figures, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    """Faults fall into each other: only every third is waited for."""
    chance, tally = random.Random(seed), Tally()
    chats = list(CHANNELS)
    async with hosted_mattermost(server) as host:
        got = handed_over(host.adapter)
        try:
            await say(server, tally, "ops")
            await well(host, server, got, tally.all_in)
            order = list(itertools.chain.from_iterable(chance.sample(FAULTS, len(FAULTS)) for _ in range(3)))
            for step, fault in enumerate(order):
                for chat in chance.sample(chats, 2):
                    await say(server, tally, chat)
                await fault(server, tally, chance.choice(chats))
                figures.cuts += 1
                await asyncio.sleep(chance.uniform(0, 0.1))
                for chat in chance.sample(chats, 2):
                    await say(server, tally, chat)
                if step % 3 == 2:
                    # A lost event shows only when another one follows.
                    await say(server, tally, chance.choice(chats))
                    await well(host, server, got, tally.all_in)
            await host.settled()
        finally:
            outcome = tally.settle(got, figures)
        assert outcome == (0, 0)
        assert [fault for fault in server.faults if fault.times] == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
