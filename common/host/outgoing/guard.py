"""Guards the files and pictures that an answer attaches: a stock class whose sending methods check each path first."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from ...core.image_markup import extract_images
from .. import files, profile
from ..contract import table
from ..tenancy.guarding import kept
from .pictures import NotFetched, Picture, Pictures

logger = logging.getLogger(__name__)

_REFUSED = object()
# By name and parameters, so that sending methods of newer hosts are guarded as well.
_SENDS = re.compile(r"_?(send|play|upload|post)_")
_NAMES_A_FILE = re.compile(r"(?:.*_)?(?:path|file|photo|picture|image|video|audio|voice|document|animation|sticker)s?")


def paths_of(method: Callable[..., object]) -> list[str]:
    """Return the parameters of a sending method that name local files."""
    return [name for name in inspect.signature(method).parameters if _NAMES_A_FILE.fullmatch(name) and name != "images"]


def guarded(stock: Any) -> Any:
    """Return a subclass of the stock class that refuses to send files of HERMES_HOME outside its media caches.

    The chat gets a notice instead. `pictures` fetches the pictures given by address, never the stock class.
    """

    class Guarded(stock):  # type: ignore[misc]
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.home = profile.home()
            self.homes = files.homes(self.home)
            self.pictures = Pictures()

        async def send_image(
            self,
            chat_id: str,
            image_url: str,
            caption: str | None = None,
            reply_to: str | None = None,
            metadata: dict[str, Any] | None = None,
            **_: Any,
        ) -> Any:
            """Send the picture at an address, or the address itself if no picture can be fetched from it."""
            if (path := await _picture(self, image_url)) is not None:
                return await self.send_image_file(chat_id, path, caption, reply_to, metadata=metadata)
            return await self.send(chat_id, f"{caption or ''}\n{image_url}".strip(), reply_to, metadata)

        async def send_multiple_images(
            self,
            chat_id: str,
            images: Sequence[tuple[str, str]],
            metadata: dict[str, Any] | None = None,
            human_delay: float = 0.0,
        ) -> None:
            """Send several pictures, each given by an address or a `file://` path."""
            allowed, addresses, refused = [], [], False
            for address, caption in images:
                # Every picture is fetched here: stock would follow redirects to internal addresses.
                if (path := await _picture(self, address)) is None:
                    addresses.append(f"{caption}\n{address}".strip())
                elif (resolved := _for_chat(self, path, chat_id)) is not None:
                    allowed.append((f"file://{quote(resolved)}", caption))
                else:
                    refused = True
            if refused:
                await _refuse(self, {"chat_id": chat_id, "metadata": metadata})
            if addresses:
                await self.send(chat_id, "\n".join(addresses), metadata=metadata)
            if allowed:
                await super().send_multiple_images(chat_id, allowed, metadata, human_delay)

        @staticmethod
        def extract_images(content: str) -> tuple[list[tuple[str, str]], str]:
            """Find the same images as the host's own pattern, but in linear time."""
            return extract_images(content)

    for name, method in inspect.getmembers(stock, inspect.iscoroutinefunction):
        if _SENDS.match(name) and name not in vars(Guarded) and (names := paths_of(method)):
            setattr(Guarded, name, _checked(method, names))
    return Guarded


def _checked(method: Callable[..., Awaitable[Any]], names: Sequence[str]) -> Callable[..., Awaitable[Any]]:
    """Wrap a sending method so that it is called with resolved paths, or not at all."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    async def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = signature.bind(self, *args, **kwargs)
        for name in names:
            paths: Any = call.arguments.get(name)
            several = isinstance(paths, list | tuple)
            chat_id = call.arguments.get("chat_id")
            resolved = [_deliverable(self, path, chat_id) for path in (paths if several else (paths,))]
            if _REFUSED in resolved:
                return await _refuse(self, call.arguments)
            # The resolved path: a link could lead elsewhere by the time that stock opens it.
            call.arguments[name] = resolved if several else resolved[0]
        return await method(*call.args, **call.kwargs)

    return checked


def _deliverable(adapter: Any, value: Any, chat_id: Any) -> Any:
    """Return the resolved path or `_REFUSED`; return a value that is no path unchanged."""
    if not isinstance(value, str | os.PathLike):
        return value
    path = str(value)
    return _for_chat(adapter, _local(path) or path, chat_id) or _REFUSED


def _for_chat(adapter: Any, path: str, chat_id: Any) -> str | None:
    """Return the resolved path of a file that may be sent to a chat, None for any other, and for one of other chats.

    A method that names no chat calls another one that does.
    """
    resolved = files.deliverable(path, adapter.homes)
    if resolved is None or chat_id is None:
        return resolved
    platform = str(getattr(adapter.platform, "value", adapter.platform))
    return resolved if kept.may_be_sent(resolved, adapter.home, platform, str(chat_id)) else None


async def _refuse(adapter: Any, call: Mapping[str, Any]) -> Any:
    """Post the notice that a file is not sent; return the host's SendResult of a failure."""
    logger.warning("a file of HERMES_HOME outside its media caches was not sent")
    metadata = call.get("metadata") or (call.get("kwargs") or {}).get("metadata")
    if chat_id := call.get("chat_id"):
        await adapter.send(chat_id, files.NOT_SENT, metadata=metadata)
    return table.SEND_RESULT(success=False, error="a file of the agent itself is not sent")


async def _picture(adapter: Any, address: str) -> str | None:
    """Fetch the picture at an address into the host's cache; return its path, None if that fails."""
    if (path := _local(address)) is not None:
        return path
    try:
        picture: Picture = await adapter.pictures.fetch(address)
        return str(await asyncio.to_thread(table.CACHE_IMAGE.load(), picture.data, picture.extension))
    except (NotFetched, OSError, ValueError) as exc:
        logger.info(
            "a picture's address is posted instead: %s", exc if isinstance(exc, NotFetched) else type(exc).__name__
        )
    return None


def _local(address: str) -> str | None:
    """Return the path in a `file://` address, None for any other."""
    return unquote(address[7:]) if address[:7].lower() == "file://" else None
