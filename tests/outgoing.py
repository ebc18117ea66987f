"""Both adapters in the real host, and what their servers got of an answer: texts and the contents of files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.mattermost_server import ALICE as MATTERMOST_ALICE
from tests.fakes.mattermost_server import DM, HERMES, FakeMattermostServer
from tests.fakes.signal_daemon import ALICE, ALICE_ACI, FakeSignalDaemon, contact, recorded_event
from tests.hosted import Hosted, hosted, hosted_mattermost

NETWORKS = ("signal", "mattermost")
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


def content_of(path: str) -> bytes:
    return Path(path).read_bytes()


@dataclass
class Outgoing:
    """A connected adapter, and one direct chat with an allowed person."""

    host: Hosted
    chat: str
    server: FakeSignalDaemon | FakeMattermostServer

    @property
    def adapter(self) -> Any:
        return self.host.adapter

    def texts(self) -> list[str]:
        """The messages without a file."""
        if isinstance(self.server, FakeSignalDaemon):
            return [call["message"] for call in self.server.called("send") if not call.get("attachments")]
        return [post["message"] for post in self._posts() if not post.get("file_ids")]

    def captions(self) -> list[str]:
        """The messages with files."""
        if isinstance(self.server, FakeSignalDaemon):
            return [call["message"] for call in self.server.called("send") if call.get("attachments")]
        return [post["message"] for post in self._posts() if post.get("file_ids")]

    def files(self) -> list[bytes]:
        """The content of every file that left; signal-cli reads them from the disk."""
        if isinstance(self.server, FakeSignalDaemon):
            sent = [path for call in self.server.called("send") for path in call.get("attachments", ())]
            return [Path(path).read_bytes() for path in sent]
        return [content for _, content in self.server.files.values()]

    def _posts(self) -> list[dict[str, Any]]:
        assert isinstance(self.server, FakeMattermostServer)
        return [post for post in self.server.posts.values() if post["user_id"] == HERMES]

    async def ask(self, answer: str) -> None:
        """Have the allowed person write, and the host deliver that answer."""

        async def handle(_: Any) -> str:
            return answer

        self.adapter.set_message_handler(handle)
        if isinstance(self.server, FakeSignalDaemon):
            await self.server.emit_event(recorded_event("dm_text"))
        else:
            await self.server.post(MATTERMOST_ALICE, DM, "hello")
        await asyncio.sleep(0)
        await self.host.settled()


@asynccontextmanager
async def outgoing(network: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outgoing]:
    """Connected; set HERMES_HOME before."""
    if network == "signal":
        monkeypatch.setenv("SIGNAL_ALLOWED_USERS", ALICE)
        async with FakeSignalDaemon() as daemon:
            daemon.contacts.append(contact(ALICE, ALICE_ACI, "Alice"))
            async with hosted(daemon) as host:
                yield Outgoing(host, ALICE, daemon)
    else:
        monkeypatch.setenv("MATTERMOST_ALLOWED_USERS", MATTERMOST_ALICE)
        async with FakeMattermostServer() as server, hosted_mattermost(server) as host:
            yield Outgoing(host, DM, server)
