"""The last step before the host, the same for both networks: what is observed stays here, the rest is let through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from . import host, host_commands
from .authority import RIGHTS, Authority
from .events import said_by
from .handover import Accepted
from .media import Fetch, describe, fetch_all
from .observation import Line, Observations, neutral

_KEEP_STRANGERS = 1_000


class Gate:
    """Makes the host's events, and stands in `handle_message` before the host's own. `extra` is PlatformConfig's."""

    def __init__(self, observed: Observations, extra: Mapping[str, Any]) -> None:
        self._observed = observed
        self._extra = extra
        self._strangers: set[str] = set()
        self.hurry = asyncio.Event()
        """Set when the adapter is about to close: files are waited for no longer."""

    def _event(self, accepted: Accepted, source: Any, **fields: Any) -> Any:
        inbound = accepted.inbound
        event = host.event_class()(
            source=source,
            message_id=inbound.message_id,
            timestamp=_timestamp(inbound.sent_at),
            **{"observe_only": False, **fields},
        )
        event.metadata["hardened"] = accepted
        return event

    async def lets_through(self, event: Any, adapter: Any) -> bool:
        """Whether the host shall get the event. The host may hand in the same one again (gateway/run.py, restore).

        Observed ones go into their buffer; others take along what was observed before them. A bare "yes" to a request
        for approval, from one who may not approve, is answered here.
        """
        accepted = event.metadata.get("hardened")
        if getattr(event, "observe_only", False):
            if isinstance(accepted, Accepted):
                self._observed.add(accepted.buffer, _line(accepted, event.text))
            return False
        if event.internal or not isinstance(accepted, Accepted):
            return True
        self._mind_stranger(accepted)
        if accepted.standing.allowed and (reply := await self._operated(event, adapter)):
            await adapter.send(event.source.chat_id, reply)
            return False
        if command := host.refused_approval(event, self._extra):
            await adapter.send(event.source.chat_id, f"⛔ Only an admin may answer this request (/{command}).")
            return False
        if not event.is_command():
            self._observed.attach(accepted.buffer, host.session_key(event.source, self._extra), event)
            if event.channel_context and not event.text:
                # The host puts what it makes of an attachment before the background, the text behind it.
                event.text = "(the message attached above)"
        return True

    async def _operated(self, event: Any, adapter: Any) -> str | None:
        if adapter.connection is None:
            return None
        return await host_commands.answer(event, self._extra, adapter.connection, adapter.state)

    def observed_event(self, accepted: Accepted, source: Any) -> Any:
        """The observe-only event for a message; its files are named, not fetched."""
        files = "".join(f" ({describe(a)} not fetched)" for a in accepted.inbound.attachments)
        return self._event(accepted, source, text=accepted.decision.text + files, observe_only=True)

    async def dispatched_event(self, accepted: Accepted, source: Any, fetch: Fetch, **fields: Any) -> Any:
        """The event for a message the agent gets: with its files, and with what it replies to."""
        inbound, text = accepted.inbound, accepted.decision.text
        media = await fetch_all(inbound.attachments, fetch, self.hurry, RIGHTS[Authority.ALLOWED].files)
        if media.missing and not text.startswith("/"):
            text = "\n".join(part for part in (text, *media.missing) if part)
        event = self._event(
            accepted,
            source,
            text=text,
            message_type=host.message_type(media.types),
            media_urls=media.paths,
            media_types=media.types,
            **fields,
        )
        if quote := inbound.quote:
            event.reply_to_message_id = quote.message_id or None
            event.reply_to_text = quote.text if accepted.quote_is_trusted else neutral(quote.text)
            event.reply_to_author_id = quote.author.number or quote.author.uid
            event.reply_to_author_name = quote.author_name or None
            event.reply_to_is_own_message = accepted.quote_is_ours
        return event

    def is_stranger(self, chat_id: str) -> bool:
        """Whether that is a direct chat with somebody the host refuses. He shall see no sign of us.

        The host types and reacts before it judges.
        """
        return chat_id in self._strangers

    def _mind_stranger(self, accepted: Accepted) -> None:
        if accepted.standing.allowed:
            self._strangers.discard(accepted.chat_id)
        elif not accepted.inbound.chat.is_group:
            if len(self._strangers) >= _KEEP_STRANGERS:
                self._strangers.clear()
            self._strangers.add(accepted.chat_id)


def _line(accepted: Accepted, text: str) -> Line:
    return Line(
        key=said_by(accepted.inbound.sender, accepted.inbound.message_id),
        author=accepted.author or "somebody",
        verified=accepted.standing.allowed,
        text=text,
        at=time.time(),
    )


def _timestamp(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.now(tz=UTC)
