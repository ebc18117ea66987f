"""The REST half of the fake Mattermost server: calls, refusals and faults, in the shapes recorded from 5.37."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

if TYPE_CHECKING:
    from .mattermost_server import FakeMattermostServer

FIXTURES = Path(__file__).parent.parent / "fixtures" / "mattermost_rest"
HERMES = "xfccn8gchjfe88j1e49potzq4r"
_PUBLIC = {"/system/ping", "/config/client"}

Object = dict[str, Any]
Handler = Callable[..., Awaitable[Any]]


def recorded(name: str) -> Any:
    """The body of a recorded answer."""
    return json.loads((FIXTURES / f"{name}.json").read_text())["body"]


def new_id() -> str:
    return "".join(secrets.choice("ybndrfg8ejkmcpqxot1uwisza345h769") for _ in range(26))


@dataclass
class Call:
    """One request as it arrived; `path` is without /api/v4."""

    method: str
    path: str
    json: Any = None
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    form: dict[str, tuple[str, bytes, str]] = field(default_factory=dict)
    """Part's name to file name, content and content type."""


@dataclass
class Fault:
    """What the next `times` requests get instead of being carried out or, with `carried_out`, instead of the answer.

    A `status`; or without one the answer `delay` seconds late; or with neither an aborted connection.
    """

    status: int | None = None
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    delay: float = 0.0
    carried_out: bool = False
    path: str = ""
    """Only requests whose path starts with this."""


class Refused(Exception):
    """What a handler raises to answer with an error of the server."""

    def __init__(self, status: int, error_id: str, message: str) -> None:
        super().__init__(message)
        error = {"id": error_id, "message": message, "detailed_error": "", "request_id": new_id()}
        self.response = web.json_response({**error, "status_code": status}, status=status)


def no_route(path: str) -> web.Response:
    detail = (
        f"There doesn't appear to be an api call for the url='/api/v4{path}'.  "
        "Typo? are you missing a team_id or user_id as part of the url?"
    )
    error = {"id": "api.context.404.app_error", "message": "Sorry, we could not find the page."}
    return web.Response(
        status=404, text=json.dumps({**error, "detailed_error": detail, "status_code": 404}), content_type="text/plain"
    )


async def _parts(request: web.Request) -> dict[str, tuple[str, bytes, str]]:
    parts = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        content_type = part.headers.get("Content-Type", "")
        parts[part.name or ""] = (part.filename or "", bytes(await part.read()), content_type)
    return parts


class RestApi:
    """Finds the handler of a request, and does to it what the server's faults say."""

    def __init__(self, server: FakeMattermostServer, routes: dict[str, Handler]) -> None:
        self._server = server
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        for route, handler in routes.items():
            method, path = route.split()
            pattern = path.replace("ID", "(me|[a-z0-9]{26})").replace("NAME", "([a-zA-Z0-9_+-]+)")
            self._routes.append((method, re.compile(pattern), handler))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = "/" + request.match_info["path"]
        call = Call(request.method, path, None, dict(request.query), dict(request.headers))
        if request.content_type == "multipart/form-data":
            call.form = await _parts(request)
        elif request.can_read_body:
            call.json = await request.json()
        self._server.calls.append(call)
        fault = self._next_fault(path)
        if fault is None or fault.carried_out:
            answer = await self._carry_out(call)
        if fault is None:
            return answer
        if fault.status is not None:
            return web.Response(status=fault.status, headers=fault.headers, text=fault.body)
        if fault.delay:
            await asyncio.sleep(fault.delay)
            return answer if fault.carried_out else await self._carry_out(call)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def _next_fault(self, path: str) -> Fault | None:
        for fault in self._server.faults:
            if fault.times > 0 and path.startswith(fault.path):
                fault.times -= 1
                return fault
        return None

    async def _carry_out(self, call: Call) -> web.StreamResponse:
        for method, pattern, handler in self._routes:
            if method != call.method or not (match := pattern.fullmatch(call.path)):
                continue
            if call.path not in _PUBLIC and not self._server.knows(call.headers):
                return Refused(
                    401, "api.context.session_expired.app_error", "Invalid or expired session, please login again."
                ).response
            try:
                answer = await handler(call, *(HERMES if part == "me" else part for part in match.groups()))
            except Refused as refused:
                return refused.response
            return answer if isinstance(answer, web.StreamResponse) else web.json_response(answer)
        return no_route(call.path)
