"""The base of both networks' adapters: a stock class with our connection and the interceptor in front of the host."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import Any

from ..core.errors import Closed, CommonCode, ConnectionLost, Fatal, HardenedError
from ..inbound.authorization import HostAccess
from ..inbound.delivery import Change, Reacted
from ..inbound.observation import observations
from ..inbound.reactions import Reactions
from ..state.ledger import Answers
from ..state.store import shared
from . import events, people, profile, sessions
from .accounts import claims
from .asking.asked import asked
from .asking.asking import Asking
from .contract import table
from .interceptor import Interceptor
from .outgoing import redelivery
from .outgoing.growing import Growing, book
from .outgoing.guard import guarded
from .outgoing.sending import settled
from .tenancy import readiness, session
from .waiting.expiry import Expire

logger = logging.getLogger(__name__)


def hardened(stock: Any) -> Any:
    """Return the base class of a network's adapter, made from the stock one.

    The subclass supplies `_deliver`, `_send_text`, `_own_text`, `_own_messages`, `_reaction_rules`, `_settings` and
    `_open_connection`, which sets `connection`, and returns False if `_take_account` does.
    """

    class Hardened(asked(guarded(stock))):  # type: ignore[misc]
        gateway_runner: Any = None
        """Set by the host; before 0.19 only on adapters that declare it."""

        def __init__(self, config: Any) -> None:
            readiness.require()
            session.serves_chats()
            super().__init__(config)
            self.state = profile.state_file(self.home)
            self.connection: Any = None
            self._observed = observations(str(self.home), self.platform.value, time.time)
            self._asking = Asking(self, shared(self.state))
            self._interceptor = Interceptor(self, self._observed, shared(self.state), self._asking)
            self._reactions = Reactions(
                self._observed, self._reaction_rules(), self._own_text, time.time, lasts=self._own_text_lasts
            )
            self._notifying: asyncio.Task[None] | None = None
            self._answers = Answers(shared(self.state), self.platform.value)
            self.own_messages = self._own_messages()
            self._growing = Growing(self.own_messages, book(str(self.home), self.platform.value))
            self._typing: dict[str, asyncio.Task[None]] = {}
            """The call in progress that shows the typing indicator, by chat."""

        # -- lifecycle

        async def connect(self, *, is_reconnect: bool = False) -> bool:
            """Open the connection. If that fails, set the reason as the fatal error and return False."""
            self._interceptor.closing.clear()
            connected = False
            try:
                connected = await self._open_connection()
            except HardenedError as exc:
                self._report(exc, worked_before=is_reconnect)
            finally:
                if not connected:
                    await self.disconnect()
            if connected:
                self._mark_connected()
                await self._asking.connected()
                await self._interceptor.view_once.connected()
                self._interceptor.expiry.open()
                # Other plugins may add handlers to an adapter once it is connected.
                if wire := table.WIRE_HANDLERS.of(self):
                    wire(None)
            return connected

        async def disconnect(self) -> None:
            """Close everything that `connect` opened. Idempotent."""
            try:
                await self._close()
            finally:
                claims.release(self)

        async def _close(self) -> None:
            self._interceptor.closing.set()
            for chat_id in list(self._typing):
                self._end_typing(chat_id)
            self._growing.close()
            self._interceptor.deletions.forget()
            self._interceptor.expiry.close()
            if self.connection is not None:
                await self.connection.close()
                self.connection = None
            await super().disconnect()
            self._release_platform_lock()
            self._mark_disconnected()

        def _take_account(self, scope: str, identity: str, what: str, *names: str) -> bool:
            """Take the account for this profile and this process. Return False if another process has it.

            Raises Fatal if another profile has it: before the lock, which a refused adapter must not release.
            """
            claims.claim(self, *names)
            taken: bool = self._acquire_platform_lock(scope, identity, what)
            return taken

        def _host_side(self) -> dict[str, Any]:
            """Return those arguments of a connection that lead to the host."""
            return {
                "host": HostAccess(self._is_sender_authorized, lambda user_id: people.is_paired(self, user_id)),
                "deliver": self._deliver,
                "report": self._report_change,
                "react": self._reacted,
                "awaits": self._asking.awaits,
                "take_back": self._interceptor.deletions.take_back,
                "on_dead": self._report_dead,
                "handover_seconds": profile.handover_seconds(),
            }

        async def _reacted(self, reacted: Reacted) -> str | None:
            """Take a reaction to a message of ours: as an answer to a question, as a request, or as talk."""
            if await self._asking.reacted(reacted):
                return None
            if (request := self._reactions.request(reacted)) is None:
                self._reactions.note(reacted)
                self._forget_in_time()
            return request

        def _report_dead(self, exc: HardenedError) -> None:
            """Report to the host that the stream has ended; it disconnects this instance and creates another one."""
            self._report(exc, worked_before=True)
            # Not a task of the connection: the host calls `disconnect` in response, which would cancel it.
            self._notifying = asyncio.create_task(self._notify_fatal_error())

        def _report(self, exc: HardenedError, *, worked_before: bool) -> None:
            """Set the error that the host shows. With `worked_before`, the host retries after any error."""
            if isinstance(exc, Closed):
                logger.info("%s: %s", self.platform.value, exc)
                return
            if isinstance(exc, Fatal):
                code, message, retryable = exc.code, exc.remedy, exc.heals or worked_before
            else:
                kind = CommonCode.UNREACHABLE if isinstance(exc, ConnectionLost) else CommonCode.FAILED
                code, message, retryable = kind.of(self.platform.value), str(exc), True
            self._set_fatal_error(code, message, retryable=retryable)
            logger.error("%s is not connected (%s): %s", self.platform.value, code, message)

        # -- inbound

        async def handle_message(self, event: Any) -> None:
            """Pass an event on to the host if the interceptor admits it. `event.observe_only` marks observed ones."""
            if await self._interceptor.admit(event):
                await super().handle_message(event)
                self._interceptor.handed_over(event)
            else:
                self._withheld(event)

        def _withheld(self, event: Any) -> None:
            """Delete files to be seen once of an event that the host does not get."""
            self._interceptor.view_once.refused(event)

        def _forget_in_time(self, *expire: Expire) -> None:
            """Have these texts forgotten, too, when their messages disappear; without any, plan anew."""
            self._interceptor.expiry.add(*expire)
            if not expire:
                self._interceptor.expiry.plan()

        async def on_processing_complete(self, event: Any, outcome: Any) -> None:
            """Let stock react to the end of a session's turns, and delete what was to be seen once in them."""
            try:
                await super().on_processing_complete(event, outcome)
            finally:
                self._interceptor.turn_ended(event)

        def _own_text_lasts(self, chat_id: str, message_id: str) -> float | None:
            """Return the seconds until a message of ours disappears from its chat, None if it stays."""
            return None

        async def _report_change(self, change: Change) -> None:
            """Tell other plugins of an edit or a deletion. The host asks its own lists about the author first."""
            if (handler := table.PLATFORM_EVENT_HANDLER.of(self)) is None:
                return
            try:
                source = self.build_source(
                    chat_id=change.chat_id,
                    chat_type=change.chat_type,
                    user_id=change.user_id,
                    thread_id=change.inbound.chat.thread,
                )
                sessions.name_profile(source, self)
                await handler(events.platform_event(self.platform.value, change), source)
            except Exception as exc:
                # An edit may be a request, which must not be lost with its report.
                logger.warning("%s: a change was not reported (%s)", self.platform.value, type(exc).__name__)

        def set_message_handler(self, handler: Any) -> None:
            """Set the host's handler, wrapped by the interceptor."""
            super().set_message_handler(self._interceptor.screened(handler))

        def set_busy_session_handler(self, handler: Any) -> None:
            """Set the host's handler of messages that arrive while the agent works, wrapped by the interceptor."""
            super().set_busy_session_handler(handler and self._interceptor.screened_while_busy(handler))

        # -- outbound

        async def send(
            self, chat_id: str, content: str, reply_to: str | None = None, metadata: dict[str, Any] | None = None
        ) -> Any:
            """Send a text. An answer that the host sends again is sent only if certainly nothing of it arrived."""
            self._end_typing(chat_id)
            send = partial(self._send_text, chat_id, content, reply_to, metadata)
            if (answer := redelivery.repeated(content)) is not None:
                return await redelivery.send_again(self._answers, chat_id, answer, send)
            return redelivery.result_for_cron(await send(), metadata)

        async def _send_with_retry(
            self,
            chat_id: str,
            content: str,
            reply_to: str | None = None,
            metadata: Any = None,
            max_retries: int = 0,
            base_delay: float = 0.0,
        ) -> Any:
            """Send an answer once: what is safe to retry has been retried, and another attempt would repeat it."""
            self._end_typing(chat_id)
            send = partial(self._send_text, chat_id, content, reply_to, metadata)
            if grown := self._growing.unfinished(chat_id, content):
                rest = partial(self._send_text, chat_id, reply_to=reply_to, metadata=metadata)
                send = partial(self._growing.finish, grown, rest)
            return await redelivery.send_first(self._answers, chat_id, content, send)

        async def send_typing(self, chat_id: str, metadata: Any = None) -> None:
            """Show the typing indicator in the background, except in the direct chat of an unauthorized person.

            It must not be a call in which the host's typing loop waits when its turn ends: in Python 3.11, a call that
            ends at that moment swallows the cancellation (asyncio.wait_for), and the loop types for ever.
            """
            # It would reveal that a bot reads the message.
            if self._interceptor.is_unauthorized_dm(chat_id) or chat_id in self._typing:
                return
            task = asyncio.create_task(self._show_typing(chat_id, metadata))
            self._typing[chat_id] = task
            task.add_done_callback(lambda done: self._typing.get(chat_id) is done and self._typing.pop(chat_id))

        def _end_typing(self, chat_id: str) -> None:
            """Cancel a call that would show the indicator after the answer."""
            if task := self._typing.pop(chat_id, None):
                task.cancel()

        async def _show_typing(self, chat_id: str, metadata: Any) -> None:
            await super().send_typing(chat_id, metadata)

        async def _finalize_delivery_obligation(self, obligation_id: str, result: Any, *args: Any, **more: Any) -> None:
            """Close the host's record of an answer that may have arrived. Called since 0.21.5."""
            await super()._finalize_delivery_obligation(obligation_id, settled(result), *args, **more)

    return Hardened
