"""The guard of outgoing files on both networks: no file of HERMES_HOME leaves but its media caches."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from gateway.config import Platform, PlatformConfig
from gateway.session import SessionSource
from hermes_hardened_adapters.common.host.outgoing.guard import guarded, paths_of
from hermes_hardened_adapters.common.host.tenancy.guarding import kept

from tests.fakes.echo_model import EchoModel
from tests.fakes.mattermost_server import OPS, TOKEN, FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, ALICE, ALICE_ACI, FakeSignalDaemon, contact, recorded_event
from tests.gateway_process import GatewayProcess, signal_env
from tests.outgoing import NETWORKS, PNG, Outgoing, outgoing

NOTICE = "⚠️ A file was not sent: it belongs to the agent itself."
SECRET = b"\x89PNG\r\n\x1a\nevery chat's transcripts"
METHODS: dict[str, Callable[[Outgoing, str], Any]] = {
    "send_document": lambda o, path: o.adapter.send_document(o.chat, path),
    "send_document by name": lambda o, path: o.adapter.send_document(chat_id=o.chat, file_path=path, metadata={}),
    "send_image_file": lambda o, path: o.adapter.send_image_file(chat_id=o.chat, image_path=path, metadata=None),
    "send_voice": lambda o, path: o.adapter.send_voice(chat_id=o.chat, audio_path=path),
    "play_tts": lambda o, path: o.adapter.play_tts(chat_id=o.chat, audio_path=path, caption=None, metadata=None),
    "send_video": lambda o, path: o.adapter.send_video(o.chat, path, metadata=None),
    "send_multiple_images": lambda o, path: o.adapter.send_multiple_images(o.chat, [(f"file://{quote(path)}", "")]),
    "send_image": lambda o, path: o.adapter.send_image(o.chat, f"file://{quote(path)}"),
    "send_animation": lambda o, path: o.adapter.send_animation(o.chat, f"file://{quote(path)}"),
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
async def test_every_way_to_send_a_file_refuses_the_agents_own(
    network: str, method: str, hermes_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, transcripts = tmp_path / "report.png", hermes_home / "state.png"
    report.write_bytes(PNG)
    transcripts.write_bytes(SECRET)
    async with outgoing(network, monkeypatch) as out:
        result = await METHODS[method](out, str(report))
        assert result is None or result.success
        assert (out.files(), out.texts()) == ([PNG], [])
        result = await METHODS[method](out, str(transcripts))
        assert result is None or not result.success
        assert (out.files(), out.texts()) == ([PNG], [NOTICE])


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("answer", ["Here: MEDIA:{}", "It is in {} now", "MEDIA:`{}`"])
@pytest.mark.parametrize("name", ["notes.md", "memories/MEMORY.md", "kanban.csv"])
async def test_a_path_in_an_answer_does_not_send_the_agents_memory(
    network: str, answer: str, name: str, hermes_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, memory = tmp_path / "report.md", hermes_home / name
    report.write_bytes(b"all is well")
    memory.parent.mkdir(exist_ok=True)
    memory.write_bytes(SECRET)
    async with outgoing(network, monkeypatch) as out:
        await out.ask(f"{answer.format(report)}\n{answer.format(memory)}")
        assert out.files() == [b"all is well"]
        assert NOTICE in out.texts()


@pytest.mark.parametrize("network", NETWORKS)
async def test_what_the_agent_made_is_sent_from_the_hosts_folders_for_it(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures it generates, and its temporary folder with what it speaks, which newer hosts have in their home."""
    async with outgoing(network, monkeypatch) as out:
        for name in ("cache/generated/images/cat.png", "cache/scratch/hermes_voice/answer.ogg"):
            (hermes_home / name).parent.mkdir(parents=True, exist_ok=True)
            (hermes_home / name).write_bytes(PNG)
        await out.ask(f"MEDIA:{hermes_home}/cache/generated/images/cat.png")
        await out.adapter.play_tts(chat_id=out.chat, audio_path=str(hermes_home / name))
        assert (out.files(), out.texts()) == ([PNG, PNG], [])


@pytest.mark.parametrize("hardened", [False, True], ids=["stock", "ours"])
async def test_in_the_real_gateway_an_answer_takes_the_memory_along_only_with_stock(
    hardened: bool, tmp_path: Path
) -> None:
    home, report = tmp_path / "home", tmp_path / "report.csv"
    memory = home / "memories" / "MEMORY.md"
    memory.parent.mkdir(parents=True)
    memory.write_text("what Alice said")
    report.write_text("all is well")
    answer = f"MEDIA:{report}\nMEDIA:{memory}"
    async with FakeSignalDaemon() as daemon, EchoModel(script=lambda _: answer) as model:
        daemon.contacts.append(contact(ALICE, ALICE_ACI, "Alice"))
        env = signal_env(daemon.url, ACCOUNT, users=ALICE)
        async with GatewayProcess(model.base_url, env=env, home=home, plugin=hardened) as running:
            await daemon.streams_open(1)
            await daemon.emit_event(recorded_event("dm_text"))

            def sent() -> list[str]:
                return [path for call in daemon.called("send") for path in call.get("attachments", ())]

            expected = [str(report)] if hardened else [str(report), str(memory)]
            await running.until(lambda: sent() == expected, "the files", within=60)
            # Some hosts say of their own, too, that a file was not delivered.
            await running.until(
                lambda: any(NOTICE in c["message"] for c in daemon.called("send")) is hardened, "the notice"
            )


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
async def test_every_way_to_send_a_file_refuses_what_another_chat_received(
    network: str, method: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = hermes_home / "cache" / "images"
    cache.mkdir(parents=True)
    async with outgoing(network, monkeypatch) as out:
        for name, chat_id, content in (("own.png", out.chat, PNG), ("other.png", "another", SECRET)):
            (cache / name).write_bytes(content)
            source = SessionSource(Platform(network), chat_id, chat_type="dm", user_id=chat_id)
            kept.received([str(cache / name)], source)
        await METHODS[method](out, str(cache / "own.png"))
        assert (out.files(), out.texts()) == ([PNG], [])
        result = await METHODS[method](out, str(cache / "other.png"))
        assert result is None or not result.success
        assert (out.files(), out.texts()) == ([PNG], [NOTICE])


@pytest.mark.parametrize("network", NETWORKS)
async def test_of_several_pictures_the_allowed_ones_are_sent(
    network: str, hermes_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chart.png").write_bytes(PNG)
    (hermes_home / "state.png").write_bytes(SECRET)
    pictures = [(f"file://{tmp_path}/chart.png", "a"), (f"FILE://{hermes_home}/state.png", "b")]
    async with outgoing(network, monkeypatch) as out:
        await out.adapter.send_multiple_images(out.chat, pictures, None, 0.0)
        assert (out.files(), out.texts()) == ([PNG], [NOTICE])


async def test_what_a_new_host_may_bring_is_guarded_by_its_name(hermes_home: Path, tmp_path: Path) -> None:
    class NewStock:
        def __init__(self, config: Any) -> None:
            self.sent: list[Any] = []
            self.platform = "new"

        async def send(self, chat_id: str, content: str, metadata: Any = None) -> None:
            self.sent.append(content)

        async def send_image(self, chat_id: str, image_url: str) -> None: ...

        async def send_multiple_images(self, chat_id: str, images: list[tuple[str, str]]) -> None: ...

        async def send_stickers(self, chat_id: str, sticker_paths: list[Any], is_video: bool = False) -> None:
            self.sent.append((sticker_paths, is_video))

    adapter = guarded(NewStock)(None)
    report, secret = tmp_path / "report.pdf", hermes_home / "state.db"
    await adapter.send_stickers("chat", [str(report), report], is_video=True)
    await adapter.send_stickers("chat", [report, secret])
    await adapter.send_stickers("chat", sticker_paths=(f"file://{secret}",))
    assert adapter.sent == [([str(report)] * 2, True), NOTICE, NOTICE]


@pytest.mark.parametrize("network", NETWORKS)
def test_the_host_has_no_way_to_send_a_file_that_is_not_guarded(network: str) -> None:
    """Fails when a new Hermes brings one: its parameter is to be judged and named in one of these two places."""
    module = importlib.import_module(f"hermes_hardened_adapters.adapters.{network}.adapter")
    adapter = getattr(module, f"{network.title()}Adapter")
    harmless = {
        *("self", "chat_id", "channel_id", "user_id", "content", "caption", "reply_to", "metadata", "kwargs", "kind"),
        *("file_name", "filename", "file_data", "content_type", "media_label", "human_delay", "payload", "timeout"),
        *("question", "choices", "clarify_id", "session_key", "title", "message", "confirm_id", "draft_id", "finalize"),
        *("emoji", "target_author", "target_timestamp", "max_retries", "base_delay", "parent_id", "_"),
        *("event", "text_content", "first", "record_delivery", "file_id", "file_ids", "fail_error", "result", "method"),
        *("is_ephemeral_response", "ephemeral_ttl", "prompt", "command", "description"),
        *("allow_permanent", "allow_session", "smart_denied"),
        # Of a batch of pictures, each of which was judged before.
        *("scheduler", "params", "n", "label"),
    }
    addresses = {"image_url", "animation_url", "images", "url"}
    guarded = 0
    *ours, stock = adapter.__mro__[:5]
    assert all("hardened" in cls.__module__ for cls in ours)
    assert "hardened" not in stock.__module__
    for name, inherited in inspect.getmembers(stock, inspect.isfunction):
        if not name.lstrip("_").startswith(("send", "play", "upload", "post")):
            continue
        method, paths = getattr(adapter, name), set(paths_of(inherited))
        assert set(inspect.signature(inherited).parameters) <= harmless | addresses | paths, name
        if paths:
            assert method.__wrapped__, name
            guarded += 1
    assert guarded >= 6


async def test_a_job_outside_the_gateway_sends_no_file_of_the_agent_either(hermes_home: Path, tmp_path: Path) -> None:
    plugin = importlib.import_module("hermes_hardened_adapters.adapters.mattermost.plugin")
    (tmp_path / "report.md").write_bytes(b"all is well")
    (hermes_home / "state.db").write_bytes(SECRET)
    async with FakeMattermostServer() as server:
        config = PlatformConfig(enabled=True, token=TOKEN, extra={"url": server.url})
        media = [str(tmp_path / "report.md"), {"path": str(hermes_home / "state.db")}]
        assert (await plugin.send_standalone(config, OPS, "done", media_files=media))["success"]
        assert [content for _, content in server.files.values()] == [b"all is well"]
        assert [p["message"] for p in server.posts.values()][-1] == f"done\n{NOTICE}"
