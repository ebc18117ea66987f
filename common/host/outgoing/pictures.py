"""Fetches the pictures that an answer names by their address: from public addresses, without redirects, within limits.

The host's check (tools/url_safety.py) judges a name, which may resolve to another address on connecting, and follows
redirects. Here the connection goes to exactly the addresses that were judged. No cookies, no credentials, no proxy.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ...core.errors import HardenedError

MAX_BYTES = 20 * 2**20
_SECONDS = 30.0
_LONGEST_ADDRESS = 4096
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; HermesAgent/1.0)",
    "Accept": "image/*",
    "Accept-Encoding": "identity",
}
_EXTENSIONS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
}
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Resolves a host name and a port to IP addresses. Raises OSError."""


class NotFetched(HardenedError):
    """The address is not allowed, or no picture can be fetched from it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A fetched picture; `extension` follows from its announced type."""

    data: bytes
    extension: str


def is_public(address: str) -> bool:
    """Return True for an IP address of the public Internet. A wrapped IPv4 address is judged instead of its wrapper."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        nat64 = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
        if wrapped := [v4 for v4 in (nat64, ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())) if v4 is not None]:
            return all(is_public(str(v4)) for v4 in wrapped)
        return ip.is_global and ip in _GLOBAL_UNICAST
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


async def look_up(host: str, port: int) -> Sequence[str]:
    """Resolve a name with the system's resolver."""
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


class Pictures:
    """Fetches pictures, each in a session of its own. `public` returns True for an IP address to connect to."""

    def __init__(
        self,
        *,
        public: Callable[[str], bool] = is_public,
        look_up: Lookup = look_up,
        max_bytes: int = MAX_BYTES,
        seconds: float = _SECONDS,
    ) -> None:
        self._public = public
        self._look_up = look_up
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def fetch(self, address: str) -> Picture:
        """Fetch the picture at an address. Raises NotFetched."""
        url = self._checked_url(address)
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._session() as session,
                session.get(url, headers=_HEADERS, allow_redirects=False) as response,
            ):
                return await self._read(response)
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise NotFetched(f"a picture could not be fetched: {type(exc).__name__}") from None

    def _checked_url(self, address: str) -> URL:
        try:
            url = URL(address[: _LONGEST_ADDRESS + 1])
            host, scheme = url.raw_host, url.scheme
        except ValueError:
            raise NotFetched("not an address") from None
        if scheme not in {"http", "https"} or not host or url.user or url.password or len(address) > _LONGEST_ADDRESS:
            raise NotFetched("not an address to fetch from")
        # aiohttp never resolves a host that looks like a number, so it is judged here.
        if (":" in host or host.rstrip(".").rpartition(".")[2].isdigit()) and not self._public(host):
            raise NotFetched("not a public address")
        return url

    def _session(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_PublicResolver(self._look_up, self._public), use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        session._retry_connection = False
        return session

    async def _read(self, response: aiohttp.ClientResponse) -> Picture:
        extension = _EXTENSIONS.get(response.content_type)
        if response.status != 200 or extension is None or (response.content_length or 0) > self._max_bytes:
            raise NotFetched(f"no picture: status {response.status}")
        data = bytearray()
        async for chunk in response.content.iter_any():
            data += chunk
            if len(data) > self._max_bytes:
                raise NotFetched("the picture is too large")
        return Picture(bytes(data), extension)


class _PublicResolver(AbstractResolver):
    """Resolves names for aiohttp; refuses a name if any of its addresses is not public."""

    def __init__(self, look_up: Lookup, public: Callable[[str], bool]) -> None:
        self._look_up = look_up
        self._public = public

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = list(dict.fromkeys(await self._look_up(host, port)))
        if not addresses or not all(map(self._public, addresses)):
            raise OSError("not a public address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""
