"""The settings of memory: `plugins.entries.hardened-adapters.memory` in config.yaml, checked as a whole."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from ..core.errors import ConfigError
from ..settings.config import Entries, Flag
from . import functions
from .chats import Chat, Unknown
from .contexts import BUILT_IN, KEY, Contexts, Policy, checked, is_context

_ALL, _DIRECT = "all", "dm"
_CHAT = re.compile(r"[a-z0-9._-]+:\S(?:.*\S)?", re.DOTALL)
"""A platform, as Hermes writes it, and an id."""
_EXAMPLE = "must look like signal:+15550001111"
_POLICIES = f"must be one of {', '.join(BUILT_IN)}, or package.module:function"

Answer = str | list[str] | None


def _policy_name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(_POLICIES)
    return value.strip()


def _name(value: object) -> str:
    if isinstance(value, str) and (not value.strip() or is_context(value)):
        return value.strip()
    raise ValueError("must be the name of one context, and not global")


def _texts(value: object) -> object:
    """Return a text, or a list of texts. Raises ValueError for all else, of which YAML has much to offer."""
    if isinstance(value, str):
        return value
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list of texts")
    _refuse([f"entry {n} must be a text in quotes" for n, each in enumerate(value, 1) if not isinstance(each, str)])
    return value


Texts = Annotated[Entries, BeforeValidator(_texts)]


def _table(value: object) -> dict[str, Answer]:
    """Return the table with texts stripped. Raises ValueError that lists every invalid entry."""
    if not isinstance(value, Mapping):
        raise ValueError("must be a table of chats and their contexts")
    entries = {str(key).strip(): _answer(each) for key, each in value.items()}
    platforms = {key.partition(":")[0] for key in entries}
    faults = []
    for position, (key, answer) in enumerate(entries.items(), 1):
        if not _CHAT.fullmatch(key):
            faults.append(f"entry {position} {_EXAMPLE}")
        try:
            names = checked(answer)
        except Unknown:
            faults.append(f"entry {position} needs the name of a context, a list of names, or global")
            continue
        if any(":" in name and name.partition(":")[0] in platforms for name in names):
            faults.append(f"entry {position} gives a chat in place of a context; give both chats a context of one name")
    _refuse(faults)
    return {key: list(answer) if isinstance(answer, list) else answer for key, answer in entries.items()}  # type: ignore[misc]


def _refuse(faults: list[str]) -> None:
    if faults:
        raise ValueError("; ".join(faults))


def _answer(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [each.strip() if isinstance(each, str) else each for each in value]
    return value.strip() if isinstance(value, str) else value


class MemorySettings(BaseModel):
    """Whose memory is whose, and what a chat may use besides its own."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    policy: Annotated[str, BeforeValidator(_policy_name)] = Field(
        "chat",
        description="Whose memory is whose: `chat`, `user`, `chat+user`, `thread`, `global`, or"
        " `package.module:function`.",
    )
    contexts: Annotated[dict[str, Answer], BeforeValidator(_table)] = Field(
        default_factory=dict,
        description="Contexts of single chats, by `platform:chat id`: one, a list (the first is written, all are read),"
        " or `global`. They win over the policy.",
    )
    cli_context: Annotated[str, BeforeValidator(_name)] = Field(
        "", description="The context that `hermes` in the terminal uses besides Hermes' own memory."
    )
    global_writers: Texts = Field(
        (), description="Chats whose explicit `scope: global` writes the memory of all chats."
    )
    global_readers: Texts = Field(
        (_ALL,), description="Who is shown the memory of all chats: `all`, `dm`, or a list of chats. Needs `strict`."
    )
    trusted_chats: Texts = Field(
        (), description="Chats that may use the agent's files, all jobs and processes, the board, and the denied tools."
    )
    deny_tools: Texts = Field((), description="Tools that chats may not use, unless they are trusted.")
    write_skills: Flag = Field(False, description="Chats may write skills, which every chat reads.")
    own_shells: Flag = Field(
        False, description="Every session runs its commands in a shell of its own, and every chat in its own folder."
    )
    strict: Flag = Field(False, description="This plugin keeps all memory; Hermes' own memory is off.")

    @classmethod
    def load(cls, block: object) -> Self:
        """Read the settings. Raises ConfigError with every fault, misspelt and unknown keys included.

        A key without a value counts as not set.
        """
        if block is None:
            block = {}
        if not isinstance(block, Mapping):
            raise ConfigError([f"{KEY}: must be a block of settings"])
        faults = []
        for key in map(str, block):
            if key not in cls.model_fields:
                near = difflib.get_close_matches(key, cls.model_fields, 1)
                faults.append(f"{KEY}.{key}: unknown setting{f'; did you mean {near[0]}?' if near else ''}")
        values = {str(key): value for key, value in block.items() if value is not None}
        wrong: set[object] = set()
        try:
            settings = cls.model_validate(values)
        except ValidationError as exc:
            for error in exc.errors(include_input=False, include_url=False):
                wrong.add(error["loc"][0])
                faults.append(f"{KEY}.{error['loc'][0]}: {error['msg'].removeprefix('Value error, ')}")
            settings = cls.model_validate({key: value for key, value in values.items() if key not in wrong})
        if not wrong & {"global_readers", "strict"} and settings.global_readers != (_ALL,) and not settings.strict:
            faults.append(
                f"{KEY}.global_readers: needs strict: true, because Hermes shows its own memory in every chat"
            )
        if faults:
            raise ConfigError(list(dict.fromkeys(faults)))
        return settings

    @field_validator("policy")
    @classmethod
    def _known_policy(cls, value: str) -> str:
        _found(value)
        return value

    @field_validator("global_writers", "global_readers", "trusted_chats")
    @classmethod
    def _chats(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        words = {_ALL, _DIRECT} if info.field_name == "global_readers" else set()
        wrong = (n for n, each in enumerate(value, 1) if each not in words and not _CHAT.fullmatch(each))
        _refuse([f"entry {n} {_EXAMPLE}" for n in wrong])
        return value

    def resolved(self, agent_id: str) -> Contexts:
        """Return the contexts of all chats. `agent_id` names the agent in calls of a policy function."""
        found = _found(self.policy)
        policy: Policy = BUILT_IN[self.policy] if self.policy in BUILT_IN else functions.policy(found, agent_id)
        return Contexts(policy, self.contexts)

    def writes_global(self, chat: Chat) -> bool:
        """Return True if the chat's explicit wish writes the memory of all chats."""
        return _lists(self.global_writers, chat)

    def reads_global(self, chat: Chat) -> bool:
        """Return True if the chat is shown the memory of all chats; strict memory can hide it."""
        if _ALL in self.global_readers or (_DIRECT in self.global_readers and chat.chat_type == "dm"):
            return True
        return _lists(self.global_readers, chat)

    def trusts(self, chat: Chat) -> bool:
        """Return True if the chat may use what is everybody's, and the denied tools."""
        return _lists(self.trusted_chats, chat)


def _lists(chats: tuple[str, ...], chat: Chat) -> bool:
    return not set(chats).isdisjoint(chat.names)


def _found(policy: str) -> Callable[..., object]:
    """Return the function of a policy. Raises ValueError if there is no such policy."""
    if policy in BUILT_IN:
        return BUILT_IN[policy]
    if ":" in policy:
        return functions.imported(policy)
    near = difflib.get_close_matches(policy, BUILT_IN, 1)
    raise ValueError(_POLICIES + (f"; did you mean {near[0]}?" if near else ""))
