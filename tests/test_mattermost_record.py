"""`record` on Mattermost: frames of the same shape that hold none of the originals."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.decode import Deleted, Edited, Posted, to_inbound
from hermes_hardened_adapters.adapters.mattermost.recording.rewriting import MattermostRecording
from hermes_hardened_adapters.cli import record
from hermes_hardened_adapters.common.core.errors import Fatal
from hermes_hardened_adapters.common.core.events import Me
from hermes_hardened_adapters.common.core.mentions import addressed, starts_command
from hermes_hardened_adapters.common.recording.leaks import Leak
from hermes_hardened_adapters.common.recording.masking import mask
from hermes_hardened_adapters.common.recording.pseudonyms import Pseudonyms

from tests.fakes.mattermost_rest import recorded
from tests.fakes.mattermost_server import ALICE, BOB, DM, HERMES, OPS, TOKEN, FakeMattermostServer
from tests.mattermost_recorded import CHANNELS, RECORDED, USERS, event_in, frame, frames, packed
from tests.recordings import Shape, arguments, captured_console, interrupted, names, setup

COMMANDS = {"status", "new", "help", "sethome", "stop"}
USER_LIST = [{"id": user_id, "username": name, "email": f"{name}@example.org"} for name, user_id in USERS.items()]
ME = {"id": HERMES, "username": "hermes"}
ALL = [text for name in RECORDED for text in frames(name)]


def recording_of(*texts: str) -> MattermostRecording:
    recording = MattermostRecording(COMMANDS)
    for text in texts:
        recording.add(text, 0.25)
    return recording


def rewritten(message: str, **post: Any) -> dict[str, Any]:
    """Return a post of Alice's with that message, rewritten."""
    event = frame("channel_mention_bot")
    event["data"]["post"] |= {"message": message, **post}
    files = recording_of(packed(event)).files(ME, USER_LIST, [])
    result: dict[str, Any] = json.loads(json.loads(files[".jsonl"])["data"]["post"])
    return result


def decoded(texts: list[str], users: dict[str, str]) -> list[Any]:
    """Decode every frame, posts to messages; `users` maps names to ids."""
    by_id = {user_id: name for name, user_id in users.items()}
    result: list[Any] = []
    for text in texts:
        parsed = event_in(text)
        if not isinstance(parsed, Posted | Edited | Deleted):
            result.append(type(parsed).__name__)
            continue
        kind = {Posted: "posted", Edited: "edited", Deleted: "deleted"}[type(parsed)]
        more = {"channel_name": parsed.channel_name, "sender_name": parsed.sender_name} if kind == "posted" else {}
        channel_type = getattr(parsed, "channel_type", "O")
        me = Me(users["hermes"])
        message = to_inbound(
            parsed.post,
            me,
            users.get,
            lambda user_id: by_id.get(user_id, ""),
            channel_type=channel_type,
            kind=kind,
            **more,
        )  # type: ignore[arg-type]
        result.append(message.inbound)
    return result


def shapes(texts: list[str], users: dict[str, str]) -> list[Any]:
    """Return the features that decisions depend on, with lengths instead of names."""
    shape, result = Shape(), []
    for one in decoded(texts, users):
        if isinstance(one, str):
            result.append(one)
            continue
        # Names are longer or shorter than their pseudonyms, so spans are compared by the characters around them.
        told_apart = []
        for mention in one.mentions:
            assert mention.span is not None
            start, end = mention.span
            told_apart.append(
                (shape.number(mention.address.id), one.text[start - 1 : start].isalnum(), one.text[end : end + 1])
            )
        told_apart = [(who, before, mask(after) if not after.isalnum() else "x") for who, before, after in told_apart]
        command = addressed(one.text, one.mentions, Me(users["hermes"]))
        result.append(
            (
                one.origin,
                one.contentless,
                one.broadcast,
                shape.number(one.sender.id),
                shape.number(one.chat.id),
                *map(shape.number, (one.message_id, one.chat.thread, one.edits, one.deletes)),
                told_apart,
                [(shape.number(a.id), a.content_type, a.size) for a in one.attachments],
                starts_command(command) and (command.split()[0][1:] if command.split()[0][1:] in COMMANDS else "/"),
                bool(one.text.strip()),
            )
        )
    return result


def test_every_recorded_frame_decodes_to_the_same_shape() -> None:
    recording = recording_of(*ALL)
    files = recording.files(ME, USER_LIST, recorded("users_me_channels"))
    mapped = {user["username"]: user["id"] for user in json.loads(files[".users.json"])}
    pseudonyms = recording.pseudonyms
    after = {
        ("hermes" if name == "hermes" else pseudonyms.username(name)): mapped[pseudonyms.username(name)]
        for name in USERS
    }
    after[pseudonyms.username("hermes")] = after["hermes"]
    again = files[".jsonl"].decode().splitlines()
    assert len(again) == len(ALL)
    assert shapes(again, after) == shapes(ALL, USERS)
    assert recording.dropped == 0


def test_equal_stays_equal_over_json_in_json_and_sidecars() -> None:
    recording = recording_of(*frames("bot_added_to_channel"), *frames("dm_to_bot"))
    files = recording.files(ME, USER_LIST, recorded("users_me_channels"))
    of = recording.pseudonyms.identity
    told = [json.loads(line) for line in files[".jsonl"].decode().splitlines()]
    direct = next(one for one in told if one["data"].get("channel_type") == "D")
    assert direct["data"]["channel_name"] == f"{of(ALICE)}__{of(HERMES)}"
    assert json.loads(direct["data"]["mentions"]) == [of(HERMES)]
    assert json.loads(direct["data"]["post"])["user_id"] == of(ALICE)
    added = next(post for one in told if (post := json.loads(one["data"].get("post", "{}"))).get("props"))
    assert added["props"]["addedUserId"] == of(HERMES)
    assert added["props"]["addedUsername"] == recording.pseudonyms.username("hermes")
    assert json.loads(files[".me.json"]) == {"id": of(HERMES), "username": recording.pseudonyms.username("hermes")}
    assert {of(CHANNELS["dm_alice_hermes"])} <= {row["id"] for row in json.loads(files[".channels.json"])}
    assert b"example" not in b"".join(files.values())


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("@hermes, /status of Bob", "@U, /status xx Xxx"),
        ("@channel @HERMES hi", "@channel @U xx"),
        ("`@hermes` and https://Secret.example/x", "`@xxxxxx` xxx https://Xxxxxx.xxxxxxx/x"),
        ("@nobody.here 42", "@xxxxxx.xxxx 00"),
        ("joe@hermes.io", "xxx@xxxxxx.xx"),
    ],
)
def test_mentions_commands_and_markdown_stay(message: str, pattern: str) -> None:
    said = re.sub(r"(?i)user[0-9a-f]{4}", "U", rewritten(message)["message"])
    assert said == pattern


def test_what_a_hostile_post_carries_fails_closed() -> None:
    post = rewritten(
        "hi",
        type="custom_alice",
        props={"from_bot": "Alice", "plugin": {"Rendezvous": "at noon"}, "serial": 99_999_999, "from_webhook": "true"},
        metadata={"files": [{"id": ALICE, "name": "alice cv.pdf", "mini_preview": "QWxpY2U=", "mime_type": "x/alice"}]},
    )
    assert post["type"] == "custom_xxxxx"
    assert post["props"]["from_bot"] == "Xxxxx"
    assert post["props"]["from_webhook"] == "true"
    assert 99_999_999 not in post["props"].values()
    assert "Rendezvous" not in json.dumps(post)
    (file,) = post["metadata"]["files"]
    assert (file["mini_preview"], file["mime_type"]) == ("", "x/xxxxx")
    assert file["name"].endswith(".pdf")


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 10_000, '{"event":' * 4_000])
def test_what_is_no_frame_is_dropped_and_counted(text: str) -> None:
    recording = recording_of(text, *frames("dm_to_bot"))
    files = recording.files(ME, [], "junk")
    assert recording.dropped == 1
    assert len(files[".jsonl"].splitlines()) == len(frames("dm_to_bot"))


@pytest.mark.parametrize("method", ["username", "word", "slug", "chat"])
def test_a_rule_that_lets_something_through_is_caught(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pseudonyms, method, lambda self, value: value)
    with pytest.raises(Leak):
        recording_of(*ALL).files(ME, USER_LIST, recorded("users_me_channels"))


# -- the command, beside a server


async def recorded_by(url: str, folder: Path, *argv: str, token: str = TOKEN) -> tuple[int, str]:
    console, output = captured_console()
    chosen = arguments("record", "mattermost", "--for", "1h", "--out", folder, *argv)
    home = setup(folder, mattermost={"url": url, "token": token})
    return await record.record(chosen, home, "case", console), output.getvalue()


async def test_a_recording_of_a_server(tmp_path: Path) -> None:
    async with FakeMattermostServer() as server:
        running = asyncio.create_task(recorded_by(server.url, tmp_path))
        await server.connected()
        await server.post(ALICE, OPS, "@hermes and @bob: rendezvous at noon")
        await server.post(BOB, OPS, "/status")
        await server.post(ALICE, DM, "hello")
        await asyncio.sleep(0.2)
        status, output = await interrupted(running)
    assert status == 0
    suffixes = {".jsonl", ".times.json", ".me.json", ".users.json", ".channels.json"}
    assert names(tmp_path) == {f"case{suffix}" for suffix in suffixes}
    content = b"".join((tmp_path / name).read_bytes() for name in names(tmp_path))
    # A random id may hold a short name by chance.
    without_ids = re.sub(rb"[a-z0-9]{26}", b"", content)
    assert not [one for one in (ALICE, HERMES, OPS, TOKEN) if one.encode() in content]
    for original in (ALICE, HERMES, OPS, TOKEN, "alice", "bob", "hermes", "rendezvous", "Ops"):
        assert original.encode() not in without_ids
        assert original not in output.replace("/status", "")
    events = [json.loads(line) for line in (tmp_path / "case.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["hello", "posted", "posted", "posted"]
    users = json.loads((tmp_path / "case.users.json").read_text())
    said = json.loads(events[1]["data"]["post"])["message"]
    assert sum(user["username"] in said for user in users) == 2


async def test_a_token_that_is_refused_is_named(tmp_path: Path) -> None:
    async with FakeMattermostServer() as server:
        with pytest.raises(Fatal) as caught:
            await recorded_by(server.url, tmp_path, token="wrong")
    assert "wrong" not in str(caught.value)
