"""A stand-in for somebody's web server with pictures on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class PictureServer:
    """On 127.0.0.1; `bodies` by path: content type and content. `/to?…` redirects there, `/slow` never ends."""

    port: int = 0
    bodies: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of every request."""

    def url(self, path: str, host: str = "pictures.example") -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.path, dict(request.headers)))
        if request.path.startswith("/to"):
            raise web.HTTPFound(request.query_string)
        if request.path.startswith("/slow"):
            await asyncio.Event().wait()
        if request.path.startswith("/endless"):
            response = web.StreamResponse(headers={"Content-Type": "image/png"})
            await response.prepare(request)
            while True:
                await response.write(b"\x89PNG\r\n\x1a\n" * 8192)
        if request.path not in self.bodies:
            raise web.HTTPNotFound
        content_type, body = self.bodies[request.path]
        return web.Response(body=body, headers={"Content-Type": content_type, "Set-Cookie": "a=b"})


@asynccontextmanager
async def picture_server() -> AsyncIterator[PictureServer]:
    server = PictureServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()
