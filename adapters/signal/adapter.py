"""The Signal adapter: stock's media and reactions, both directions of text its own, the host's classes at its rim."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from typing import Any

from gateway.platforms.base import (
    SendResult,
    cache_audio_from_bytes,
    cache_document_from_bytes,
    cache_image_from_bytes,
)
from gateway.platforms.signal import (
    MAX_MESSAGE_LENGTH,
    _ext_to_mime,
    _guess_extension,
    _is_audio_ext,
    _is_image_ext,
    _remux_aac_to_m4a,
)
from gateway.platforms.signal_rate_limit import (
    SignalRateLimitError,
    _extract_retry_after_seconds,
    _is_signal_rate_limit_error,
)

from ...common.core.errors import HardenedError
from ...common.core.events import Attachment, Inbound, Observe
from ...common.core.mentions import readable
from ...common.host import contract, outgoing, people, profile, strict_mode
from ...common.host.interceptor import Interceptor
from ...common.host.sending import send_all, send_once
from ...common.host.status import HostStatus
from ...common.inbound.authorization import HostAccess
from ...common.inbound.delivery import Commit, Delivery
from ...common.inbound.observation import observations
from ...common.settings.config import without_user
from . import sending
from .connection import Connection
from .failures import Refused, RpcError
from .settings import SignalSettings
from .stock import STOCK

logger = logging.getLogger(__name__)

_CONTRACT: contract.Contract = {
    "_rpc": ("method", "params", "rpc_id", "log_failures", "raise_on_rate_limit", "timeout"),
    "_resolve_recipient": ("chat_id",),
    "_stop_typing_indicator": ("chat_id",),
    "_send_with_retry": ("chat_id", "content", "reply_to", "metadata"),
    "_validate_send_result": ("result",),
    "_markdown_to_signal": ("text",),
    "_track_sent_timestamp": ("rpc_result",),
    "truncate_message": ("content", "max_length"),
    "_reactions_enabled": ("event",),
    "send_typing": ("chat_id", "metadata"),
    "send": ("chat_id", "content", "reply_to", "metadata"),
    "get_chat_info": ("chat_id",),
}
_Stock: Any = contract.stock_adapter(STOCK, {**_CONTRACT, **outgoing.CONTRACT})
contract.redact_phone_numbers(_Stock)

_KEEP_SAID = 500
_QUOTED_CHARACTERS = 200


class SignalAdapter(outgoing.guarded(_Stock)):  # type: ignore[misc]
    """One account on one signal-cli daemon."""

    splits_long_messages = True

    def __init__(self, config: Any) -> None:
        written = strict_mode.written(STOCK)
        self._settings = SignalSettings.load(config.extra or {}, profile.environment(), written)
        shown = without_user(self._settings.http_url)
        if shown != self._settings.http_url:
            # Stock logs the URL it is given; the host keeps its own configuration, to make an adapter anew.
            config = dataclasses.replace(config, extra={**(config.extra or {}), "http_url": shown})
        super().__init__(config)
        self.http_url, self.account = shown, self._settings.account
        home = profile.home()
        self.state = profile.state_file(home)
        self._observed = observations(str(home), "signal", time.time)
        self._interceptor = Interceptor(self._observed, self.config.extra)
        self.connection: Connection | None = None
        self._status = HostStatus(self)
        self._said: dict[tuple[str, str], tuple[str, str]] = {}
        """Author and text of what was dispatched of late, by chat and message id, to be quoted in answers."""

    # -- lifecycle

    async def connect(self, *, is_reconnect: bool = False) -> bool:
        """Subscribe to the daemon. False, with the reason set as fatal error, when it cannot be or refuses."""
        if not self._acquire_platform_lock("signal-phone", self.account, "Signal account"):
            return False
        self._interceptor.closing.clear()
        connection = self.connection = Connection(
            self._settings,
            self.state,
            self._observed,
            sent=self._sent_message_timestamps,
            host=HostAccess(self._is_sender_authorized, lambda user_id: people.is_paired(self, user_id)),
            deliver=self._deliver,
            on_dead=self._status.died,
            handover_seconds=profile.handover_seconds(),
        )
        try:
            await connection.open()
        except HardenedError as exc:
            self._status.refused(exc, worked_before=is_reconnect)
            await self.disconnect()
            return False
        except BaseException:
            await self.disconnect()
            raise
        self._mark_connected()
        logger.info("Signal: subscribed to the events of signal-cli")
        return True

    async def disconnect(self) -> None:
        """Close everything that `connect` opened. Idempotent."""
        self._interceptor.closing.set()
        if self.connection is not None:
            await self.connection.close()
            self.connection = None
        await super().disconnect()
        self._mark_disconnected()

    # -- inbound

    async def _deliver(self, delivery: Delivery, commit: Commit) -> None:
        """Hand a message to the host, by way of `handle_message` as everything that reaches it."""
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
            self._said[delivery.chat_id, inbound.message_id] = (
                inbound.sender.id or inbound.sender.number or "",
                readable(inbound.text, inbound.mentions)[:_QUOTED_CHARACTERS],
            )
            if len(self._said) > _KEEP_SAID:
                del self._said[next(iter(self._said))]
        await commit()
        await self.handle_message(event)

    async def _fetch(self, attachment: Attachment, max_bytes: int) -> tuple[str | None, str]:
        """Download a file into the host's cache. Raises FileTooLarge."""
        if self.connection is None:
            return None, ""
        data = await self.connection.client.attachment(attachment.id, max_bytes)
        return await asyncio.to_thread(_cache, data)

    async def handle_message(self, event: Any) -> None:
        """Everything that reaches the host, or is only observed, passes here with `event.observe_only` readable."""
        if await self._interceptor.admit(event, self):
            await super().handle_message(event)

    def set_message_handler(self, handler: Any) -> None:
        """Take the host's handler, behind the gate."""
        super().set_message_handler(self._interceptor.screened(handler, self))

    def set_busy_session_handler(self, handler: Any) -> None:
        """Take the host's handler of what comes in while the agent works, behind the gate."""
        super().set_busy_session_handler(handler and self._interceptor.screened_while_busy(handler, self))

    # -- outbound

    async def send(
        self, chat_id: str, content: str, reply_to: str | None = None, metadata: dict[str, Any] | None = None
    ) -> Any:
        """Send a text with Signal's styles, in as many messages as it takes, quoting what it answers."""
        await self._stop_typing_indicator(chat_id)
        connection = self.connection
        if connection is None:
            return SendResult(success=False, error="not connected to signal-cli", error_kind="transient")
        to = (
            {"groupId": chat_id[6:]}
            if chat_id.startswith("group:")
            else {"recipient": [await self._resolve_recipient(chat_id)]}
        )

        async def send_part(number: int, part: str) -> None:
            text, styles = self._markdown_to_signal(part)
            params = {**to, "message": text, **({"textStyles": styles} if styles else {})}
            if self.config.reply_to_mode == "all" or (self.config.reply_to_mode == "first" and number == 0):
                params |= self._quote(chat_id, reply_to)
            sent = await sending.send(connection.client, params)
            # Signal has no id by which an unfinished answer could be edited: the host is given none.
            self._track_sent_timestamp({"timestamp": sent.timestamp})

        return await send_all(self.truncate_message(content, MAX_MESSAGE_LENGTH), send_part, lambda _: None)

    _send_with_retry = send_once

    def _quote(self, chat_id: str, message_id: str | None) -> dict[str, Any]:
        said = self._said.get((chat_id, message_id or ""))
        if said is None:
            return {}
        author, text = said
        return {"quoteTimestamp": int(message_id or 0), "quoteAuthor": author, "quoteMessage": text}

    def _validate_send_result(self, result: Any) -> tuple[bool, str | None]:
        """Stock's judgement of files it sent: one member reached is a success."""
        try:
            sending.sent(result)
        except Refused as exc:
            return False, str(exc)
        return True, None

    # -- the seam to stock's media, typing and reactions

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
        """Stock's call, over our client: the result, or None for any failure but a rate limit asked for."""
        if self.connection is None:
            return None
        try:
            result = await self.connection.client.rpc(method, params, timeout=timeout)
        except RpcError as exc:
            error = {"code": exc.code, "message": exc.message, "data": exc.data}
            if raise_on_rate_limit and _is_signal_rate_limit_error(error):
                raise SignalRateLimitError(exc.message, retry_after=_extract_retry_after_seconds(error)) from exc
            logger.log(logging.WARNING if log_failures else logging.DEBUG, "%s failed: %s", method, exc)
            return None
        except HardenedError as exc:
            logger.log(logging.WARNING if log_failures else logging.DEBUG, "%s failed: %s", method, exc)
            return None
        if raise_on_rate_limit and isinstance(result, dict):
            for row in result.get("results") or ():
                if isinstance(row, dict) and row.get("type") == "RATE_LIMIT_FAILURE":
                    raise SignalRateLimitError("rate limited", retry_after=row.get("retryAfterSeconds"))
        return result

    async def _resolve_recipient(self, chat_id: str) -> str:
        """The ACI for a number where it is known: signal-cli's better address."""
        return (self.connection and self.connection.source.senders.directory.aci_of(chat_id)) or chat_id

    async def get_chat_info(self, chat_id: str) -> dict[str, Any]:
        """Name and kind of a chat, from what is known locally."""
        is_group = chat_id.startswith("group:")
        name = self.connection.source.chat_name(chat_id) if self.connection else ""
        return {"name": name or chat_id, "type": "group" if is_group else "dm", "chat_id": chat_id}

    async def send_typing(self, chat_id: str, metadata: Any = None) -> None:
        """Show that we type, but not to a stranger."""
        if not self._interceptor.is_unauthorized_dm(chat_id):
            await super().send_typing(chat_id, metadata)

    async def _stop_typing_indicator(self, chat_id: str) -> None:
        if not self._interceptor.is_unauthorized_dm(chat_id):
            await super()._stop_typing_indicator(chat_id)

    def _reactions_enabled(self, event: Any = None) -> bool:
        known = event is None or not self._interceptor.is_unauthorized_dm(event.source.chat_id)
        return known and bool(super()._reactions_enabled(event))


def _cache(data: bytes) -> tuple[str, str]:
    """Path in the host's cache and content type, as stock's `_fetch_attachment` makes them; blocks."""
    extension = _guess_extension(data)
    # Android's voice memos: speech recognition wants them in a container.
    if extension == ".aac" and (remuxed := _remux_aac_to_m4a(data)) is not None:
        data, extension = remuxed
    if _is_image_ext(extension):
        path = cache_image_from_bytes(data, extension)
    elif _is_audio_ext(extension):
        path = cache_audio_from_bytes(data, extension)
    else:
        path = cache_document_from_bytes(data, extension)
    return str(path), str(_ext_to_mime(extension))


def _raw_message(inbound: Inbound) -> dict[str, Any]:
    """What stock's reactions look for."""
    quote = inbound.quote
    return {
        "sender": inbound.sender.number or inbound.sender.id,
        "timestamp_ms": inbound.sent_at,
        "quote": {"id": quote.message_id, "text": quote.text} if quote else None,
    }
