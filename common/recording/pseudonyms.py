"""Pseudonyms for people, chats, messages and files.

They are derived with a random key that is kept in memory during one recording and never written. Within a recording
equal values get equal pseudonyms; no pseudonym reveals its original, and two recordings have none in common.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import re
import secrets
from collections.abc import Callable
from itertools import count
from uuid import UUID

from ..core.people import as_number
from .masking import mask

_ID_ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"
"""The alphabet of Mattermost's ids (z-base32)."""
_ID = re.compile(r"[a-z0-9]{26}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
_HEX = re.compile(r"[0-9a-f]{8,128}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{43}=")
"""The base64 form of 16 or 32 bytes."""
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_EXTENSIONS = {*mimetypes.MimeTypes(filenames=()).types_map[1], ".m4a", ".webp", ".ogg", ".md", ".docx", ".xlsx"}
_TYPES = {*mimetypes.MimeTypes(filenames=()).types_map[1].values(), "audio/mp4", "audio/ogg", "image/webp",
          "text/x-signal-plain", "text/markdown",
          # Renamed in Python 3.12 and 3.14, but not by servers and clients.
          "application/javascript", "audio/x-wav", "video/x-msvideo"}  # fmt: skip
_MAJOR_TYPES = {"application", "audio", "font", "image", "message", "model", "multipart", "text", "video"}

KEPT = frozenset({*_TYPES, *_MAJOR_TYPES, "http", "https", "mailto", "gemini"})
"""Words that stay readable on every network, besides those of its protocol."""

MILLISECONDS = range(10**11, 10**14)
"""Numbers that count as milliseconds since the epoch where a time is expected: 1973 and later."""
SECONDS = range(10**9, 10**11)
_LIKELY = range(1_200_000_000_000, 2_200_000_000_000)
"""Milliseconds that count as a time in any string of digits: 2008 to 2039. None of them is a phone number."""
_YEAR = 365 * 86_400
_SHIFT_SECONDS = range(_YEAR, 10 * _YEAR)
_SHIFT_MILLISECONDS = range(1, 1_000)


class Pseudonyms:
    """The pseudonyms of one recording. Equal values get equal pseudonyms; an empty value stays empty."""

    def __init__(self) -> None:
        self.issued: set[str] = set()
        """All pseudonyms made so far."""
        self._key = secrets.token_bytes(32)
        self._shift = 1_000 * secrets.choice(_SHIFT_SECONDS) + secrets.choice(_SHIFT_MILLISECONDS)
        self._given: dict[tuple[str, str], str] = {}

    # -- identities, by their form

    def identity(self, value: str) -> str | None:
        """Return the pseudonym of a value that has the form of an id; None for any other value."""
        prefix, colon, rest = value.partition(":")
        if colon and prefix in {"PNI", "u"}:
            return f"{prefix}:{self.identity(rest) or self.username(rest)}"
        if as_number(value):
            return self._pseudonym("number", value, _number)
        if _UUID.fullmatch(value):
            return self._uuid(value)
        if _ID.fullmatch(value):
            return self._pseudonym("id", value, _id)
        if _BASE64.fullmatch(value):
            return self._pseudonym("group", value, lambda digest: _base64(digest, len(base64.b64decode(value))))
        if _HEX.fullmatch(value) and not value.isdigit():
            return self._pseudonym("hex", value, lambda digest: (digest.hex() * 2)[: len(value)])
        if value.isascii() and value.isdigit() and len(value) == 13 and int(value) in _LIKELY:
            return str(self.time(int(value)))
        return None

    def _uuid(self, value: str) -> str:
        """Return one pseudonym for all spellings of a UUID, with dashes if the value has them."""
        issued = self._pseudonym("uuid", str(UUID(value)), lambda digest: str(UUID(bytes=digest[:16], version=4)))
        return issued if "-" in value else issued.replace("-", "")

    # -- names

    def person(self, value: str) -> str:
        """Return the pseudonym of a person's display name."""
        return self.identity(value) or self._pseudonym("person", value, lambda digest: f"Person {digest.hex()}")

    def username(self, value: str) -> str:
        """Return the pseudonym of a login name in upper or lower case. A leading @ is kept."""
        if value.startswith("@"):
            return "@" + self.username(value[1:])
        return self._pseudonym("username", value.lower(), lambda digest: f"user{digest.hex()}")

    def chat(self, value: str) -> str:
        """Return the pseudonym of a group's or channel's display name."""
        return self._pseudonym("chat", value, lambda digest: f"Group {digest.hex()}")

    def slug(self, value: str) -> str:
        """Return the pseudonym of a channel's or team's name in URLs."""
        return self.identity(value) or self._pseudonym("slug", value, lambda digest: f"group-{digest.hex()}")

    def file(self, value: str) -> str:
        """Return the pseudonym of a file's name or id. A well-known extension is kept."""
        extension = _EXTENSION.search(value)
        kept = extension[0].lower() if extension and extension[0].lower() in _EXTENSIONS else ""
        return self._pseudonym("file", value, lambda digest: f"file-{digest.hex()}{kept}")

    def word(self, value: str) -> str:
        """Return the pseudonym of any other id or name."""
        return self.identity(value) or self._pseudonym("word", value, lambda digest: f"name{digest.hex()}")

    # -- the rest

    def time(self, value: int) -> int:
        """Shift a time by the recording's random number of years and milliseconds; any other number becomes 0."""
        if value in MILLISECONDS:
            return value - self._shift
        return value - self._shift // 1_000 if value in SECONDS else 0

    def _pseudonym(self, kind: str, original: str, make: Callable[[bytes], str]) -> str:
        if not original:
            return ""
        if (given := self._given.get((kind, original))) is not None:
            return given
        for attempt in count():
            # Two bytes make names that a reader can tell apart; more bytes once those are taken.
            size = 64 if kind in {"number", "uuid", "id", "group", "hex"} else 2 + attempt // 16
            message = f"{kind}\0{attempt}\0{original}".encode("utf-8", "surrogatepass")
            made = make(hashlib.blake2b(message, key=self._key, digest_size=size).digest())
            if made not in self.issued and made != original:
                break
        self.issued.add(made)
        self._given[kind, original] = made
        return made


def content_type(value: str) -> str:
    """Return a registered content type unchanged; otherwise the major type and a mask. Parameters are dropped."""
    bare = value.partition(";")[0].strip().lower()
    major, slash, minor = bare.partition("/")
    if bare in _TYPES or not bare:
        return bare
    return f"{major}/{mask(minor)}" if slash and major in _MAJOR_TYPES else mask(bare)


def _number(digest: bytes) -> str:
    return f"+1555{int.from_bytes(digest[:8], 'big') % 10_000_000:07}"


def _id(digest: bytes) -> str:
    return "".join(_ID_ALPHABET[byte % 32] for byte in digest[:26])


def _base64(digest: bytes, size: int) -> str:
    return base64.b64encode(digest[:size]).decode()
