"""Short stand-ins for people and chats in logs and in the trace."""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache

SECRET_BYTES = 32
_KEEP = 4096
"""Stand-ins that are not made anew."""


class Pseudonymizer:
    """Gives a number or an id the same eight hexadecimal digits every time.

    They are made with a secret: without it the ten digits of a phone number cannot be tried out. No secret given
    makes a random one, whose stand-ins nobody can trace back.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(SECRET_BYTES)
        self._made = lru_cache(_KEEP)(self._make)

    def __call__(self, identity: str) -> str:
        return self._made(identity) if identity else ""

    def _make(self, identity: str) -> str:
        encoded = identity.encode("utf-8", "surrogatepass")
        return hashlib.blake2s(encoded, key=self._secret, digest_size=4).hexdigest()
