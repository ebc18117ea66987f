"""Asks the host's questions in the chats of one adapter, and takes the answers by reaction."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from ...asking import texts
from ...asking.prompts import UNANSWERED, Answer, Kind, Left, Prompt, Prompts, Tell, Typed, judge, meant
from ...asking.signs import Sign, meaning, seeds
from ...core.authority import Answers
from ...inbound.delivery import Delivery, Reacted
from ...state.store import Store
from .. import questions, sessions
from ..contract import table
from . import answers, chats, kept, pickers, posed
from .entries import Approval
from .network import Network

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
"""How often it is looked whether the host still waits: typed answers and time-outs are its own."""

_prompts: dict[tuple[str, str], Prompts] = {}
"""By profile and network: adapters are made anew on every reconnect."""


class Asking:
    """The questions in the chats of one adapter."""

    def __init__(self, adapter: Any, store: Store) -> None:
        self._store = store
        self._key = chats.made(adapter)
        self._prompts = _prompts.setdefault(self._key, Prompts())
        self._tasks: set[asyncio.Task[None]] = set()
        self._posting: set[asyncio.Event] = set()
        """Of the questions that are being sent: set once that is done, in whatever way."""

    async def connected(self) -> None:
        """Say on the questions of an earlier run that they have expired."""
        chats.connected(self._adapter)
        for place in await kept.earlier(self._store, self._key[1]):
            if self._prompts.at(place) is None:
                self._prompts.expire(place)
                await self._network.edit_prompt(*place, texts.EXPIRED)
        self._keep()

    @property
    def _adapter(self) -> Any:
        """The latest one: it shows how a question ended that an earlier one asked."""
        return chats.latest(self._key)

    @property
    def _network(self) -> Network:
        network: Network = self._adapter.own_messages
        return network

    def _keep(self) -> None:
        kept.keep(self._store, self._key[1], self._prompts)

    # -- the host asks

    async def approval(
        self, chat_id: str, session_key: str, command: str, description: str, metadata: Any, *, for_session: bool
    ) -> bool:
        """Ask whether a command may run; False if the host must ask in its own way."""
        bound = [prompt.entry.entry for prompt in self._prompts.open() if isinstance(prompt.entry, Approval)]
        prompt = posed.approval(chat_id, session_key, command, description, metadata, bound, for_session=for_session)
        if prompt is None:
            return False
        source, admins = questions.speaker(session_key), self._adapter.approving_admins()
        if admins is not None and (source is None or source.chat_type != "dm"):
            return await self._ask_admins(prompt, description, source, admins)
        return await self._ask(prompt)

    async def confirmation(self, chat_id: str, session_key: str, message: str, confirm_id: str, metadata: Any) -> bool:
        """Ask whether a slash command shall run; False if the host must ask in its own way."""
        say = self._says(chat_id, metadata)
        return await self._ask(posed.confirmation(chat_id, session_key, message, confirm_id, metadata, say))

    async def question(
        self, chat_id: str, session_key: str, text: str, choices: Sequence[object], clarify_id: str, metadata: Any
    ) -> bool:
        """Ask a question of the agent's with choices; False if the host must ask in its own way."""
        return await self._ask(posed.question(chat_id, session_key, text, choices, clarify_id, metadata))

    async def update(self, chat_id: str, session_key: str, text: str, default: str, metadata: Any) -> bool:
        """Ask a question of `hermes update`; False if the host must ask in its own way."""
        runner = sessions.runner_of(self._adapter)
        return await self._ask(posed.update(chat_id, session_key, text, default, metadata, runner))

    def picker(self, chat_id: str, session_key: str, metadata: Any) -> pickers.Place | None:
        """Return where the command that is carried out may ask, None if it is not known who ran it."""
        return pickers.place(chat_id, session_key, metadata, self._says(chat_id, metadata), self._ask)

    def _says(self, chat_id: str, metadata: Any) -> Callable[[str], Awaitable[object]]:
        """Return how something is said where a question arose, by the adapter of that time."""

        async def say(text: str) -> object:
            return await self._adapter.send(chat_id, text, metadata=metadata)

        return say

    async def _ask(self, prompt: Prompt | None) -> bool:
        if prompt is None:
            return False
        return await self._post(prompt, prompt.chat_id, prompt.text, prompt.metadata) and await self._wait(prompt)

    async def _ask_admins(self, prompt: Prompt, description: str, source: Any, admins: Iterable[str]) -> bool:
        """Ask each admin in their direct chat; refuse if none is reached. The group never sees the command."""
        prompt.of_admins = True
        asked = texts.for_admin(prompt.text, source.user_name if source else "", source.chat_name if source else "")
        direct = await asyncio.gather(*(self._network.direct_chat(admin) for admin in admins if admin != "*"))
        posted = [await self._post(prompt, chat, asked, None) for chat in dict.fromkeys(filter(None, direct))]
        if not any(posted):
            await self._adapter.send(prompt.chat_id, texts.NO_ADMIN, metadata=prompt.metadata)
            await prompt.entry.answer(Sign.DENY.value, texts.NO_ADMIN)
            return True
        await self._adapter.send(prompt.chat_id, texts.admins_asked(description), metadata=prompt.metadata)
        return await self._wait(prompt)

    async def _post(self, prompt: Prompt, chat_id: str, text: str, metadata: Any) -> bool:
        posted = asyncio.Event()
        self._posting.add(posted)
        try:
            message_id = await self._network.post_prompt(chat_id, text, metadata)
            if message_id is None:
                return False
            self._prompts.put(prompt, (chat_id, message_id))
        finally:
            self._posting.discard(posted)
            posted.set()
        self._start(self._network.seed_prompt(message_id, seeds(prompt.answers)))
        return True

    async def _wait(self, prompt: Prompt) -> bool:
        self._keep()
        # A restart must find it.
        await self._store.commit()
        self._start(self._watch(prompt))
        return True

    # -- people answer

    async def reacted(self, reacted: Reacted) -> bool:
        """Take a reaction to a message of ours; return False if the message is no question, open or not."""
        place = reacted.chat_id, reacted.reaction.message_id
        if not self._prompts.knows(place):
            # Somebody may react before the network has told us which message the question is.
            for posted in tuple(self._posting):
                await posted.wait()
        if not self._prompts.knows(place):
            return False
        await self._answered(reacted)
        return True

    async def _answered(self, reacted: Reacted) -> None:
        place, rights = (reacted.chat_id, reacted.reaction.message_id), reacted.authorization.rights
        if reacted.reaction.removed or not rights.turn:
            return
        heard, prompt = rights.answers is not Answers.NONE, self._prompts.at(place)
        if prompt is None:
            if heard and self._prompts.expires(place):
                await self._adapter.send(reacted.chat_id, texts.EXPIRED)
            return
        sign, user_id = meaning(reacted.reaction.emoji), reacted.authorization.user_id
        match judge(prompt, sign, user_id, may=self._may(prompt, reacted), heard=heard):
            case Tell(text):
                await self._adapter.send(reacted.chat_id, text)
            case Answer(value):
                await self._answer(prompt, value, user_id, reacted.author)

    async def typed(self, event: Any, delivery: Delivery) -> str | None:
        """Take a typed answer to an approval or a picker; return what to say, None if it is the host's to take.

        The host finds only requests of the author's own session: not what another person asked for in a group.
        """
        rights, source = delivery.authorization.rights, event.source
        if rights.answers is Answers.NONE:
            return None
        if await self._picked(event, delivery):
            return ""
        if (choice := questions.choice_of(event, questions.command_of(event))) is None:
            return None
        # Mattermost's replies are posts in a thread.
        replied = event.reply_to_message_id or source.thread_id or ""
        own = sessions.session_keys(source, self._adapter.config.extra, self._adapter)
        said = Typed(source.chat_id, own, rights.answers, choice.is_command)
        at = self._prompts.at((source.chat_id, replied))
        waiting = self._prompts.open_in(source.chat_id, Kind.APPROVAL)
        match meant(at if at and at.kind is Kind.APPROVAL else None, waiting, said):
            case Prompt() as prompt:
                return await self._typed(prompt, event, choice, delivery)
            case Left(prompt):
                prompt.answered_by = delivery.author
            case Tell(text):
                return text
        return None

    async def _picked(self, event: Any, delivery: Delivery) -> bool:
        """Take a bare number as the choice of the person who ran a command; False if it is none."""
        source, extra = event.source, self._adapter.config.extra
        own = sessions.session_keys(source, extra, self._adapter)
        # A question that was asked later is what the number is for.
        waiting = self._prompts.open_in(source.chat_id, Kind.PICKER, Kind.QUESTION, Kind.UPDATE)
        asked = [prompt for prompt in waiting if prompt.asker == str(source.user_id) and prompt.session_key in own]
        if not asked or asked[-1].kind is not Kind.PICKER or (value := asked[-1].number(event.text or "")) is None:
            return False
        authority = delivery.authorization.authority
        if not questions.has_right(source, authority, extra, asked[-1].command, own=True):
            return False
        await self._answer(asked[-1], value, str(source.user_id), delivery.author)
        return True

    async def _typed(self, prompt: Prompt, event: Any, choice: questions.Choice, delivery: Delivery) -> str:
        """Take a typed answer to a prompt; return what to say, empty for nothing."""
        source, rights, extra = event.source, delivery.authorization.rights, self._adapter.config.extra
        if prompt.outcome:
            return texts.already(prompt.outcome)
        authority = delivery.authorization.authority
        if not prompt.is_admins_copy(source.chat_id) and (
            (choice.value == "always" and rights.answers is not Answers.ANY)
            or not questions.has_right(source, authority, extra, choice.command, own=prompt.asker == source.user_id)
        ):
            return texts.ADMINS_ONLY
        await self._answer(prompt, choice.value, source.user_id, delivery.author, choice.reason)
        return ""

    def awaits(self, chat_id: str, text: str) -> frozenset[str]:
        """See `Awaits`."""
        asked = self._prompts.open_in(chat_id, Kind.QUESTION, Kind.PICKER)
        return frozenset(prompt.asker for prompt in asked if prompt.asker and prompt.takes(text))

    def notice_of_waiting(self, session_key: str) -> str:
        """Return what to tell those who write while an approval waits in a session, once; empty for nothing."""
        for prompt in self._prompts.open():
            if prompt.session_key == session_key and prompt.kind is Kind.APPROVAL and not prompt.announced:
                prompt.announced = True
                return texts.WAITS
        return ""

    async def _answer(self, prompt: Prompt, value: str, user_id: str, who: str, reason: str = "") -> None:
        """Give an answer to exactly what waits, and show it."""
        # Before: what the answer sets off may take long, and the watcher looks meanwhile.
        prompt.outcome = texts.outcome(prompt.named(value), who, _now())
        answers.given(prompt.session_key, user_id)
        if not await prompt.entry.answer(value, reason):
            prompt.outcome = texts.TIMED_OUT
        await self._settle(prompt)
        if (resume := table.RESUME_TYPING.of(self._adapter)) is not None:
            resume(prompt.chat_id)

    def _may(self, prompt: Prompt, reacted: Reacted) -> bool:
        if prompt.is_admins_copy(reacted.chat_id):
            return reacted.authorization.rights.answers is not Answers.NONE
        own = prompt.asker == reacted.authorization.user_id or (prompt.asker is None and reacted.chat_type == "dm")
        match prompt.kind:
            case Kind.QUESTION:
                return own
            case Kind.PICKER if not own:
                return False
            case Kind.APPROVAL:
                command = "approve"
            case Kind.CONFIRMATION:
                command = questions.confirmed_command(prompt.session_key)
            case _:
                command = prompt.command
        source = self._adapter.build_source(
            chat_id=reacted.chat_id, chat_type=reacted.chat_type, user_id=reacted.authorization.user_id
        )
        authority, extra = reacted.authorization.authority, self._adapter.config.extra
        return questions.has_right(source, authority, extra, command, own=own)

    # -- how it ends

    async def _watch(self, prompt: Prompt) -> None:
        """Wait until a question has an answer of the host's own, typed or for lack of time, and show it."""
        while prompt.entry.waits():
            await asyncio.sleep(_LOOK_SECONDS)
        if prompt.outcome or self._adapter is None:
            return
        value = prompt.entry.ended_with()
        if value is not None:
            prompt.outcome = texts.outcome(value, prompt.answered_by, _now())
        else:
            prompt.outcome = UNANSWERED.get(prompt.kind, texts.ENDED)
        await self._settle(prompt)
        if (
            prompt.kind is Kind.APPROVAL
            and not prompt.of_admins
            and value is None
            and table.TIMEOUT_NOTICE.optional() is None
        ):
            await self._adapter.send(prompt.chat_id, prompt.outcome, metadata=prompt.metadata)

    async def _settle(self, prompt: Prompt) -> None:
        """Show how a question ended, on the question itself."""
        self._keep()
        for chat_id, message_id in prompt.places:
            await self._network.edit_prompt(chat_id, message_id, texts.settled(prompt.text, prompt.outcome))
        if prompt.of_admins:
            await self._adapter.send(prompt.chat_id, prompt.outcome, metadata=prompt.metadata)
        # A late answer finds the outcome only.
        prompt.text = ""

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _now() -> str:
    return time.strftime("%H:%M")
