"""The limits of a fetched file in both adapters: the bytes that come count."""

from __future__ import annotations

from pathlib import Path

import pytest
from hermes_hardened_adapters.common.core.errors import FileTooLarge
from hermes_hardened_adapters.common.core.events import Attachment

from tests.fakes.mattermost_server import ALICE, FakeMattermostServer
from tests.fakes.signal_daemon import FakeSignalDaemon
from tests.outgoing import NETWORKS, content_of, outgoing


@pytest.mark.parametrize("network", NETWORKS)
async def test_the_bytes_that_come_count_not_those_announced(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"%PDF-1.4 " + b"x" * 200_000
    async with outgoing(network, monkeypatch) as out:
        if isinstance(out.server, FakeSignalDaemon):
            out.server.attachments["id1"] = content
            file_id = "id1"
        else:
            assert isinstance(out.server, FakeMattermostServer)
            file_id = out.server.add_file("a.pdf", content, ALICE)["id"]
        lies = Attachment(file_id, "application/pdf", "a.pdf", 10)
        path, _ = await out.adapter._fetch(lies, len(content))
        assert content_of(path) == content
        with pytest.raises(FileTooLarge):
            await out.adapter._fetch(lies, len(content) - 1)
        with pytest.raises(FileTooLarge):
            await out.adapter._fetch(lies, 10)
