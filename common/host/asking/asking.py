"""Asks the host's questions in the chats of one adapter, and takes the answers by reaction."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ...asking import texts
from ...asking.prompts import Answer, Entry, Kind, Prompt, Prompts, Tell, judge
from ...asking.signs import DIGITS, NAMES, Sign, meaning
from ...core.authority import Answers
from ...inbound.delivery import Reacted
from ...state.prompts import OpenPrompts
from ...state.store import Store
from .. import questions
from ..contract import table
from . import answers, approvals, chats
from .entries import Approval, Confirmation, Question

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
"""How often it is looked whether the host still waits: typed answers and time-outs are its own."""

_prompts: dict[tuple[str, str], Prompts] = {}
"""By profile and network: adapters are made anew on every reconnect."""


class Network(Protocol):
    """What a network's adapter supplies."""

    async def post_prompt(self, chat_id: str, text: str, metadata: Any) -> str | None:
        """Send a question at once, in one message; return its id, None if it was not sent."""

    async def edit_prompt(self, chat_id: str, message_id: str, text: str) -> None:
        """Replace the text of a question. Never raises."""

    async def seed_prompt(self, message_id: str, names: Sequence[str]) -> None:
        """Put the reactions below a question that answer it, where the network lets a bot do that. Never raises."""


class Asking:
    """The questions in the chats of one adapter."""

    def __init__(self, adapter: Any, store: Store) -> None:
        self._adapter = adapter
        self._network: Network = adapter
        self._table = OpenPrompts(store, adapter.platform.value)
        self._prompts = _prompts.setdefault((str(adapter.home), adapter.platform.value), Prompts())
        self._tasks: set[asyncio.Task[None]] = set()

    async def connected(self) -> None:
        """Say on the questions of an earlier run that they have expired."""
        chats.connected(self._adapter)
        for place in await self._table.take():
            if self._prompts.at(place) is None:
                self._prompts.expire(place)
                await self._network.edit_prompt(*place, texts.EXPIRED)

    # -- the host asks

    async def approval(
        self, chat_id: str, session_key: str, command: str, description: str, metadata: Any, *, for_session: bool
    ) -> bool:
        """Ask whether a command may run; False if the host must ask in its own way."""
        if not approvals.are_exact():
            return False
        bound = [prompt.entry.entry for prompt in self._prompts.open() if isinstance(prompt.entry, Approval)]
        entry = approvals.entry_of(session_key, command, description, bound)
        if entry is None:
            return False
        signs = [Sign.ONCE, *([Sign.SESSION] if for_session else []), Sign.DENY]
        return await self._ask(
            Kind.APPROVAL,
            session_key,
            chat_id,
            texts.approval(command, description, approvals.seconds(), for_session=for_session),
            {sign: sign.value for sign in signs},
            Approval(session_key, entry),
            questions.approval_asker(session_key),
            metadata,
        )

    async def confirmation(self, chat_id: str, session_key: str, message: str, confirm_id: str, metadata: Any) -> bool:
        """Ask whether a slash command shall run; False if the host must ask in its own way."""
        if table.RESOLVE_CONFIRMATION.optional() is None:
            return False

        async def say(text: str) -> object:
            return await self._adapter.send(chat_id, text, metadata=metadata)

        return await self._ask(
            Kind.CONFIRMATION,
            session_key,
            chat_id,
            texts.confirmation(message),
            {Sign.ONCE: "once", Sign.DENY: "cancel"},
            Confirmation(session_key, confirm_id, say),
            questions.speaker(session_key),
            metadata,
        )

    async def question(
        self, chat_id: str, session_key: str, text: str, choices: Sequence[object], clarify_id: str, metadata: Any
    ) -> bool:
        """Ask a question of the agent's with choices; False if the host must ask in its own way."""
        if table.RESOLVE_CLARIFY.optional() is None or table.PENDING_CLARIFY.optional() is None:
            return False
        if (await_text := table.AWAIT_CLARIFY_TEXT.optional()) is None or not 0 < len(choices) <= texts.MOST_CHOICES:
            return False
        named = [str(choice) for choice in choices]
        # A typed answer counts as before.
        await_text(clarify_id)
        return await self._ask(
            Kind.QUESTION,
            session_key,
            chat_id,
            texts.question(text, named),
            dict(enumerate(named, 1)),
            Question(session_key, clarify_id),
            questions.speaker(session_key),
            metadata,
        )

    async def _ask(
        self,
        kind: Kind,
        session_key: str,
        chat_id: str,
        text: str,
        answers: Mapping[Sign | int, str],
        entry: Entry,
        asker: str | None,
        metadata: Any,
    ) -> bool:
        message_id = await self._network.post_prompt(chat_id, text, metadata)
        if message_id is None:
            return False
        prompt = Prompt(kind, session_key, chat_id, text, answers, entry, asker)
        self._prompts.put(prompt, (chat_id, message_id))
        self._table.add(chat_id, message_id, time.time())
        self._start(self._watch(prompt))
        self._start(self._network.seed_prompt(message_id, [_name(meant) for meant in answers]))
        return True

    # -- people answer

    async def reacted(self, reacted: Reacted) -> None:
        """Take a reaction to a message of ours."""
        place, rights = (reacted.chat_id, reacted.reaction.message_id), reacted.authorization.rights
        if reacted.reaction.removed or not rights.turn:
            return
        heard, prompt = rights.answers is not Answers.NONE, self._prompts.at(place)
        if prompt is None:
            if heard and self._prompts.expires(place):
                await self._adapter.send(reacted.chat_id, texts.EXPIRED)
            return
        meant, user_id = meaning(reacted.reaction.emoji), reacted.authorization.user_id
        match judge(prompt, meant, user_id, may=self._may(prompt, reacted), heard=heard):
            case Tell(text):
                await self._adapter.send(reacted.chat_id, text)
            case Answer(value):
                # Before the answer is given: what it sets off may take long, and the watcher looks meanwhile.
                prompt.outcome = texts.outcome(value, reacted.author, _now())
                answers.given(prompt.session_key, user_id)
                if not await prompt.entry.answer(value):
                    prompt.outcome = texts.TIMED_OUT
                await self._settle(prompt)
                table.RESUME_TYPING.of(self._adapter)(prompt.chat_id)

    def _may(self, prompt: Prompt, reacted: Reacted) -> bool:
        source = self._adapter.build_source(
            chat_id=reacted.chat_id, chat_type=reacted.chat_type, user_id=reacted.authorization.user_id
        )
        own = prompt.asker == reacted.authorization.user_id or (prompt.asker is None and reacted.chat_type == "dm")
        if prompt.kind is Kind.QUESTION:
            return own
        command = "approve" if prompt.kind is Kind.APPROVAL else questions.confirmed_command(prompt.session_key)
        return questions.has_right(
            source, reacted.authorization.authority, self._adapter.config.extra, command, own=own
        )

    # -- how it ends

    async def _watch(self, prompt: Prompt) -> None:
        """Wait until a question has an answer of the host's own, typed or for lack of time, and show it."""
        while prompt.entry.waits():
            await asyncio.sleep(_LOOK_SECONDS)
        if prompt.outcome:
            return
        value = prompt.entry.ended_with()
        if value is not None:
            prompt.outcome = texts.outcome(value, "", _now())
        else:
            prompt.outcome = texts.TIMED_OUT if prompt.kind is Kind.APPROVAL else texts.ENDED
        await self._settle(prompt)
        if prompt.kind is Kind.APPROVAL and value is None and table.TIMEOUT_NOTICE.optional() is None:
            await self._adapter.send(prompt.chat_id, prompt.outcome)

    async def _settle(self, prompt: Prompt) -> None:
        """Show how a question ended, on the question itself."""
        for chat_id, message_id in prompt.places:
            self._table.remove(chat_id, message_id)
            await self._network.edit_prompt(chat_id, message_id, texts.settled(prompt.text, prompt.outcome))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _name(meant: Sign | int) -> str:
    return NAMES[meant][0] if isinstance(meant, Sign) else DIGITS[meant - 1]


def _now() -> str:
    return time.strftime("%H:%M")
