"""`replay` on Mattermost: the stand-in serves a recording as the server would, and the real stream reads it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.link import supervised_stream
from hermes_hardened_adapters.adapters.mattermost.recording import fixture
from hermes_hardened_adapters.adapters.mattermost.recording.playback import Playback
from hermes_hardened_adapters.adapters.mattermost.recording.rewriting import MattermostRecording
from hermes_hardened_adapters.adapters.mattermost.rest.client import MattermostClient
from hermes_hardened_adapters.cli import replay
from hermes_hardened_adapters.common.core.errors import ConfigError, Fatal, HardenedError
from hermes_hardened_adapters.common.recording.playback import Faults, delays, fault_of
from hermes_hardened_adapters.common.state.trace import entries
from hermes_hardened_adapters.common.stream.supervisor import Supervisor

from tests.fakes.mattermost_rest import HERMES
from tests.fakes.mattermost_server import ALICE, DM, OPS
from tests.hosted import hosted_mattermost
from tests.mattermost_recorded import FIXTURES, RECORDED, USERS, frames
from tests.recordings import arguments, captured_console, interrupted
from tests.test_mattermost_record import ALL, ME, USER_LIST, recorded_by

EVENTS = [event for event in map(json.loads, ALL) if event.get("event") not in {None, "hello"}]


def test_a_folder_of_recordings_tells_who_is_who() -> None:
    case = fixture.load(FIXTURES)
    assert case.me_id == HERMES
    assert [frame["data"] for frame in case.frames] == [event["data"] for event in EVENTS]
    assert {user["username"]: user_id for user_id, user in case.users.items()} == USERS
    assert case.channels[OPS]["name"] == "ops"
    assert {HERMES, ALICE} == case.members[DM]
    assert case.times == sorted(case.times)


def test_sidecars_win(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "dm_to_bot.jsonl", tmp_path / "case.jsonl")
    (tmp_path / "case.me.json").write_text(json.dumps({"id": "b" * 26, "username": "robot"}))
    (tmp_path / "case.users.json").write_text(json.dumps([{"id": ALICE, "username": "eve"}, "junk", {"id": 3}]))
    (tmp_path / "case.channels.json").write_text(json.dumps([{"id": DM, "type": "D", "name": "dm"}, None]))
    case = fixture.load(tmp_path)
    assert case.me_id == "b" * 26
    assert (case.users["b" * 26]["username"], case.users[ALICE]["username"]) == ("robot", "eve")
    assert case.channels[DM]["name"] == "dm"


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\xff\n", b'{"status":"OK","seq_reply":1}\n', b"[1]\n{\n"])
def test_a_file_without_frames_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "case.jsonl").write_bytes(content)
    with pytest.raises(ConfigError):
        fixture.load(tmp_path / "case.jsonl")


@pytest.mark.parametrize(
    "data", [{}, {"post": "{"}, {"post": 3}, {"post": '{"id": 1}'}, {"mentions": "]", "post": "{}"}, None, [1]]
)
def test_frames_of_any_form_are_served(data: Any, tmp_path: Path) -> None:
    lines = [{"event": "posted", "data": data, "broadcast": data}, json.loads(frames("dm_to_bot")[0])]
    (tmp_path / "case.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(fixture.load(tmp_path).frames) == 2


@dataclass
class Heard:
    frames: list[dict[str, Any]] = field(default_factory=list)
    gaps: int = 0

    def gap(self) -> None:
        self.gaps += 1

    @property
    def events(self) -> list[Any]:
        """The events without sequence numbers and `hello`."""
        return [(frame["event"], frame["data"]) for frame in self.frames if frame["event"] != "hello"]


@asynccontextmanager
async def listening(url: str, token: str, **options: Any) -> AsyncIterator[tuple[Supervisor, Heard]]:
    heard = Heard()
    dead: list[HardenedError] = []
    async with MattermostClient(url, token) as client:
        stream = supervised_stream(
            client, lambda frame: heard.frames.append(json.loads(frame.text)), heard.gap, dead.append, **options
        )
        await stream.open()
        try:
            yield stream, heard
        finally:
            await stream.close()


WANTED = [(event["event"], event["data"]) for event in EVENTS]


async def heard_of(*faults: str, **options: Any) -> tuple[Heard, Supervisor]:
    case = fixture.load(FIXTURES)
    parsed = Faults([fault_of(fault, {"cut", "silence", "gap"}) for fault in faults])
    async with case.server() as server:
        playing = asyncio.create_task(Playback(server, case.frames, delays(case.times, None), parsed).run())
        async with listening(server.url, server.token, **options) as (stream, heard):
            await asyncio.wait_for(playing, 10)
            async with asyncio.timeout(5):
                while WANTED[-1] not in heard.events[-1:]:
                    await asyncio.sleep(0.01)
            return heard, stream


async def test_the_whole_recording_is_heard_in_order() -> None:
    heard, stream = await heard_of()
    assert heard.events == WANTED
    assert [frame["seq"] for frame in heard.frames] == list(range(len(WANTED) + 1))
    assert stream.stats.reconnects == 0


async def test_a_cut_is_resumed_without_loss() -> None:
    heard, stream = await heard_of("cut:5")
    assert heard.events == WANTED
    assert (stream.stats.resumed, heard.gaps) == (1, 0)


async def test_a_silent_socket_is_replaced_without_loss() -> None:
    heard, stream = await heard_of("silence:4", ping_every=0.1, reply_within=0.2)
    assert heard.events == WANTED
    assert stream.stats.resumed == 1


async def test_a_number_that_is_skipped_is_a_gap() -> None:
    heard, stream = await heard_of("gap:3")
    assert heard.gaps == 1
    assert heard.events[:2] == WANTED[:2]
    assert WANTED[2] not in heard.events
    assert stream.stats.gaps == 1


async def test_a_status_instead_of_an_upgrade() -> None:
    case = fixture.load(FIXTURES)
    async with case.server() as server:
        Playback(server, case.frames, delays(case.times, None), Faults([fault_of("status:404", {"status"})]))
        with pytest.raises(Fatal):
            async with listening(server.url, server.token):
                pass


async def test_what_the_adapter_may_ask() -> None:
    case = fixture.load(FIXTURES)
    async with case.server() as server, MattermostClient(server.url, server.token) as client:
        assert (await client.me())["username"] == "hermes"
        assert {user["username"] for user in await client.users_by_ids([ALICE])} == {"alice"}
        assert {user["id"] for user in await client.users_by_names(["alice", "zoe"])} == {ALICE}
        assert OPS in {channel["id"] for channel in await client.my_channels()}
        assert (await client.config())["MaxPostSize"] == "16383"
        assert (await client.ping_system())["status"] == "OK"
        post = await client.create_post(OPS, "an answer")
        assert (post["message"], post["user_id"]) == ("an answer", HERMES)
        assert (await client.thread(post["id"]))["posts"][post["id"]]["message"] == "an answer"
        await client.typing(OPS)
        assert (await client.patch_post(post["id"], "a better one"))["message"] == "a better one"


async def test_the_command_serves_and_tells_the_settings() -> None:
    console, output = captured_console()
    serving = asyncio.create_task(replay.serve(arguments("replay", "mattermost", FIXTURES), console))
    while "MATTERMOST_TOKEN" not in output.getvalue():
        await asyncio.sleep(0.01)
    url, token = (word.partition("=")[2] for word in output.getvalue().split())
    async with listening(url, token) as (_, heard):
        while len(heard.events) < len(WANTED):
            await asyncio.sleep(0.01)
    assert await interrupted(serving) == 0
    assert f"{len(WANTED)} of {len(WANTED)} events" in output.getvalue()
    with pytest.raises(ConfigError, match="gap:NUMBER"):
        await replay.serve(arguments("replay", "mattermost", FIXTURES, "--fault", "half:1"), console)


async def test_a_recording_of_a_replay_has_the_same_shape(tmp_path: Path) -> None:
    case = fixture.load(FIXTURES)
    async with case.server() as server:
        running = asyncio.create_task(recorded_by(server.url, tmp_path))
        await asyncio.wait_for(Playback(server, case.frames, delays(case.times, None), Faults(())).run(), 10)
        await asyncio.sleep(0.2)
        status, output = await interrupted(running)
    assert status == 0, output
    again = fixture.load(tmp_path)
    assert [frame["event"] for frame in again.frames] == [event["event"] for event in EVENTS]
    assert (len(again.users), len(again.channels)) == (len(case.users), len(case.channels))


async def verdicts(home: Path, case: fixture.Fixture, allowed: str) -> list[Any]:
    """Return the decisions of the real host's adapter on a recording, in its order."""
    server = case.server()
    order = [post["id"] for frame in case.frames if (post := json.loads(frame["data"].get("post", "{}")))]
    async with server, hosted_mattermost(server, token=server.token, join_policy="ignore") as host:  # type: ignore[arg-type]
        await asyncio.wait_for(Playback(server, case.frames, delays(case.times, None), Faults(())).run(), 20)
        await asyncio.sleep(0.2)
        await host.settled()
        await host.adapter.connection.flush()
        found = entries(home / "hardened_adapters" / "state.db")
        assert allowed in server.users
        known = {event: at for at, event in reversed(list(enumerate(order)))}
        ranked = sorted((one for one in found if one.event in known), key=lambda one: (known[one.event], one.number))
        return [(known[one.event], one.verdict, one.rule, one.reason) for one in ranked]


async def test_the_recording_gets_the_verdicts_of_the_original(
    tmp_path: Path, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = MattermostRecording({"new", "status", "help", "sethome", "stop"})
    for name in RECORDED:
        for text in frames(name):
            recording.add(text, 0.0)
    for suffix, content in recording.files(ME, USER_LIST, []).items():
        (tmp_path / f"case{suffix}").write_bytes(content)
    alice = str(recording.pseudonyms.identity(ALICE))

    monkeypatch.setenv("MATTERMOST_ALLOWED_USERS", ALICE)
    before = await verdicts(hermes_home, fixture.load(FIXTURES), ALICE)
    assert {verdict for _, verdict, _, _ in before} >= {"dispatch", "observe", "ignore"}

    again = tmp_path / "again"
    again.mkdir()
    (again / "config.yaml").write_text("plugins:\n  enabled: [hardened-adapters]\n")
    monkeypatch.setenv("HERMES_HOME", str(again))
    monkeypatch.setenv("MATTERMOST_ALLOWED_USERS", alice)
    assert await verdicts(again, fixture.load(tmp_path / "case.jsonl"), alice) == before
