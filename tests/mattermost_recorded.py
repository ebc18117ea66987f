"""The recorded traffic of a Mattermost server: raw frames, variants of them, and the checks that hold for any frame."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from hermes_hardened_adapters.adapters.mattermost.decode import (
    Deleted,
    Edited,
    Event,
    Posted,
    added_by,
    event_of,
    to_inbound,
)
from hermes_hardened_adapters.adapters.mattermost.peek import peek
from hermes_hardened_adapters.adapters.mattermost.sequence import frame_of
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import Chat, Me, Origin, Unhandled
from hermes_hardened_adapters.common.core.policy import Policy, decide

FIXTURES = Path(__file__).parent / "fixtures" / "mattermost"
IDS: dict[str, Any] = json.loads((FIXTURES / "ids.json").read_text())
USERS: dict[str, str] = IDS["users"]
CHANNELS: dict[str, str] = IDS["channels"]
HERMES = USERS["hermes"]
ME = Me(HERMES)
NAMES = {user_id: name for name, user_id in USERS.items()}
_TIMES = ("create_at", "update_at", "edit_at", "delete_at")
RECORDED = sorted(path.stem for path in FIXTURES.glob("*.jsonl"))


def frames(name: str) -> list[str]:
    """The frames of a recording as the socket received them, in order."""
    return (FIXTURES / f"{name}.jsonl").read_text().splitlines()


def frame(name: str, index: int = 0) -> dict[str, Any]:
    """One frame of a recording, its post unpacked, to derive variants from."""
    unpacked: dict[str, Any] = json.loads(frames(name)[index])
    if "post" in unpacked["data"]:
        unpacked["data"]["post"] = json.loads(unpacked["data"]["post"])
    return unpacked


def variant(name: str, index: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a recorded frame with other fields in its post."""
    event = frame(name, index)
    event["data"]["post"] |= changes
    return event


def of_now(name: str, index: int = 0) -> dict[str, Any]:
    """Return a recorded frame dated to this moment: the plugin takes a post of last week for answered long ago."""
    event = frame(name, index)
    post = event["data"].get("post")
    if isinstance(post, dict):
        passed = int(time.time() * 1000) - post["create_at"]
        event["data"]["post"] = post | {at: post[at] + passed for at in _TIMES if post.get(at)}
    return event


def packed(event: dict[str, Any]) -> str:
    """A frame as it goes over the wire: the post is JSON inside JSON."""
    data = event["data"]
    if isinstance(data, dict) and isinstance(data.get("post"), dict):
        data = data | {"post": json.dumps(data["post"])}
    return json.dumps(event | {"data": data})


def event_in(text: str) -> Event | Unhandled:
    """What the text of a frame says."""
    seen = frame_of(text)
    return Unhandled("no event") if seen is None or seen.seq_reply is not None else event_of(seen)


def survives(data: str) -> None:
    """Decode and decide whatever it is. What a peek shows of it agrees with the whole frame."""
    event = event_in(data)
    assert isinstance(event, (*get_args(Event), Unhandled))
    if isinstance(event, Posted | Edited | Deleted):
        for channel_type in ("O", "D", ""):
            inbound = to_inbound(event.post, ME, USERS.get, lambda _: "", channel_type=channel_type).inbound
            decide(inbound, ME, Policy(every_chat=True), authority=Authority.ALLOWED)
            added_by(event.post, ME)
    frame = frame_of(data)
    if frame and isinstance(event, Posted) and (seen := peek(frame, ME)):
        known = {"channel_type": event.channel_type, "user_id_of": USERS.get, "name_of": lambda _: ""}
        inbound = to_inbound(event.post, ME, **known).inbound  # type: ignore[arg-type]
        unseen = {"origin": Origin.PERSON, "sender_name": "", "mentions": (), "broadcast": False, "attachments": ()}
        assert inbound.origin in {Origin.PERSON, Origin.PROGRAM}
        assert seen == replace(inbound, chat=Chat(event.post.channel_id), **unseen)  # type: ignore[arg-type]
