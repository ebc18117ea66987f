"""Stand-ins for people, chats, messages and files, by which nobody can be found again.

Made with a random key that lives as long as one recording in memory and is never written: equal stays equal within the
recording, nothing leads back, and two recordings have nothing in common.
"""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import count
from typing import Any
from uuid import UUID

from ..core.people import as_number
from .masking import mask

_ID_ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"
"""Of Mattermost's ids (z-base32)."""
_ID = re.compile(r"[a-z0-9]{26}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
_HEX = re.compile(r"[0-9a-f]{8,128}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{43}=")
"""Of 16 or 32 bytes."""
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_EXTENSIONS = {*mimetypes.MimeTypes(filenames=()).types_map[1], ".m4a", ".webp", ".ogg", ".md", ".docx", ".xlsx"}
_TYPES = {*mimetypes.MimeTypes(filenames=()).types_map[1].values(), "audio/mp4", "audio/ogg", "image/webp",
          "text/x-signal-plain", "text/markdown"}  # fmt: skip
_MAJOR_TYPES = {"application", "audio", "font", "image", "message", "model", "multipart", "text", "video"}

KEPT = frozenset({*_TYPES, *_MAJOR_TYPES, "http", "https", "mailto", "gemini"})
"""What stays readable of a value on either network, besides the words of its protocol."""

MILLISECONDS = range(10**11, 10**14)
"""Numbers that are taken for a time in milliseconds since the epoch where one is expected: 1973 and later."""
SECONDS = range(10**9, 10**11)
_LIKELY = range(1_200_000_000_000, 2_200_000_000_000)
"""Milliseconds taken for a time wherever they are written in digits: 2008 to 2039. No phone number is among them."""
_YEAR = 365 * 86_400
_SHIFT_SECONDS = range(_YEAR, 10 * _YEAR)
_SHIFT_MILLISECONDS = range(1, 1_000)
_LARGEST = 10**9
"""Of the numbers that stay under keys that are known; larger ones might be somebody's phone number."""


class Pseudonyms:
    """The mapping of one recording. Every method gives the same for the same value; an empty one stays empty."""

    def __init__(self) -> None:
        self.minted: set[str] = set()
        """Every pseudonym that was given out."""
        self._key = secrets.token_bytes(32)
        self._shift = 1_000 * secrets.choice(_SHIFT_SECONDS) + secrets.choice(_SHIFT_MILLISECONDS)
        self._given: dict[tuple[str, str], str] = {}

    # -- identities, by their form

    def identity(self, value: str) -> str | None:
        """The pseudonym of what looks like an id of either network; None for what has no such form."""
        prefix, colon, rest = value.partition(":")
        if colon and prefix in {"PNI", "u"}:
            return f"{prefix}:{self.identity(rest) or self.username(rest)}"
        if as_number(value):
            return self._mint("number", value, _number)
        if _UUID.fullmatch(value):
            return self._uuid(value)
        if _ID.fullmatch(value):
            return self._mint("id", value, _id)
        if _BASE64.fullmatch(value):
            return self._mint("group", value, lambda digest: _base64(digest, len(base64.b64decode(value))))
        if _HEX.fullmatch(value) and not value.isdigit():
            return self._mint("hex", value, lambda digest: (digest.hex() * 2)[: len(value)])
        if value.isascii() and value.isdigit() and len(value) == 13 and int(value) in _LIKELY:
            return str(self.time(int(value)))
        return None

    def _uuid(self, value: str) -> str:
        """The same person's in whatever spelling."""
        minted = self._mint("uuid", str(UUID(value)), lambda digest: str(UUID(bytes=digest[:16], version=4)))
        return minted if "-" in value else minted.replace("-", "")

    # -- names

    def person(self, value: str) -> str:
        return self.identity(value) or self._mint("person", value, lambda digest: f"Person {digest.hex()}")

    def username(self, value: str) -> str:
        """A login name, in any case; with an @ before it if it had one."""
        if value.startswith("@"):
            return "@" + self.username(value[1:])
        return self._mint("username", value.lower(), lambda digest: f"user{digest.hex()}")

    def chat(self, value: str) -> str:
        """A group's or a channel's name for people."""
        return self._mint("chat", value, lambda digest: f"Group {digest.hex()}")

    def slug(self, value: str) -> str:
        """A channel's or a team's name in addresses."""
        return self.identity(value) or self._mint("slug", value, lambda digest: f"group-{digest.hex()}")

    def file(self, value: str) -> str:
        """A file's name or id; a well-known extension stays."""
        extension = _EXTENSION.search(value)
        kept = extension[0].lower() if extension and extension[0].lower() in _EXTENSIONS else ""
        return self._mint("file", value, lambda digest: f"file-{digest.hex()}{kept}")

    def word(self, value: str) -> str:
        """Anything else by which something is named."""
        return self.identity(value) or self._mint("word", value, lambda digest: f"name{digest.hex()}")

    # -- the rest

    def time(self, value: int) -> int:
        """A time moved like all others of the recording, by years and milliseconds; what is none becomes 0."""
        if value in MILLISECONDS:
            return value - self._shift
        return value - self._shift // 1_000 if value in SECONDS else 0

    def _mint(self, kind: str, original: str, make: Callable[[bytes], str]) -> str:
        if not original:
            return ""
        if (given := self._given.get((kind, original))) is not None:
            return given
        for attempt in count():
            # Names get two bytes, so that people can tell them apart; more of them when those are taken.
            size = 64 if kind in {"number", "uuid", "id", "group", "hex"} else 2 + attempt // 16
            message = f"{kind}\0{attempt}\0{original}".encode("utf-8", "surrogatepass")
            made = make(hashlib.blake2b(message, key=self._key, digest_size=size).digest())
            if made not in self.minted and made != original:
                break
        self.minted.add(made)
        self._given[kind, original] = made
        return made


def content_type(value: str) -> str:
    """A content type if it is a registered one, else the mask of it behind its major type; no parameters."""
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


Text = Callable[[str], str]
"""What becomes of a string."""


def words(listed: str) -> frozenset[str]:
    """The words of a list, white space between them."""
    return frozenset(listed.split())


def vocabulary(words: Collection[str]) -> Text:
    """Those words stay, anything else is masked."""
    return lambda value: value if value in words else mask(value)


class Rules:
    """What becomes of every value of a JSON document, by the key it stands under.

    `strings` has a function for each known key; `times` and `numbers` are keys of numbers to shift and to keep. What
    stands under no such key fails closed: a string by its form or masked, a number zeroed, a flag put down, and the key
    itself replaced.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        strings: Mapping[str, Text],
        times: frozenset[str],
        numbers: frozenset[str],
        others: frozenset[str],
    ) -> None:
        self._pseudonyms = pseudonyms
        self._strings = strings
        self._times = times
        self.numbers = numbers
        self.keys = frozenset({*strings, *times, *numbers, *others})
        """The keys that stay. `others` are those of objects, lists and flags."""

    def apply(self, value: Any, key: str = "") -> Any:
        """The value without what must not be told. Raises RecursionError for what is nested too deeply."""
        match value:
            case dict():
                return {self._key(name): self.apply(inner, name) for name, inner in value.items()}
            case list():
                return [self.apply(inner, key) for inner in value]
            case str():
                return self._string(value, key)
            case bool():
                return value and key in self.keys
            case int() if key in self._times:
                return self._pseudonyms.time(value)
            case int() | float() if key in self.numbers and abs(value) < _LARGEST:
                return value
            case None:
                return None
        return 0

    def _key(self, name: str) -> str:
        if name in self.keys:
            return name
        return self._pseudonyms.word(name)

    def _string(self, value: str, key: str) -> str:
        if (rule := self._strings.get(key)) is not None:
            return rule(value)
        if (inner := nested(value)) is not None:
            return dumped(self.apply(inner, key))
        return self._pseudonyms.identity(value) or mask(value)


def rows(value: object) -> list[dict[str, Any]]:
    """The objects of a list; nothing for what is no list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def only(keys: Iterable[str], row: Mapping[str, Any]) -> dict[str, Any]:
    """What stands under those keys."""
    return {key: row[key] for key in keys if key in row}


def leaves(value: Any) -> Iterator[str]:
    """Every string and every key of a JSON document, what is JSON in its strings opened."""
    match value:
        case dict():
            for name, inner in value.items():
                yield name
                yield from leaves(inner)
        case list():
            for inner in value:
                yield from leaves(inner)
        case str() if (opened := nested(value)) is not None:
            yield from leaves(opened)
        case str():
            yield value


def nested(value: str) -> dict[str, Any] | list[Any] | None:
    """The object or list that a string holds as JSON, or None."""
    if value[:1] not in {"{", "["}:
        return None
    try:
        parsed = parsed_json(value)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict | list) else None


def parsed_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object of a text, None for what is none."""
    try:
        parsed = parsed_json(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def parsed_json(text: str | bytes) -> Any:
    """JSON in the strict sense: no NaN, no infinities. Raises ValueError or RecursionError."""
    return json.loads(text, parse_constant=_refused)


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def dumped(value: object) -> str:
    """JSON as both networks' servers write it: one line, no spaces, nothing escaped without need."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
