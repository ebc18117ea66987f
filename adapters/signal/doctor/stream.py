"""Checks of receiving: the daemon's options, and the event stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from urllib.parse import urlsplit

from ....common.core.errors import ConnectionLost, HardenedError
from ....common.doctor.findings import Result, advice, failed, ok, refusal, skipped
from ....common.settings.config import on_loopback
from ....common.stream.stats import StreamStats
from ..link import Subscription
from .context import Context
from .daemon import LOGS

_LATE_SECONDS = 3.0
_POLL_SECONDS = 0.05
_WAITING_MODES = {"on-connection", "manual"}
_ADVISED = "`--receive-mode on-connection --no-receive-stdout`"
_DEFAULT_PORT = 8080


def receive_mode(context: Context) -> Iterator[Result]:
    """Check the daemon's options. It does not report them over HTTP, so they are read from this machine's processes."""
    where = context.client.base_url
    words = _command_line(context, where) if on_loopback(where) else None
    if words is None:
        what = f"signal-cli's options cannot be seen from here; it should run with {_ADVISED}."
        remedy = (
            "Make sure it does; otherwise it loses messages while no client is connected and writes texts to its log."
        )
        yield advice(what, remedy)
        return
    mode = _option(words, "--receive-mode") or "on-start"
    in_order = True
    if mode not in _WAITING_MODES:
        in_order = False
        what = f"signal-cli runs with `--receive-mode {mode}`: messages are lost while no client is connected."
        yield advice(what, "Start it with `--receive-mode on-connection`.")
    if "--no-receive-stdout" not in words:
        in_order = False
        what = "signal-cli runs without `--no-receive-stdout`: it writes every received text to its output."
        yield advice(what, "Start it with `--no-receive-stdout`.")
    if in_order:
        yield ok(f"signal-cli runs with `--receive-mode {mode} --no-receive-stdout`.")


async def stream(context: Context) -> AsyncIterator[Result]:
    """Check that the event stream opens and delivers a first byte.

    Skipped unless a gateway is subscribed, in which case both get every message. A check that subscribes alone would
    receive the messages waiting at Signal's server, and the gateway would never see them.
    """
    if not context.listening():
        what = "The event stream was not opened: this check would take messages that wait for the gateway."
        yield skipped(what, "Run this again while the gateway is connected to Signal.")
        return
    clock = context.clock
    began = clock()
    subscription = Subscription(context.client, _ignore, StreamStats(), clock)
    try:
        await subscription.wait_open(context.headers_within)
        late = clock() - began
        if late > _LATE_SECONDS:
            what = f"The daemon took {late:.0f} seconds to answer a subscription, as versions before 0.14.4 do."
            yield advice(what, "Upgrade signal-cli to 0.14.5 or newer.")
        deadline = clock() + context.keepalive_within
        while not (subscription.received or subscription.ended) and clock() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
        if subscription.received:
            yield ok("The event stream opens and delivers data.")
        elif subscription.ended:
            failure = subscription.failure
            lost = failure if isinstance(failure, HardenedError) else ConnectionLost("the stream broke")
            yield refusal(lost, LOGS)
        else:
            what = "The event stream opens but stays silent, as happens when another client has stopped reading."
            yield failed(what, "Stop other clients of this daemon, or restart signal-cli.")
    except HardenedError as exc:
        yield refusal(exc, LOGS)
    finally:
        await subscription.close()


def _ignore(_: bytes) -> None:
    """Ignore an event, which the gateway gets as well."""


def _command_line(context: Context, where: str) -> Sequence[str] | None:
    """Return the command line of the daemon that listens at that URL; None if it is not visible."""
    url = urlsplit(where)
    port = url.port or (443 if url.scheme == "https" else 80)
    for words in context.commands():
        if "daemon" in words and any("signal-cli" in word for word in words) and _port(words) == port:
            return words
    return None


def _port(words: Sequence[str]) -> int | None:
    if not any(word == "--http" or word.startswith("--http=") for word in words):
        return None
    bound = (_option(words, "--http") or "").rpartition(":")[2]
    return int(bound) if bound.isdecimal() else _DEFAULT_PORT


def _option(words: Sequence[str], name: str) -> str | None:
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word == name and not following.startswith("-"):
            return following
        if word.startswith(f"{name}="):
            return word.removeprefix(f"{name}=")
    return None
