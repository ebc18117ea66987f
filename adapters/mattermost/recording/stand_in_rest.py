"""The stand-in's REST half: calls, dispatch and refusals, in the forms recorded from 5.37."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from .stand_in import ReplayServer

_PUBLIC = {"/system/ping", "/config/client"}

Handler = Callable[..., Awaitable[Any]]


def new_id() -> str:
    return "".join(secrets.choice("ybndrfg8ejkmcpqxot1uwisza345h769") for _ in range(26))


@dataclass
class Call:
    """One request; `path` is without /api/v4."""

    method: str
    path: str
    json: Any = None
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    form: dict[str, tuple[str, bytes, str]] = field(default_factory=dict)
    """Maps a part's name to file name, content and content type."""


class Refused(Exception):
    """Raised by a handler to answer a call with an error of the server."""

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


class RestApi:
    """Passes each request to the handler of its route."""

    def __init__(self, server: ReplayServer, routes: dict[str, Handler]) -> None:
        self._server = server
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        for route, handler in routes.items():
            method, path = route.split()
            pattern = path.replace("ID", "(me|[a-z0-9]{26})")
            self._routes.append((method, re.compile(pattern), handler))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        answer = await self.answer(await self.call_of(request), request)
        answer.headers.setdefault("Date", formatdate(self._server.now() / 1000, usegmt=True))
        return answer

    async def call_of(self, request: web.Request) -> Call:
        path = "/" + request.match_info["path"]
        call = Call(request.method, path, None, dict(request.query), dict(request.headers))
        if request.content_type == "application/json" and request.can_read_body:
            call.json = await request.json()
        return call

    async def answer(self, call: Call, request: web.Request) -> web.StreamResponse:
        return await self.carry_out(call)

    async def carry_out(self, call: Call) -> web.StreamResponse:
        for method, pattern, handler in self._routes:
            if method != call.method or not (match := pattern.fullmatch(call.path)):
                continue
            if call.path not in _PUBLIC and not self._server.knows(call.headers):
                return Refused(
                    401, "api.context.session_expired.app_error", "Invalid or expired session, please login again."
                ).response
            try:
                answer = await handler(call, *(self._server.me_id if part == "me" else part for part in match.groups()))
            except Refused as refused:
                return refused.response
            return answer if isinstance(answer, web.StreamResponse) else web.json_response(answer)
        return no_route(call.path)
