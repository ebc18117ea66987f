"""The recorded traffic of a Mattermost server: raw frames, who is who, and what was done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hermes_hardened_adapters.adapters.mattermost.decode import Event, event_of
from hermes_hardened_adapters.adapters.mattermost.sequence import frame_of
from hermes_hardened_adapters.common.core.events import Unhandled

FIXTURES = Path(__file__).parent / "fixtures" / "mattermost"
IDS: dict[str, Any] = json.loads((FIXTURES / "ids.json").read_text())
USERS: dict[str, str] = IDS["users"]
CHANNELS: dict[str, str] = IDS["channels"]
HERMES = USERS["hermes"]
NAMES = {user_id: name for name, user_id in USERS.items()}
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
