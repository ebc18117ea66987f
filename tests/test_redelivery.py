"""The real gateway process and its delivery ledger: what it says again after failures, a crash and a restart."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from gateway.platforms.base import BasePlatformAdapter

from tests import scene_mattermost, scene_signal
from tests.fakes.echo_model import EchoModel, last_user_text
from tests.fakes.mattermost_rest import HERMES
from tests.fakes.mattermost_server import ALICE, Fault
from tests.fakes.signal_daemon import ACCOUNT, FakeSignalDaemon, RpcFault, contact
from tests.gateway_process import GatewayProcess, signal_env

HAS_LEDGER = importlib.util.find_spec("gateway.delivery_ledger") is not None
"""Since 0.19."""
REPEATS_AT_ONCE = hasattr(BasePlatformAdapter, "_finalize_delivery_obligation")
"""Since 0.21.5 the host does not wait for the next start."""
NAMES = ("part", "doubt", "nothing", "crash", "control")
"""The answers, each named after what befalls it."""


def words(name: str) -> list[str]:
    """The words of an answer, which no host takes for repetitive; some answers fill three messages."""
    count = 2_400 if name in {"part", "crash"} else 10
    return [hashlib.sha256(f"{name} {n}".encode()).hexdigest()[:8] for n in range(count)]


def script(request: dict[str, Any]) -> str | None:
    said = last_user_text(request)
    asked = [name for name in NAMES if f"say {name}" in said]
    return " ".join(words(asked[-1])) if asked else None


@dataclass
class Place:
    """One network with a direct chat for each name, whose server does to its answer what the name says.

    In one chat, the host can lose a message that comes just as an answer goes out.
    """

    network: str
    env: dict[str, str]
    say: Callable[[str], Awaitable[Any]]
    texts: Callable[[], list[str]]
    """The messages that arrived."""
    tried: Callable[[], list[str]]
    """Those that the adapter tried to send."""

    def openings(self, name: str) -> list[str]:
        """What stands before an answer, for each time that it began to arrive."""
        first = words(name)[0]
        return [text.partition(first)[0] for text in self.texts() if first in text]


class Daemon(FakeSignalDaemon):
    """Hangs up once instead of confirming if `hangs_up` is set."""

    hangs_up = False

    async def _rpc(self, request: web.Request) -> web.Response:
        response = await super()._rpc(request)
        if self.hangs_up and request.transport is not None:
            self.hangs_up = False
            request.transport.abort()
        return response


@asynccontextmanager
async def signal() -> AsyncIterator[Place]:
    sent: list[str] = []
    refused = {words("part")[-1], words("nothing")[0]}
    stalled = {words("crash")[-1]}
    people = {
        name: scene_signal.Person(name, f"7777777{n}-7777-4777-8777-777777777777", f"+1555000700{n}")
        for n, name in enumerate(NAMES)
    }

    async def send(params: dict[str, Any]) -> Any:
        text = params["message"]
        for word in refused & set(text.split()):
            refused.remove(word)
            raise RpcFault(-32603, "not possible")
        daemon.hangs_up = words("doubt")[0] in text
        for word in stalled & set(text.split()):
            stalled.remove(word)
            await asyncio.Event().wait()
        sent.append(text)
        return {"timestamp": len(sent), "results": []}

    async def say(name: str) -> None:
        await daemon.streams_open(1)
        await daemon.emit_event(scene_signal.variant("dm_text", people[name], text=f"say {name}"))

    def tried() -> list[str]:
        return [params["message"] for params in daemon.called("send")]

    async with Daemon(handlers={"send": send}) as daemon:
        daemon.contacts += [contact(person.number, person.aci, person.name) for person in people.values()]
        env = signal_env(daemon.url, ACCOUNT, users=",".join(str(person.number) for person in people.values()))
        yield Place("signal", env, say, lambda: sent, tried)


@asynccontextmanager
async def mattermost() -> AsyncIterator[Place]:
    async def say(name: str) -> None:
        await server.post(ALICE, chats[name], f"say {name}")

    def texts() -> list[str]:
        return [post["message"] for post in server.posts.values() if post["user_id"] == HERMES]

    def tried() -> list[str]:
        return [call.json["message"] for call in server.called("POST", "/posts")]

    async with scene_mattermost.stage() as server:
        chats = {name: server.add_channel(name, "D") for name in NAMES}
        server.config["MaxPostSize"] = "8000"
        server.faults += [
            Fault(403, text=words("part")[-1]),
            Fault(403, text=words("nothing")[0]),
            Fault(times=9, carried_out=True, text=words("doubt")[0]),
            Fault(delay=600, text=words("crash")[-1]),
        ]
        yield Place("mattermost", scene_mattermost.environment(server), say, texts, tried)


PLACES = {"signal": signal, "mattermost": mattermost}


def is_in_state(home: Path, name: str, state: str) -> bool:
    """Return True if that is the state of an answer in the host's ledger."""
    sql = "SELECT state FROM delivery_obligations WHERE content = ?"
    with closing(sqlite3.connect(f"file:{home / 'state.db'}?mode=ro", uri=True)) as database:
        return database.execute(sql, (" ".join(words(name)),)).fetchone() == (state,)


def failed(running: GatewayProcess, times: int) -> bool:
    """Return True if so many answers failed so far."""
    return running.log.count("messages of an answer were sent") == times


@pytest.mark.parametrize("network", PLACES)
async def test_what_may_have_arrived_is_not_said_again_and_the_rest_is(network: str, tmp_path: Path) -> None:
    async with PLACES[network]() as place, EchoModel(script=script) as model:

        def gateway() -> GatewayProcess:
            return GatewayProcess(model.base_url, env=place.env, home=tmp_path, platforms=(network,))

        async with gateway() as running:
            for number, name in enumerate(("part", "doubt", "nothing"), start=1):
                await place.say(name)
                await running.until(partial(failed, running, number), f"{name} fails")
                if HAS_LEDGER:
                    left = "delivered" if REPEATS_AT_ONCE and name != "nothing" else "failed"
                    await running.until(partial(is_in_state, tmp_path, name, left), f"{name} is {left}")
            await place.say("crash")
            await running.until(lambda: any(words("crash")[-1] in text for text in place.tried()), "the last message")
            assert "Redelivered" not in running.log
            await running.kill()
        async with gateway() as again:
            if HAS_LEDGER:
                for name in NAMES[:4]:
                    await again.until(partial(is_in_state, tmp_path, name, "delivered"), f"{name} is delivered")
            await place.say("control")
            await again.until(lambda: bool(place.openings("control")), "an answer after the restart")
        openings = {name: place.openings(name) for name in NAMES}
    said_again = [text.split(" — ")[0] for text in openings.pop("nothing")]
    assert said_again == ["♻️ Recovered reply"] * HAS_LEDGER
    assert openings == {name: [""] for name in openings}
