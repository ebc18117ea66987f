"""Takes the host's questions: a stock class whose asking methods ask with answers by reaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..contract import table
from . import pickers
from .asking import Asking


class Approving(Protocol):
    """The settings that say who is shown the commands of groups."""

    group_allow_admin_from: Sequence[str]
    approvals_to: str


def asked(stock: Any) -> Any:
    """Return a subclass of the stock class that asks through `_asking`. The subclass supplies that, and `_settings`."""

    class Asked(stock):  # type: ignore[misc]
        _asking: Asking
        _settings: Approving

        def approving_admins(self) -> Sequence[str] | None:
            """Return the admins to whom alone the commands of groups are shown, None if the group sees them."""
            return self._settings.group_allow_admin_from if self._settings.approvals_to == "admins" else None

        async def send_exec_approval(
            self,
            chat_id: str,
            command: str,
            session_key: str,
            description: str = "dangerous command",
            metadata: dict[str, Any] | None = None,
            smart_denied: bool = False,
            allow_session: bool = True,
            **_: Any,
        ) -> Any:
            """Ask whether a command may run. A failure lets the host ask in plain text."""
            asked = await self._asking.approval(
                chat_id, session_key, command, description, metadata, for_session=allow_session and not smart_denied
            )
            return _sent(asked)

        async def _send_exec_approval_prompt(self, prompt: Any) -> Any:
            """Ask whether a command may run, in the form of 0.21.5 and newer."""
            return await self.send_exec_approval(
                prompt.chat_id,
                prompt.command,
                prompt.session_key,
                prompt.description,
                prompt.metadata,
                prompt.smart_denied,
                "session" in prompt.choices,
            )

        async def send_slash_confirm(
            self,
            chat_id: str,
            title: str,
            message: str,
            session_key: str,
            confirm_id: str,
            metadata: dict[str, Any] | None = None,
        ) -> Any:
            """Ask whether a slash command shall run. A failure lets the host ask in plain text."""
            return _sent(await self._asking.confirmation(chat_id, session_key, message, confirm_id, metadata))

        async def send_clarify(
            self,
            chat_id: str,
            question: str,
            choices: list[Any] | None,
            clarify_id: str,
            session_key: str,
            metadata: dict[str, Any] | None = None,
        ) -> Any:
            """Ask a question of the agent's; the host's own form where it has no few choices."""
            if await self._asking.question(chat_id, session_key, question, choices or (), clarify_id, metadata):
                return _sent(True)
            return await super().send_clarify(chat_id, question, choices, clarify_id, session_key, metadata)

        async def send_update_prompt(
            self,
            chat_id: str,
            prompt: str,
            default: str = "",
            session_key: str = "",
            metadata: dict[str, Any] | None = None,
            **_: Any,
        ) -> Any:
            """Ask a question of `hermes update`. The host asks in plain text only after an exception."""
            if not await self._asking.update(chat_id, session_key, prompt, default, metadata):
                raise RuntimeError("cannot be asked by reaction")
            return _sent(True)

        async def send_choice_picker(
            self,
            chat_id: str,
            title: str,
            choices: list[Any],
            session_key: str,
            on_choice_selected: Any,
            metadata: dict[str, Any] | None = None,
            **_: Any,
        ) -> Any:
            """Ask what a slash command shall set. A failure lets the host list the choices."""
            if (where := self._asking.picker(chat_id, session_key, metadata)) is None:
                return _sent(False)
            return _sent(await pickers.choice(where, title, choices, on_choice_selected))

        async def send_model_picker(
            self,
            chat_id: str,
            providers: list[Any],
            current_model: str,
            current_provider: str,
            session_key: str,
            on_model_selected: Any,
            metadata: dict[str, Any] | None = None,
            **_: Any,
        ) -> Any:
            """Ask which model it shall be. A failure lets the host list them."""
            if (where := self._asking.picker(chat_id, session_key, metadata)) is None:
                return _sent(False)
            return _sent(await pickers.model(where, providers, current_model, current_provider, on_model_selected))

    return Asked


def _sent(asked: bool) -> Any:
    """Return the host's result of a question, without the message's id: the host would edit it."""
    return table.SEND_RESULT(success=asked, error=None if asked else "cannot be asked by reaction")
