"""Policies that operators write: functions of the `memory:scope` contract."""

from __future__ import annotations

import importlib
import inspect
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from .chats import Chat, Operation, Unknown
from .contexts import Policy

GIVEN = ("operation", "session_id", "platform", "channel_id", "user_id", "agent_id", "metadata")
"""The arguments, all by keyword; a function takes those that it wants."""
_SECONDS = 5.0
_MOST_LATE = 4
"""Calls that may go on after their time; with as many, no further one is made."""


def imported(place: str) -> Callable[..., object]:
    """Return the function at `package.module:function`. Raises ValueError if there is none that can be a policy."""
    module, _, name = place.partition(":")
    try:
        function: Any = importlib.import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
    except (Exception, SystemExit) as exc:
        raise ValueError(f"{place} cannot be imported ({type(exc).__name__})") from exc
    if not callable(function):
        raise ValueError(f"{place} is no function")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise ValueError(f"{place} must not be async")
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError as exc:
        raise ValueError(f"{place} does not say which arguments it takes") from exc
    asked = [each.name for each in parameters if _is_needed(each) and not _is_given(each)]
    if asked:
        raise ValueError(f"{place} takes {', '.join(asked)}; a policy gets {', '.join(GIVEN)}, by keyword")
    return function  # type: ignore[no-any-return]


def policy(function: Callable[..., object], agent_id: str, seconds: float = _SECONDS) -> Policy:
    """Return the policy of a function. `agent_id` names the agent of chats without a profile.

    A call that takes longer than `seconds` raises Unknown, and so does a function that ends its thread.
    """
    parameters = inspect.signature(function).parameters
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    taken = set(GIVEN) if takes_all else {name for name, each in parameters.items() if _is_given(each)}
    late: set[threading.Thread] = set()

    def answer(chat: Chat, operation: Operation) -> object:
        given: dict[str, Any] = {
            "operation": operation.value,
            "session_id": chat.session_id,
            "platform": chat.platform,
            "channel_id": chat.chat_id,
            "user_id": chat.user_id,
            "agent_id": chat.profile or agent_id,
            "metadata": chat.metadata(),
        }
        late.difference_update([each for each in late.copy() if not each.is_alive()])
        if len(late) >= _MOST_LATE:
            raise Unknown("the policy does not answer")
        call = _Call(function, {name: value for name, value in given.items() if name in taken})
        call.start()
        call.join(seconds)
        if call.is_alive():
            late.add(call)
            raise Unknown("the policy does not answer")
        return call.outcome()

    return answer


class _Call(threading.Thread):
    """A call in a thread of its own, so that it can be given up. It sees the caller's context variables."""

    def __init__(self, function: Callable[..., object], given: dict[str, Any]) -> None:
        super().__init__(name="memory policy", daemon=True)
        self._function, self._given, self._context = function, given, copy_context()
        self._answer: object = None
        self._error: BaseException | None = Unknown("the policy does not answer")

    def run(self) -> None:
        try:
            self._answer = self._context.run(self._function, **self._given)
        except BaseException as exc:
            self._error = exc
        else:
            self._error = None

    def outcome(self) -> object:
        """Return the answer, or raise Unknown for any error."""
        if self._error is not None:
            raise Unknown(f"the policy failed ({type(self._error).__name__})") from self._error
        return self._answer


def _is_needed(parameter: inspect.Parameter) -> bool:
    variadic = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    return parameter.default is inspect.Parameter.empty and parameter.kind not in variadic


def _is_given(parameter: inspect.Parameter) -> bool:
    return parameter.name in GIVEN and parameter.kind is not inspect.Parameter.POSITIONAL_ONLY
