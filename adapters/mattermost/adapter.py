"""The Mattermost adapter. It inherits media from stock, over our client, and replaces the text path."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from ...common.core.errors import ConnectionLost, HardenedError, Unanswered
from ...common.core.events import Attachment, Observe, Origin
from ...common.core.image_markup import as_addresses
from ...common.core.wording import Foreign, file_name
from ...common.host import adapter, profile, strict_mode
from ...common.host.contract import table
from ...common.host.contract.check import stock_adapter
from ...common.host.outgoing.editing import editing
from ...common.host.outgoing.growing import without_counters
from ...common.host.outgoing.sending import send_all
from ...common.inbound.delivery import Commit, Delivery
from ...common.inbound.reactions import ReactionRules
from ...common.settings.config import server_of
from . import host_names
from .connection import Connection
from .mentions.grammar import without_broadcasts
from .outgoing.own_messages import OwnMessages, error_kind
from .rest.client import MattermostClient
from .rest.failures import ApiError
from .settings import MattermostSettings
from .stock import STOCK

logger = logging.getLogger(__name__)

_FILE_NAME_BYTES = 200
_Stock: Any = stock_adapter(STOCK, host_names.NAMES)
SendResult: Any = table.SEND_RESULT.load()


@editing
class MattermostAdapter(adapter.hardened(_Stock)):  # type: ignore[misc]
    """The adapter of one bot account on one server."""

    connection: Connection | None

    def __init__(self, config: Any) -> None:
        extra = {**(config.extra or {}), **({"token": config.token} if config.token else {})}
        written = strict_mode.written(STOCK)
        self._settings = MattermostSettings.load(extra, profile.environment(), written)
        # The host reconnects a platform only if its config has a token (gateway/run.py, the reconnect queue).
        config.token = self._settings.token.get_secret_value()
        super().__init__(config)
        self._reply_mode = self._settings.reply_mode

    async def _open_connection(self) -> bool:
        self.connection = Connection(self._settings, self.state, self._observed, **self._host_side())
        # The lock needs our user id, and the stream needs the lock: two gateways on one account would both answer.
        me = await self.connection.log_in()
        self._bot_user_id, self._bot_username = me["id"], str(me.get("username", ""))
        lock = f"{self._settings.url} {self._bot_user_id}"
        name = f"{server_of(self._settings.url)} {self._bot_user_id}"
        if not self._take_account("mattermost-bot", lock, "Mattermost bot account", name):
            return False
        await self.connection.listen()
        logger.info("Mattermost: listening as @%s", self._bot_username)
        return True

    def _own_messages(self) -> OwnMessages:
        return OwnMessages(self)

    # -- inbound

    def _own_text(self, chat_id: str, message_id: str) -> str | None:
        """Return the beginning of one of our own posts in a channel, None if it is not known."""
        post = self.connection.source.own.get(message_id) if self.connection else None
        return post.text if post and post.channel_id == chat_id else None

    def _reaction_rules(self) -> ReactionRules:
        settings = self._settings
        shown, turns = settings.reaction_context == "own", settings.reaction_turns
        return ReactionRules(shown, settings.observe_unmentioned, several=True, turns=turns)

    async def _deliver(self, delivery: Delivery, commit: Commit) -> None:
        """Commit a post to the ledger, then hand it to the host through `handle_message`."""
        inbound, authorization = delivery.inbound, delivery.authorization
        thread = inbound.chat.thread
        # The answer will open a thread below this post, so the post belongs to that thread's session already.
        if thread is None and self._reply_mode == "thread" and inbound.chat.is_group:
            thread = inbound.message_id
        source = self.build_source(
            chat_id=delivery.chat_id,
            chat_name=delivery.chat_name,
            chat_type=delivery.chat_type,
            user_id=authorization.user_id,
            user_name=delivery.author or authorization.user_id,
            thread_id=thread,
            guild_id=inbound.chat.team,
            is_bot=inbound.origin is not Origin.PERSON,
            message_id=inbound.message_id,
            role_authorized=delivery.admitted,
        )
        if isinstance(delivery.decision, Observe):
            event = self._interceptor.observed_event(delivery, source)
        else:
            prompt = host_names.CHANNEL_PROMPT(self.config.extra, delivery.chat_id, None)
            raw = {"id": inbound.message_id, "root_id": inbound.chat.thread or ""}
            event = await self._interceptor.dispatched_event(
                delivery, source, self._fetch, raw_message=raw, channel_prompt=prompt
            )
        # Before the hand-over: a crash in between must not make the host answer the same post twice.
        if await commit():
            await self.handle_message(event)

    async def _fetch(self, attachment: Attachment, max_bytes: int) -> tuple[str | None, str]:
        """Download a file into the host's cache. Raises FileTooLarge."""
        content_type, name = attachment.content_type, attachment.filename or Foreign()
        # The post may have listed the file by id only.
        if not content_type:
            info = await self.client().file_info(attachment.id)
            content_type, name = str(info.get("mime_type") or ""), file_name(str(info.get("name") or name))
        content_type = content_type or "application/octet-stream"
        data = await self.client().download_file(attachment.id, max_bytes)
        return await asyncio.to_thread(_cache, data, content_type, name or f"file_{attachment.id}"), content_type

    # -- outbound

    async def _send_text(
        self, chat_id: str, content: str, reply_to: str | None, metadata: dict[str, Any] | None
    ) -> SendResult:
        """Post a text, split into several posts if needed."""
        if not content.strip():
            return SendResult(success=True)
        parts = self.posts(content)
        if (metadata or {}).get("expect_edits"):
            parts = without_counters(parts)
        root_id = await self._thread_root_for_send(reply_to, metadata)

        async def post(_: int, part: str) -> str:
            return str((await self._post(chat_id, part, root_id))["id"])

        result = await send_all(parts, post, error_kind)
        self._growing.begun(chat_id, parts, result, content, reply_to, metadata)
        return result

    def format_message(self, content: str) -> str:
        """Replace image markup by bare URLs, as stock does."""
        return as_addresses(content)

    def posts(self, content: str) -> list[str]:
        """Return the posts of a text."""
        text = self.format_message(content)
        # Without a connection nothing is sent; Hermes 0.18 would split at a limit of 0 for ever.
        return self._parts(text, self.connection.post_size) if self.connection else [text]

    def _parts(self, text: str, limit: int) -> list[str]:
        """Split a text into posts of at most `limit` characters, including those that break broadcast mentions.

        A cut can end a code block, so that @channel in it becomes a mention. A broadcast mention has at least four
        characters and grows by one, so four fifths of the limit are always enough.
        """
        parts: list[str] = self.truncate_message(text, limit)
        if any(len(without_broadcasts(part)) > limit for part in parts):
            parts = self.truncate_message(text, limit * 4 // 5)
        return parts

    async def post(self, chat_id: str, text: str, reply_to: str | None, metadata: Any) -> str:
        """Post a text in the thread of its answer and return the post's id. Raises HardenedError or ValueError."""
        return str((await self._post(chat_id, text, await self._thread_root_for_send(reply_to, metadata)))["id"])

    async def _post(self, chat_id: str, text: str, root_id: str | None) -> dict[str, Any]:
        try:
            return await self.client().create_post(chat_id, text, root_id)
        except ApiError as exc:
            # The root was deleted, or is itself a reply. An answer outside the thread is better than none.
            if root_id is None or "root_id" not in exc.error_id:
                raise
            return await self.client().create_post(chat_id, text)

    async def _thread_root_for_send(self, reply_to: str | None, metadata: dict[str, Any] | None) -> str | None:
        """Return the root id of the thread to post in. In every reply mode, an answer stays in its post's thread."""
        told = metadata or {}
        thread = told.get("thread_id")
        if self._reply_mode != "thread":
            return str(thread) if thread else None
        candidate = thread or reply_to or told.get("root_id")
        return str(await self._resolve_root_id(str(candidate))) if candidate else None

    async def _post_message(
        self,
        chat_id: str,
        message: str,
        reply_to: str | None,
        metadata: dict[str, Any] | None,
        file_ids: list[str] | None = None,
    ) -> dict[str, Any]:
        """Post for stock, which posts files in this way since 0.21.5 and looked up the thread itself before."""
        payload: dict[str, Any] = {"channel_id": chat_id, "message": message, "props": {"disable_mentions": True}}
        if file_ids is not None:
            payload["file_ids"] = file_ids
        if root := await self._thread_root_for_send(reply_to, metadata):
            payload["root_id"] = root
        posted: dict[str, Any] = await self._post_preserving_thread(chat_id, payload, metadata)
        return posted

    async def _show_typing(self, chat_id: str, metadata: dict[str, Any] | None) -> None:
        """Show the typing indicator in the thread of the answer."""
        try:
            await self.client().typing(chat_id, (metadata or {}).get("thread_id"))
        except (HardenedError, ValueError) as exc:
            logger.debug("Mattermost: typing failed: %s", exc)

    # -- overrides of the methods that stock's media calls

    def client(self) -> MattermostClient:
        """Return the client. Raises ConnectionLost."""
        if self.connection is None:
            raise ConnectionLost("not connected to Mattermost")
        return self.connection.client

    async def _api(self, method: str, path: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make any call: stock's one way since 0.21.5, before which it had the three below."""
        return await self._call_or_empty(method, path, payload)

    async def _api_get(self, path: str) -> dict[str, Any]:
        return await self._call_or_empty("GET", path)

    async def _api_put(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        return await self._call_or_empty("PUT", path, payload)

    async def _api_post(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        return await self._call_or_empty("POST", path, payload)

    async def _call_or_empty(self, method: str, path: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make stock's call over our client. Return {} for a failure, and set the attributes that stock reads then.

        A post with files that is in doubt counts as made: stock would post the same pictures again, one by one.
        """
        self._last_post_status, self._last_post_error = None, ""
        try:
            return await self.client().call(method, path, payload)
        except ApiError as exc:
            self._last_post_status, self._last_post_error = exc.status, exc.error_id
            logger.warning("Mattermost: %s", exc)
        except (HardenedError, ValueError) as exc:
            logger.warning("Mattermost: %s", exc)
            if isinstance(exc, Unanswered) and payload and payload.get("file_ids"):
                return {"id": ""}
        return {}

    async def _upload_file(
        self, channel_id: str, file_data: bytes, filename: str, content_type: str = "application/octet-stream"
    ) -> str | None:
        try:
            info = await self.client().upload_file(channel_id, filename, file_data, content_type)
        except (HardenedError, ValueError) as exc:
            logger.warning("Mattermost: a file could not be uploaded: %s", exc)
            return None
        return str(info["id"]) if info.get("id") else None


def _cache(data: bytes, content_type: str, name: str) -> str:
    suffix = Path(name).suffix
    if content_type.startswith("image/"):
        return str(table.CACHE_IMAGE(data, suffix or ".png"))
    if content_type.startswith("audio/"):
        return str(table.CACHE_AUDIO(data, suffix or ".ogg"))
    return str(table.CACHE_DOCUMENT(data, _shortened(name)))


def _shortened(name: str) -> str:
    """Shorten a file name, keeping its suffix, so that file systems accept it with the host's prefix."""
    suffix = Path(name).suffix if len(Path(name).suffix) <= 20 else ""
    stem = name.removesuffix(suffix).encode()[: _FILE_NAME_BYTES - len(suffix.encode())].decode("utf-8", "ignore")
    return f"{stem}{suffix}"
