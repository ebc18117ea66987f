"""Checks of files: that the daemon can read the files Hermes sends, and that voice memos can be converted."""

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
    """Check that the daemon can read Hermes' files. A send contains a path, which the daemon opens on its own machine.

    Ask the daemon to upload a sticker pack without stickers, a file created for this. It opens the file first and then
    always refuses the pack. So nothing is sent or changed, and the error shows whether it could read the file.
    """
    folder = context.outgoing()
    path = folder / f"doctor-{uuid.uuid4().hex}.zip"
    try:
        with path.open("xb") as file:
            file.write(_empty_sticker_pack())
    except OSError as exc:
        what = f"The folder for the files that Hermes sends is not writable ({type(exc).__name__})."
        yield failed(what, f"Give the gateway's user write permission for {folder}.")
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
        what = f"signal-cli cannot read files in {folder}: no picture, voice message or file from Hermes will arrive."
        remedy = (
            "Give its user read permission for that folder; in a container, mount the folder there under the same path."
        )
        yield failed(what, remedy)
    else:
        what = "The check could not find out if signal-cli can read the files that Hermes sends."
        yield advice(what, f"Make sure that its user can read {folder} under exactly this path.")


def ffmpeg(context: Context) -> Iterator[Result]:
    """Check that voice memos, which Android sends as bare AAC, can be converted for speech recognition."""
    if any(map(context.which, ("ffmpeg", "/opt/homebrew/bin/ffmpeg", "/usr/local/bin/ffmpeg"))):
        yield ok("ffmpeg is installed and can convert voice memos.")
    else:
        what = "ffmpeg is not installed: speech recognition may refuse voice memos from Android."
        yield advice(what, "Install ffmpeg on the gateway's machine, for example with apt.")


def _empty_sticker_pack() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as pack:
        pack.writestr("manifest.json", '{"stickers": []}')
    return content.getvalue()
