"""The context that a chat's memory belongs to: the operator's policy and its table of exceptions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .chats import Chat, Operation, Unknown

KEY = "plugins.entries.hardened-adapters.memory"
"""The block of the settings of memory in config.yaml."""
GLOBAL: tuple[str, ...] = ()
"""The contexts of a chat that uses the host's own memory, which every chat reads."""
GLOBAL_WORD = "global"
"""The word for it in settings and answers; None means the same."""
_LONGEST = 5_000

Policy = Callable[[Chat, Operation], object]

# A context made here is `platform:chat`, or `platform/kind:parts`, each part but the last one escaped: whatever ids a
# network allows, two chats have one context only if the policy says so.


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace(":", "%3A").replace("/", "%2F")


def _needed(*parts: str) -> None:
    if not all(parts):
        raise Unknown("the session does not say whose it is")


def _not_shared(chat: Chat) -> None:
    # What one person's memory says in it, the next one's question is answered with.
    if chat.is_shared:
        raise Unknown("several people share this session")


def _chat(chat: Chat, _: Operation) -> str:
    # A thread belongs to its channel: else each thread of some networks would be an island.
    place = chat.origin.get("parent_chat_id") or chat.chat_id
    _needed(chat.platform, place)
    return f"{_escaped(chat.platform)}:{place}"


def _user(chat: Chat, _: Operation) -> str:
    _needed(chat.platform, chat.user_id)
    _not_shared(chat)
    return f"{_escaped(chat.platform)}/user:{chat.user_id}"


def _chat_and_user(chat: Chat, _: Operation) -> str:
    place = chat.origin.get("parent_chat_id") or chat.chat_id
    _needed(chat.platform, place, chat.user_id)
    _not_shared(chat)
    return f"{_escaped(chat.platform)}/chat+user:{_escaped(place)}:{chat.user_id}"


def _thread(chat: Chat, operation: Operation) -> str:
    if not chat.thread_id:
        return _chat(chat, operation)
    _needed(chat.platform, chat.chat_id)
    return f"{_escaped(chat.platform)}/thread:{_escaped(chat.chat_id)}:{chat.thread_id}"


BUILT_IN: Mapping[str, Policy] = {
    "chat": _chat,
    "user": _user,
    "chat+user": _chat_and_user,
    "thread": _thread,
    GLOBAL_WORD: lambda chat, operation: None,
}


@dataclass(frozen=True, slots=True)
class Contexts:
    """The contexts of every chat."""

    policy: Policy
    table: Mapping[str, object] = field(default_factory=dict)
    """Answers for single chats, by `Chat.names`, which win over the policy."""

    def of(self, chat: Chat, operation: Operation) -> tuple[str, ...]:
        """Return a chat's contexts: the first is written, all are read; GLOBAL means the host's own memory.

        Raises Unknown if the policy fails or gives anything but a text, a series of texts, or None.
        """
        for name in chat.names:
            if name in self.table:
                return tuple(map(self.named, checked(self.table[name])))
        try:
            answer = self.policy(chat, operation)
        except Unknown:
            raise
        except Exception as exc:
            raise Unknown(f"the policy failed ({type(exc).__name__})") from exc
        return checked(answer)

    def named(self, name: str) -> str:
        """Return the context that the settings call by a name; never one that a built-in policy makes."""
        return f":{name}" if ":" in name and self.policy in BUILT_IN.values() else name

    @property
    def all_global(self) -> bool:
        """True if every chat uses the host's own memory, as without this plugin."""
        return self.policy is BUILT_IN[GLOBAL_WORD] and all(checked(each) == GLOBAL for each in self.table.values())


def checked(answer: object) -> tuple[str, ...]:
    """Return a policy's answer as contexts. Raises Unknown if it is none."""
    # Types are exact: what a subclass calls equal to the word could be anything.
    if answer is None or (type(answer) is str and answer == GLOBAL_WORD):
        return GLOBAL
    if inspect.iscoroutine(answer):
        answer.close()
    found: tuple[object, ...] = ()
    if type(answer) is str:
        found = (answer,)
    elif type(answer) is tuple or type(answer) is list:
        found = tuple(answer)
    contexts = tuple(each for each in found if type(each) is str and is_context(each))
    if not contexts or len(contexts) != len(found):
        raise Unknown("the policy gave no context")
    return tuple(dict.fromkeys(contexts))


def reads(mine: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Return True if a chat of the contexts `mine` reads what one of the contexts `theirs` writes."""
    return theirs[0] in mine if theirs else not mine


def is_context(name: str) -> bool:
    """Return True if a text can name a context. The word `global`, however written, cannot."""
    if not name.strip() or name.strip().casefold() == GLOBAL_WORD or len(name) > _LONGEST:
        return False
    # A lone surrogate has no bytes, so it could be in no file.
    return not any("\ud800" <= character <= "\udfff" for character in name)
