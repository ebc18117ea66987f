"""The settings of memory: `plugins.entries.hardened-adapters.memory` in config.yaml, checked as a whole."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..core.errors import ConfigError
from ..settings.config import Entries, Flag
from .chats import Chat
from .contexts import BUILT_IN, KEY, Contexts, Policy, checked, function_policy

_ALL, _DIRECT = "all", "dm"


class MemorySettings(BaseModel):
    """Whose memory is whose, and what a chat may use besides its own."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=False)

    policy: str = Field(
        "chat", description="`chat`, `user`, `chat+user`, `thread`, `global`, or `package.module:function`."
    )
    contexts: dict[str, str | list[str] | None] = Field(
        default_factory=dict,
        description="Contexts of single chats, by `platform:chat id`: one, a list (the first is written, all are read),"
        " or `global`. They win over the policy.",
    )
    cli_context: str = Field(
        "", description="The context that `hermes` in the terminal uses besides the host's own memory."
    )
    global_writers: Entries = Field(
        (), description="Chats whose explicit `scope: global` writes the memory of all chats."
    )
    global_readers: Entries = Field(
        (_ALL,), description="Who is shown the memory of all chats: `all`, `dm`, or a list of chats. Needs `strict`."
    )
    trusted_chats: Entries = Field(
        (), description="Chats that may use the agent's files, all jobs and processes, the board, and the denied tools."
    )
    deny_tools: Entries = Field((), description="Tools that chats may not use, unless they are trusted.")
    write_skills: Flag = Field(False, description="Chats may write skills, which every chat reads.")
    own_shells: Flag = Field(
        False, description="Every session runs its commands in a shell of its own, and every chat in its own folder."
    )
    strict: Flag = Field(False, description="This plugin keeps all memory; Hermes' own memory is off.")

    @classmethod
    def load(cls, block: object) -> Self:
        """Read the settings. Raises ConfigError with every fault, misspelt and unknown keys included."""
        if block is None:
            block = {}
        if not isinstance(block, Mapping):
            raise ConfigError([f"{KEY}: must be a block of settings"])
        faults = []
        for key in map(str, block):
            if key not in cls.model_fields:
                near = difflib.get_close_matches(key, cls.model_fields, 1)
                faults.append(f"{KEY}.{key}: unknown setting{f'; did you mean {near[0]}?' if near else ''}")
        settings = None
        try:
            settings = cls.model_validate({key: value for key, value in block.items() if value is not None})
        except ValidationError as exc:
            for error in exc.errors(include_input=False, include_url=False):
                where = ".".join(str(part) for part in error["loc"][:1])
                faults.append(f"{KEY}.{where}: {error['msg'].removeprefix('Value error, ')}")
        faults += settings._faults() if settings else ()
        if faults or settings is None:
            raise ConfigError(list(dict.fromkeys(faults)))
        return settings

    def _faults(self) -> list[str]:
        faults = []
        try:
            self._policy("")
        except Exception as exc:
            faults.append(f"{KEY}.policy: {exc}")
        for chat, answer in self.contexts.items():
            try:
                checked(answer)
            except Exception:
                faults.append(f"{KEY}.contexts: {chat} must be given a context, a list of contexts, or global")
        listed = {"contexts": self.contexts, "global_writers": self.global_writers, "trusted_chats": self.trusted_chats}
        if not {_ALL, _DIRECT} & set(self.global_readers):
            listed["global_readers"] = self.global_readers
        for name, chats in listed.items():
            faults += [f"{KEY}.{name}: {chat} must look like signal:+15550001111" for chat in chats if ":" not in chat]
        if self.global_readers != (_ALL,) and not self.strict:
            faults.append(
                f"{KEY}.global_readers: needs strict: true, because Hermes shows its own memory in every chat"
            )
        return faults

    def _policy(self, agent_id: str) -> Policy:
        if self.policy in BUILT_IN:
            return BUILT_IN[self.policy]
        module, colon, name = self.policy.partition(":")
        if not colon:
            known = ", ".join(BUILT_IN)
            raise ValueError(f"must be one of {known}, or package.module:function")
        try:
            function: Any = importlib.import_module(module)
            for part in name.split("."):
                function = getattr(function, part)
        except Exception as exc:
            raise ValueError(f"{self.policy} cannot be imported ({type(exc).__name__})") from exc
        if not callable(function):
            raise ValueError(f"{self.policy} is no function")
        return function_policy(function, agent_id)

    def resolved(self, agent_id: str) -> Contexts:
        """Return the contexts of all chats. `agent_id` names the agent in calls of a policy function."""
        return Contexts(self._policy(agent_id), self.contexts)

    def writes_global(self, chat: Chat) -> bool:
        """Return True if the chat's explicit wish writes the memory of all chats."""
        return not set(self.global_writers).isdisjoint(chat.names)

    def reads_global(self, chat: Chat) -> bool:
        """Return True if the chat is shown the memory of all chats; strict memory can hide it."""
        if _ALL in self.global_readers or (_DIRECT in self.global_readers and chat.chat_type == "dm"):
            return True
        return not set(self.global_readers).isdisjoint(chat.names)

    def trusts(self, chat: Chat) -> bool:
        """Return True if the chat may use what is everybody's, and the denied tools."""
        return not set(self.trusted_chats).isdisjoint(chat.names)
