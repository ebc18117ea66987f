"""Which context a chat's memory belongs to: the operator's policy and its table of exceptions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .chats import Chat, Operation, Unknown

KEY = "plugins.entries.hardened-adapters.memory"
"""The block of the settings of memory in config.yaml."""
GLOBAL: tuple[str, ...] = ()
"""The contexts of a chat that uses the host's own memory, which every chat reads."""
GLOBAL_WORD = "global"
"""The word for it in settings and answers; None means the same."""
_LONGEST = 5_000

Policy = Callable[[Chat, Operation], object]


def _chat(chat: Chat, _: Operation) -> str:
    # A thread belongs to its channel: else each thread of some networks would be an island.
    return f"{chat.platform}:{chat.origin.get('parent_chat_id') or chat.chat_id}"


def _user(chat: Chat, _: Operation) -> str:
    # A row of a session without a person is nobody's: a shared session would be everybody's.
    if not chat.user_id:
        raise Unknown("nobody is named")
    return f"{chat.platform}:user:{chat.user_id}"


def _chat_and_user(chat: Chat, operation: Operation) -> str:
    return f"{_chat(chat, operation)}:{_user(chat, operation)}"


def _thread(chat: Chat, operation: Operation) -> str:
    return f"{chat.key}:thread:{chat.thread_id}" if chat.thread_id else _chat(chat, operation)


BUILT_IN: Mapping[str, Policy] = {
    "chat": _chat,
    "user": _user,
    "chat+user": _chat_and_user,
    "thread": _thread,
    GLOBAL_WORD: lambda chat, operation: None,
}


def function_policy(function: Callable[..., object], agent_id: str) -> Policy:
    """Return the policy of an operator's function, called with those of our arguments that it takes.

    They are `operation`, `session_id`, `platform`, `channel_id`, `user_id`, `agent_id` and `metadata`
    (`Chat.metadata`), all by keyword: the `memory:scope` contract.
    """
    parameters = inspect.signature(function).parameters
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())

    def policy(chat: Chat, operation: Operation) -> object:
        given: dict[str, Any] = {
            "operation": operation.value,
            "session_id": chat.session_id,
            "platform": chat.platform,
            "channel_id": chat.chat_id,
            "user_id": chat.user_id,
            "agent_id": chat.profile or agent_id,
            "metadata": chat.metadata(),
        }
        return function(**{name: value for name, value in given.items() if takes_all or name in parameters})

    return policy


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
        named = next((name for name in chat.names if name in self.table), None)
        try:
            answer = self.table[named] if named else self.policy(chat, operation)
        except Unknown:
            raise
        except Exception as exc:
            raise Unknown(f"the policy failed ({type(exc).__name__})") from exc
        return checked(answer)

    @property
    def all_global(self) -> bool:
        """True if every chat uses the host's own memory, as without this plugin."""
        return self.policy is BUILT_IN[GLOBAL_WORD] and all(checked(each) == GLOBAL for each in self.table.values())


def checked(answer: object) -> tuple[str, ...]:
    """Return a policy's answer as contexts. Raises Unknown if it is none."""
    if answer is None or answer == GLOBAL_WORD:
        return GLOBAL
    found = (answer,) if isinstance(answer, str) else answer
    if not isinstance(found, (tuple, list)) or not found:
        raise Unknown("the policy gave no context")
    if not all(map(_is_context, found)):
        raise Unknown("the policy gave no context")
    return tuple(dict.fromkeys(found))


def _is_context(value: object) -> bool:
    if not isinstance(value, str) or not value.strip() or value == GLOBAL_WORD or len(value) > _LONGEST:
        return False
    # A lone surrogate has no bytes, so it could be in no file.
    return not any("\ud800" <= character <= "\udfff" for character in value)
