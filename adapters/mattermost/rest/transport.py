"""Asynchronous HTTP transport on aiohttp for mattermostdriver's endpoint methods.

The endpoint methods return the result of their client unchanged, so with this client they return coroutines.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any

import aiohttp
from yarl import URL

from ....common.core.backoff import backoff
from ....common.core.errors import ConnectionLost, FileTooLarge, HardenedError, NotSent, RateLimited, Unanswered
from ....common.core.server_clock import ServerClock
from .failures import Redirected, not_mattermost, refusal, transport_failure

CONNECT_SECONDS = 10.0
_CREATE_SECONDS = 10.0
"""Maximum duration of one attempt to create a post: short, so that a retry comes before `_RETRY_WITHIN`."""
_TRANSFER_SECONDS = 300.0
_RETRIES = 3
_RETRY_WITHIN = 25.0
"""Time for retries of a post in doubt. The server remembers a `pending_post_id` for 30 s."""
_RESPONSE_BYTES = 64 * 2**20
_ERROR_BYTES = 2**16
_LOOKUPS = {"/users/ids", "/users/usernames", "/roles/names"}
"""Endpoints that read with POST."""

Files = Mapping[str, tuple[str, bytes, str]]
"""Form field to file name, content and content type, as mattermostdriver passes it."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    endpoint: str
    options: Any = None
    params: Mapping[str, Any] | None = None
    fields: Mapping[str, str] | None = None
    files: Files | None = None
    max_bytes: int | None = None
    """Size limit of a download."""

    @property
    def call(self) -> str:
        return f"{self.method} {self.endpoint}"

    @property
    def writes(self) -> bool:
        return self.method != "GET" and self.endpoint not in _LOOKUPS

    @property
    def creates_post(self) -> bool:
        return self.call == "POST /posts" and bool(self.options.get("pending_post_id"))

    @property
    def repeatable(self) -> bool:
        return not self.writes or self.creates_post

    def form(self) -> aiohttp.FormData | None:
        """Return a new form, because each can be sent only once."""
        if self.files is None:
            return None
        # Mattermost's server (Go) does not decode a percent-encoded file name.
        form = aiohttp.FormData(self.fields or {}, quote_fields=False)
        for name, (filename, content, content_type) in self.files.items():
            form.add_field(name, BytesIO(content), filename=filename, content_type=content_type or None)
        return form

    def limits(self, timeout: float) -> aiohttp.ClientTimeout:
        if self.files is not None or self.max_bytes is not None:
            return aiohttp.ClientTimeout(total=_TRANSFER_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=timeout)
        total = min(timeout, _CREATE_SECONDS) if self.creates_post else timeout
        return aiohttp.ClientTimeout(total=total, sock_connect=CONNECT_SECONDS)


class RestClient:
    """The client that mattermostdriver calls. `base_url` may have a path.

    Reads, and posts with a `pending_post_id`, are retried a few times after temporary failures. Other calls are retried
    only if they cannot have been carried out. One attempt takes at most `timeout` seconds, a post 10 s, a file 300 s.
    Raises ApiError, Fatal, ConnectionLost, RateLimited (after `patience` seconds of waiting) or Unanswered.
    """

    def __init__(
        self,
        session: Callable[[], aiohttp.ClientSession],
        base_url: str,
        headers: Callable[[], dict[str, str]],
        *,
        timeout: float = 20.0,
        patience: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._url = f"{base_url}/api/v4"
        self._where = str(URL(base_url).with_user(None))
        self._headers = headers
        self._timeout = timeout
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self.last_headers: Mapping[str, str] = {}
        """The headers of the last answer, including refusals."""
        self.server_clock = ServerClock(clock)

    async def make_request(
        self,
        method: str,
        endpoint: str,
        options: Any = None,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, str] | None = None,
        files: Files | None = None,
    ) -> Any:
        """Return the JSON of the answer."""
        body = await self._answer(Request(method.upper(), endpoint, options, params, data, files))
        try:
            return json.loads(body)
        except ValueError:
            pass  # The exception holds the invalid text, so it must not become a context.
        raise not_mattermost(self._where)

    async def get(self, endpoint: str, options: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        return await self.make_request("get", endpoint, options, params)

    async def post(
        self,
        endpoint: str,
        options: Any = None,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, str] | None = None,
        files: Files | None = None,
    ) -> Any:
        return await self.make_request("post", endpoint, options, params, data, files)

    async def put(self, endpoint: str, options: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        return await self.make_request("put", endpoint, options, params)

    async def delete(self, endpoint: str, options: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        return await self.make_request("delete", endpoint, options, params)

    async def download(self, endpoint: str, max_bytes: int) -> bytes:
        """Return the raw body. Raises FileTooLarge as soon as it exceeds `max_bytes`."""
        return await self._answer(Request("GET", endpoint, max_bytes=max_bytes))

    async def _answer(self, request: Request) -> bytes:
        """Make a call with retries and return the body of the answer."""
        session = self._session()
        delays = islice(backoff(0.5, cap=8.0), _RETRIES)
        patience = self._patience
        in_doubt_since: float | None = None
        while True:
            started = self._clock()
            failure: HardenedError
            wait: float | None
            try:
                return await self._try(session, request)
            except RateLimited as limited:
                # With jitter, because many posts may wait for the same limit.
                failure, wait = limited, limited.retry_after * (1 + random.random() / 4)
                patience -= wait
                again = patience >= 0
            except (ConnectionLost, Unanswered) as lost:
                failure, wait = lost, next(delays, None)
                again = request.repeatable or isinstance(lost, NotSent)
                if isinstance(lost, Unanswered) and in_doubt_since is None:
                    in_doubt_since = started
            if wait is None or not again or self._is_too_late(request, in_doubt_since, wait):
                break
            await self._sleep(wait)
        # An earlier attempt may have been carried out, even if the last one certainly was not.
        if request.writes and in_doubt_since is not None:
            raise Unanswered(f"no answer to {request.call}: it is unknown whether it was carried out")
        if isinstance(failure, Unanswered):
            raise ConnectionLost(f"no answer to {request.call} ({failure})")
        raise failure

    def _is_too_late(self, request: Request, since: float | None, wait: float) -> bool:
        """Return True if the server might take a retry for a new post, because it comes too late."""
        return since is not None and request.writes and self._clock() + wait - since > _RETRY_WITHIN

    async def _try(self, session: aiohttp.ClientSession, request: Request) -> bytes:
        try:
            async with session.request(
                request.method,
                self._url + request.endpoint,
                headers=self._headers(),
                params=request.params,
                json=request.options,
                data=request.form(),
                timeout=request.limits(self._timeout),
                allow_redirects=False,
            ) as response:
                self.last_headers = response.headers
                self.server_clock.set_from_header(response.headers.get("Date"))
                if response.status < 300:
                    return await _read(response, request)
                body = await response.content.read(_ERROR_BYTES)
                failure = refusal(request.call, self._where, response.status, response.headers, body)
        except (aiohttp.ClientError, TimeoutError) as exc:
            failure = transport_failure(exc, self._where)
        # Outside the handler: the exception may hold the request's headers.
        raise failure


async def _read(response: aiohttp.ClientResponse, request: Request) -> bytes:
    most = _RESPONSE_BYTES if request.max_bytes is None else request.max_bytes
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most:
            raise FileTooLarge(f"the answer to {request.call} exceeds {most} bytes")
    return bytes(body)


def no_redirects() -> aiohttp.TraceConfig:
    """Return a trace that refuses redirects of requests with a token. aiohttp has no such option for WebSockets."""

    async def refuse(_: object, __: object, params: aiohttp.TraceRequestRedirectParams) -> None:
        if "Authorization" in params.headers:
            params.response.close()
            raise Redirected

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse)
    return trace
