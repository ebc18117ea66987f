"""Checks of files: whether the daemon can read those that Hermes sends, and whether voice memos can be converted."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

from ....common.core.errors import HardenedError
from ....common.doctor.findings import Result, advice, failed, ok
from ..failures import RpcCode, RpcError
from .context import Context


async def attachments(context: Context) -> AsyncIterator[Result]:
    """Check that the daemon can read Hermes' files: a send names a path, which the daemon opens on its own machine.

    The daemon is asked to upload a sticker pack without stickers, a file made for this. It opens the file before
    anything else and then refuses the pack in any case: nothing is sent or changed, and its answer shows whether it
    could read the file.
    """
    folder = context.outgoing()
    path = folder / f"doctor-{uuid.uuid4().hex}.zip"
    try:
        with path.open("xb") as file:
            file.write(_empty_sticker_pack())
    except OSError as exc:
        what = f"The folder of the files that Hermes sends cannot be written ({type(exc).__name__})."
        yield failed(what, f"Give the gateway's user the right to write in {folder}.")
        return
    error: HardenedError | None = None
    try:
        await context.client.rpc("uploadStickerPack", {"path": str(path)})
    except HardenedError as exc:
        error = exc
    finally:
        with suppress(OSError):
            path.unlink()
    if isinstance(error, RpcError) and error.code == RpcCode.USER_ERROR:
        yield ok("signal-cli can read the files that Hermes sends.")
    elif isinstance(error, RpcError) and error.code == RpcCode.IO_ERROR:
        what = f"signal-cli cannot read what Hermes sends from {folder}: no picture, voice or file will arrive."
        remedy = "Let its user read that folder; in a container, mount the folder there under the same path."
        yield failed(what, remedy)
    else:
        what = "Whether signal-cli can read the files that Hermes sends could not be found out."
        yield advice(what, f"Make sure that its user can read {folder} under this very path.")


def ffmpeg(context: Context) -> Iterator[Result]:
    """Check that voice memos, which Android sends as bare AAC, can be converted for speech recognition."""
    if any(map(context.which, ("ffmpeg", "/opt/homebrew/bin/ffmpeg", "/usr/local/bin/ffmpeg"))):
        yield ok("ffmpeg is installed, for voice memos.")
    else:
        what = "ffmpeg is not installed: speech recognition may refuse voice memos from Android."
        yield advice(what, "Install ffmpeg where the gateway runs, for instance with apt.")


def _empty_sticker_pack() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as pack:
        pack.writestr("manifest.json", '{"stickers": []}')
    return content.getvalue()
