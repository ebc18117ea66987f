"""The host's pickers: what a slash command may set, as a question to the person who ran it."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...asking import texts
from ...asking.prompts import Kind, Prompt
from .. import questions
from .entries import Choice

logger = logging.getLogger(__name__)

_SECONDS = 300.0
"""As long as the host's own pickers by reaction wait (plugins/platforms/matrix)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picker is asked, by whom, and how the chat is told what came of it.

    `ask` returns False if a question was not sent.
    """

    chat_id: str
    session_key: str
    metadata: Any
    asker: str
    command: str
    say: Callable[[str], Awaitable[object]]
    ask: Callable[[Prompt], Awaitable[bool]]


def place(
    chat_id: str,
    session_key: str,
    metadata: Any,
    say: Callable[[str], Awaitable[object]],
    ask: Callable[[Prompt], Awaitable[bool]],
) -> Place | None:
    """Return the place of a picker, None if it is not known who ran the command."""
    if (running := questions.running_command()) is None:
        return None
    asker, command = running
    return Place(chat_id, session_key, metadata, asker, command, say, ask)


async def choice(where: Place, title: str, choices: object, selected: Callable[..., Awaitable[Any]]) -> bool:
    """Ask which of the host's choices it shall be; False if the host must list them itself."""
    found = [each for each in _rows(choices) if each.get("value") not in (None, "")]
    labels = [
        (
            str(each["value"]),
            texts.label(str(each.get("label") or each["value"]), is_current=bool(each.get("is_current"))),
        )
        for each in found
    ]

    async def choose(value: str) -> None:
        await _carry_out(where, selected(where.chat_id, value))

    return await _ask(where, title, labels, choose)


async def model(
    where: Place, providers: object, current: str, current_provider: str, selected: Callable[..., Awaitable[Any]]
) -> bool:
    """Ask whose model it shall be, then which; False if the host must list them itself."""
    found = [each for each in _rows(providers) if each.get("slug") and _models(each)]
    if len(found) == 1:
        return await _models_of(where, found[0], current, current_provider, selected)
    labels = [
        (str(each["slug"]), texts.label(_name(each), is_current=str(each["slug"]) == current_provider))
        for each in found
    ]

    async def choose(slug: str) -> None:
        provider = next(each for each in found if str(each["slug"]) == slug)
        if not await _models_of(where, provider, current, current_provider, selected):
            await where.say(texts.FAILED)

    return await _ask(where, texts.model_title(current, current_provider), labels, choose)


async def _models_of(
    where: Place, provider: Mapping[str, Any], current: str, current_provider: str, selected: Callable[..., Any]
) -> bool:
    slug, models = str(provider["slug"]), _models(provider)
    is_current = slug == current_provider
    labels = [(each, texts.label(each, is_current=is_current and each == current)) for each in models]
    listed = labels[: texts.MOST_LISTED]

    async def choose(name: str) -> None:
        await _carry_out(where, selected(where.chat_id, name, slug))

    title = texts.model_title(current, current_provider, of=_name(provider))
    return await _ask(where, title, listed, choose, texts.more_models(len(labels) - len(listed)))


async def _ask(
    where: Place,
    title: str,
    choices: Sequence[tuple[str, str]],
    choose: Callable[[str], Awaitable[None]],
    more: str = "",
) -> bool:
    """Ask which of some values, each with its label, it shall be."""
    if not 0 < len(choices) <= texts.MOST_LISTED:
        return False
    values, labels = zip(*choices, strict=True)
    return await where.ask(
        Prompt(
            Kind.PICKER,
            where.session_key,
            where.chat_id,
            texts.picker(title, labels, more),
            dict(enumerate(values, 1)),
            Choice(choose, time.monotonic() + _SECONDS),
            where.asker,
            where.metadata,
            command=where.command,
            names=dict(choices),
        )
    )


async def _carry_out(where: Place, work: Awaitable[Any]) -> None:
    """Await the host's own work, and say what came of it."""
    try:
        said = await work
    except Exception as exc:
        logger.error("a choice was not carried out (%s)", type(exc).__name__)
        said = texts.FAILED
    if said:
        await where.say(str(said))


def _rows(listed: object) -> Iterable[Mapping[str, Any]]:
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list | tuple) else []


def _models(provider: Mapping[str, Any]) -> list[str]:
    listed = provider.get("models")
    return [str(each) for each in listed if each] if isinstance(listed, list | tuple) else []


def _name(provider: Mapping[str, Any]) -> str:
    return str(provider.get("name") or provider["slug"])
