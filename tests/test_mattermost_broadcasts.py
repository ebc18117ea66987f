"""What Mattermost's adapter posts: @channel, @here and @all notify nobody, wherever a text was cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gateway.config import PlatformConfig
from hermes_hardened_adapters.adapters.mattermost.adapter import MattermostAdapter
from hermes_hardened_adapters.adapters.mattermost.mentions.grammar import find_mentions, without_broadcasts
from hermes_hardened_adapters.adapters.mattermost.plugin import send_standalone

from tests.fakes.mattermost_server import DM, OPS, TOKEN, FakeMattermostServer
from tests.outgoing import PNG, Outgoing, outgoing

FENCES = ["```\n{}\n```", "~~~\n{}\n~~~", "````text\n```\n{}\n````", "`{}`", "    {}"]


def notifies(text: str) -> bool:
    return find_mentions(text, lambda _: None).broadcast


def posted(out: Outgoing) -> list[str]:
    return out.texts() + out.captions()


@pytest.mark.parametrize("fence", FENCES)
async def test_a_cut_code_block_notifies_nobody(fence: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = fence.format("@channel @here x-@all " * 2500)
    assert not notifies(text)
    async with outgoing("mattermost", monkeypatch) as out:
        limit = out.adapter.connection.post_size
        cut = MattermostAdapter.truncate_message(without_broadcasts(text), limit)
        assert fence.startswith("```\n") or any(map(notifies, cut)), "the cut alone makes some live"
        assert (await out.adapter.send(DM, text)).success
        assert len(posted(out)) >= len(cut)
        assert not any(map(notifies, posted(out)))
        assert max(map(len, posted(out))) <= limit


async def test_a_text_full_of_them_still_fits_its_posts(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with outgoing("mattermost", monkeypatch) as out:
        out.adapter.connection.post_size = 1000
        assert (await out.adapter.send(DM, "@all " * 1000)).success
        assert not any(map(notifies, posted(out)))
        assert max(map(len, posted(out))) <= 1000
        assert sum(text.count("@al\u200bl") for text in posted(out)) == 1000


async def test_edits_captions_and_what_is_inherited(
    hermes_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "chart.png"
    picture.write_bytes(PNG)
    async with outgoing("mattermost", monkeypatch) as out:
        sent = await out.adapter.send(DM, "first")
        acts: list[Any] = [
            out.adapter.edit_message(DM, sent.message_id, "@channel edited", finalize=True),
            out.adapter.send_document(DM, str(picture), caption="@here document"),
            out.adapter.send_multiple_images(DM, [(f"file://{picture}", "@all pictures")]),
            out.adapter.send_clarify(DM, "@channel?", ["@all", "nobody"], "1", "session"),
            out.adapter.send_private_notice(DM, None, "@here notice"),
            out.adapter._api_post("posts", {"channel_id": DM, "message": "@all post"}),
            out.adapter._api_put(f"posts/{sent.message_id}/patch", {"message": "@all put"}),
        ]
        for act in acts:
            await act
        assert len(posted(out)) == 6
        assert not any(map(notifies, posted(out)))
        assert sum("@" in text for text in posted(out)) == 6


async def test_a_job_outside_the_gateway_notifies_nobody(hermes_home: Path) -> None:
    async with FakeMattermostServer() as server:
        config = PlatformConfig(enabled=True, token=TOKEN, extra={"url": server.url})
        assert (await send_standalone(config, OPS, "@channel done"))["success"]
        assert [p["message"] for p in server.posts.values()][-1] == "@channe\u200bl done"
