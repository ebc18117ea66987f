"""The Signal adapter: stock's outbound half, an inbound half of its own, the host's classes at its rim."""

from __future__ import annotations

import logging
import time
from typing import Any

from gateway.platforms.signal import _ext_to_mime
from gateway.platforms.signal_rate_limit import (
    SignalRateLimitError,
    _extract_retry_after_seconds,
    _is_signal_rate_limit_error,
)

from ...common import host
from ...common.errors import HardenedError
from ...common.events import Attachment, Inbound, Observe
from ...common.handover import Accepted
from ...common.host_gate import Gate
from ...common.host_status import HostStatus
from ...common.observation import observations
from .client import RpcError
from .connection import Connection
from .settings import SignalSettings

logger = logging.getLogger(__name__)

_CONTRACT: host.Contract = {
    "_rpc": ("method", "params", "rpc_id", "log_failures", "raise_on_rate_limit", "timeout"),
    "_fetch_attachment": ("attachment_id",),
    "_resolve_recipient": ("chat_id",),
    "_stop_typing_indicator": ("chat_id",),
    "_reactions_enabled": ("event",),
    "send_typing": ("chat_id", "metadata"),
    "send": ("chat_id", "content", "reply_to", "metadata"),
    "get_chat_info": ("chat_id",),
}
_Stock: Any = host.stock_adapter("signal", _CONTRACT)
host.hush_numbers(_Stock)


class SignalAdapter(_Stock):  # type: ignore[misc]
    """One account on one signal-cli daemon."""

    def __init__(self, config: Any) -> None:
        self._settings = SignalSettings.load(config.extra or {}, host.environment())
        super().__init__(config)
        self.http_url, self.account = self._settings.http_url, self._settings.account
        self._home = host.home()
        self._observed = observations(str(self._home), "signal", time.time)
        self._gate = Gate(self._observed, self.config.extra)
        self.connection: Connection | None = None
        self._status = HostStatus(self)

    # -- lifecycle

    async def connect(self, *, is_reconnect: bool = False) -> bool:
        """Subscribe to the daemon. False, with the reason set as fatal error, when it cannot be or refuses."""
        if not self._acquire_platform_lock("signal-phone", self.account, "Signal account"):
            return False
        connection = self.connection = Connection(
            self._settings,
            self._home / "hardened_adapters" / "state.db",
            self._observed,
            sent=self._sent_message_timestamps,
            accepts=self._is_sender_authorized,
            deliver=self._deliver,
            on_dead=self._status.died,
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
        if self.connection is not None:
            await self.connection.close()
            self.connection = None
        await super().disconnect()
        self._mark_disconnected()

    # -- inbound

    async def _deliver(self, accepted: Accepted) -> None:
        """Hand a message to the host, by way of `handle_message` as everything that reaches it."""
        inbound, standing = accepted.inbound, accepted.standing
        source = self.build_source(
            chat_id=accepted.chat_id,
            chat_name=accepted.chat_name,
            chat_type="group" if inbound.chat.is_group else "dm",
            user_id=standing.user_id,
            user_name=accepted.author or standing.user_id,
            user_id_alt=standing.uid,
            chat_id_alt=inbound.chat.id or None,
            message_id=inbound.message_id,
            role_authorized=accepted.admitted,
        )
        if isinstance(accepted.decision, Observe):
            event = self._gate.observed_event(accepted, source)
        else:
            raw = _raw_message(inbound)
            event = await self._gate.dispatched_event(accepted, source, self._fetch, raw_message=raw)
        await self.handle_message(event)

    async def _fetch(self, attachment: Attachment) -> tuple[str | None, str]:
        path, extension = await self._fetch_attachment(attachment.id)
        return path, _ext_to_mime(extension)

    async def handle_message(self, event: Any) -> None:
        """Everything that reaches the host, or is only observed, passes here with `event.observe_only` readable."""
        if await self._gate.lets_through(event, self):
            await super().handle_message(event)

    # -- the seam to stock's outbound half

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
        return (self.connection and self.connection.intake.directory.uid_of(chat_id)) or chat_id

    async def get_chat_info(self, chat_id: str) -> dict[str, Any]:
        """Name and kind of a chat, from what is known locally."""
        is_group = chat_id.startswith("group:")
        name = self.connection.intake.chat_name(chat_id) if self.connection else ""
        return {"name": name or chat_id, "type": "group" if is_group else "dm", "chat_id": chat_id}

    async def send_typing(self, chat_id: str, metadata: Any = None) -> None:
        """Show that we type, but not to a stranger."""
        if not self._gate.is_stranger(chat_id):
            await super().send_typing(chat_id, metadata)

    async def _stop_typing_indicator(self, chat_id: str) -> None:
        if not self._gate.is_stranger(chat_id):
            await super()._stop_typing_indicator(chat_id)

    def _reactions_enabled(self, event: Any = None) -> bool:
        known = event is None or not self._gate.is_stranger(event.source.chat_id)
        return known and bool(super()._reactions_enabled(event))


def _raw_message(inbound: Inbound) -> dict[str, Any]:
    """What stock's reactions look for."""
    quote = inbound.quote
    return {
        "sender": inbound.sender.number or inbound.sender.uid,
        "timestamp_ms": inbound.sent_at,
        "quote": {"id": quote.message_id, "text": quote.text} if quote else None,
    }
