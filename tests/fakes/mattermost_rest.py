"""What tests add to the REST half of the stand-in for a server: recorded answers, and faults."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web
from hermes_hardened_adapters.adapters.mattermost.recording import stand_in_rest
from hermes_hardened_adapters.adapters.mattermost.recording.stand_in_rest import (
    Handler,
    Refused,
    RestApi,
    new_id,
    no_route,
)
from hermes_hardened_adapters.common.recording.documents import Object

__all__ = ["Handler", "Object", "Refused", "RestApi", "new_id", "no_route"]

FIXTURES = Path(__file__).parent.parent / "fixtures" / "mattermost_rest"
HERMES = "xfccn8gchjfe88j1e49potzq4r"


def recorded(name: str) -> Any:
    """The body of a recorded answer."""
    return json.loads((FIXTURES / f"{name}.json").read_text())["body"]


class Call(stand_in_rest.Call):
    """One request as it arrived, kept."""


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
    text: str = ""
    """Only posts that contain this."""


async def _parts(request: web.Request) -> dict[str, tuple[str, bytes, str]]:
    parts = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        content_type = part.headers.get("Content-Type", "")
        parts[part.name or ""] = (part.filename or "", bytes(await part.read()), content_type)
    return parts


class FaultyRestApi(RestApi):
    """Does to a request what the fake's faults say, and takes uploads."""

    async def call_of(self, request: web.Request) -> Call:
        call = Call(**vars(await super().call_of(request)))
        if request.content_type == "multipart/form-data":
            call.form = await _parts(request)
        self._server.calls.append(call)
        return call

    async def answer(self, call: Call, request: web.Request) -> web.StreamResponse:
        fault = self._next_fault(call)
        if fault is None or fault.carried_out:
            answer = await self.carry_out(call)
        if fault is None:
            return answer
        if fault.status is not None:
            return web.Response(status=fault.status, headers=fault.headers, text=fault.body)
        if fault.delay:
            await asyncio.sleep(fault.delay)
            return answer if fault.carried_out else await self.carry_out(call)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def _next_fault(self, call: stand_in_rest.Call) -> Fault | None:
        for fault in self._server.faults:
            if fault.times > 0 and call.path.startswith(fault.path) and fault.text in str(call.json):
                fault.times -= 1
                return fault
        return None
