"""Checks of receiving: how the daemon was started, and whether the event stream opens and lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

from ....common.core.errors import ConnectionLost, HardenedError
from ....common.doctor.findings import Finding, Status
from ....common.settings.config import on_loopback
from ....common.stream.stats import StreamStats
from ..link import Subscription
from .case import Case, refusal

_LATE_SECONDS = 3.0
_POLL_SECONDS = 0.05
_WAITING_MODES = {"on-connection", "manual"}
_ADVISED = "`--receive-mode on-connection --no-receive-stdout`"
_DEFAULT_PORT = 8080


async def receive_mode(case: Case) -> AsyncIterator[Finding]:
    """How the daemon was started, which it does not tell over HTTP: read from this machine's processes."""
    check = "signal.receive_mode"
    url = urlsplit(case.client.base_url)
    words = (
        _daemon(case, url.port or (443 if url.scheme == "https" else 80)) if on_loopback(case.client.base_url) else None
    )
    if words is None:
        what = f"Whether signal-cli runs with {_ADVISED} cannot be seen from here."
        remedy = "Make sure it does, or what arrives while nobody listens is lost and texts go to its log."
        yield Finding(check, Status.ADVICE, what, remedy)
        return
    mode = _option(words, "--receive-mode") or "on-start"
    in_order = True
    if mode not in _WAITING_MODES:
        in_order = False
        what = f"signal-cli runs with `--receive-mode {mode}`: what arrives while nobody listens is lost."
        yield Finding(check, Status.ADVICE, what, "Start it with `--receive-mode on-connection`.")
    if "--no-receive-stdout" not in words:
        in_order = False
        what = "signal-cli runs without `--no-receive-stdout`: it writes every text it receives to its output."
        yield Finding(check, Status.ADVICE, what, "Start it with `--no-receive-stdout`.")
    if in_order:
        yield Finding(check, Status.OK, f"signal-cli runs with `--receive-mode {mode} --no-receive-stdout`.")


async def stream(case: Case) -> AsyncIterator[Finding]:
    """Whether the event stream opens and shows a sign of life.

    Only beside a gateway that is subscribed: then both get every message. To a lone listener the daemon would hand
    what waits at Signal's server, and that would be lost.
    """
    check = "signal.stream"
    if not case.around.listening():
        what = "The event stream was not opened: messages that wait for the gateway would go to this check and be lost."
        yield Finding(check, Status.SKIPPED, what, "Run this again while the gateway is connected to Signal.")
        return
    clock = case.around.clock
    began = clock()
    subscription = Subscription(case.client, _pass_over, StreamStats(), clock)
    try:
        await subscription.wait_open(case.around.headers_within)
        late = clock() - began
        if late > _LATE_SECONDS:
            what = f"The daemon took {late:.0f} seconds to answer a subscription, as versions before 0.14.4 do."
            yield Finding(check, Status.ADVICE, what, "Upgrade signal-cli to 0.14.5 or newer.")
        deadline = clock() + case.around.keepalive_within
        while not (subscription.received or subscription.ended) and clock() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
        if subscription.received:
            yield Finding(check, Status.OK, "The event stream opens and lives.")
        elif subscription.ended:
            failure = subscription.failure
            yield refusal(check, failure if isinstance(failure, HardenedError) else ConnectionLost("the stream broke"))
        else:
            what = "The event stream opens but stays silent, as it does when another client has stopped reading."
            yield Finding(check, Status.FAILED, what, "Stop other clients of this daemon, or restart signal-cli.")
    except HardenedError as exc:
        yield refusal(check, exc)
    finally:
        await subscription.close()


def _pass_over(_: bytes) -> None:
    """The gateway has it, too."""


def _daemon(case: Case, port: int) -> Sequence[str] | None:
    """The command line of the daemon that listens on that port, if it can be seen."""
    for words in case.around.commands():
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
