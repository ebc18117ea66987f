"""The Signal adapter. It inherits media and reactions from stock, over our client, and replaces the text path."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import time
from functools import partial
from typing import Any

from ...common.core.bounded import Expiring
from ...common.core.errors import ConnectionLost, HardenedError, Unanswered
from ...common.core.events import Attachment, Inbound, Observe, Reaction
from ...common.core.mentions import said
from ...common.host import adapter, logs, profile, strict_mode
from ...common.host.accounts import claims
from ...common.host.contract import table
from ...common.host.contract.check import stock_adapter
from ...common.host.outgoing.editing import editing
from ...common.host.outgoing.growing import without_counters
from ...common.host.outgoing.sending import send_all
from ...common.inbound.delivery import Commit, Delivery
from ...common.inbound.reactions import ReactionRules
from ...common.settings.config import without_user
from . import files, host_names, wire
from .connection import Connection
from .failures import Refused, RpcError
from .outgoing import sending
from .outgoing.own_messages import OwnMessages
from .settings import SignalSettings
from .stock import STOCK

logger = logging.getLogger(__name__)

_Stock: Any = stock_adapter(STOCK, host_names.NAMES)
logs.redact_phone_numbers(_Stock)
SendResult: Any = table.SEND_RESULT.load()

_KEEP_QUOTABLE = 500
_QUOTED_CHARACTERS = 200


class SignalAdapter(adapter.hardened(_Stock)):  # type: ignore[misc]
    """The adapter of one account on one signal-cli daemon."""

    # The host then passes long answers on whole, and `send` splits them.
    splits_long_messages = True
    connection: Connection | None
    _settings: SignalSettings

    def __new__(cls, config: Any) -> SignalAdapter:
        """Make an adapter of the class that the settings ask for: the host asks the class whether it edits messages."""
        settings = SignalSettings.load(config.extra or {}, profile.environment(), strict_mode.written(STOCK))
        made: SignalAdapter = super().__new__(StreamingSignalAdapter if settings.streaming else cls)
        made._settings = settings
        return made

    def __init__(self, config: Any) -> None:
        shown = without_user(self._settings.http_url)
        if shown != self._settings.http_url:
            # Stock logs this URL, so the password must be gone. The host's object keeps it: a reconnect creates a new
            # adapter from the same object.
            config = dataclasses.replace(config, extra={**(config.extra or {}), "http_url": shown})
        super().__init__(config)
        self.http_url, self.account = shown, self._settings.account
        self._quotable: Expiring[tuple[str, str], tuple[str, str]] = Expiring(_KEEP_QUOTABLE, time.time)
        """Author and text of the latest dispatched messages, by chat and message id, for quotes in answers."""
        self._said: Expiring[tuple[str, str], str] = Expiring(_KEEP_QUOTABLE, time.time)
        """The beginnings of the latest texts of our own, by chat and message id, for reactions to them."""
        self._forget_in_time(self._growing.expire, self._quotable.expire, self._said.expire)

    async def _open_connection(self) -> bool:
        if not self._take_account("signal-phone", self.account, "Signal account", self.account):
            return False
        self.connection = Connection(
            self._settings,
            self.state,
            self._observed,
            sent=self._sent_message_timestamps,
            claim=partial(claims.claim, self),
            **self._host_side(),
        )
        await self.connection.open()
        logger.info("Signal: subscribed to the events of signal-cli")
        return True

    def _own_messages(self) -> OwnMessages:
        return OwnMessages(self, self._direct_chat)

    # -- inbound

    def _own_text(self, chat_id: str, message_id: str) -> str | None:
        """Return the beginning of one of our own texts, None if it is not known."""
        return self._said.get((chat_id, message_id))

    def _own_text_lasts(self, chat_id: str, message_id: str) -> float | None:
        return self._said.lasts((chat_id, message_id))

    def _reaction_rules(self) -> ReactionRules:
        settings = self._settings
        shown, turns = settings.reaction_context == "own", settings.reaction_turns
        return ReactionRules(shown, settings.observe_unmentioned, turns=turns)

    async def _deliver(self, delivery: Delivery, commit: Commit) -> None:
        """Commit a message to the ledger, then hand it to the host through `handle_message`."""
        if (reaction := delivery.inbound.reaction) is not None:
            delivery = self._quoting(delivery, reaction)
        inbound, authorization = delivery.inbound, delivery.authorization
        source = self.build_source(
            chat_id=delivery.chat_id,
            chat_name=delivery.chat_name,
            chat_type=delivery.chat_type,
            user_id=authorization.user_id,
            user_name=delivery.author or authorization.user_id,
            user_id_alt=authorization.aci,
            chat_id_alt=inbound.chat.id or None,
            message_id=inbound.message_id,
            role_authorized=delivery.admitted,
        )
        if isinstance(delivery.decision, Observe):
            event = self._interceptor.observed_event(delivery, source)
        else:
            raw = _raw_message(inbound)
            event = await self._interceptor.dispatched_event(delivery, source, self._fetch, raw_message=raw)
            if inbound.reaction is None:
                author = inbound.sender
                quote = (author.id or author.number or "", said(inbound)[:_QUOTED_CHARACTERS])
                self._quotable.put((delivery.chat_id, inbound.message_id), quote, inbound.expires_in)
        # Before the hand-over: a crash in between must not make the host answer the same message twice.
        if await commit():
            await self.handle_message(event)
        else:
            self._withheld(event)

    def _quoting(self, delivery: Delivery, reaction: Reaction) -> Delivery:
        """Let a request that quotes a message of ours disappear together with it."""
        left = self._own_text_lasts(delivery.chat_id, reaction.message_id)
        if left is None:
            return delivery
        return dataclasses.replace(delivery, inbound=dataclasses.replace(delivery.inbound, expires_in=math.ceil(left)))

    async def _fetch(self, attachment: Attachment, max_bytes: int) -> tuple[str | None, str]:
        """Download a file into the host's cache. Raises FileTooLarge."""
        if self.connection is None:
            return None, ""
        data = await self.connection.client.attachment(attachment.id, max_bytes)
        return await asyncio.to_thread(files.cache, data)

    # -- outbound

    async def _send_text(
        self, chat_id: str, content: str, reply_to: str | None, metadata: dict[str, Any] | None
    ) -> Any:
        """Send a text with Signal's styles, split into several messages if needed, quoting the message it answers."""
        await self._stop_typing_indicator(chat_id)
        if self.connection is None:
            return SendResult(success=False, error="not connected to signal-cli", error_kind="transient")
        # signal-cli sends with the timer of the chat.
        timer = self.connection.source.timer(chat_id)

        async def send_part(number: int, part: str) -> str | None:
            timestamp = await self.send_one(chat_id, part, **self.quote(chat_id, reply_to, number))
            self._said.put((chat_id, str(timestamp)), _styled(part)[0][:_QUOTED_CHARACTERS], timer)
            # Given an id, the host edits the answer while the model still writes it.
            return timestamp if self._settings.streaming else None

        parts = self.parts(content)
        if (metadata or {}).get("expect_edits"):
            parts = without_counters(parts)
        result = await send_all(parts, send_part, lambda _: None)
        self._growing.begun(chat_id, parts, result, content, reply_to, metadata, timer)
        if timer is not None:
            self._forget_in_time()
        return result

    # -- what the bot's own messages need: see `outgoing.own_messages.Sender`

    async def send_one(
        self, chat_id: str, text: str, *, patience: float = sending.PATIENCE_SECONDS, **params: Any
    ) -> str | None:
        """Send one message with Signal's styles; return its timestamp, None if unknown. Raises HardenedError."""
        plain, styles = _styled(text)
        params |= {**await self._to(chat_id), "message": plain, **({"textStyles": styles} if styles else {})}
        sent = await sending.send(self._connected().client, params, patience=patience)
        # The timestamp is needed to recognise the echo of our own message.
        self._track_sent_timestamp({"timestamp": sent.timestamp})
        return str(sent.timestamp) if sent.timestamp else None

    async def delete(self, chat_id: str, message_id: str) -> None:
        """Delete a message for everybody. Raises HardenedError or ValueError."""
        params = {**await self._to(chat_id), "targetTimestamp": int(message_id)}
        await self._connected().client.rpc("remoteDelete", params)

    def parts(self, text: str) -> list[str]:
        """Return the messages of a text."""
        parts: list[str] = self.truncate_message(text, host_names.MAX_MESSAGE_LENGTH.load())
        return parts

    def quote(self, chat_id: str, message_id: str | None, number: int) -> dict[str, Any]:
        """Return the parameters that make the message of that number quote what the answer is to."""
        if self.config.reply_to_mode != "all" and (self.config.reply_to_mode != "first" or number > 0):
            return {}
        quoted = self._quotable.get((chat_id, message_id or ""))
        if quoted is None:
            # signal-cli requires author and text of a quote, so an unknown message cannot be quoted.
            return {}
        author, text = quoted
        return {"quoteTimestamp": int(message_id or 0), "quoteAuthor": author, "quoteMessage": text}

    def _direct_chat(self, user_id: str) -> str | None:
        return self.connection.source.senders.direct_chat_id(user_id) if self.connection else None

    def _connected(self) -> Connection:
        if self.connection is None:
            raise ConnectionLost("not connected to signal-cli")
        return self.connection

    async def _to(self, chat_id: str) -> dict[str, Any]:
        """Return the parameters of a call that name the recipient."""
        if chat_id.startswith("group:"):
            return {"groupId": chat_id[6:]}
        return {"recipient": [await self._resolve_recipient(chat_id)]}

    def _validate_send_result(self, result: Any) -> tuple[bool, str | None]:
        """Evaluate the result of a file sent by stock. One member reached counts as success."""
        try:
            sending.sent(wire.SendResult.read(result))
        except Refused as exc:
            return False, str(exc)
        return True, None

    # -- overrides of the methods that stock's media, typing and reactions call

    async def _rpc(
        self,
        method: str,
        params: dict[str, Any],
        rpc_id: str | None = None,
        *,
        log_failures: bool = True,
        raise_on_rate_limit: bool = False,
        timeout: float = 30.0,
    ) -> Any:
        """Make stock's call over our client; None for a failure.

        With `raise_on_rate_limit`, a rate limit raises SignalRateLimitError instead, which stock's scheduler waits for,
        and a call in doubt raises Unanswered: stock would send the same pictures again.
        """
        if self.connection is None:
            return None
        try:
            result = await self.connection.client.rpc(method, params, timeout=timeout)
        except HardenedError as exc:
            if raise_on_rate_limit and isinstance(exc, Unanswered):
                raise
            if raise_on_rate_limit and isinstance(exc, RpcError):
                error = {"code": exc.code, "message": exc.message, "data": exc.data}
                if host_names.IS_RATE_LIMIT(error):
                    raise _rate_limited(exc.message, host_names.RETRY_AFTER(error)) from exc
            logger.log(logging.WARNING if log_failures else logging.DEBUG, "%s failed: %s", method, exc)
            return None
        # A group send that reached some members is a success for signal-cli, even if others hit the rate limit.
        limited = (row for row in wire.SendResult.read(result).rows if row.is_rate_limited)
        if raise_on_rate_limit and (row := next(limited, None)):
            raise _rate_limited("rate limited", row.retry_after_seconds)
        return result

    async def _resolve_recipient(self, chat_id: str) -> str:
        """Return the ACI of a number, or the number itself if its ACI is unknown.

        Without a network, signal-cli reports a number whose ACI it does not know as unregistered, as if for good.
        """
        return (self.connection and self.connection.source.senders.directory.aci_of(chat_id)) or chat_id

    async def get_chat_info(self, chat_id: str) -> dict[str, Any]:
        """Return name and type of a chat, from memory."""
        is_group = chat_id.startswith("group:")
        name = self.connection.source.chat_name(chat_id) if self.connection else ""
        return {"name": name or chat_id, "type": "group" if is_group else "dm", "chat_id": chat_id}

    async def _stop_typing_indicator(self, chat_id: str) -> None:
        self._end_typing(chat_id)
        if not self._interceptor.is_unauthorized_dm(chat_id):
            await super()._stop_typing_indicator(chat_id)

    def _reactions_enabled(self, event: Any = None) -> bool:
        if event is not None:
            delivery = event.metadata.get("hardened")
            # Nobody can react to a reaction.
            if isinstance(delivery, Delivery) and delivery.inbound.reaction is not None:
                return False
            if self._interceptor.is_unauthorized_dm(event.source.chat_id):
                return False
        return bool(super()._reactions_enabled(event))


@editing
class StreamingSignalAdapter(SignalAdapter):
    """The adapter with answers that grow."""


def _styled(text: str) -> tuple[str, list[str]]:
    """Return a text without its Markdown, and Signal's styles; unchanged if the host cannot do that."""
    convert = host_names.MARKDOWN_TO_SIGNAL.optional()
    return convert(text) if convert else (text, [])


def _rate_limited(message: str, retry_after: float | None) -> Exception:
    """Return the error that stock's scheduler of sendings waits for."""
    error: Exception = host_names.RATE_LIMIT_ERROR(message, retry_after=retry_after)
    return error


def _raw_message(inbound: Inbound) -> dict[str, Any]:
    """Return the fields that stock's reactions read."""
    quote = inbound.quote
    return {
        "sender": inbound.sender.number or inbound.sender.id,
        "timestamp_ms": inbound.sent_at,
        "quote": {"id": quote.message_id, "text": quote.text} if quote else None,
    }
