"""Pseudonyms of people and chats, for logs and the trace."""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache

SECRET_BYTES = 32
_CACHED = 4096


class Pseudonymizer:
    """Maps a number or an id to the same eight hexadecimal digits every time; an empty one stays empty.

    The digits are a keyed hash: without the secret nobody can find a phone number by trying them all. The default is a
    random secret, with which the pseudonyms hold for this object only.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(SECRET_BYTES)
        self._cached_hash = lru_cache(_CACHED)(self._hash)

    def __call__(self, identity: str) -> str:
        return self._cached_hash(identity) if identity else ""

    def _hash(self, identity: str) -> str:
        encoded = identity.encode("utf-8", "surrogatepass")
        return hashlib.blake2s(encoded, key=self._secret, digest_size=4).hexdigest()
