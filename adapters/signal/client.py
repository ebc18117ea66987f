"""signal-cli's JSON-RPC over HTTP, on aiohttp.

Every JSON-RPC error comes with HTTP status 200. A call that timed out may still be carried out by the daemon; nothing
here repeats a call.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from base64 import b64encode
from binascii import a2b_base64
from typing import Any

import aiohttp
from yarl import URL

from ...common.core.errors import ConnectionLost, FileTooLarge, Unanswered
from .failures import RpcError, http_failure, transport_failure

_CHECK_SECONDS = 10.0
_FILE_SECONDS = 60.0
_RESPONSE_BYTES = 256 * 2**20
_ENVELOPE_BYTES = 2**16
"""At most that much of an answer surrounds the file in it."""
_FILE = re.compile(rb'"(?:data|result)"\s*:\s*"')
_SLICE = 2**20


class SignalClient:
    """JSON-RPC client of one account on one daemon. Open and close it with `async with`.

    User and password in the URL are for a proxy in front of the daemon. They are sent in a header and left out of
    `base_url`, which is logged.
    """

    def __init__(self, base_url: str, account: str) -> None:
        url = URL(base_url)
        self.base_url = str(url.with_user(None)).rstrip("/")
        login = f"{url.user or ''}:{url.password or ''}".encode() if url.user or url.password else b""
        self._login = {"Authorization": f"Basic {b64encode(login).decode()}"} if login else None
        self.account = account
        self._ids = itertools.count(1)
        self._host: dict[str, str] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> SignalClient:
        self._session = aiohttp.ClientSession(
            # Event streams share the session and must never time out; calls set their own limits.
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=2**20,
            headers=self._login,
            trust_env=False,
        )
        # By default aiohttp repeats a GET when the connection breaks, which would bypass our back-off.
        self._session._retry_connection = False
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ConnectionLost("the connection to signal-cli is closed")
        return self._session

    def headers(self) -> dict[str, str]:
        """Return the extra headers of every request to /rpc and /events."""
        return dict(self._host)

    def pin_host(self) -> bool:
        """Send `Host: localhost` in later requests, after a 421. Return False if it was already being sent."""
        # signal-cli 0.14.4 and newer refuse a Host with another port than the bound one, as behind a port mapping.
        # `localhost` without a port always passes.
        if self._host:
            return False
        self._host = {"Host": "localhost"}
        return True

    async def check(self) -> bool:
        """Return True if the daemon's HTTP server answers. It answers without any connection to Signal, too."""
        try:
            async with self.session.get(
                f"{self.base_url}/api/v1/check",
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_CHECK_SECONDS),
            ) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, ConnectionLost):
            return False

    async def rpc(self, method: str, params: dict[str, Any] | None = None, *, timeout: float = 30.0) -> Any:
        """Return the result of a call for our account.

        Raises RpcError, Unanswered (also after `timeout` seconds), NotSent, ConnectionLost, or Fatal for a daemon that
        refuses us.
        """
        try:
            answer = await self._call(method, params, timeout, _RESPONSE_BYTES)
        except FileTooLarge as exc:
            # The call was carried out, only its result is unknown.
            raise Unanswered(str(exc)) from None
        return _result(method, self.base_url, *answer)

    async def attachment(self, attachment_id: str, max_bytes: int) -> bytes:
        """Return the content of a file. Raises FileTooLarge for more than `max_bytes`, otherwise as `rpc` does."""
        # base64 takes four bytes for three.
        most = max_bytes * 4 // 3 + _ENVELOPE_BYTES
        answer = await self._call("getAttachment", {"id": attachment_id}, _FILE_SECONDS, most)
        # Decoding megabytes would hold up the event loop, and with it the reader of the stream.
        data = await asyncio.to_thread(_file, self.base_url, *answer)
        if len(data) > max_bytes:
            raise FileTooLarge(f"an attachment exceeds {max_bytes} bytes")
        return data

    async def _call(
        self, method: str, params: dict[str, Any] | None, timeout: float, max_bytes: int
    ) -> tuple[int, bytearray]:
        request = {
            "jsonrpc": "2.0",
            "id": next(self._ids),
            "method": method,
            "params": {"account": self.account, **(params or {})},
        }
        try:
            async with asyncio.timeout(timeout):
                status, body = await self._post(request, max_bytes)
                if status == 421 and self.pin_host():
                    status, body = await self._post(request, max_bytes)
        except TimeoutError:
            raise Unanswered(f"{method} timed out: no answer from signal-cli within {timeout:g} s") from None
        except aiohttp.ClientError as exc:
            raise transport_failure(exc, self.base_url) from exc
        return status, body

    async def _post(self, request: dict[str, Any], max_bytes: int) -> tuple[int, bytearray]:
        async with self.session.post(
            f"{self.base_url}/api/v1/rpc", json=request, headers=self.headers(), allow_redirects=False
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > max_bytes:
                    raise FileTooLarge(f"the answer to {request['method']} exceeds {max_bytes} bytes")
            return response.status, body


def _file(where: str, status: int, body: bytearray) -> bytes:
    """Return the file in an answer to getAttachment. Blocks.

    Decodes in slices, because a single call would hold the interpreter lock, and so the event loop, for too long.
    """
    start = end = 0
    # The file is cut out before the rest is parsed as JSON, which would copy it as a string.
    if opening := _FILE.search(body, 0, _ENVELOPE_BYTES):
        start = opening.end()
        end = max(body.find(b'"', start), start)
    result = _result("getAttachment", where, status, body[:start] + body[end:])
    if not (result == "" or (isinstance(result, dict) and result.get("data") == "")):
        raise ConnectionLost("signal-cli answered getAttachment without a file")
    text = memoryview(body)[start:end]
    try:
        return b"".join(a2b_base64(text[at : at + _SLICE], strict_mode=True) for at in range(0, len(text), _SLICE))
    except ValueError:
        raise ConnectionLost("signal-cli answered getAttachment with something that is not base64") from None


def _result(method: str, where: str, status: int, body: bytes | bytearray) -> Any:
    """Return the result of a JSON-RPC answer. Raises RpcError, or the error that the HTTP status or the body means."""
    if status != 200:
        raise http_failure(status, where)
    try:
        answer = json.loads(body)
    except ValueError:
        raise ConnectionLost(f"signal-cli answered {method} with something that is not JSON") from None
    if not isinstance(answer, dict):
        raise ConnectionLost(f"signal-cli answered {method} with something that is not JSON-RPC")
    error = answer.get("error")
    if isinstance(error, dict):
        code = error.get("code")
        raise RpcError(code if isinstance(code, int) else 0, str(error.get("message", "")), error.get("data"))
    return answer.get("result")
